"""`quality` on results that the ledger holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from command_lines import Ask, publish
from lakes import publish_parts
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, QualityRecord
from workspaces import Workspace, day


def _result(
    number: int,
    rule: str,
    *,
    success: bool,
    run_id: str = "r2",
    severity: str = "critical",
    later: int = 0,
    broken: int = 0,
) -> QualityRecord:
    return QualityRecord(
        run_id=run_id,
        table="silver.readings",
        batch_date=day(number),
        recorded_at=now() + timedelta(seconds=later),
        rule=rule,
        expectation_type="expect_something",
        severity=severity,
        success=success,
        unexpected_count=broken,
        element_count=9,
        result={"success": success, "result": {}, "exception_info": {"exception_message": None}},
    )


@pytest.fixture
def judged(meters: Workspace) -> Workspace:
    """Days 1 to 3 published; a correction of day 2 rejected, with two rows in quarantine."""
    publish(meters, range(1, 4), ["bronze.readings", "silver.readings"])
    context = meters.context()
    context.ledger.ops.append([_result(n, "kwh_sane", success=True, run_id="r1") for n in (1, 2, 3)])
    context.ledger.ops.append(
        [_result(3, "not_crowded", success=False, run_id="r1", severity="warning", broken=3)]
    )
    context.ledger.ops.append(
        [
            _result(2, "kwh_sane", success=False, later=1, broken=4),
            _result(2, "not_crowded", success=True, later=1, severity="warning"),
        ]
    )
    publish(
        meters, [2], ["silver.readings"],
        outcome=BatchOutcome.REJECTED, run_id="r2", reason="kwh_sane: 4 of 9 rows", read=12, rows=9,
        quarantined=2, dropped={"second_reading": 1},
    )  # fmt: skip
    quarantine = "quarantine.silver_readings"
    rows = [{"broken_rules": ["kwh_parses"], "street": "High St"}]
    publish_parts(meters, quarantine, 1, rows)
    broken = [["kwh_parses"], ["kwh_parses", "kwh_not_negative"]]
    publish_parts(meters, quarantine, 2, [{"broken_rules": rules, "street": "High St"} for rules in broken])
    return meters


def test_one_batch_in_words(ask: Ask, judged: Workspace) -> None:
    answer = ask("quality", "silver.readings", "--date", "2024-01-02")
    assert (answer.code, answer.err) == (0, "")
    lines = [line.rstrip() for line in answer.out.splitlines()]
    assert lines[0] == "silver.readings 2024-01-02: failed"
    assert lines[1].startswith("last attempt: rejected, run r2, ")
    assert lines[2:] == [
        "  kwh_sane: 4 of 9 rows",
        "rows: 12 read = 9 sound but not published + 2 quarantined + 1 dropped (second_reading)",
        "",
        "rules, as run r2 found them:",
        "rule         severity  verdict  broken  of",
        "kwh_sane     critical  broken        4   9",
        "not_crowded  warning   kept          0   9",
        "",
        "quarantined, in quarantine.silver_readings: 2 rows",
        "broken rule       rows",
        "kwh_parses           2",
        "kwh_not_negative     1",
        "",
        lines[-1],
    ]
    assert lines[-1].startswith("readers see: 2 rows of run 20240201T000000-00000001 (no version, ")


def test_one_batch_as_json(ask: Ask, judged: Workspace) -> None:
    found = ask("quality", "silver.readings", "--date", "2024-01-02", "--json").json
    assert (found["state"], found["audited_by"], found["reason"]) == ("failed", "r2", "kwh_sane: 4 of 9 rows")
    assert found["last_attempt"]["dropped"] == {"second_reading": 1}
    assert found["quarantine"] == {
        "table": "quarantine.silver_readings",
        "rows": 2,
        "by_rule": {"kwh_parses": 2, "kwh_not_negative": 1},
    }
    assert [(r["rule"], r["success"]) for r in found["results"]] == [
        ("kwh_sane", False),
        ("not_crowded", True),
    ]
    assert found["visible"]["run_id"] == "20240201T000000-00000001"
    assert "High St" not in str(found)


def test_the_latest_batches_in_trouble(ask: Ask, judged: Workspace) -> None:
    answer = ask("quality", "silver.readings")
    assert [line.rstrip() for line in answer.out.splitlines()] == [
        "silver.readings: 3 batches audited, 2 in trouble, 2 rows quarantined",
        "",
        "batch       outcome    what",
        "2024-01-03  published  warning: not_crowded (3 of 9)",
        "2024-01-02  rejected   kwh_sane: 4 of 9 rows",
        "",
        "all of one batch: lakesmith quality silver.readings --date 2024-01-03",
    ]
    found = ask("quality", "silver.readings", "--json", "--last", "1").json
    assert (found["batches_in_trouble"], [b["batch_date"] for b in found["batches"]]) == (2, ["2024-01-03"])


def test_an_attempt_without_an_audit_does_not_borrow_an_older_one(ask: Ask, judged: Workspace) -> None:
    publish(
        judged,
        [1],
        ["silver.readings"],
        outcome=BatchOutcome.FAILED,
        run_id="r3",
        reason="SchemaMismatch: no kwh",
    )
    answer = ask("quality", "silver.readings", "--date", "2024-01-01")
    assert "  SchemaMismatch: no kwh\n" in answer.out
    assert "no audit: the attempt ended before it.\n" in answer.out
    assert "kwh_sane" not in answer.out
    troubled = ask("quality", "silver.readings", "--json").json["batches"]
    assert [(b["batch_date"], b["outcome"], b["broken"]) for b in troubled][-1] == (
        "2024-01-01",
        "failed",
        [],
    )


def test_a_batch_that_was_never_tried_says_how_to_try_it(ask: Ask, meters: Workspace) -> None:
    answer = ask("quality", "bronze.readings", "--date", "2024-01-03")
    assert answer.code == 0
    assert "bronze.readings 2024-01-03: missing" in answer.out
    assert "try it: lakesmith run --date 2024-01-03 --table bronze.readings\n" in answer.out


def test_a_batch_that_cannot_be_run_yet_says_where_to_look(ask: Ask, meters: Workspace) -> None:
    answer = ask("quality", "gold.next_day", "--date", "2024-01-03")
    assert answer.code == 0
    assert "gold.next_day 2024-01-02 (the night of 2024-01-03 owns it): blocked" in answer.out
    assert "see what that night waits for: lakesmith status --from 2024-01-03 --to 2024-01-03\n" in answer.out


def test_a_table_without_any_audit(ask: Ask, meters: Workspace) -> None:
    answer = ask("quality", "silver.readings")
    assert answer.out == "silver.readings: no batch was audited yet. See what is there: lakesmith status\n"


def test_a_night_before_history_is_an_error(ask: Ask, meters: Workspace) -> None:
    answer = ask("quality", "gold.next_day", "--date", "2024-01-01")
    assert (answer.code, answer.out) == (2, "")
    assert "its first batch is 2024-01-01, which the night of 2024-01-02 owns" in answer.err


def test_great_expectations_needs_a_batch(ask: Ask, meters: Workspace) -> None:
    answer = ask("quality", "silver.readings", "--with", "great-expectations")
    assert (answer.code, answer.out) == (2, "")
    assert "add --date DAY" in answer.err
    answer = ask("quality", "silver.readings", "--with", "great-expectations", "--date", "2024-01-02")
    assert (answer.code, answer.out) == (4, "")
    assert answer.err.startswith("error: silver.readings 2024-01-02 was never published")

"""`lakesmith quarantine` on rows that were rejected, and `lakesmith audit`; no JVM but where a batch is run again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from command_lines import Ask, publish
from lakes import publish_batch, record_night, write_batch
from lakesmith.ledger.audit_trail import Action, AuditRecord
from lakesmith.ledger.ops import now
from workspaces import Workspace, day

SILVER, QUARANTINE = "silver.readings", "quarantine.silver_readings"
BOTH = ["kwh_parses", "kwh_not_negative"]


def rejected(record: int, meter: str, rules: list[str], street: str | None = "High St") -> dict[str, Any]:
    return {
        "source_file": "f.csv",
        "record_no": record,
        "meter": meter,
        "kwh": -record,
        "street": street,
        "broken_rules": rules,
    }


@pytest.fixture
def lake(meters: Workspace) -> Workspace:
    """Day 1 with one rejected row, day 2 with three."""
    publish(meters, [1, 2, 3], ["bronze.readings"])
    for number in (1, 2, 3):
        publish_batch(
            meters, SILVER, number, [{"source_file": "f.csv", "record_no": 9, "meter": "m1", "kwh": 1}]
        )
    write_batch(meters, QUARANTINE, 1, [rejected(1, "m1", ["kwh_parses"])])
    write_batch(
        meters,
        QUARANTINE,
        2,
        [
            rejected(3, "m3", ["kwh_not_negative"], None),
            rejected(1, "m1", ["kwh_parses"]),
            rejected(2, "m2", BOTH),
        ],
    )
    return meters


def lines(text: str) -> list[str]:
    return [found.rstrip() for found in text.splitlines()]


def test_what_was_in_quarantine_after_an_earlier_night(ask: Ask, lake: Workspace) -> None:
    record_night(lake, 2)
    write_batch(lake, QUARANTINE, 2, [rejected(7, "m7", ["kwh_parses"])])
    assert [found["rows"] for found in ask("quarantine", "list", "--json").json] == [2]
    assert [found["rows"] for found in ask("quarantine", "list", "--as-of", "2024-01-02", "--json").json] == [
        4
    ]
    shown = ask("quarantine", "show", SILVER, "--date", "2024-01-02", "--as-of", "2024-01-02", "--json").json
    assert [row["record_no"] for row in shown["rows"]] == [1, 2, 3]


def test_rejected_rows_are_counted_by_rule_and_by_day(ask: Ask, lake: Workspace) -> None:
    answer = ask("quarantine", "list")
    assert (answer.code, answer.err) == (0, "")
    assert lines(answer.out) == [
        "silver.readings: 4 rows of 2 batches in quarantine",
        "broken rule       rows  batches  newest",
        "kwh_parses           3        2  2024-01-02",
        "kwh_not_negative     2        1  2024-01-02",
        "",
        "batch       rows  by rule",
        "2024-01-02     3  kwh_not_negative 2, kwh_parses 2",
        "2024-01-01     1  kwh_parses 1",
        "",
        "the rows: lakesmith quarantine show silver.readings --date 2024-01-02",
        "once the cause is mended: lakesmith quarantine replay silver.readings",
    ]
    shorter = lines(ask("quarantine", "list", "--last", "1").out)
    assert shorter[6:8] == ["2024-01-02     3  kwh_not_negative 2, kwh_parses 2", "... and 1 older: --last 2"]


def test_the_counts_as_json_of_some_nights(ask: Ask, lake: Workspace) -> None:
    found = ask("quarantine", "list", "--from", "2024-01-01", "--to", "2024-01-01", "--json").json
    assert found == [
        {
            "table": SILVER,
            "rows": 1,
            "by_rule": {"kwh_parses": 1},
            "batches": [{"batch_date": "2024-01-01", "rows": 1, "by_rule": {"kwh_parses": 1}}],
        }
    ]
    assert lines(ask("quarantine", "list", "--table", "gold.usage").out) == ["nothing is in quarantine."]


def test_rows_are_shown_one_below_the_other_with_people_masked(ask: Ask, lake: Workspace) -> None:
    answer = ask("quarantine", "show", SILVER, "--date", "2024-01-02", "--rows", "2")
    assert lines(answer.out) == [
        "silver.readings 2024-01-02: 3 rows in quarantine",
        "",
        "1. broke kwh_parses",
        "  source_file  f.csv",
        "  record_no    1",
        "  meter        m1",
        "  kwh          -1",
        "  street       ***",
        "",
        "2. broke kwh_parses, kwh_not_negative",
        "  source_file  f.csv",
        "  record_no    2",
        "  meter        m2",
        "  kwh          -2",
        "  street       ***",
        "",
        "... 1 more row: lakesmith quarantine show silver.readings --date 2024-01-02 --rows 3",
        "",
        "*** stands for values of people's columns (street): --unmask shows them.",
    ]
    shown = ask(
        "quarantine", "show", SILVER, "--date", "2024-01-02", "--rule", "kwh_not_negative", "--unmask"
    ).out
    assert "silver.readings 2024-01-02: 2 rows in quarantine that broke kwh_not_negative" in shown
    assert "High St" in shown
    assert "***" not in shown
    assert "1. broke kwh_parses, kwh_not_negative" in shown
    assert "street       NULL" in shown


def test_rows_as_json_and_a_day_without_any(ask: Ask, lake: Workspace) -> None:
    found = ask("quarantine", "show", SILVER, "--date", "2024-01-02", "--rows", "1", "--json").json
    assert found == {
        "table": SILVER,
        "batch_date": "2024-01-02",
        "rows_in_quarantine": 3,
        "by_rule": {"kwh_not_negative": 2, "kwh_parses": 2},
        "masked": ["street"],
        "rows": [
            {
                "broken_rules": ["kwh_parses"],
                "source_file": "f.csv",
                "record_no": 1,
                "meter": "m1",
                "kwh": -1,
                "street": "***",
            }
        ],
    }
    answer = ask("quarantine", "show", SILVER, "--date", "2024-01-03")
    assert (answer.code, answer.out) == (0, "silver.readings 2024-01-03: nothing is in quarantine.\n")


def test_a_rule_that_no_row_broke_is_an_error_with_those_that_were(ask: Ask, lake: Workspace) -> None:
    answer = ask("quarantine", "show", SILVER, "--date", "2024-01-01", "--rule", "kwh_sane")
    assert answer.code == 2
    assert (
        "no row of silver.readings 2024-01-01 in quarantine broke the rule kwh_sane. Broken were: kwh_parses."
        in (answer.err)
    )
    answer = ask("quarantine", "replay", SILVER, "--rule", "kwh_sane")
    assert answer.code == 2
    assert "Broken were: kwh_parses, kwh_not_negative. See: lakesmith quarantine list --table" in answer.err


def test_a_replay_says_what_it_would_run_and_leaves_other_days_alone(ask: Ask, lake: Workspace) -> None:
    said = lines(ask("quarantine", "replay", SILVER, "--dry-run").out)
    assert said[0] == "silver.readings: 4 rows in quarantine, 2024-01-01 .. 2024-01-02 (2 batches)"
    found = ask("quarantine", "replay", SILVER, "--rule", "kwh_not_negative", "--dry-run", "--json").json
    assert {s["table"]: s["batches"] for s in found["steps"]} == {SILVER: ["2024-01-02"]}
    answer = ask("quarantine", "replay", SILVER, "--date", "2024-01-03")
    assert (answer.code, answer.out) == (
        0,
        "silver.readings: nothing is in quarantine there, so there is nothing to replay.\n",
    )
    assert ask("quarantine", "replay", SILVER, "--from", "2024-01-01").code == 2


def test_the_trail_of_what_people_did_is_listed_newest_first(ask: Ask, meters: Workspace) -> None:
    assert ask("audit").out == "nobody did anything by hand: the trail is empty.\n"

    def entry(hour: int, who: str, action: Action, table: str, why: str, **details: Any) -> AuditRecord:
        moment = datetime(2024, 2, 1, hour, 30, tzinfo=UTC)
        return AuditRecord(moment, who, action, table, day(2), day(hour), why, ("r1",), details)

    meters.context().ledger.ops.append(
        [
            entry(2, "ann", Action.RESTORE, SILVER, "wrong file", restored=3),
            entry(5, "bob", Action.FORCE, "gold.usage", ""),
            entry(3, "ann", Action.RESTORE, SILVER, "right after all", released=True, restored=3),
        ]
    )

    assert lines(ask("audit").out) == [
        "when (UTC)        who  what          table            batches                   why",
        "2024-02-01 05:30  bob  force         gold.usage       2024-01-02 .. 2024-01-05",
        "2024-02-01 03:30  ann  release       silver.readings  2024-01-02 .. 2024-01-03  right after all",
        "2024-02-01 02:30  ann  restore to 3  silver.readings  2024-01-02                wrong file",
    ]
    record_night(meters, 3)
    later = AuditRecord(now() + timedelta(hours=1), "eve", Action.FORGET, SILVER, None, None, "", (), {})
    meters.context().ledger.ops.append([later])
    assert [e["who"] for e in ask("audit", "--as-of", "2024-01-03", "--json").json] == ["bob", "ann", "ann"]
    assert lines(ask("audit", "--last", "1").out)[-1] == "... and 3 older ones: --last 4"
    found = ask("audit", "--table", "gold.usage", "--json").json
    assert [(e["who"], e["action"], e["table"], e["run_ids"]) for e in found] == [
        ("bob", "force", "gold.usage", ["r1"])
    ]
    assert ask("audit", "--table", "gold.nothing").code == 2

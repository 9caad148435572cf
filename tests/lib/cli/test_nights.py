"""`run` and `backfill` where they need no Spark: plans, nothing to do, waiting, errors."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from command_lines import THREE_TABLES, Ask, publish
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, RunOutcome, RunRecord
from workspaces import Workspace, day

ONLY = [argument for table in THREE_TABLES for argument in ("--table", table)]
RANGE = ["--from", "2024-01-01", "--to", "2024-01-06"]


def test_everything_fresh_is_said_and_done(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    answer = ask("backfill", *RANGE, *ONLY)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "nothing to do for 2024-01-01 .. 2024-01-06: all 18 batches are fresh or closed.\n"
    answer = ask("run", "--date", "2024-01-03", *ONLY)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "nothing to do for 2024-01-03: all 3 batches are fresh or closed.\n"


def test_everything_fresh_as_json(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    answer = ask("run", "--date", "2024-01-03", "--json", *ONLY)
    found = answer.json
    assert (answer.code, found["exit_code"], found["outcome"], found["complete"]) == (0, 0, "done", True)
    assert [(t["table"], t["published"], t["runs"]) for t in found["tables"]] == [
        (t, [], []) for t in THREE_TABLES
    ]


def test_before_history_nothing_is_due(ask: Ask, meters: Workspace) -> None:
    answer = ask("run", "--date", "2023-12-31")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "nothing is due for 2023-12-31: history starts on 2024-01-01, and the first night of "
        "bronze.readings is 2024-01-01.\n"
    )


def test_a_table_with_a_lag_is_due_later(ask: Ask, meters: Workspace) -> None:
    answer = ask("run", "--date", "2024-01-01", "--table", "gold.next_day")
    assert answer.code == 0
    assert answer.out == (
        "nothing is due for 2024-01-01: history starts on 2024-01-01, and the first night of gold.next_day, "
        "which lags 1 day, is 2024-01-02.\n"
    )


def test_a_dry_run_shows_the_plan_and_runs_nothing(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 5))
    meters.land(2, ("m1", 99, "High St"))
    answer = ask("backfill", *RANGE, *ONLY, "--dry-run")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "plan: 9 batches of 3 tables to run; 9 are fresh or closed\n"
        "  bronze.readings  2024-01-05 .. 2024-01-06 (2 batches)\n"
        "      missing: never published\n"
        "                   2024-01-02  stale: readings: 2024-01-02.csv changed\n"
        "  silver.readings  2024-01-02, 2024-01-05 .. 2024-01-06 (3 batches)\n"
        "      e.g. bronze.readings 2024-01-02 will be run\n"
        "  gold.usage       2024-01-02, 2024-01-05 .. 2024-01-06 (3 batches)\n"
        "      e.g. silver.readings 2024-01-02 will be run\n"
    )
    assert not (meters.root / "lake" / "bronze").exists()


def test_a_dry_run_as_json_is_the_plan(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 6), THREE_TABLES)
    found = ask("backfill", *RANGE, "--table", "bronze.readings", "--dry-run", "--json").json
    assert found == {
        "from": "2024-01-01",
        "to": "2024-01-06",
        "steps": [
            {
                "table": "bronze.readings",
                "ranges": [["2024-01-06", "2024-01-06"]],
                "batches": ["2024-01-06"],
                "reasons": {"2024-01-06": "missing: never published"},
                "audits": {},
            }
        ],
        "waiting": [],
        "behind": [],
        "untouched": 5,
        "expected": {},
    }


def test_what_cannot_be_run_is_named_and_exits_4(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 6))
    (meters.root / "landing" / "readings" / f"{day(6)}.csv").unlink()
    answer = ask("run", "--date", "2024-01-06", *ONLY)
    assert (answer.code, answer.err) == (4, "")
    assert "not run: 3 batches\n" in answer.out
    assert "  bronze.readings missing 2024-01-06:\n      readings: no file 2024-01-06.csv" in answer.out
    assert (
        "  gold.usage blocked 2024-01-06:\n      needs silver.readings 2024-01-06, which is blocked\n"
        in answer.out
    )
    assert "missing (exit code 4): " in answer.out
    assert "the same command can go better later" in answer.out


def test_an_outcome_is_left_whatever_comes(ask: Ask, meters: Workspace, tmp_path: Path) -> None:
    publish(meters, range(1, 7))
    file = tmp_path / "made" / "outcome.json"
    ask("run", "--date", "2024-01-03", *ONLY, "--outcome", str(file))
    assert json.loads(file.read_text())["exit_code"] == 0

    answer = ask("run", "--date", "2024-01-03", "--table", "gold.nothing", "--outcome", str(file))
    found = json.loads(file.read_text())
    assert (answer.code, answer.out) == (2, "")
    assert {key: found[key] for key in ("exit_code", "outcome", "retryable", "complete", "tables")} == {
        "exit_code": 2, "outcome": "usage", "retryable": False, "complete": False, "tables": []
    }  # fmt: skip
    assert found["error"].startswith("UsageError: there is no table 'gold.nothing'.")


def test_a_day_that_is_none_is_an_error(ask: Ask, meters: Workspace) -> None:
    answer = ask("run", "--date", "20240101")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: '20240101' is not a day. Write it as YYYY-MM-DD, for example 2011-03-01.\n"


def test_a_failed_batch_is_planned_again_with_its_reason(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    publish(meters, [4], ["silver.readings"], outcome=BatchOutcome.REJECTED, reason="kwh_sane: observed 2000")
    answer = ask("backfill", *RANGE, *ONLY, "--dry-run")
    assert "  silver.readings  2024-01-04  failed: kwh_sane: observed 2000\n" in answer.out


def test_a_backfill_that_lacks_its_parents_is_refused_or_takes_them_along(
    ask: Ask, meters: Workspace
) -> None:
    publish(meters, range(1, 7), ("bronze.readings",))
    publish(meters, (1, 2), ("silver.readings", "gold.usage"))
    range_ = ["--from", "2024-01-04", "--to", "2024-01-06", "--table", "gold.usage_3d"]
    answer = ask("backfill", *range_)
    assert (answer.code, answer.out) == (4, "")
    assert answer.err == (
        "error: gold.usage_3d 2024-01-04 .. 2024-01-06: 3 batches need others first, which are not part of this: "
        "silver.readings 2024-01-03 .. 2024-01-06; gold.usage 2024-01-03 .. 2024-01-06. Nothing was run. "
        "Include them: --with-parents\n"
    )
    answer = ask("plan", *range_, "--with-parents")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "plan: 11 batches of 3 tables to run\n"
        "  silver.readings  2024-01-03 .. 2024-01-06 (4 batches)\n"
        "      missing: never published\n"
        "  gold.usage       2024-01-03 .. 2024-01-06 (4 batches)\n"
        "      e.g. silver.readings 2024-01-03 will be run\n"
        "  gold.usage_3d    2024-01-04 .. 2024-01-06 (3 batches)\n"
        "      e.g. gold.usage 2024-01-03 will be run\n"
    )


def test_a_plan_of_a_night_looks_back_and_says_what_it_will_take(ask: Ask, meters: Workspace) -> None:
    meters.edit("conf/tables/bronze.readings.yml", "rows: preserving", "rows: preserving\nhorizon: 3d")
    publish(meters, range(1, 6), ("bronze.readings",))
    meters.land(4, ("m1", 99, ""))
    moment = now()
    context = meters.context()
    for seconds, batches in ((3.0, 1), (12.0, 10)):
        context.ledger.record_run(
            RunRecord(
                "r", "bronze.readings", day(1), day(5), moment, moment + timedelta(seconds=seconds),
                RunOutcome.PUBLISHED, 0, False, "", batches, batches, 0, 0, 100 * batches, 0, 0, 1, "", "", "", "", "", 0,
            )
        )  # fmt: skip
    answer = ask("plan", "--date", "2024-01-06", "--table", "bronze.readings")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "plan: 2 batches of 1 table to run\n"
        "  bronze.readings  2024-01-04  stale: readings: 2024-01-04.csv changed\n"
        "                   2024-01-06  missing: never published\n"
        "                   about 200 rows, 4 s, going by earlier runs\n"
    )
    found = ask("plan", "--date", "2024-01-06", "--table", "bronze.readings", "--json").json
    assert found["expected"] == {"bronze.readings": {"rows": 200, "seconds": 4.0}}


def test_what_stays_behind_is_said_and_no_failure(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    meters.land(2, ("m1", 99, ""))
    answer = ask("run", "--date", "2024-01-02", "--table", "gold.usage")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "\n"
        "stale, and not to be mended here: 1 batch\n"
        "  gold.usage stale 2024-01-02: silver.readings 2024-01-02 is itself stale\n"
        "to repair what they read: lakesmith backfill --stale-only\n"
    )


def test_a_plan_for_repairs_says_what_it_leaves(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 6))
    answer = ask("backfill", "--stale-only", *ONLY)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == (
        "nothing to repair for 2024-01-01 .. 2024-01-06: 15 batches fresh or closed, and 3 batches that never came to be; "
        "see: lakesmith status\n"
    )
    meters.land(2, ("m1", 99, ""))
    answer = ask("backfill", "--stale-only", "--dry-run")
    assert answer.out == (
        "plan: 3 batches of 3 tables to run; 12 are fresh or closed\n"
        "  bronze.readings  2024-01-02  stale: readings: 2024-01-02.csv changed\n"
        "  silver.readings  2024-01-02  bronze.readings 2024-01-02 will be run\n"
        "  gold.usage       2024-01-02  silver.readings 2024-01-02 will be run\n"
    )

"""Batches with rejected rows are run once more: after a relaxed rule, after a mended file, and when nothing has changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.replaying import Replay, plan_replay, replay
from lakesmith.engine.restoring import restore
from lakesmith.errors import ExitCode
from lakesmith.ledger.audit_trail import Action, AuditRecord
from workspaces import METERS, Workspace, day

SILVER = "silver.readings"
UP_TO_SILVER = ["bronze.readings", SILVER]


@pytest.fixture(scope="module")
def first_rejected(tmp_path_factory: pytest.TempPathFactory, spark_session: Any) -> Workspace:
    """Three days; of the 1st and the 3rd rows are in quarantine. Only to be copied."""
    root = tmp_path_factory.mktemp("rejected") / "meters"
    shutil.copytree(METERS, root)
    meters = Workspace(root)
    others = [(f"n{n}", 1, "") for n in range(6)]
    meters.land(1, ("m1", -1, "High St"), ("m2", "?", "Low St"), *others)
    meters.land(2, ("m1", 7, "High St"), *others)
    meters.land(3, ("m1", -3, "High St"), *others)
    assert meters.run(1, 3, UP_TO_SILVER).exit_code is ExitCode.DONE
    assert rejected(meters) == [
        (day(1), "m1", ["kwh_not_negative"]),
        (day(1), "m2", ["kwh_parses"]),
        (day(3), "m1", ["kwh_not_negative"]),
    ]
    return meters


@pytest.fixture
def meters(tmp_path: Path, first_rejected: Workspace) -> Workspace:
    shutil.copytree(first_rejected.root, tmp_path / "meters")
    return Workspace(tmp_path / "meters")


def rejected(meters: Workspace) -> list[tuple[Any, ...]]:
    return meters.rows("quarantine.silver_readings", "batch_date", "meter", "broken_rules")


def replayed(meters: Workspace, days: BatchRange | None = None, rule: str | None = None) -> Replay:
    """As a process of its own would do it."""
    context = meters.context()
    plan = plan_replay(context, context.project.graph.contracts[SILVER], days, rule)
    assert not context.spark_started
    done = replay(context, plan, why="mended")
    if not plan.plan.steps:
        assert not context.spark_started
    return done


def trail(meters: Workspace) -> list[AuditRecord]:
    rows = meters.context().ledger.ops.read(AuditRecord).to_pylist()
    return [AuditRecord.from_row(row) for row in rows]


def test_a_replay_of_batches_for_which_nothing_changed_runs_nothing(meters: Workspace) -> None:
    versions, before = meters.versions(), rejected(meters)

    done = replayed(meters)

    assert (done.plan.batches, done.plan.plan.steps) == ((day(1), day(3)), ())
    assert (done.came_back, done.remaining, done.night.exit_code) == (0, 3, ExitCode.DONE)
    assert (meters.versions(), rejected(meters), trail(meters)) == (versions, before, [])


def test_a_relaxed_rule_brings_its_rows_back_and_no_other_batch_is_run(meters: Workspace) -> None:
    before = meters.rows(SILVER, "batch_date", "meter", "kwh")
    entries = len(meters.records(SILVER))
    meters.edit("conf/expectations/silver.readings.json", '"min_value": 0', '"min_value": -2')

    done = replayed(meters)

    assert done.night.exit_code is ExitCode.DONE
    assert meters.rows(SILVER, "batch_date", "meter", "kwh") == sorted(
        [*before, (day(1), "m1", -1)], key=repr
    )
    assert rejected(meters) == [(day(1), "m2", ["kwh_parses"]), (day(3), "m1", ["kwh_not_negative"])]
    assert (done.plan.before.total, done.came_back, done.remaining) == (3, 1, 2)
    assert done.plan.before.rules == {"kwh_not_negative": 2, "kwh_parses": 1}
    assert done.after.rules == {"kwh_not_negative": 1, "kwh_parses": 1}
    # The 2nd has nothing in quarantine: the next run confirms it by itself.
    assert {r.batch_date.day for r in meters.records(SILVER)[entries:]} == {1, 3}
    assert meters.states(1, 3)[SILVER] == "fresh stale fresh"
    (entry,) = trail(meters)
    assert (entry.action, entry.table, entry.first, entry.last, entry.why) == (
        Action.REPLAY,
        SILVER,
        day(1),
        day(3),
        "mended",
    )
    assert entry.run_ids == tuple(run.run_id for run in done.night.tables[SILVER].runs)
    assert entry.details == {
        "batches": 2,
        "before": 3,
        "came_back": 1,
        "remaining": 2,
        "rules_before": {"kwh_not_negative": 2, "kwh_parses": 1},
        "rules_remaining": {"kwh_not_negative": 1, "kwh_parses": 1},
    }
    again = replayed(meters)
    assert (again.plan.plan.steps, again.came_back, len(trail(meters))) == ((), 0, 1)


def test_a_mended_file_is_landed_again_first_and_other_days_wait(meters: Workspace) -> None:
    others = [(f"n{n}", 1, "") for n in range(6)]
    meters.land(1, ("m1", 1, "High St"), ("m2", "?", "Low St"), *others)
    meters.land(2, ("m1", 8, "High St"), *others)  # mended, too, but nothing of it was rejected

    done = replayed(meters, BatchRange(day(1), day(2)))

    assert list(done.night.tables) == UP_TO_SILVER
    assert (done.night.exit_code, done.came_back, done.remaining) == (ExitCode.DONE, 1, 1)
    assert meters.rows(SILVER, "batch_date", "meter", "kwh")[0] == (day(1), "m1", 1)
    assert rejected(meters) == [(day(1), "m2", ["kwh_parses"]), (day(3), "m1", ["kwh_not_negative"])]
    assert {table: said for table, said in meters.states(1, 3).items() if table in UP_TO_SILVER} == {
        "bronze.readings": "fresh stale fresh",
        SILVER: "fresh stale fresh",
    }


def test_only_batches_with_rows_that_broke_a_rule(meters: Workspace) -> None:
    meters.edit("conf/expectations/silver.readings.json", '"min_value": 0', '"min_value": -9')

    done = replayed(meters, rule="kwh_parses")

    assert done.plan.batches == (day(1),)
    assert rejected(meters) == [(day(1), "m2", ["kwh_parses"]), (day(3), "m1", ["kwh_not_negative"])]
    assert (done.came_back, done.remaining) == (1, 1)


def test_a_batch_that_a_person_restored_is_left_alone_and_named(meters: Workspace) -> None:
    others = [(f"n{n}", 1, "") for n in range(6)]
    meters.land(3, ("m1", 3, "High St"), *others)
    meters.run(3, tables=UP_TO_SILVER)
    context = meters.context()
    restore(context, context.project.graph.contracts[SILVER], day(3), 1)
    assert (day(3), "m1", ["kwh_not_negative"]) in rejected(meters)
    before = meters.rows(SILVER)

    done = replayed(meters, BatchRange(day(3), day(3)))

    assert (done.plan.held, done.plan.plan.steps) == ((day(3),), ())
    assert meters.rows(SILVER) == before

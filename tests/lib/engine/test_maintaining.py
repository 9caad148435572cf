"""Maintenance of a lake: files change, and nothing else; what somebody needs stays, what nobody needs goes. No Spark."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import write_deltalake
from pyarrow.compute import field

from lakes import publish_parts, record_night, write_batch
from lakesmith.config.sections.jobs import LeaseSettings
from lakesmith.engine.maintaining import Maintenance, TableMaintenance, kept_versions, maintain
from lakesmith.errors import ExitCode, UsageError
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.lake.lease import hold
from lakesmith.ledger.audit_trail import Action, AuditRecord
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.ops import now
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome
from lakesmith.query.errors import QueryImpossible
from lakesmith.query.reader import Question
from lakesmith.query.tables import Tables
from workspaces import METERS, Workspace, day

USAGE = "gold.usage"


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    """Two batches of three files and one of a single file, recorded as published."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    for number in (1, 2):
        publish_parts(
            workspace, USAGE, number, *([{"meter": f"m{n}", "kwh": 10 * n, "cost": n}] for n in (1, 2, 3))
        )
    publish_parts(workspace, USAGE, 3, [{"meter": "m1", "kwh": 1, "cost": 2}])
    return workspace


def maintained(workspace: Workspace, table: str = USAGE, *, dry_run: bool = False) -> TableMaintenance:
    found = maintain(workspace.context(), [table], dry_run=dry_run)
    return next(t for t in found.tables if t.table == table)


def aged(workspace: Workspace, table: str, days: int) -> None:
    """Lets every file of a table's folder, and what its log says of removals, be so many days older."""
    folder = Path(workspace.context().lake.path(table))
    for path in folder.rglob("*"):
        if path.is_file() and "_delta_log" not in path.relative_to(folder).parts[0]:
            moment = path.stat().st_mtime - days * 86400
            os.utime(path, (moment, moment))
    for log in (folder / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        for action in actions:
            if "remove" in action:
                action["remove"]["deletionTimestamp"] -= days * 86_400_000
        log.write_text("\n".join(json.dumps(action) for action in actions) + "\n")
    for written in (folder / "_delta_log").glob("*checkpoint*"):
        written.unlink()


def asked(workspace: Workspace, as_of: str) -> list[tuple[object, ...]]:
    context = workspace.context()
    tables = Tables.as_of(context.project.graph, context.lake, context.ledger.ops, as_of)
    found = Question(tables, f"SELECT batch_date, meter, kwh FROM {USAGE} ORDER BY ALL").table()
    return [tuple(row.values()) for row in found.to_pylist()]


def foreign(workspace: Workspace, table: str = USAGE) -> set[int]:
    """The days whose live files are not those of the last record that stands."""
    ledger = workspace.context().ledger
    live, history = ledger.live(table), ledger.history(table)
    assert live is not None
    standing = {d: history.standing(d) for d in live.batches}
    return {d.day for d, record in standing.items() if record is None or record.files != live.files_of(d)}


def test_small_files_of_a_batch_become_one_and_nothing_else_changes(meters: Workspace) -> None:
    rows, before = meters.rows(USAGE), meters.digests(USAGE)
    found = maintained(meters)
    assert (found.files_before, found.files_after, found.compacted) == (7, 3, (day(1), day(2)))
    assert (found.removed, found.checkpointed, found.error) == (0, True, None)
    assert meters.rows(USAGE) == rows
    assert meters.digests(USAGE) == before
    assert foreign(meters) == set()
    last = meters.records(USAGE)[-2:]
    assert [(r.batch_date, r.outcome, r.run_id) for r in last] == [
        (day(n), BatchOutcome.CONFIRMED, f"run-{n}") for n in (1, 2)
    ]


def test_a_second_time_there_is_nothing_to_do(meters: Workspace) -> None:
    maintained(meters)
    version, records = meters.table(USAGE).version(), len(meters.records(USAGE))
    found = maintained(meters)
    assert (found.compacted, found.files_before, found.files_after, found.removed) == ((), 3, 3, 0)
    assert (meters.table(USAGE).version(), len(meters.records(USAGE))) == (version, records)


def test_readers_of_changes_see_no_change_in_a_compaction(meters: Workspace) -> None:
    maintained(meters)
    table = meters.table(USAGE)
    log = Path(meters.context().lake.path(USAGE)) / "_delta_log" / f"{table.version():020d}.json"
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    changes = [(kind, a[kind]["dataChange"]) for a in actions for kind in ("add", "remove") if kind in a]
    assert sorted(changes) == [("add", False)] * 2 + [("remove", False)] * 6


def test_new_files_have_no_statistics_of_people(meters: Workspace) -> None:
    """silver.readings says who lives where; a table of an earlier Lakesmith has no property that would keep that out."""
    line = {"source_file": "f", "meter": "m", "kwh": 1, "street": "High St"}
    publish_parts(meters, "silver.readings", 1, *([{**line, "record_no": n}] for n in (1, 2)))
    assert maintained(meters, "silver.readings").compacted == (day(1),)
    table = meters.table("silver.readings")
    log = Path(meters.context().lake.path("silver.readings")) / "_delta_log" / f"{table.version():020d}.json"
    [stats] = [
        json.loads(a["add"]["stats"])
        for line in log.read_text().splitlines()
        if "add" in (a := json.loads(line))
    ]
    assert stats["numRecords"] == 2
    assert stats["maxValues"] == {"source_file": "f", "record_no": 2, "meter": "m", "kwh": 1}


def test_a_dry_run_says_the_same_and_changes_nothing(meters: Workspace) -> None:
    version = meters.table(USAGE).version()
    found = maintained(meters, dry_run=True)
    assert (found.files_before, found.files_after, found.compacted) == (7, 3, (day(1), day(2)))
    assert meters.table(USAGE).version() == version


def test_a_crash_between_commit_and_record_is_recorded_by_whoever_comes_next(meters: Workspace) -> None:
    def die(point: FaultPoint) -> None:
        if point == FaultPoint(Side.AFTER, Step.PUT, USAGE):
            raise KeyboardInterrupt

    records = len(meters.records(USAGE))
    with pytest.raises(KeyboardInterrupt), armed(die):
        maintain(meters.context(), [USAGE])
    assert len(meters.records(USAGE)) == records
    assert foreign(meters) == set()
    assert len(meters.records(USAGE)) == records + 2
    assert maintained(meters).compacted == ()


def test_a_new_batch_meanwhile_is_no_obstacle(meters: Workspace) -> None:
    seen: list[int] = []

    def publish_once(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.PUT, USAGE) and not seen:
            seen.append(1)
            publish_parts(meters, USAGE, 4, [{"meter": "m1", "kwh": 4}], [{"meter": "m2", "kwh": 4}])

    with armed(publish_once):
        found = maintained(meters)
    assert (found.error, found.compacted, found.files_after) == (None, (day(1), day(2)), 5)
    assert maintained(meters).compacted == (day(4),)
    assert foreign(meters) == set()
    assert {row[2] for row in meters.rows(USAGE, "batch_date", "meter", "kwh") if row[0] == day(4)} == {4}


def test_a_publish_meanwhile_makes_the_compaction_start_over(meters: Workspace) -> None:
    seen: list[int] = []

    def correct_once(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.PUT, USAGE) and not seen:
            seen.append(1)
            write_batch(meters, USAGE, 1, [{"meter": "m1", "kwh": 77}])

    with armed(correct_once):
        found = maintained(meters)
    # The batch that was replaced is not recorded as Lakesmith's here, and so it is left alone.
    assert (found.error, found.compacted, found.files_after) == (None, (day(2),), 3)
    assert foreign(meters) == {1}
    assert [row for row in meters.rows(USAGE, "batch_date", "kwh") if row[0] == day(1)] == [(day(1), 77)]


def test_a_file_that_others_add_right_before_is_not_taken_for_ours(meters: Workspace) -> None:
    def append(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.PUT, USAGE):
            table = meters.table(USAGE)
            write_deltalake(
                table, table.to_pyarrow_table().filter(field("batch_date") == day(1)), mode="append"
            )

    with armed(append):
        found = maintained(meters)
    assert found.compacted == (day(2),)
    assert foreign(meters) == {1}


def test_who_never_stops_committing_is_told_of(meters: Workspace) -> None:
    def publish_always(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.PUT, USAGE):
            write_batch(meters, USAGE, 3, [{"meter": "m1", "kwh": 5}])

    with armed(publish_always):
        found = maintain(meters.context(), [USAGE])
    assert found.exit_code is ExitCode.FAILED
    assert "somebody else committed while it was being compacted" in str(found.tables[0].error)
    assert foreign(meters) == {3}


def test_what_others_wrote_and_what_failed_stays_as_it_is(meters: Workspace) -> None:
    meters.table(USAGE).optimize.compact(partition_filters=[("batch_date", "=", "2024-01-01")])
    record = meters.records(USAGE)[1]
    meters.context().ledger.record(
        [
            replace(
                record, outcome=BatchOutcome.REJECTED, recorded_at=now(), version=None, reason="too few rows"
            )
        ]
    )
    assert foreign(meters) == {1}
    assert maintained(meters).compacted == ()
    assert foreign(meters) == {1}
    last = meters.context().ledger.history(USAGE).last(day(2))
    assert last is not None
    assert last.outcome is BatchOutcome.REJECTED


def test_versions_of_kept_nights_can_still_be_read_and_others_say_that_they_cannot(meters: Workspace) -> None:
    record_night(meters, 1, minutes=-100 * 24 * 60)
    before = asked(meters, "2024-01-01")
    write_batch(meters, USAGE, 3, [{"meter": "m1", "kwh": 2}])
    record_night(meters, 2, minutes=-50 * 24 * 60)
    middle = asked(meters, "2024-01-02")
    write_batch(meters, USAGE, 3, [{"meter": "m1", "kwh": 3}])
    record_night(meters, 3)
    newest = asked(meters, "2024-01-03")
    assert len({tuple(rows) for rows in (before, middle, newest)}) == 3

    found = maintained(meters)
    assert (found.removed, sorted(found.kept.values())) == (0, [("night 2024-01-02",), ("night 2024-01-03",)])
    aged(meters, USAGE, days=6)
    assert maintained(meters).removed == 0
    aged(meters, USAGE, days=2)
    kept = maintained(meters)
    # Night 2 needs the six small files: of what night 1 alone had, one file is left.
    assert (kept.removed, kept.freed > 0) == (1, True)
    assert asked(meters, "2024-01-02") == middle
    assert asked(meters, "2024-01-03") == newest == asked(meters, "latest")
    with pytest.raises(
        QueryImpossible,
        match=r"as of the night 2024-01-01: 1 of its 7 files are gone.*retention\.nights.*lakesmith nights",
    ):
        asked(meters, "2024-01-01")


def registered(meters: Workspace, version: int, kind: ModelEventKind, recipe: dict[str, int] | None) -> None:
    """An event of a model that was trained on these versions."""
    run = f"run{version}"
    event = ModelEvent("usage", version, kind, now(), None, None, run, "", day(1), "me")
    meters.context().ledger.ops.append([event])
    if recipe is not None:
        folder = meters.root / "lake" / "mlflow" / "artifacts" / "usage" / run / "artifacts"
        folder.mkdir(parents=True)
        (folder / "training.json").write_text(
            json.dumps({"tables": {table: {"version": v, "digests": {}} for table, v in recipe.items()}})
        )


def test_what_a_model_was_trained_on_stays_until_it_is_rejected(meters: Workspace) -> None:
    pinned = meters.table(USAGE).version()
    rows = meters.rows(USAGE)
    registered(meters, 1, ModelEventKind.REGISTERED, {USAGE: pinned, "gold.next_day": 0})
    registered(meters, 2, ModelEventKind.VALIDATION_FAILED, None)
    for number in (1, 2, 3):
        write_batch(meters, USAGE, number, [{"meter": "m1", "kwh": 99}])
    aged(meters, USAGE, days=40)
    found = maintain(meters.context(), [USAGE])
    assert found.kept.without_recipe == ("usage 2",)
    assert found.tables[0].kept == {pinned: ("usage 1",)}
    assert found.tables[0].removed == 0
    old = meters.table(USAGE)
    old.load_as_version(pinned)
    assert old.to_pyarrow_table().num_rows == len(rows)

    registered(meters, 1, ModelEventKind.REJECTED, None)
    assert maintained(meters).removed == 7


def test_leftovers_of_dead_runs_go_and_those_of_running_ones_stay(meters: Workspace) -> None:
    folder = Path(meters.context().lake.path(USAGE)) / "batches"
    for run, age in (("dead", 9), ("running", 0)):
        for name in (
            "batch_date=2024-01-01/part.parquet",
            "_delta_log/00000000000000000000.json",
            ".part.crc",
        ):
            file = folder / run / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x" * 100)
            os.utime(file, (time.time() - age * 86400,) * 2)
    dry = maintained(meters, dry_run=True)
    assert (dry.removed, dry.freed) == (3, 300)
    assert (folder / "dead" / ".part.crc").exists()
    found = maintained(meters)
    assert (found.removed, found.freed) == (3, 300)
    assert not any(path.is_file() for path in (folder / "dead").rglob("*"))
    assert sum(path.is_file() for path in (folder / "running").rglob("*")) == 3
    for path in (folder / "dead", *(folder / "dead").rglob("*")):
        os.utime(path, (time.time() - 9 * 86400,) * 2)
    write_batch(meters, USAGE, 3, [{"meter": "m1", "kwh": 9}])
    aged(meters, USAGE, days=9)
    os.utime(folder / "running" / ".part.crc")
    maintained(meters)
    assert not (folder / "dead").exists()
    assert (folder / "running" / ".part.crc").exists()


def test_commits_of_a_clean_up_say_how_they_were_made(meters: Workspace) -> None:
    write_batch(meters, USAGE, 3, [{"meter": "m1", "kwh": 9}])
    aged(meters, USAGE, days=9)
    assert maintained(meters).removed
    made = [Provenance.from_commit(commit) for commit in meters.table(USAGE).history(2)]
    assert [(p.job, p.table, p.batches) for p in made if p is not None] == [
        ("lakesmith maintain", USAGE, ())
    ] * 2


def test_no_file_goes_sooner_than_a_run_may_last(meters: Workspace) -> None:
    meters.edit("conf/dev.yml", "{}", "retention: {versions: 1d}")
    assert kept_versions(meters.context()).keep_for == timedelta(days=1, hours=1)


def test_the_ledgers_own_tables_become_one_file_and_say_what_they_said(meters: Workspace) -> None:
    for n in range(4):
        meters.context().ledger.ops.append(
            [AuditRecord(now(), "me", Action.FORCE, USAGE, None, None, f"{n}")]
        )
    rows = meters.context().ledger.ops.read(AuditRecord).to_pylist()
    found = maintained(meters, "ops.audit")
    assert (found.files_before, found.files_after) == (4, 1)
    again = meters.context().ledger.ops.read(AuditRecord).to_pylist()
    assert sorted(again, key=lambda r: r["why"]) == sorted(rows, key=lambda r: r["why"])


def test_a_table_at_work_is_left_and_the_others_are_done(meters: Workspace) -> None:
    meters.edit("conf/dev.yml", "{}", "lease: {wait: 0s}")
    context = meters.context()
    with hold(context.lake, USAGE, "another-run", LeaseSettings(wait="0s")):
        found: Maintenance = maintain(meters.context())
    assert found.exit_code is ExitCode.BUSY
    by_name = {t.table: t for t in found.tables}
    assert "another-run" in str(by_name[USAGE].error)
    assert by_name["ops.batches"].files_after == 1


def test_a_table_that_there_is_not_is_named(meters: Workspace) -> None:
    with pytest.raises(UsageError, match=r"gold\.usge"):
        maintain(meters.context(), ["gold.usge"])


def test_a_lake_without_tables_has_nothing_to_maintain(tmp_path: Path) -> None:
    shutil.copytree(METERS, tmp_path / "meters")
    assert maintain(Workspace(tmp_path / "meters").context()).tables == ()

"""Somebody is forgotten: gone from every file of the lake, with everything else as if they had never been there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from lakesmith.engine.forgetting import Forgetting, forget
from lakesmith.errors import ExitCode, UsageError
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.ledger.audit_trail import Action, AuditRecord
from lakesmith.ledger.forgotten import ForgottenRecord
from lakesmith.ledger.nights import choose_night, open_night
from lakesmith.ledger.retired import RetiredKind, RetiredRecord
from lakesmith.query.errors import QueryImpossible
from lakesmith.query.reader import Question
from lakesmith.query.tables import Tables
from workspaces import METERS, Workspace, day

BRONZE, SILVER, USAGE = "bronze.readings", "silver.readings", "gold.usage"
QUARANTINE = "quarantine.silver_readings"
WHOM = "High St"


def land(workspace: Workspace, *, without: bool = False) -> None:
    """Three days: High St has readings, a rejected one, one in a record that does not parse and one in a column of its own."""
    days = {
        1: ["m1,10,High St,", "m2,5,Low St,", "m4,4,Mid St,"],
        2: ["m2,6,Low St,", "m1,x,High St,", "m3,3,Low St,ask High St", 'm5,1,"High St', "m4,y,Mid St,"],
        3: ["m2,8,Low St,", "m1,1,High St,"],
    }
    for number, lines in days.items():
        kept = [line for line in lines if not without or WHOM not in line]
        workspace.land_text(number, "\n".join(["Meter,kWh,Street,Note", *kept]) + "\n")


def built(root: Path, *, without: bool = False) -> Workspace:
    shutil.copytree(METERS, root)
    workspace = Workspace(root)
    workspace.edit("conf/tables/silver.readings.yml", "share: 0.25", "share: 0.9")
    land(workspace, without=without)
    if not without:
        assert workspace.run(1).exit_code is ExitCode.DONE
    assert workspace.run(1, 3).exit_code is ExitCode.DONE
    return workspace


@pytest.fixture(scope="module")
def lake_with(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Workspace:
    """The night of the first day, then a backfill of three. Only to be copied."""
    return built(tmp_path_factory.mktemp("with") / "meters")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Workspace:
    """The same lake of the same files, in which High St never was."""
    return built(tmp_path_factory.mktemp("without") / "meters", without=True)


@pytest.fixture
def meters(tmp_path: Path, lake_with: Workspace) -> Workspace:
    shutil.copytree(lake_with.root, tmp_path / "meters")
    return Workspace(tmp_path / "meters")


def rows_of_all(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """All rows but for their place in the landing file, which the lines left out shift."""
    columns = {
        BRONZE: ("batch_date", "meter", "kwh", "street", "extra", "malformed"),
        SILVER: ("batch_date", "meter", "kwh", "street"),
        QUARANTINE: ("batch_date", "meter", "kwh", "street", "broken_rules"),
    }
    return {
        table: workspace.rows(table, *columns.get(table, ()))
        for table in (*workspace.context().project.graph.order, QUARANTINE)
    }


def everything_read(root: Path) -> tuple[int, list[str]]:
    """Files below a folder, and those in which the words stand: Parquet decoded, all else as bytes. Not the code under test."""
    files = [path for path in root.rglob("*") if path.is_file()]
    holding = []
    for path in files:
        content = (
            str(pq.read_table(path).to_pydict())
            if path.suffix == ".parquet"
            else path.read_bytes().decode("latin-1")
        )
        if "High" in content:
            holding.append(path.relative_to(root).as_posix())
    return len(files), holding


def whole(done: Forgetting, workspace: Workspace) -> None:
    """What must hold afterwards, whatever happened on the way."""
    assert (done.errors, done.exit_code) == ([], ExitCode.DONE)
    assert done.proof is not None
    assert done.proof.holds
    files, holding = everything_read(workspace.root / "lake")
    assert holding == []
    assert done.proof.parquet_files + done.proof.other_files >= files - len(["ops.audit"]) * 3
    for record in (
        r for t in (BRONZE, SILVER) for r in workspace.records(t) if r.read is not None and r.outcome.stands
    ):
        assert record.read == record.rows + record.quarantined + sum(record.dropped.values())


def test_the_lake_is_as_if_the_person_had_never_been_there(meters: Workspace, twin: Workspace) -> None:
    before = everything_read(meters.root / "lake")[1]
    assert len(before) > 6
    old_night = choose_night(meters.context().ledger.ops, "2024-01-01")
    done = forget(meters.context(), f" {WHOM} ", "request 117")
    whole(done, meters)
    assert rows_of_all(meters) == rows_of_all(twin)
    assert meters.states(1, 3) == twin.states(1, 3)
    assert {d.day: n for d, n in done.found[BRONZE].batches.items()} == {1: 1, 2: 3, 3: 1}
    assert {d.day: n for d, n in done.found[SILVER].batches.items()} == {1: 1, 3: 1}
    assert {d.day: n for d, n in done.found[QUARANTINE].batches.items()} == {2: 1}
    assert done.landing_files == {"readings": ["2024-01-01.csv", "2024-01-02.csv", "2024-01-03.csv"]}
    standing = meters.context().ledger.history(BRONZE).standing(day(2))
    assert standing is not None
    assert (standing.read, standing.rows, standing.dropped) == (5, 2, {"forgotten": 3})

    # Nothing more to do, and a rerun of everything changes nothing.
    versions = meters.versions()
    assert meters.run(1, 3).spark_jobs == 0
    meters.run(1, 3, [BRONZE], force=True)
    assert meters.versions() == versions

    # The trail tells who, when and why, and not whom.
    ops = meters.context().ledger.ops
    trail = [AuditRecord.from_row(row) for row in ops.read(AuditRecord).to_pylist()]
    assert {r.table for r in trail} >= {BRONZE, SILVER, QUARANTINE}
    assert {(r.action, r.why) for r in trail} == {("forget", "request 117"), ("force", "")}
    assert next(r.details for r in trail if r.table == BRONZE and r.action is Action.FORGET)["rows"] == 5
    [entry] = ops.read(ForgottenRecord).to_pylist()
    assert len(entry["digest"]) == 64

    # Readers of the night that held the person are told; all others read on.
    assert "2024-01-01" in done.nights
    assert {r["kind"] for r in ops.read(RetiredRecord).to_pylist()} == {RetiredKind.NIGHT}
    context = meters.context()
    gone = Tables.as_of(context.project.graph, context.lake, ops, "2024-01-01")
    assert gone.night == old_night
    with pytest.raises(QueryImpossible, match="somebody was forgotten, and erasure wins over retention"):
        Question(gone, f"SELECT * FROM {SILVER}").table()
    default = choose_night(ops, None)
    assert default is not None
    assert default.last == day(3)
    assert all(open_night(context.lake, ops, table, default) is not None for table in default.versions)


def test_a_replay_of_landing_does_not_bring_the_person_back(meters: Workspace) -> None:
    forget(meters.context(), WHOM)
    meters.land(4, ("m1", 3, "High St"), ("m2", 4, "Low St"), ("m9", 1, " High St"))
    assert meters.run(1, 4, force=True).exit_code is ExitCode.DONE
    assert meters.rows(SILVER, "batch_date", "meter")[-1] == (day(4), "m2")
    standing = meters.context().ledger.history(BRONZE).standing(day(4))
    assert standing is not None
    assert (standing.read, standing.rows, standing.dropped) == (3, 1, {"forgotten": 2})
    again = forget(meters.context(), WHOM)
    whole(again, meters)
    assert not again.new
    assert again.landing_files["readings"][-1] == "2024-01-04.csv"


@pytest.mark.parametrize(
    "point",
    [
        FaultPoint(Side.AFTER, Step.PUT, BRONZE),
        FaultPoint(Side.BEFORE, Step.PUBLISH, SILVER),
        FaultPoint(Side.BEFORE, Step.LEASE, "gold.running"),
    ],
    ids=str,
)
def test_a_crash_in_the_middle_is_finished_by_the_same_command(
    meters: Workspace, twin: Workspace, point: FaultPoint
) -> None:
    def die(reached: FaultPoint) -> None:
        if reached == point:
            raise SystemExit

    with pytest.raises(SystemExit), armed(die):
        forget(meters.context(), WHOM)
    assert everything_read(meters.root / "lake")[1]
    done = forget(meters.context(), WHOM)
    whole(done, meters)
    assert rows_of_all(meters) == rows_of_all(twin)


def test_batches_that_cannot_be_run_lose_the_rows_and_keep_their_state(
    meters: Workspace, twin: Workspace
) -> None:
    """The first day's file is gone; a correction of the third was rejected."""
    (meters.root / "landing" / "readings" / "2024-01-01.csv").unlink()
    meters.land_text(3, "Meter,kWh,Street,Note\nm2,8,Low St,\nm1,2000,High St,\n")
    meters.run(3)
    before = meters.states(1, 3)
    assert before[BRONZE].split()[0] == "stale"
    assert before[SILVER].split()[2] == "failed"

    done = forget(meters.context(), WHOM)

    whole(done, meters)
    assert done.rewritten[BRONZE] == [day(1)]
    assert rows_of_all(meters) == rows_of_all(twin)
    assert meters.states(1, 3)[BRONZE] == before[BRONZE]


def test_somebody_unknown_is_remembered_for_later(meters: Workspace) -> None:
    versions = meters.versions()
    done = forget(meters.context(), "Far St")
    assert (done.found, done.new, done.run_ids, done.exit_code) == ({}, True, {}, ExitCode.DONE)
    assert meters.versions() == versions
    meters.land(4, ("m1", 3, "Far St"), ("m2", 4, "Low St"))
    meters.run(4)
    assert [row for row in meters.rows(SILVER, "batch_date", "meter") if row[0] == day(4)] == [(day(4), "m2")]


def test_a_dry_run_tells_the_same_and_changes_nothing(meters: Workspace) -> None:
    files = everything_read(meters.root / "lake")
    done = forget(meters.context(), WHOM, dry_run=True)
    assert {table: sum(found.batches.values()) for table, found in done.found.items()} == {
        BRONZE: 5,
        SILVER: 2,
        QUARANTINE: 1,
    }
    assert done.proof is None
    assert everything_read(meters.root / "lake") == files


def test_a_reason_that_names_the_person_is_refused(meters: Workspace) -> None:
    with pytest.raises(UsageError, match="the reason names the person"):
        forget(meters.context(), "17850", "customer 17850 asked")
    with pytest.raises(UsageError, match="The id is empty"):
        forget(meters.context(), "  ")

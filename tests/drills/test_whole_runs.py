"""Whole runs that are told to stop, paused, short of disk or of an executor; and a short slice of the drill over them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from drills.faults import Fault, Kind
from drills.publications import Report
from drills.whole_runs import Child, Operation, drill, strike
from lakesmith.errors import ExitCode
from lakesmith.faults import FaultPoint, Side, Step
from workspaces import METERS, Workspace

pytestmark = pytest.mark.e2e

SILVER = "silver.readings"
TABLES = ("bronze.readings", SILVER)
BEFORE_STAGE = FaultPoint(Side.BEFORE, Step.STAGE, SILVER)


@pytest.fixture
def meters(tmp_path: Path, spark_session: SparkSession) -> Workspace:
    """The small project with two days landed."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    workspace.land(1, ("m1", 10, "High St"), ("m2", 5, "Low St"))
    workspace.land(2, ("m1", 7, "High St"), ("m2", 6, "Low St"))
    return workspace


def eventually(happened: Callable[[], bool]) -> bool:
    """Waits for another process, for five minutes at most: on a busy machine Spark alone may take one to start."""
    pause = threading.Event()
    return any(happened() or pause.wait(0.05) for _ in range(6000))


def assert_fresh(lake: Workspace) -> None:
    states = lake.states(1, 2)
    assert [states[table] for table in TABLES] == ["fresh fresh"] * len(TABLES)


def outcomes(lake: Workspace) -> dict[str, str]:
    """The last outcome in ops.runs, by table."""
    rows = (
        DeltaTable(lake.context().lake.path("ops.runs")).to_pyarrow_table().sort_by("finished_at").to_pylist()
    )
    return {row["table"]: row["outcome"] for row in rows}


def test_a_short_drill_changes_nothing_in_the_end(tmp_path: Path, spark_session: SparkSession) -> None:
    report = Report()
    drill(tmp_path, 5, 3, report, (Kind.EXCEPTION, Kind.DISK_FULL, Kind.LOST_ANSWER))
    assert report.differences == []
    assert report.total > 0
    assert report.versions_seen > 0


@pytest.mark.parametrize("kind", [Kind.SIGTERM, Kind.SIGINT])
def test_a_run_that_is_told_to_stop_says_so_and_leaves_nothing_behind(kind: Kind, meters: Workspace) -> None:
    # While Spark is at work: the call into the JVM is given up in the middle.
    assert (
        strike(meters, Operation({}, (1, 2), TABLES), Fault(kind, BEFORE_STAGE, delay=0.3), undisturbed=-1)
        == []
    )
    assert outcomes(meters) == {"bronze.readings": "published", SILVER: "stopped"}
    assert meters.run(1, 2, TABLES).exit_code is ExitCode.DONE
    assert_fresh(meters)


def test_a_lost_jvm_can_be_tried_again(meters: Workspace) -> None:
    child = Child(meters, Operation({}, (1, 2), TABLES), Fault(Kind.JVM_LOST, BEFORE_STAGE))
    assert child.ended()[0] == ExitCode.FAILED
    assert (child.outcome["retryable"], child.outcome["tables"][-1]["table"]) == (True, SILVER)
    assert child.outcome["tables"][-1]["error"].startswith("SparkLost: ")
    assert meters.run(1, 2, TABLES).exit_code is ExitCode.DONE


def test_a_run_that_was_paused_cannot_publish_what_it_read_before(meters: Workspace) -> None:
    point = FaultPoint(Side.BEFORE, Step.PUBLISH, SILVER)
    paused = Child(meters, Operation({}, (1, 1), TABLES), Fault(Kind.SIGSTOP, point))
    stat = Path(f"/proc/{paused.process.pid}/stat")
    assert eventually(lambda: stat.read_text().rsplit(") ", 1)[1][0] == "T")
    # Its lease expires: the lock is that of a file which nobody finds any more.
    (meters.root / "lake" / ".leases" / f"{SILVER}.lock").unlink()
    meters.land(1, ("m1", 99, "High St"))
    assert meters.run(1, tables=TABLES).exit_code is ExitCode.DONE
    published = meters.table(SILVER).version()

    os.kill(paused.process.pid, signal.SIGCONT)

    assert paused.ended()[0] == ExitCode.FAILED
    assert paused.outcome["retryable"]
    [told] = [table for table in paused.outcome["tables"] if table["table"] == SILVER]
    assert told["error"].startswith("InputChanged: bronze.readings 2024-01-01 was republished")
    assert meters.table(SILVER).version() == published
    assert meters.rows(SILVER, "kwh") == [(99,)]


def test_a_full_disk_fails_the_run_and_nothing_else(meters: Workspace, tmp_path: Path) -> None:
    assert meters.run(1, tables=TABLES).exit_code is ExitCode.DONE
    rows = meters.rows(SILVER)
    operation = Operation({}, (2, 2), TABLES)

    if may_mount(tmp_path):
        ended, said = _run_on_a_full_disk(meters, operation)
    else:
        # Systems that keep mounts to root: the same error, planted where the disk would be full.
        full = Fault(Kind.DISK_FULL, FaultPoint(Side.AFTER, Step.STAGE, SILVER))
        ended, said = Child(meters, operation, full).ended()

    assert ended in (ExitCode.FAILED, ExitCode.REJECTED), said
    assert meters.rows(SILVER) == rows
    assert meters.run(1, 2, TABLES).exit_code is ExitCode.DONE
    assert_fresh(meters)


_IN_A_NAMESPACE = ["unshare", "-rm"]


def may_mount(folder: Path) -> bool:
    """True where a user may have file systems of its own, in a mount namespace of its own."""
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    return subprocess.run([*_IN_A_NAMESPACE, *mount], capture_output=True, check=False).returncode == 0


def _run_on_a_full_disk(meters: Workspace, operation: Operation) -> tuple[int, str]:
    """Runs on a file system that holds the lake and some 40 KiB more."""
    lake, before, after = (meters.root / name for name in ("lake", "before", "after"))
    lake.rename(before)
    lake.mkdir()
    after.mkdir()
    used = sum(-(-file.stat().st_size // 4096) * 4 for file in before.rglob("*") if file.is_file())
    script = (
        f"mount -t tmpfs -o size={used + 300}k tmpfs '{lake}' && cp -a '{before}/.' '{lake}/' && "
        f"head -c 100m /dev/zero > '{lake}/ballast'; truncate -s -40960 '{lake}/ballast'; "
        f"\"$@\"; ended=$?; rm '{lake}/ballast'; cp -a '{lake}/.' '{after}/'; exit $ended"
    )
    ended = Child(meters, operation, None, wrapped=[*_IN_A_NAMESPACE, "bash", "-c", script, "bash"]).ended()
    lake.rmdir()
    after.rename(lake)
    return ended


def test_a_lost_executor_costs_time_only(meters: Workspace) -> None:
    cluster = {"LAKESMITH__SPARK__MASTER": "local-cluster[2,1,1024]"}
    child = Child(
        meters, Operation({}, (1, 2), TABLES), Fault(Kind.EXECUTOR_LOST, BEFORE_STAGE, delay=0.3), cluster
    )
    ended, said = child.ended()
    assert ended == ExitCode.DONE, said
    assert_fresh(meters)
    assert meters.rows(SILVER, "meter", "kwh") == [("m1", 10), ("m1", 7), ("m2", 5), ("m2", 6)]

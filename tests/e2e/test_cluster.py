"""Code shipped to a cluster by the archive alone: neither driver nor executors know Lakesmith or a project."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from clusters import only, python_with, site_packages, standalone
from lakesmith.config.archive import unpack
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from lakesmith.ledger.records import RunOutcome, RunRecord
from lakesmith.shipping.packaging import build_archive
from lakesmith.simulate import SimulationSpec, simulate
from shells import bare
from workspaces import METERS, Workspace

ROOT = Path(__file__).parents[2]
NIGHTS = BatchRange(date(2010, 12, 1), date(2010, 12, 2))
# Those that need no model: landing files read by Python on executors, a keyed table, suites, aggregates.
TABLES = ["bronze.sales_lines", "silver.sales_lines", "silver.products", "gold.daily_sales"]

# The command as its console script starts it; the sources of this checkout are on its path, and on no other process's.
LAKESMITH = f"import sys; sys.path.insert(0, {str(ROOT / 'lib')!r}); from lakesmith.cli.main import main; sys.exit(main())"

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shipped")


@pytest.fixture(scope="module")
def project(folder: Path) -> Path:
    """The project's files, with its archive in dist/ and landing files."""
    root = folder / "project"
    for name in ("conf", "jobs"):
        shutil.copytree(ROOT / name, root / name)
    (root / ".jars").symlink_to(ROOT / ".jars")
    build_archive(root, root / "dist")
    simulate(
        SimulationSpec(NIGHTS.first, len(NIGHTS), lines_per_day=40, seed=5),
        folder / "landing" / "online-retail",
    )
    return root


@pytest.fixture(scope="module")
def environ(folder: Path) -> dict[str, str]:
    """The variables of a submitter. Drivers have what is installed but Lakesmith, executors what Spark's Arrow takes."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    driver = python_with(folder / "driver", [site_packages()])
    executor = python_with(folder / "executor", [only(["pyarrow"], folder / "arrow")])
    for python in (driver, executor):
        done = subprocess.run(
            [python, "-c", "import lakesmith"],
            cwd=elsewhere,
            env={},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "No module named 'lakesmith'" in done.stderr
    return bare(
        LAKESMITH_ARCHIVES=str(folder / "archives"),
        LAKESMITH__LANDING_ROOT=str(folder / "landing"),
        LAKESMITH__LAKE_ROOT=str(folder / "lake"),
        LAKESMITH__SUBMIT__PYTHON=str(executor),
        LAKESMITH__SUBMIT__DRIVER_PYTHON=str(driver),
        LAKESMITH__SUBMIT__SIZES__SMALL__MEMORY="1g",
        LAKESMITH__SPARK__SHUFFLE_PARTITIONS="2",
        LAKESMITH__SPARK__EVENT_LOG=str(folder / "events"),
        LAKESMITH__SPARK__HISTORY_URL="http://history:18080",
        LAKESMITH__LOG__FORMAT="json",
        LAKESMITH__LOG__FOLDER=str(folder / "logs"),
        SPARK_LOCAL_IP="127.0.0.1",
    )


@pytest.fixture(scope="module")
def master(folder: Path) -> Iterator[str]:
    with standalone(folder / "cluster") as url:
        yield url


def test_a_backfill_from_the_archive_gives_the_rows_of_a_local_one(
    folder: Path,
    project: Path,
    environ: dict[str, str],
    master: str,
    spark_session: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    span = ["--from", str(NIGHTS.first), "--to", str(NIGHTS.last)]
    tables = [f"--table={table}" for table in TABLES]
    command = [
        sys.executable,
        "-c",
        LAKESMITH,
        "submit",
        "night",
        *span,
        *tables,
        "--master",
        master,
    ]
    done = subprocess.run(
        [*command, "--project", project],
        cwd=folder / "elsewhere",
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    monkeypatch.setenv("LAKESMITH__LANDING_ROOT", str(folder / "landing"))
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(folder / "lake"))
    shipped = open_context("dev", ROOT)
    _logs_are_linked(shipped, folder)
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(folder / "local"))
    local = open_context("dev", ROOT)
    assert execute(local, plan_nights(local, NIGHTS, TABLES)).exit_code is ExitCode.DONE
    for table in TABLES:
        assert _rows(shipped.lake.path(table)) == _rows(local.lake.path(table)), table
    # Code from an archive is the same code: nothing that it published is stale to the tree.
    states = shipped.judge.judge(NIGHTS, TABLES)
    assert {str(state.state) for table in states.values() for state in table.values()} == {"fresh"}


def _logs_are_linked(context: Context, folder: Path) -> None:
    """Each run names the file with its log and the page of the application whose events are kept."""
    runs = [RunRecord.from_row(row) for row in context.ledger.ops.read(RunRecord).to_pylist()]
    [application] = (path.name.removeprefix("eventlog_v2_") for path in (folder / "events").iterdir())
    assert {run.spark_application for run in runs} == {application}
    assert {run.spark_ui for run in runs} == {f"http://history:18080/history/{application}/"}
    [log] = {run.log for run in runs}
    lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
    for run in runs:
        told = [line for line in lines if line.get("run_id") == run.run_id]
        assert {line["table"] for line in told} == {run.table}
        assert {line["batches"] for line in told} == {f"{run.first}..{run.last}"}
        assert {line["attempt"] for line in told} == {1}
        assert f"run {run.run_id} is published" in told[-1]["message"]


def _rows(path: str) -> list[str]:
    return sorted(map(repr, DeltaTable(path).to_pyarrow_table().to_pylist()))


@pytest.fixture
def waiting(folder: Path, environ: dict[str, str], tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A small project whose first transform says that it is at work, and waits for a signal; and the variables for it."""
    root = tmp_path / "meters"
    shutil.copytree(METERS, root)
    (root / ".jars").symlink_to(ROOT / ".jars")
    job = root / "jobs" / "bronze" / "readings.py"
    text = job.read_text()
    start = "    return"
    assert start in text
    waits = "    import signal\n\n    print('at work', flush=True)\n    signal.pause()\n"
    job.write_text(text.replace(start, waits + start, 1) + "\n\nreadings.main()\n")
    build_archive(root, root / "dist")
    Workspace(root).land(1, ("m1", 3))
    roots = {"LAKESMITH__LANDING_ROOT": str(root / "landing"), "LAKESMITH__LAKE_ROOT": str(root / "lake")}
    return root, environ | roots


def test_a_job_ends_with_the_command_that_sent_it(
    waiting: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, variables = waiting
    command = [sys.executable, "-c", LAKESMITH, "submit", "bronze.readings", "--date", "2024-01-01"]
    with subprocess.Popen(
        [*command, "--master", "local[1]", "--project", root],
        env=variables,
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
    ) as submitter:
        assert submitter.stdout is not None
        assert "at work\n" in iter(submitter.stdout.readline, "")
        submitter.send_signal(signal.SIGTERM)
        assert submitter.wait(120) == ExitCode.TERMINATED
    monkeypatch.setenv("LAKESMITH_ARCHIVES", variables["LAKESMITH_ARCHIVES"])
    shipped = str(unpack(next((root / "dist").glob("*.zip"))))
    assert [pid for pid, words in _processes() if shipped in words] == []
    context = open_context("dev", root)
    assert [
        run.outcome for run in map(RunRecord.from_row, context.ledger.ops.read(RunRecord).to_pylist())
    ] == [RunOutcome.STOPPED]


def _processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "cmdline").read_text(errors="replace")
        except OSError:
            continue

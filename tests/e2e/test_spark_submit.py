"""Job files as programs: `spark-submit` on every one of them gives what a night gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.load import load_project
from lakesmith.engine.submit import open_context
from lakesmith.simulate import SimulationSpec, simulate
from planted_models import plant_pair
from shells import bare
from workspaces import digests

ROOT = Path(__file__).parents[2]
SUBMIT = Path(sys.executable).parent / "spark-submit"
GRAPH = load_project(ROOT).graph
# Long enough for the first label to mature.
NIGHTS = BatchRange(date(2010, 12, 1), date(2011, 1, 1))

pytestmark = pytest.mark.e2e


def project(folder: Path) -> Path:
    """A copy of the project's files with simulated data where `dev` looks for it."""
    for name in ("conf", "jobs"):
        shutil.copytree(ROOT / name, folder / name)
    spec = SimulationSpec(NIGHTS.first, len(NIGHTS), lines_per_day=25, seed=5)
    simulate(spec, folder / ".lake" / "landing" / "online-retail")
    return folder


def submit(*arguments: str | Path, cwd: Path, **exported: str) -> subprocess.CompletedProcess[str]:
    environ = bare(**exported)
    return subprocess.run(
        [SUBMIT, *arguments], env=environ, cwd=cwd, capture_output=True, text=True, check=False
    )


# Runs job files one after the other as programs of their own, for the price of one JVM.
IN_TURN = """
import json, pathlib, runpy, sys

for job, outcome in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    sys.argv = [job, *sys.argv[sys.argv.index("--from"):][:6], "--outcome", outcome]
    try:
        runpy.run_path(job, run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
"""


def test_every_job_gives_what_a_night_gives(tmp_path: Path, spark_session: SparkSession) -> None:
    alone, night = project(tmp_path / "alone"), project(tmp_path / "night")
    # Scores need a champion, and those in shadow a challenger; both lakes begin with the same.
    context = open_context("dev", alone)
    for model in context.project.models:
        plant_pair(context, model, NIGHTS.first)
    shutil.copytree(
        context.settings.lake_root, open_context("dev", night).settings.lake_root, dirs_exist_ok=True
    )
    span = ["--from", str(NIGHTS.first), "--to", str(NIGHTS.last), "--env", "dev"]

    outcomes = {table: tmp_path / f"{table}.json" for table in GRAPH.order}
    jobs = {table: alone / GRAPH.contracts[table].job for table in GRAPH.order}
    first, *between, last = GRAPH.order
    (tmp_path / "in_turn.py").write_text(IN_TURN)
    (tmp_path / "jobs.json").write_text(
        json.dumps([(str(jobs[table]), str(outcomes[table])) for table in between])
    )
    for program in (
        [jobs[first], *span, "--outcome", outcomes[first]],
        [tmp_path / "in_turn.py", tmp_path / "jobs.json", *span],
        [jobs[last], *span, "--outcome", outcomes[last]],
    ):
        done = submit(*program, cwd=alone)
        assert done.returncode == 0, done.stderr[-3000:]
    assert {table: json.loads(path.read_text())["exit_code"] for table, path in outcomes.items()} == (
        dict.fromkeys(GRAPH.order, 0)
    )
    done = submit(night / "jobs" / "night.py", *span, cwd=night)
    assert done.returncode == 0, done.stderr[-3000:]

    by_jobs = digests(open_context("dev", alone))
    assert all(by_jobs.values())
    assert by_jobs == digests(open_context("dev", night))


def test_without_the_delta_jars_the_error_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folder = project(tmp_path / "project")

    done = submit(
        folder / "jobs/bronze/sales_lines.py",
        "--date",
        str(NIGHTS.first),
        SPARK_CONF_DIR=str(tmp_path / "empty"),
        cwd=folder,
    )

    assert done.returncode == 2
    # spark-submit sends what Python writes to stderr to its own stdout.
    said = done.stdout + done.stderr
    assert "DeltaMissing" in said
    assert "spark-submit --jars" in said

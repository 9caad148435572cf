"""What one night of the reference pipeline makes Spark do, counted: jobs, stages, scans, rows, files, bytes.

Counts are the same on every machine with two cores, so that a change that reads something twice, shuffles once more or writes
more files shows here, whatever the machine's mood. Who changes one on purpose changes it in night_counts.yml, with the reason
in the commit. Times belong in bench/.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.lake.spark_work import SparkWork, counted
from lakesmith.simulate import SimulationSpec, simulate

ROOT = Path(__file__).parents[2]
COUNTS = Path(__file__).with_name("night_counts.yml")
FIRST = date(2010, 12, 1)
NIGHT = FIRST + timedelta(5)
"""A Monday, after a Saturday on which the source is closed."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> dict[str, dict[str, Any]]:
    """What Spark did for each table of one night, after five nights before it."""
    folder = tmp_path_factory.mktemp("counted")
    simulate(
        SimulationSpec(first=FIRST, days=6, lines_per_day=2_000, seed=7), folder / "landing" / "online-retail"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LAKESMITH__LAKE_ROOT", str(folder / "lake"))
        patched.setenv("LAKESMITH__LANDING_ROOT", str(folder / "landing"))
        context = open_context("dev", ROOT)
    tables = yaml.safe_load(COUNTS.read_text(encoding="utf-8"))
    assert (
        execute(
            context, plan_nights(context, BatchRange(FIRST, NIGHT - timedelta(1)), list(tables))
        ).exit_code
        == 0
    )
    return {table: _run(context, table) for table in tables}


def _run(context: Context, table: str) -> dict[str, Any]:
    before = _files(context, table)
    with counted(context.spark) as work:
        assert execute(context, plan_nights(context, BatchRange(NIGHT, NIGHT), [table])).exit_code == 0
    return {**_told(work), "files": len(_files(context, table) - before)}


def _files(context: Context, table: str) -> set[str]:
    return {path.name for path in Path(context.lake.path(table)).rglob("*.parquet")}


def _told(work: SparkWork) -> dict[str, Any]:
    return {
        "jobs": work.jobs,
        "of them of Delta's logs": work.log_jobs,
        "stages": work.stages,
        "scans": [f"{scan.rows} rows of {scan.files} files" for scan in work.scans],
        "rows written": work.rows_written,
        "bytes read": work.bytes_read,
        "bytes written": work.bytes_written,
    }


def test_a_night_makes_spark_do_just_this(night: dict[str, dict[str, Any]]) -> None:
    expected = yaml.safe_load(COUNTS.read_text(encoding="utf-8"))
    # A footer holds lengths of texts that differ by a byte, and logs hold durations.
    for counts in expected.values():
        counts |= {name: pytest.approx(counts[name], rel=0.02) for name in ("bytes read", "bytes written")}
    assert night == expected

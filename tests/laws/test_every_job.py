"""The laws that hold for every job of the project, whoever wrote it: generated from the contracts, not
written.

Landing files come from the simulator for `online-retail` and from tests/samples/<source>/ for any other source: put a few days of
files there, and a new table is tested without a line of test code.

Three lakes are built from the same files: up to a night (`early`), up to two nights later at once (`late`),
and the first one carried on night by night (`nightly`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.load import load_project
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from lakesmith.simulate import SimulationSpec, simulate

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
GRAPH = load_project(ROOT).graph
# Long enough that a label of thirty days matures twice.
SIMULATED_DAYS = 33
NIGHTS = 2


@dataclass(frozen=True)
class Lakes:
    """The digests of every batch, by table, of three ways to the same day."""

    early: Mapping[str, Mapping[date, str]]
    late: Mapping[str, Mapping[date, str]]
    nightly: Mapping[str, Mapping[date, str]]


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Lakes:
    folder = tmp_path_factory.mktemp("laws")
    first, last = _land(folder / "landing")
    cut = last - timedelta(NIGHTS)
    early = _backfill(folder, "early", BatchRange(first, cut))
    late = _backfill(folder, "late", BatchRange(first, last))
    shutil.copytree(folder / "early", folder / "nightly")
    for night in BatchRange(cut + timedelta(1), last):
        nightly = _backfill(folder, "nightly", BatchRange(night, night))
    return Lakes(early=_digests(early), late=_digests(late), nightly=_digests(nightly))


def _land(landing: Path) -> tuple[date, date]:
    """Files for every source; the days that all of them cover."""
    starts, ends = [], []
    for name, source in GRAPH.sources.items():
        if name == "online-retail":
            spec = SimulationSpec(source.start, SIMULATED_DAYS, lines_per_day=40, seed=3, defects=0.01)
            simulate(spec, landing / name)
        else:
            shutil.copytree(SAMPLES / name, landing / name)
        days = sorted(p.name[:10] for p in (landing / name).iterdir())
        starts.append(source.start)
        ends.append(date.fromisoformat(days[-1]))
    return min(starts), min(ends)


def _backfill(folder: Path, lake: str, nights: BatchRange) -> Context:
    os.environ["LAKESMITH__LANDING_ROOT"] = str(folder / "landing")
    os.environ["LAKESMITH__LAKE_ROOT"] = str(folder / lake)
    try:
        context = open_context("dev", ROOT)
    finally:
        del os.environ["LAKESMITH__LANDING_ROOT"], os.environ["LAKESMITH__LAKE_ROOT"]
    night = execute(context, plan_nights(context, nights))
    assert night.exit_code in (ExitCode.DONE, ExitCode.PARTIAL), night.to_json()
    return context


def _digests(context: Context) -> dict[str, dict[date, str]]:
    found: dict[str, dict[date, str]] = {}
    for table in GRAPH.order:
        history = context.ledger.history(table)
        standing = {day: history.standing(day) for day in sorted(history.records)}
        found[table] = {day: record.digest for day, record in standing.items() if record is not None}
    return found


@pytest.mark.parametrize("table", GRAPH.order)
def test_a_range_gives_what_the_nights_give(lakes: Lakes, table: str) -> None:
    assert lakes.nightly[table], "no batch was published: the sample is too short for this table"
    assert lakes.nightly[table] == lakes.late[table]


@pytest.mark.parametrize("table", GRAPH.order)
def test_the_future_deleted_changes_nothing(lakes: Lakes, table: str) -> None:
    """Built as of a night before any later file existed, and again with them: the same rows."""
    early = lakes.early[table]
    assert early
    assert set(lakes.late[table]) > set(early), "the later files changed nothing: this would prove nothing"
    assert {day: lakes.late[table][day] for day in early} == early

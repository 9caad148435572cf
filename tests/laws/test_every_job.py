"""The laws that hold for every job of the project, whoever wrote it: generated from the contracts, not written.

Landing files come from the simulator for `online-retail` and from tests/samples/<source>/ for any other source: put
a few days of files there, and a new table is tested without a line of test code. Tables that share a source, directly
or not, are a family: each family has days of its own.

Three lakes are built of a family from the same files: up to a night (`early`), up to two nights later at once (`late`), and the
first one carried on night by night (`nightly`). A table that reads a model has a champion since the first day, fitted on rows
that are made up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.load import load_project
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from lakesmith.ledger.manifest import LandingFolder
from lakesmith.simulate import SimulationSpec, simulate
from planted_models import plant_pair
from workspaces import digests

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
GRAPH = load_project(ROOT).graph
# Long enough that a label of thirty days matures twice.
SIMULATED_DAYS = 33
NIGHTS = 2


@dataclass(frozen=True)
class Family:
    """The tables that share sources, in the order in which they are made."""

    sources: frozenset[str]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Lakes:
    """The digests of every batch, by table, of three ways to the same day.

    Args:
        roots: the lakes' folders, by name.
        cut: the last day of the early one.
    """

    early: Mapping[str, Mapping[date, str]]
    late: Mapping[str, Mapping[date, str]]
    nightly: Mapping[str, Mapping[date, str]]
    roots: Mapping[str, Path]
    cut: date

    def rows(self, lake: str, table: str) -> list[dict[str, object]]:
        """All rows of a table, sorted."""
        layer, name = table.split(".")
        found = DeltaTable(self.roots[lake] / layer / name).to_pyarrow_table().to_pylist()
        return sorted(found, key=repr)


def families() -> list[Family]:
    """Every table in just one family."""
    found: list[Family] = []
    for table in GRAPH.order:
        own = {entry.source for entry in GRAPH.contracts[table].inputs if entry.source}
        parents = set(GRAPH.parents(table))
        joined = [f for f in found if own & f.sources or parents & set(f.tables)]
        sources = frozenset(own).union(*(f.sources for f in joined))
        members = {table}.union(*(f.tables for f in joined))
        found = [f for f in found if f not in joined]
        found.append(Family(sources, tuple(t for t in GRAPH.order if t in members)))
    return found


EVERY_TABLE = pytest.mark.parametrize(
    ("lakes", "table"),
    [pytest.param(family, table, id=table) for family in families() for table in family.tables],
    indirect=["lakes"],
    scope="module",
)

KEYED_TABLES = pytest.mark.parametrize(
    ("lakes", "table"),
    [
        pytest.param(family, table, id=table)
        for family in families()
        for table in family.tables
        if GRAPH.contracts[table].keyed is not None
    ],
    indirect=["lakes"],
    scope="module",
)


@pytest.fixture(scope="module")
def lakes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession
) -> Lakes:
    family: Family = request.param
    folder = tmp_path_factory.mktemp("laws")
    first, last = _land(folder / "landing", family)
    cut = last - timedelta(NIGHTS)
    _plant_models(folder, family, first)
    early = _backfill(folder, "early", family, BatchRange(first, cut))
    late = _backfill(folder, "late", family, BatchRange(first, last))
    shutil.copytree(folder / "early", folder / "nightly")
    for night in BatchRange(cut + timedelta(1), last):
        nightly = _backfill(folder, "nightly", family, BatchRange(night, night))
    roots = {name: folder / name for name in ("early", "late", "nightly")}
    return Lakes(*(digests(context, family.tables) for context in (early, late, nightly)), roots, cut)


def _land(landing: Path, family: Family) -> tuple[date, date]:
    """Files for every source of a family; the days that all of them cover."""
    starts, ends = [], []
    for name in sorted(family.sources):
        source = GRAPH.sources[name]
        if name == "online-retail":
            spec = SimulationSpec(source.start, SIMULATED_DAYS, lines_per_day=40, seed=3, defects=0.01)
            simulate(spec, landing / name)
        else:
            samples = SAMPLES / name
            assert samples.is_dir(), (
                f"put files of {NIGHTS + 1} days or more into {samples.relative_to(ROOT)}/"
            )
            shutil.copytree(samples, landing / name)
        starts.append(source.start)
        ends.append(LandingFolder(source, landing).all_days()[-1])
    return min(starts), min(ends)


def _plant_models(folder: Path, family: Family, first: date) -> None:
    """A champion and a challenger of every model that the family reads, in a lake that the three begin from."""
    (folder / "planted").mkdir()
    models = {i.model for table in family.tables for i in GRAPH.contracts[table].inputs if i.model}
    for model in sorted(models):
        plant_pair(_context(folder, "planted"), model, first)


def _context(folder: Path, lake: str) -> Context:
    os.environ["LAKESMITH__LANDING_ROOT"] = str(folder / "landing")
    os.environ["LAKESMITH__LAKE_ROOT"] = str(folder / lake)
    try:
        return open_context("dev", ROOT)
    finally:
        del os.environ["LAKESMITH__LANDING_ROOT"], os.environ["LAKESMITH__LAKE_ROOT"]


def _backfill(folder: Path, lake: str, family: Family, nights: BatchRange) -> Context:
    if not (folder / lake).exists():
        shutil.copytree(folder / "planted", folder / lake)
    context = _context(folder, lake)
    night = execute(context, plan_nights(context, nights, family.tables))
    assert night.exit_code in (ExitCode.DONE, ExitCode.PARTIAL), night.to_json()
    return context


@EVERY_TABLE
def test_a_range_gives_what_the_nights_give(lakes: Lakes, table: str) -> None:
    assert lakes.nightly[table], "no batch was published: the sample is too short for this table"
    assert lakes.nightly[table] == lakes.late[table]


@EVERY_TABLE
def test_the_future_deleted_changes_nothing(lakes: Lakes, table: str) -> None:
    """Built as of a night before any later file existed, and again with them: the same rows."""
    early = lakes.early[table]
    assert early, "no batch was published early: the sample is too short for this table"
    assert set(lakes.late[table]) > set(early), (
        "the later files changed nothing: the test would prove nothing"
    )
    assert {day: lakes.late[table][day] for day in early} == early


# The digests of a keyed table are those of its changes; what follows from them is compared row by row.


@KEYED_TABLES
def test_keyed_rows_do_not_hang_on_the_nights_nor_on_the_future(lakes: Lakes, table: str) -> None:
    keyed = GRAPH.contracts[table].keyed
    assert keyed is not None
    early, late = lakes.rows("early", table), lakes.rows("late", table)
    assert late
    assert lakes.rows("nightly", table) == late
    if keyed.keeps_history:
        known = [row for row in late if row["valid_from"] <= lakes.cut]
        for row in known:
            if row["valid_to"] is not None and row["valid_to"] > lakes.cut:
                row |= {"valid_to": None, "is_current": True}
        assert sorted(known, key=repr) == early

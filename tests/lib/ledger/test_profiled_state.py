"""States of a table of profiles, from made-up records: what it waits for, what it does without, and on whose bins it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Baseline, Profile
from lakesmith.contracts.profiled import with_watched
from lakesmith.ledger.fingerprint import fingerprints
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import LiveBatch, LiveTable
from lakesmith.ledger.manifest import DayFiles, DayState, LandingCandidate, LandingFile, Manifest
from lakesmith.ledger.plan import Asked, make_plan
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints, InputRead
from lakesmith.ledger.state import BatchState, Judge
from lakesmith.ledger.window_digest import WindowDigests
from profiled_meters import PROFILES, profiled_meters
from workspaces import day

CODE = Fingerprints(1, "data", "audit", "doc")
DAY, NIGHT = day(3), BatchRange(day(3), day(3))
TABLES = ("bronze.readings", "silver.readings", "gold.usage")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return profiled_meters(tmp_path_factory.mktemp("profiled") / "meters").root


@pytest.fixture(scope="module")
def graph(root: Path) -> TableGraph:
    """The meters, of which the usage is compared with what a model was trained on."""
    read = load_project(root).graph
    contracts = dict(read.contracts)
    contracts["gold.usage"] = replace(contracts["gold.usage"], profile=Profile(baseline=Baseline(model="m")))
    contracts[PROFILES] = with_watched(replace(contracts[PROFILES], inputs=()), contracts)
    return TableGraph(contracts, read.sources)


@dataclass
class Timeline:
    """A model with a champion since a day."""

    since: date | None = None

    def champion_on(self, batch: date) -> object | None:
        return object() if self.since is not None and batch >= self.since else None


@dataclass
class Book:
    """One day of which some tables are published; each batch has read what stands."""

    graph: TableGraph
    published: tuple[str, ...]
    failed: tuple[str, ...] = ()
    timeline: Timeline = field(default_factory=Timeline)
    version: int | None = None

    def history(self, table: str) -> TableHistory:
        history = TableHistory()
        if table not in (*self.published, *self.failed):
            return history
        outcome = BatchOutcome.FAILED if table in self.failed else BatchOutcome.PUBLISHED
        reads = (
            tuple(self._read(entry.name) for entry in self.graph.contracts[table].inputs)
            if table == PROFILES
            else ()
        )
        if table == "bronze.readings":
            files = self._manifest()
            reads = (InputRead("records", "readings", None, files.digest, files=files.to_files()),)
            reads = tuple(replace(reads[0], name=entry.name) for entry in self.graph.contracts[table].inputs)
        elif table != PROFILES:
            reads = tuple(self._read(entry.name, table) for entry in self.graph.contracts[table].inputs)
        history.add(
            BatchRecord(
                table=table,
                batch_date=DAY,
                recorded_at=datetime(2024, 2, 1, tzinfo=UTC),
                run_id="r",
                outcome=outcome,
                version=1,
                digest=f"rows of {table}",
                rows=1,
                read=None,
                quarantined=0,
                dropped={},
                fingerprints=CODE,
                inputs=reads,
                settings={},
                files="files",
            )
        )
        return history

    def _read(self, name: str, table: str = PROFILES) -> InputRead:
        entry = next(e for e in self.graph.contracts[table].inputs if e.name == name)
        if entry.model:
            return InputRead(name, entry.target, self.version, "")
        there = {DAY: f"rows of {entry.target}"} if entry.target in self.published else {}
        window = entry.window.reads(DAY, self.graph.starts[entry.target])
        digest = WindowDigests.over(window, there).of(window) if window else WindowDigests(DAY).of(None)
        return InputRead(name, entry.target, 1, digest)

    def _manifest(self) -> Manifest:
        return Manifest("readings", DAY, (LandingFile(f"{DAY}.csv", 1, 1, "content"),))

    def judged(self) -> Mapping[str, Mapping[date, BatchState]]:
        book = self

        class Files(LiveTable):
            def __init__(this, table: str) -> None:  # `self` is the book
                super().__init__(1, dict[date, LiveBatch]())
                object.__setattr__(this, "table", table)

            def files_of(this, d: date) -> str:
                return "files" if d == DAY and this.table in book.published else "none"  # type: ignore[attr-defined]

        timelines: Any = lambda model: self.timeline  # noqa: E731
        return Judge(
            self.graph,
            histories=self.history,
            live=Files,
            look_at=lambda tables: None,
            landed=lambda source, days: {
                d: DayFiles(d, DayState.PRESENT, files=(LandingCandidate(f"{d}.csv", 1, 1),)) for d in days
            },
            pinned=lambda source, files, known: self._manifest(),
            fingerprints=lambda table, scheme: CODE,
            timelines=timelines,
            settings={},
        ).judge(NIGHT, [*TABLES, PROFILES])

    def profile(self) -> BatchState:
        return self.judged()[PROFILES][DAY]


def test_profiles_wait_for_the_first_table_only(graph: TableGraph) -> None:
    nothing = Book(graph, ()).profile()
    assert (nothing.state, nothing.any_will_do) == ("blocked", True)
    assert {table for table, _ in nothing.blockers} == {"gold.usage", "silver.readings"}

    one = Book(graph, ("bronze.readings", "silver.readings")).profile()
    assert (one.state, one.runnable, one.left_out) == ("missing", True, ())


def test_a_table_that_failed_is_named_as_left_out(graph: TableGraph) -> None:
    found = Book(graph, ("bronze.readings", "silver.readings"), failed=("gold.usage",)).profile()

    assert (found.state, found.left_out) == ("missing", (("gold.usage", DAY),))


def test_a_plan_runs_profiles_after_any_table_that_will_be_there(graph: TableGraph) -> None:
    asked = Asked(NIGHT, tables=frozenset({"bronze.readings", "silver.readings", PROFILES}))
    states = {table: found for table, found in Book(graph, ()).judged().items() if table != "gold.usage"}

    plan = make_plan(graph, asked, states)

    assert [step.table for step in plan.steps] == ["bronze.readings", "silver.readings", PROFILES]


def test_a_batch_without_a_baseline_is_stale_once_there_is_one_and_then_keeps_it(graph: TableGraph) -> None:
    everything = (*TABLES, PROFILES)
    assert Book(graph, everything).profile().state == "fresh"
    assert Book(graph, everything, timeline=Timeline(day(4))).profile().state == "fresh"

    first = Book(graph, everything, timeline=Timeline(day(2))).profile()
    assert (first.state, first.reason) == ("stale", "m has a champion for that day, and so a baseline")

    # Another champion later changes nothing: the version is frozen with the batch.
    assert Book(graph, everything, timeline=Timeline(day(2)), version=1).profile().state == "fresh"


def test_how_a_table_is_profiled_is_data_of_the_profiles_and_nothing_to_itself(root: Path) -> None:
    project = load_project(root).graph
    changed = dict(project.contracts)
    changed["silver.readings"] = replace(
        changed["silver.readings"], profile=Profile(slices=("kwh > 1",), windows=(7,))
    )
    changed[PROFILES] = with_watched(replace(changed[PROFILES], inputs=()), changed)

    for table in ("silver.readings", "gold.usage"):
        before, after = (fingerprints(c[table], project.sources, root) for c in (project.contracts, changed))
        assert before == after
    before, after = (fingerprints(c[PROFILES], project.sources, root) for c in (project.contracts, changed))
    assert before.data != after.data

"""A night as its history grows, with about the same rows a night."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from bench.lakes import SOURCE, START, lake_in, land
from bench.lakes import run as run_tables
from bench.measure import Ratio
from bench.plain_night import TABLES
from bench.report import Report, Table
from bench.size import Size
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.simulate.seasons import day_weight

_MARKS = (30, 300)
_FULL_MARKS = (30, 100, 300, 1_000)
_BUDGET = (30, 300)
_LIMIT = 1.10
_MEASURED_NIGHTS = 3
# So many nights share a commit where the history is made quickly.
_AT_ONCE, _FULL_AT_ONCE = 30, 1
_LINES_PER_DAY = 300
_SPARE = 8
_WIDE = "gold.customer_features"


def run(size: Size) -> Report:
    """Some open nights after each length of history, in one warm session."""
    marks = _FULL_MARKS if size.full else _MARKS
    rounds = size.rounds_or(_MEASURED_NIGHTS)
    landing = size.folder / "landing"
    history = _History(size, landing)
    lines = size.rows_or(_LINES_PER_DAY)
    # A week has one closed day; holidays take at most eleven more.
    _land_equal_days(landing, max(marks) + 2 * rounds + 14, lines)
    found = {mark: history.measured_after(mark, rounds) for mark in marks}
    before, after = (found[mark] for mark in _BUDGET)
    return Report(
        name="history",
        title="A night as history grows",
        command=size.command("history"),
        size={
            "tables": len(TABLES),
            "nights": max(marks),
            "measured_nights": rounds,
            "nights_a_commit": history.at_once,
        },
        ratios=[
            _ratio("night 300 / night 30, same rows a night", before, after, lambda n: n.seconds, _LIMIT),
            _ratio(
                "night 300 / night 30, tables of inputs of the same day",
                before,
                after,
                lambda n: sum(seconds for table, seconds in n.tables.items() if table != _WIDE),
            ),
            _ratio(f"night 300 / night 30, {_WIDE}", before, after, lambda n: n.tables[_WIDE]),
            _ratio("night 300 / night 30, around the runs of tables", before, after, lambda n: n.around),
        ],
        tables=[_where(found)],
    )


def _land_equal_days(landing: Path, days: int, lines: int) -> None:
    """Files of as many lines each: trade has seasons and chance, so that more is simulated and cut.

    Raises:
        AssertionError: a day has too few lines even so.
    """
    land(landing, START, days, _SPARE * lines)
    for file in (landing / SOURCE).iterdir():
        with file.open(encoding="utf-8", newline="") as opened:
            kept = list(itertools.islice(opened, lines + 1))
        if len(kept) <= lines:
            raise AssertionError(f"{file.name} has {len(kept) - 1} lines instead of {lines}")
        file.write_text("".join(kept), encoding="utf-8", newline="")


@dataclass(frozen=True)
class _Night:
    """What one night took.

    Args:
        seconds: from planning to its record.
        planning: of these, before the first table.
        tables: seconds of each table's run.
        rows: published in all tables, and by the table that looks back.
    """

    seconds: float
    planning: float
    tables: dict[str, float]
    rows: int
    wide_rows: int
    spark_jobs: int

    @property
    def around(self) -> float:
        """Planning, leases, judging, the night's record: all but the runs."""
        return self.seconds - sum(self.tables.values())


class _History:
    """A lake whose nights are made in order, quickly between those that are measured."""

    def __init__(self, size: Size, landing: Path) -> None:
        self.size = size
        self.landing = landing
        self.at_once = _FULL_AT_ONCE if size.full else _AT_ONCE
        self.next = START
        self.calendar = self._context().project.graph.sources[SOURCE].calendar

    def measured_after(self, nights: int, count: int) -> list[_Night]:
        """The next open nights after so many of history; closed ones between them are run, not measured."""
        found: list[_Night] = []
        for day in self.open_days_after(nights, count):
            self._grow_to(day)
            night = self._night(day)
            found.append(night)
            self.size.say(f"{day}, after {nights} nights: {night.seconds:.2f} s")
        return found

    def open_days_after(self, nights: int, count: int) -> list[date]:
        """The first days after so many nights on which both the source and its simulation are open."""
        days = (START + timedelta(nights + n) for n in itertools.count())
        opened = (day for day in days if not self.calendar.is_closed(day) and day_weight(day))
        return list(itertools.islice(opened, count))

    def _grow_to(self, end: date) -> None:
        while self.next < end:
            last = min(self.next + timedelta(self.at_once - 1), end - timedelta(1))
            run_tables(self._context(), self.next, last, TABLES)
            self.size.say(f"history up to {last}")
            self.next = last + timedelta(1)

    def _night(self, day: date) -> _Night:
        # A context of its own, as a night has: nothing of the ledger is in memory.
        context = self._context()
        began = time.perf_counter()
        plan = plan_nights(context, BatchRange(day, day), TABLES)
        planned = time.perf_counter()
        result = execute(context, plan)
        seconds = time.perf_counter() - began
        if not result.is_complete:
            raise AssertionError(f"{day}: {result.to_json()}")
        self.next = day + timedelta(1)
        runs = {table: found.runs for table, found in result.tables.items()}
        return _Night(
            seconds,
            planned - began,
            {
                table: sum((run.finished_at - run.started_at).total_seconds() for run in made)
                for table, made in runs.items()
            },
            sum(run.rows_published for made in runs.values() for run in made),
            sum(run.rows_published for run in runs[_WIDE]),
            result.spark_jobs,
        )

    def _context(self) -> Context:
        return lake_in(self.size.folder / "lake", self.landing)


def _ratio(
    what: str,
    before: list[_Night],
    after: list[_Night],
    of: Callable[[_Night], float],
    limit: float | None = None,
) -> Ratio:
    """Median by median: later nights are other nights, so that there are no pairs. The range is of each by the first median."""
    base = statistics.median(map(of, before))
    values = [of(night) / base for night in after]
    return Ratio(what, statistics.median(values), min(values), max(values), limit)


def _where(found: Mapping[int, list[_Night]]) -> Table:
    """Medians of each part of a night, after each length of history."""
    parts: dict[str, Callable[[_Night], Any]] = {
        "the night, s": lambda n: n.seconds,
        "planning, s": lambda n: n.planning,
        **{f"{table}, s": lambda n, table=table: n.tables[table] for table in TABLES},
        "around the runs, s": lambda n: n.around,
        "rows published": lambda n: n.rows,
        f"of these {_WIDE}": lambda n: n.wide_rows,
        "Spark jobs": lambda n: n.spark_jobs,
    }
    rows = [
        (what, *(round(statistics.median(map(of, nights)), 3) for nights in found.values()))
        for what, of in parts.items()
    ]
    return Table("Where the time goes, medians", ("", *(f"after {mark:,} nights" for mark in found)), rows)

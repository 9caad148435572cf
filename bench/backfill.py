"""A range of nights at once, and the same nights one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from bench.lakes import START, lake_in, land
from bench.lakes import run as run_tables
from bench.measure import Measured, Ratio, Side, in_turns, ratio
from bench.plain_night import TABLES
from bench.report import Report, Table
from bench.size import Size
from lakesmith.engine.context import Context

_NIGHTS = (30,)
_FULL_NIGHTS = (7, 30, 167)
_BUDGET_NIGHTS, _LIMIT = 30, 0.15
_WARM_UP_NIGHTS = 2
_LINES_PER_DAY = 1_500


def run(size: Size) -> Report:
    """Both ways into fresh lakes, for a few lengths; the batches of both must be equal."""
    lengths = _FULL_NIGHTS if size.full else _NIGHTS
    rounds = size.rounds_or(1)
    landing = size.folder / "landing"
    lines = land(landing, START, max(lengths), size.rows_or(_LINES_PER_DAY))
    warm_up = [_Backfill(size, landing, _WARM_UP_NIGHTS, at_once) for at_once in (True, False)]
    for each in warm_up:
        each.work(0)
    rows, ratios = [], []
    for nights in lengths:
        ranged, single = (_Backfill(size, landing, nights, at_once) for at_once in (True, False))
        # The session is warm: the first round counts.
        measured = in_turns([Side("range", ranged.work), Side("single", single.work)], rounds - 1)
        _check_equal(ranged, single)
        found = _ratio(nights, measured["range"], measured["single"])
        ratios.append(found)
        rows.append(
            (
                nights,
                ranged.rows,
                _all(measured["range"]),
                _all(measured["single"]),
                found.median,
                ranged.spark_jobs,
                single.spark_jobs,
            )
        )
        size.say(f"{nights} nights: {rows[-1]}")
    return Report(
        name="backfill",
        title="A backfill",
        command=size.command("backfill"),
        size={"tables": len(TABLES), "lines": lines, "nights": max(lengths), "rounds": rounds},
        ratios=ratios,
        tables=[
            Table(
                "A range beside its nights one by one, with equal batches in both lakes",
                (
                    "nights",
                    "rows published",
                    "range, s",
                    "one by one, s",
                    "ratio",
                    "range, Spark jobs",
                    "one by one, Spark jobs",
                ),
                rows,
            )
        ],
    )


@dataclass
class _Backfill:
    """One way of running a range.

    Args:
        at_once: as one range; else night after night.
        context, spark_jobs, rows: of the last round.
    """

    size: Size
    landing: Path
    nights: int
    at_once: bool
    context: Context | None = None
    spark_jobs: int = 0
    rows: int = 0

    def work(self, number: int) -> None:
        """Runs all nights into a lake of this round."""
        way = "range" if self.at_once else "single"
        self.context = lake_in(self.size.folder / f"{way}-{self.nights}-{number}", self.landing)
        self.spark_jobs = self.rows = 0
        days = [START + timedelta(n) for n in range(self.nights)]
        for first, last in [(days[0], days[-1])] if self.at_once else [(day, day) for day in days]:
            result = run_tables(self.context, first, last, TABLES)
            self.spark_jobs += result.spark_jobs
            self.rows += sum(run.rows_published for table in result.tables.values() for run in table.runs)
            if not self.at_once and last.day % 10 == 0:
                self.size.say(f"{self.nights} nights one by one: {last}")

    def digests(self) -> dict[str, dict[date, str]]:
        """Of the batches that stand, by table, as the ledger has them."""
        if self.context is None:
            raise AssertionError("nothing ran")
        histories = {table: self.context.ledger.history(table) for table in TABLES}
        return {
            table: {
                day: standing.digest
                for day in sorted(history.records)
                if (standing := history.standing(day)) is not None
            }
            for table, history in histories.items()
        }


def _check_equal(ranged: _Backfill, single: _Backfill) -> None:
    """Raises where a batch of one lake is not that of the other.

    Raises:
        AssertionError: nothing was measured then.
    """
    one, other = ranged.digests(), single.digests()
    for table in TABLES:
        if not one[table]:
            raise AssertionError(f"{table}: no batch in {ranged.nights} nights")
        if one[table] != other[table]:
            days = sorted(
                day
                for day in one[table].keys() | other[table].keys()
                if one[table].get(day) != other[table].get(day)
            )
            raise AssertionError(
                f"{table}: {days} differ between a range of {ranged.nights} nights and one by one"
            )


def _ratio(nights: int, ranged: Measured, single: Measured) -> Ratio:
    limit = _LIMIT if nights == _BUDGET_NIGHTS else None
    return ratio(f"{nights} nights as a range / one by one", ranged, single, limit)


def _all(side: Measured) -> str | float:
    """The seconds of every round, of which most runs have one."""
    seconds: Sequence[float] = [side.cold, *side.seconds]
    return seconds[0] if len(seconds) == 1 else ", ".join(f"{value:.1f}" for value in seconds)

"""Scores through time: how they are spread, how many, by which version. Counts only; no row is kept.

Owns the counting, in one query over the table, and the pictures of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lakesmith.contracts.model import BATCH_DATE, MODEL_VERSION, SERVED_BY, Contract
from lakesmith.engine.context import Context
from lakesmith.ledger.troubles import count
from lakesmith.site import charts
from lakesmith.site.batches import Link
from lakesmith.site.charts import Chart
from lakesmith.site.links import batch_page
from lakesmith.site.snapshot import Snapshot
from lakesmith.site.words import amount, whole

__all__ = ["ScoreCounts", "ScoresView", "count_scores", "quantile", "scores_view"]

_BINS = 40
_DAYS = 400
_LEVELS = {"p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9}


@dataclass(frozen=True)
class ScoreCounts:
    """Rows by batch and by bin of their score.

    Args:
        low, high: where the first bin begins and the last ends.
        days: batch -> rows in each bin.
        arms: batch -> what gave the scores -> rows.
    """

    low: float
    high: float
    days: Mapping[date, Sequence[int]]
    arms: Mapping[date, Mapping[str, int]]


@dataclass(frozen=True)
class ScoresView:
    """The page of the scores of a table."""

    contract: Contract
    model: str
    column: str
    batches: int
    newest: date | None
    charts: Sequence[Chart]
    lines: Sequence[tuple[Link, int, str, str, str]]


def scores_view(context: Context, snapshot: Snapshot, table: str) -> ScoresView:
    """The page of one table of scores."""
    contract = snapshot.contract(table)
    entry = contract.model_input
    assert entry is not None
    found = count_scores(context.ledger.open(table), entry.score)
    days = sorted(found.days)[-_DAYS:] if found is not None else []
    if found is None or not days:
        return ScoresView(contract, entry.model or "", entry.score, 0, None, [], [])
    levels = {name: [quantile(found, day, level) for day in days] for name, level in _LEVELS.items()}
    newest = days[-1]
    middle = levels["p50"][-1]
    says = f"Median, middle half and middle four fifths, {count(len(days), 'batch')}; the newest median is {amount(middle, 3)}."
    made = [charts.bands("Scores through time", says, days, levels, entry.score)]
    made.append(_newest(found, days, entry.score))
    arms = sorted({arm for day in days for arm in found.arms[day]})
    series: dict[str, list[float | None]] = {
        arm: [found.arms[day].get(arm, 0) for day in days] for arm in arms
    }
    told = f"{whole(sum(found.days[newest]))} in the newest batch."
    made.append(charts.steps("Rows scored, by what gave the score", told, days, series, "rows", width=300))
    lines = [
        (
            Link(str(day), batch_page(table, day) if snapshot.state(table, day) is not None else ""),
            sum(found.days[day]),
            amount(levels["p10"][at], 3),
            amount(levels["p50"][at], 3),
            amount(levels["p90"][at], 3),
        )
        for at, day in enumerate(days)
    ]
    return ScoresView(contract, entry.model or "", entry.score, len(days), newest, made, lines[::-1][:60])


def count_scores(table: DeltaTable | None, column: str) -> ScoreCounts | None:
    """Counts a table of scores; None where it has no rows.

    Args:
        column: that holds the score; probabilities are counted from 0 to 1, other numbers between their least and greatest.
    """
    if table is None or column not in (names := {f.name for f in table.schema().fields}):
        return None
    query = QueryBuilder().register("scores", table)

    def ask(sql: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = (
            pa.RecordBatchReader.from_stream(query.execute(sql)).read_all().to_pylist()
        )
        return rows

    ends = ask(
        f'SELECT CAST(min("{column}") AS DOUBLE) AS low, CAST(max("{column}") AS DOUBLE) AS high FROM scores'
    )
    low, high = ends[0]["low"], ends[0]["high"]
    if not isinstance(low, float) or not isinstance(high, float) or not math.isfinite(low + high):
        return None
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    step = (high - low) / _BINS or 1.0
    arm = f'"{SERVED_BY}"' if SERVED_BY in names else "'scored'"
    version = f'CAST("{MODEL_VERSION}" AS VARCHAR)' if MODEL_VERSION in names else "''"
    rows = ask(
        f'SELECT {BATCH_DATE} AS day, CAST(least(floor(("{column}" - {low!r}) / {step!r}), {_BINS - 1}) AS BIGINT) AS bin, '
        f'{arm} AS arm, {version} AS version, count(*) AS n FROM scores WHERE "{column}" IS NOT NULL GROUP BY 1, 2, 3, 4'
    )
    days: dict[date, list[int]] = defaultdict(lambda: [0] * _BINS)
    arms: dict[date, dict[str, int]] = defaultdict(dict)
    for row in rows:
        day, n = row["day"], row["n"]
        assert isinstance(day, date)
        assert isinstance(n, int)
        days[day][int(str(row["bin"]))] += n
        name = f"{row['arm']}, version {row['version']}" if row["version"] else str(row["arm"])
        arms[day][name] = arms[day].get(name, 0) + n
    return ScoreCounts(low, high, dict(days), dict(arms)) if days else None


def quantile(found: ScoreCounts, day: date, level: float) -> float | None:
    """A quantile of a batch, scores spread evenly over their bin; None without rows."""
    counts = found.days[day]
    total = sum(counts)
    if not total:
        return None
    step, reached, goal = (found.high - found.low) / len(counts), 0, level * total
    for at, n in enumerate(counts):
        if n and reached + n >= goal:
            return found.low + (at + (goal - reached) / n) * step
        reached += n
    return found.high


def _newest(found: ScoreCounts, days: Sequence[date], column: str) -> Chart:
    """The newest batch beside all those before it."""
    newest, earlier = days[-1], days[:-1]
    pairs = len(found.days[newest]) // 2
    step = (found.high - found.low) / pairs

    def shares(chosen: Sequence[date]) -> list[float]:
        counts = [
            sum(found.days[day][2 * at] + found.days[day][2 * at + 1] for day in chosen)
            for at in range(pairs)
        ]
        total = max(sum(counts), 1)
        return [100 * n / total for n in counts]

    labels = [amount(found.low + at * step, 3) for at in range(pairs)]
    series = {"newest": shares([newest])}
    if earlier:
        series["before"] = shares(earlier)
    says = f"Share of rows by {column}, the batch of {newest}" + (
        " beside all before it." if earlier else "."
    )
    return charts.histogram("How scores are spread", says, labels, series, "share of rows, %")

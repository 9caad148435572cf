"""Runs: how long they took, what they wrote, what they cost. Pure.

Cost is time by resources: the hours of a table's runs at the size that its contract asks for, and money where it is known what an
hour of that size costs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median

from lakesmith.errors import UsageError
from lakesmith.ledger.records import RunRecord
from lakesmith.ledger.troubles import count
from lakesmith.site import charts
from lakesmith.site.charts import Chart
from lakesmith.site.links import table_page
from lakesmith.site.snapshot import Snapshot
from lakesmith.site.words import duration

__all__ = ["Prices", "RunsView", "TableRuns", "runs_view"]

_SHOWN = 200
_DAYS = 60


@dataclass(frozen=True)
class Prices:
    """What an hour of runs costs.

    Args:
        hour: by the size that contracts name in `resources`.
        currency: of the prices.
    """

    hour: Mapping[str, float] = field(default_factory=dict)
    currency: str = "USD"

    @classmethod
    def parse(cls, said: Sequence[str], currency: str) -> Prices:
        """Prices written as `small=0.25`.

        Raises:
            UsageError: one is written otherwise, or below 0.
        """
        found: dict[str, float] = {}
        for text in said:
            size, _, price = text.partition("=")
            try:
                found[size.strip()] = float(price)
            except ValueError:
                found[size.strip()] = math.nan
            if not size.strip() or not math.isfinite(found[size.strip()]) or found[size.strip()] < 0:
                raise UsageError(
                    f"{text!r} is no price of an hour. Write it as SIZE=NUMBER: --hour-price small=0.25"
                )
        return cls(found, currency)


@dataclass(frozen=True)
class TableRuns:
    """The runs of one table, all of them.

    Args:
        middle: median seconds of runs of one batch; None without any.
        pace: rows published a second.
        hours: of all runs.
        cost: of these hours, or as the platform counted it; None where neither is known.
    """

    table: str
    href: str
    size: str
    runs: int
    failed: int
    rows: int
    middle: float | None
    pace: float | None
    hours: float
    cost: float | None


@dataclass(frozen=True)
class RunsView:
    """The page of runs.

    Args:
        sizes: size -> hours and their cost.
        currency: of the costs; empty where none is known.
        counted: whether costs are what the platform counted, and not hours times a price.
        other: what job runs cost that held no run of these tables.
    """

    tables: Sequence[TableRuns]
    sizes: Mapping[str, tuple[float, float | None]]
    currency: str
    counted: bool
    other: float
    durations: Chart | None
    newest: Sequence[RunRecord]
    total: int


def runs_view(snapshot: Snapshot, prices: Prices) -> RunsView:
    """What the page of runs says."""
    by_table: dict[str, list[RunRecord]] = defaultdict(list)
    for run in snapshot.runs:
        by_table[run.table].append(run)
    bills = [entry for entry in snapshot.bills if entry.cost is not None]
    # Prices that were given on the command line are what somebody wants to see.
    currency = prices.currency if prices.hour else bills[-1].currency if bills else ""
    billed: dict[str, float] = defaultdict(float)
    for entry in bills if not prices.hour else ():
        if entry.currency == currency:
            billed[entry.table] += entry.cost or 0.0
    tables = [
        _table(snapshot, table, by_table[table], prices.hour, billed)
        for table in snapshot.tables
        if by_table.get(table)
    ]
    sizes: dict[str, tuple[float, float | None]] = {}
    for found in tables:
        hours, cost = sizes.get(found.size, (0.0, None))
        known = found.cost is not None or cost is not None
        sizes[found.size] = (hours + found.hours, (cost or 0.0) + (found.cost or 0.0) if known else None)
    return RunsView(
        tables=tables,
        sizes=sizes,
        currency=currency,
        counted=bool(billed),
        other=sum(money for table, money in billed.items() if not by_table.get(table)),
        durations=_durations(snapshot),
        newest=list(reversed(snapshot.runs[-_SHOWN:])),
        total=len(snapshot.runs),
    )


def _table(
    snapshot: Snapshot,
    table: str,
    runs: Sequence[RunRecord],
    prices: Mapping[str, float],
    billed: Mapping[str, float],
) -> TableRuns:
    size = snapshot.contract(table).resources
    single = [run.seconds for run in runs if run.batches == 1]
    seconds, rows = sum(run.seconds for run in runs), sum(run.rows_published for run in runs)
    hours = seconds / 3600
    return TableRuns(
        table=table,
        href=table_page(table),
        size=size,
        runs=len(runs),
        failed=sum(run.outcome in ("failed", "rejected") for run in runs),
        rows=rows,
        middle=median(single) if single else None,
        pace=rows / seconds if seconds else None,
        hours=hours,
        cost=hours * prices[size] if size in prices else billed.get(table),
    )


def _durations(snapshot: Snapshot) -> Chart | None:
    """Minutes of runs by the day on which they started, by table."""
    minutes: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for run in snapshot.runs:
        minutes[run.table][run.started_at.date()] += run.seconds / 60
    days = sorted({day for found in minutes.values() for day in found})[-_DAYS:]
    if not days:
        return None
    tables = sorted(minutes, key=lambda table: -sum(minutes[table].values()))
    shown, rest = tables[:7], tables[7:]
    series: dict[str, list[float | None]] = {
        table: [minutes[table].get(day, 0.0) for day in days] for table in shown
    }
    if rest:
        series["(others)"] = [sum(minutes[table].get(day, 0.0) for table in rest) for day in days]
    whole_time = sum(sum(found.values()) for found in minutes.values()) * 60
    says = f"{count(len(snapshot.runs), 'run')}, {duration(whole_time)} in all; by the day on which they started."
    return charts.steps("Time that runs took", says, days, series, "minutes", width=860)

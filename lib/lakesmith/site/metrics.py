"""What monitoring has written, as far as it has: profiles, drift, performance; read by the names of columns.

Owns the reading of tables that a lake need not have: one that is not there is empty, and so is a column. A row that cannot be
made sense of is passed over, never guessed at.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from deltalake import DeltaTable

from lakesmith.ledger.location import LakeLocation
from lakesmith.monitoring.stored import (
    DRIFT_TABLE,
    DRIFTED,
    PERFORMANCE_TABLE,
    PROFILE_TABLE,
    MetricOutcome,
    outcomes_of,
    stored_rows,
)

__all__ = ["TABLE_ROW", "Drift", "Histogram", "MetricTables", "Profile", "read_metrics"]

_LONGEST_WINDOW = 28

TABLE_ROW = ":table"
"""The name of the column that stands for the table itself."""

_PROFILE_COLUMNS = (
    "window", "log_type", "slice_key", "column_name", "data_type", "count", "num_nulls", "avg", "stddev", "min", "max",
    "median", "distinct_count", "percent_null", "percent_nan", "percent_zeros", "table_name",
)  # fmt: skip
_DRIFT_COLUMNS = (
    "window", "window_cmp", "slice_key", "slice_value", "column_name", "data_type", "drift_type", "js_distance", "ks_test",
    "wasserstein_distance", "population_stability_index", "chi_squared_test", "tv_distance", "l_infinity_distance",
    "count_delta", "avg_delta", "percent_null_delta", "new_categories", "vanished_categories", "verdict", "reason", "effect",
    "effect_limit", "adjusted_pvalue", "rows_judged", "table_name", "baseline",
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """One column of one window of batches, or the table itself.

    Args:
        last: the last batch of the window.
        days: of the window.
        figures: by the column names of the table of profiles; None where undefined.
    """

    table: str
    column: str
    data_type: str
    last: date
    days: int
    figures: Mapping[str, float | None]


@dataclass(frozen=True)
class Histogram:
    """How the values of a column are spread, without a value of a row but the names of categories.

    Args:
        edges: of bins, as many counts as bins plus one below and one above; none for categories.
        counts: in each cell.
        labels: of categories, as many as counts.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    nulls: int = 0
    rows: int = 0

    def plus(self, other: Histogram) -> Histogram | None:
        """The histogram of both together; None where they were not counted on the same cells."""
        if self.edges != other.edges or (self.edges and len(self.counts) != len(other.counts)):
            return None
        nulls, rows = self.nulls + other.nulls, self.rows + other.rows
        if self.edges:
            counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
            return Histogram(self.edges, counts, (), nulls, rows)
        counted = dict(zip(self.labels, self.counts, strict=False))
        for label, found in zip(other.labels, other.counts, strict=False):
            counted[label] = counted.get(label, 0) + found
        return Histogram((), tuple(counted.values()), tuple(counted), nulls, rows)


@dataclass(frozen=True)
class Drift:
    """One column of one night against a baseline or the window before.

    Args:
        kind: `BASELINE` or `CONSECUTIVE`.
        figures: by the column names of the table of drift; of a test its statistic. None where undefined.
        pvalues: of the tests.
        verdict: what was decided; empty for the table itself.
        slice: `expression = value`; empty for all rows.
        baseline: what it was compared with is called.
    """

    table: str
    column: str
    data_type: str
    kind: str
    last: date
    days: int
    compared_with: date | None
    slice: str
    figures: Mapping[str, float | None]
    pvalues: Mapping[str, float | None]
    verdict: str
    reason: str
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    baseline: str = ""

    @property
    def drifted(self) -> bool:
        """True when it was decided that the column has drifted."""
        return self.verdict == DRIFTED


@dataclass(frozen=True)
class MetricTables:
    """What there is of them.

    Args:
        profiles: (table, column) -> windows in order, of all rows.
        baselines: (table, column) -> histogram of what the newest batch is compared with.
        recent: (table, column) -> histograms of the last batches by day.
        drift: (table, column) -> nights in order, of all rows, then of slices.
        performance: how models did on labels that came since, in order of days.
        known: which of the tables the lake has.
    """

    profiles: Mapping[tuple[str, str], Sequence[Profile]] = field(default_factory=dict)
    baselines: Mapping[tuple[str, str], Histogram] = field(default_factory=dict)
    recent: Mapping[tuple[str, str], Mapping[date, Histogram]] = field(default_factory=dict)
    drift: Mapping[tuple[str, str], Sequence[Drift]] = field(default_factory=dict)
    performance: Sequence[MetricOutcome] = ()
    known: frozenset[str] = frozenset()

    def columns_profiled(self, table: str) -> list[str]:
        """The columns of a table that have a profile, the table itself left out."""
        return [column for found, column in self.profiles if found == table and column != TABLE_ROW]

    def columns_judged(self, table: str) -> list[str]:
        """The columns of a table that drift was judged of."""
        return [column for found, column in self.drift if found == table and column != TABLE_ROW]

    @property
    def tables_judged(self) -> tuple[str, ...]:
        """The tables of which drift was judged, or that have a profile."""
        return tuple(sorted({table for table, _ in (*self.drift, *self.profiles)}))


def read_metrics(lake: LakeLocation, night: date | None = None) -> MetricTables:
    """Reads whatever there is.

    Args:
        lake: where the tables are.
        night: as far as this one; None reads all nights.
    """
    opened = {name: lake.open(name) for name in (PROFILE_TABLE, DRIFT_TABLE, PERFORMANCE_TABLE)}
    profiles = _profiles(opened[PROFILE_TABLE], night)
    baselines, recent = _histograms(opened[PROFILE_TABLE], profiles)
    return MetricTables(
        profiles=profiles,
        baselines=baselines,
        recent=recent,
        drift=_drift(opened[DRIFT_TABLE], night),
        performance=outcomes_of(opened[PERFORMANCE_TABLE], until=night),
        known=frozenset(name for name, table in opened.items() if table is not None),
    )


def _window(value: Any) -> tuple[date, int] | None:
    """The last batch of a window, and how many days it has."""
    if not isinstance(value, Mapping) or value.get("start") is None or value.get("end") is None:
        return None
    first, after = value["start"].date(), value["end"].date()
    return after - timedelta(1), (after - first).days


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _profiles(table: DeltaTable | None, night: date | None) -> dict[tuple[str, str], list[Profile]]:
    found: dict[tuple[str, str], list[Profile]] = defaultdict(list)
    for row in stored_rows(table, (), optional=_PROFILE_COLUMNS, until=night) or ():
        window = _window(row.get("window"))
        if window is None or row.get("slice_key") is not None or row.get("log_type") == "BASELINE":
            continue
        figures = {name: _number(value) for name, value in row.items() if name != "window"}
        name = (str(row.get("table_name")), str(row.get("column_name")))
        found[name].append(Profile(*name, str(row.get("data_type") or ""), *window, figures))
    for windows in found.values():
        windows.sort(key=lambda profile: (profile.last, profile.days))
    return dict(found)


def _histograms(
    table: DeltaTable | None, profiles: Mapping[tuple[str, str], Sequence[Profile]]
) -> tuple[dict[tuple[str, str], Histogram], dict[tuple[str, str], dict[date, Histogram]]]:
    """The baseline of each column, and its last batches."""
    baselines: dict[tuple[str, str], tuple[date, Histogram]] = {}
    recent: dict[tuple[str, str], dict[date, Histogram]] = defaultdict(dict)
    if not profiles:
        return {}, {}
    newest = max(windows[-1].last for windows in profiles.values())
    # Profiles are long texts: only those that are shown are read.
    since = newest - timedelta(_LONGEST_WINDOW - 1)
    columns = ("window", "log_type", "slice_key", "column_name", "table_name", "profile")
    for row in stored_rows(table, columns, since=since, until=newest) or ():
        window, histogram = _window(row.get("window")), _histogram(row.get("profile"))
        if window is None or histogram is None or row.get("slice_key") is not None:
            continue
        name = (str(row.get("table_name")), str(row.get("column_name")))
        if row.get("log_type") != "BASELINE":
            if window[1] == 1:
                recent[name][window[0]] = histogram
        elif name not in baselines or baselines[name][0] <= window[0]:
            baselines[name] = (window[0], histogram)
    return {name: found for name, (_, found) in baselines.items()}, dict(recent)


def _histogram(text: Any) -> Histogram | None:
    """The histogram in a profile's JSON; None where nothing was counted by value."""
    try:
        stored = json.loads(text)
        rows, nulls = int(stored.get("count", 0)), int(stored.get("nulls", 0))
        if stored.get("numbers"):
            edges = tuple(float(edge) for edge in stored["numbers"]["edges"])
            return Histogram(edges, tuple(int(n) for n in stored["numbers"]["counts"]), (), nulls, rows)
        if stored.get("categories"):
            kinds = stored["categories"]
            named = [*kinds["known"], *kinds["new"]]
            named += [["(others)", kinds["unnamed"]]] if kinds.get("unnamed") else []
            labels, counts = tuple(str(name) for name, _ in named), tuple(int(n) for _, n in named)
            return Histogram((), counts, labels, nulls, rows)
    except (TypeError, ValueError, KeyError, AttributeError):
        return None
    return None


def _drift(table: DeltaTable | None, night: date | None) -> dict[tuple[str, str], list[Drift]]:
    found: dict[tuple[str, str], list[Drift]] = defaultdict(list)
    for row in stored_rows(table, (), optional=_DRIFT_COLUMNS, until=night) or ():
        window, before = _window(row.get("window")), _window(row.get("window_cmp"))
        if window is None:
            continue
        tests = {
            name: value for name, value in row.items() if isinstance(value, Mapping) and "pvalue" in value
        }
        figures = {name: _number(value) for name, value in row.items() if name not in tests}
        figures |= {name: _number(value["statistic"]) for name, value in tests.items()}
        name = (str(row.get("table_name")), str(row.get("column_name")))
        sliced = row.get("slice_key")
        found[name].append(
            Drift(
                *name,
                data_type=str(row.get("data_type") or ""),
                kind=str(row.get("drift_type") or ""),
                last=window[0],
                days=window[1],
                compared_with=before[0] if before is not None else None,
                slice="" if sliced is None else f"{sliced} = {row.get('slice_value')}",
                figures=figures,
                pvalues={test: _number(value["pvalue"]) for test, value in tests.items()},
                verdict=str(row.get("verdict") or ""),
                reason=str(row.get("reason") or ""),
                new=tuple(str(value) for value in row.get("new_categories") or ()),
                vanished=tuple(str(value) for value in row.get("vanished_categories") or ()),
                baseline=str(row.get("baseline") or ""),
            )
        )
    for nights in found.values():
        nights.sort(key=lambda drift: (drift.slice != "", drift.slice, drift.last, drift.kind))
    return dict(found)

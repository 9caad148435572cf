"""Profiles and drift as rows of tables, by the column names of the Databricks data profiling tables.

Owns the two layouts: what their columns are called, of which type they are, and how they are filled. What dashboards and
queries for those tables read is named and means as there; columns of our own stand after them. Figures that are undefined are
null, never NaN. No Spark.

`profile_metrics` has a row a batch, slice and column, `drift_metrics` one a window, slice, column and drift type; both have one
more about the table itself, whose column is called `:table`. A window begins with its first day and ends before the day after
its last. Shares called `percent_...` go from 0 to 100.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from lakesmith.monitoring.comparison import Comparison
from lakesmith.monitoring.decision import Verdict
from lakesmith.monitoring.distances import Test
from lakesmith.monitoring.profile import ColumnProfile

__all__ = [
    "DRIFT_COLUMNS",
    "MONITOR_VERSION",
    "PROFILE_COLUMNS",
    "QUANTILE_LEVELS",
    "TABLE",
    "WINDOW",
    "DriftType",
    "LogType",
    "RowKey",
    "drift_row",
    "granularity",
    "profile_row",
    "stored_profile",
    "table_drift_row",
    "table_row",
    "window_of",
]

LogType = Literal["INPUT", "BASELINE"]
DriftType = Literal["BASELINE", "CONSECUTIVE"]

TABLE = ":table"
"""The name of the column that stands for the table itself."""

WINDOW = "struct<start:timestamp,end:timestamp>"
"""The type of the columns of windows."""

MONITOR_VERSION = 0
"""The layout of the monitoring tables."""

_TEST = "struct<statistic:double,pvalue:double>"
_MOST_FREQUENT = 20

QUANTILE_LEVELS = tuple(step / 20 for step in range(21))
"""The levels of `quantiles`: more of them would tell no more than the forty bins know."""

PROFILE_COLUMNS: Mapping[str, str] = {
    "window": WINDOW,
    "log_type": "string",
    "logging_table_commit_version": "bigint",
    "monitor_version": "bigint",
    "granularity": "string",
    "slice_key": "string",
    "slice_value": "string",
    "column_name": "string",
    "count": "bigint",
    "data_type": "string",
    "num_nulls": "bigint",
    "avg": "double",
    "quantiles": "array<double>",
    "min": "double",
    "max": "double",
    "stddev": "double",
    "num_zeros": "bigint",
    "num_nan": "bigint",
    "min_length": "double",
    "max_length": "double",
    "avg_length": "double",
    "non_null_columns": "array<string>",
    "frequent_items": "array<struct<item:string,count:bigint>>",
    "median": "double",
    "distinct_count": "bigint",
    "percent_nan": "double",
    "percent_null": "double",
    "percent_zeros": "double",
    "percent_distinct": "double",
    # Ours: shape, the profile itself, which adds up, and what drift is judged by. `slice` is the slice as one text that is
    # never null.
    "table_name": "string",
    "skewness": "double",
    "kurtosis": "double",
    "profile": "string",
    "slice": "string",
    "baseline": "string",
    "usual_effects": "array<struct<days:int,effect:double>>",
    "trends": "boolean",
    "repeated": "boolean",
    "windows": "array<int>",
    "least_effect": "double",
}

DRIFT_COLUMNS: Mapping[str, str] = {
    "window": WINDOW,
    "granularity": "string",
    "monitor_version": "bigint",
    "slice_key": "string",
    "slice_value": "string",
    "column_name": "string",
    "data_type": "string",
    "window_cmp": WINDOW,
    "drift_type": "string",
    "count_delta": "bigint",
    "avg_delta": "double",
    "percent_null_delta": "double",
    "percent_zeros_delta": "double",
    "percent_distinct_delta": "double",
    "non_null_columns_delta": "struct<added:int,missing:int>",
    "js_distance": "double",
    "ks_test": _TEST,
    "wasserstein_distance": "double",
    "population_stability_index": "double",
    "chi_squared_test": _TEST,
    "tv_distance": "double",
    "l_infinity_distance": "double",
    # Ours: what was decided, and by which figures.
    "table_name": "string",
    "new_categories": "array<string>",
    "vanished_categories": "array<string>",
    "verdict": "string",
    "reason": "string",
    "effect": "double",
    "effect_limit": "double",
    "pvalue": "double",
    "adjusted_pvalue": "double",
    "rows_judged": "double",
    "slice": "string",
    "baseline": "string",
}


@dataclass(frozen=True)
class RowKey:
    """Which batches and rows of which table a row of metrics is about.

    Args:
        table: the table.
        batch_date: the last batch of the window.
        slice_key: the expression that slices; None for all rows.
        slice_value: its value.
        version: of the table that was read; None in tables of nights, whose rows must not hang on how many runs made them.
    """

    table: str
    batch_date: date
    slice_key: str | None = None
    slice_value: str | None = None
    version: int | None = None

    @property
    def slice(self) -> str:
        """The slice as one text; empty for all rows."""
        if self.slice_key is None:
            return ""
        return (
            f"{self.slice_key} is null"
            if self.slice_value is None
            else f"{self.slice_key} = {self.slice_value}"
        )


def profile_row(key: RowKey, profile: ColumnProfile, *, log_type: LogType = "INPUT") -> dict[str, Any]:
    """A row of `profile_metrics` about a column.

    Args:
        key: what it is about.
        profile: of one column; its number of batches is the window's length.
        log_type: INPUT for batches, BASELINE for a baseline.
    """
    moments, lengths = profile.moments, profile.lengths
    quantiles = profile.quantiles([*QUANTILE_LEVELS, 0.5])
    texts = lengths if lengths is not None and lengths.count else None
    numeric = profile.numbers is not None
    known: dict[str, Any] = {
        **_profile_key(key, profile.batches, log_type),
        "column_name": profile.column,
        "count": profile.count,
        "data_type": profile.data_type,
        "num_nulls": profile.nulls,
        "avg": None if moments is None or not moments.count else moments.mean,
        "quantiles": None if quantiles is None else [_finite(value) for value in quantiles[:-1]],
        "min": profile.minimum,
        "max": profile.maximum,
        "stddev": None if moments is None else _finite(moments.stddev),
        "num_zeros": profile.zeros if numeric else None,
        "num_nan": profile.nans if numeric else None,
        "min_length": None if texts is None else float(texts.least),
        "max_length": None if texts is None else float(texts.greatest),
        "avg_length": None if texts is None else texts.mean,
        "frequent_items": _frequent_items(profile),
        "median": None if quantiles is None else _finite(quantiles[-1]),
        "distinct_count": profile.distinct_count,
        "percent_nan": _percent(profile.nans, profile.count) if numeric else None,
        "percent_null": _percent(profile.nulls, profile.count),
        "percent_zeros": _percent(profile.zeros, profile.count) if numeric else None,
        "percent_distinct": _percent(profile.distinct_count, profile.count),
        "skewness": None if moments is None else _finite(moments.skewness),
        "kurtosis": None if moments is None else _finite(moments.kurtosis),
        "profile": json.dumps(profile.to_dict(), sort_keys=True, allow_nan=False, ensure_ascii=False),
    }
    return {name: known.get(name) for name in PROFILE_COLUMNS}


def table_row(
    key: RowKey, profiles: Sequence[ColumnProfile], *, log_type: LogType = "INPUT"
) -> dict[str, Any]:
    """The row of `profile_metrics` about the table itself: its rows, and the columns that have a value at all.

    Args:
        key: what it is about.
        profiles: of all columns, at least one.
        log_type: as `profile_row` has it.
    """
    known = {
        **_profile_key(key, profiles[0].batches, log_type),
        "column_name": TABLE,
        "count": profiles[0].count,
        "non_null_columns": _with_values(profiles),
    }
    return {name: known.get(name) for name in PROFILE_COLUMNS}


def stored_profile(row: Mapping[str, Any]) -> ColumnProfile:
    """The profile that a row of `profile_metrics` was made of.

    Raises:
        ProfileUnreadable: it was written in another form.
    """
    return ColumnProfile.from_dict(json.loads(row["profile"]))


def drift_row(
    key: RowKey,
    comparison: Comparison,
    verdict: Verdict | None,
    drift_type: DriftType,
    *,
    compared_with: date | None = None,
) -> dict[str, Any]:
    """A row of `drift_metrics` about a column.

    Args:
        key: what it is about.
        comparison: of the column's window with its baseline.
        verdict: what was said of it; None where nothing is said.
        drift_type: BASELINE against a model's baseline, CONSECUTIVE against the window before.
        compared_with: the last batch of what it was compared with; None for a baseline that is no window.
    """
    before, now = comparison.baseline, comparison.current
    pairs = [_figures(p) for p in (before, now)]
    known: dict[str, Any] = {
        **_drift_key(key, before.batches, now.batches, drift_type, compared_with),
        "column_name": now.column,
        "data_type": now.data_type,
        "count_delta": now.count - before.count,
        **{f"{name}_delta": _delta(pairs[0][name], pairs[1][name]) for name in pairs[0]},
        "js_distance": comparison.js_distance,
        "ks_test": _tested(comparison.ks),
        "wasserstein_distance": comparison.wasserstein_distance,
        "population_stability_index": comparison.population_stability_index,
        "chi_squared_test": _tested(comparison.chi_squared),
        "tv_distance": comparison.tv_distance,
        "l_infinity_distance": comparison.l_infinity_distance,
        "new_categories": list(comparison.new),
        "vanished_categories": list(comparison.vanished),
        "rows_judged": comparison.rows,
        **(_decided(verdict) if verdict is not None else {}),
    }
    return {name: known.get(name) for name in DRIFT_COLUMNS}


def table_drift_row(
    key: RowKey,
    before: Sequence[ColumnProfile],
    now: Sequence[ColumnProfile],
    drift_type: DriftType,
    *,
    compared_with: date | None = None,
) -> dict[str, Any]:
    """The row of `drift_metrics` about the table itself: rows, and columns that got their first or lost their last value.

    Args:
        key: what it is about.
        before: the profiles of all columns of what it is compared with, at least one.
        now: those of the window.
        drift_type: as `drift_row` has it.
        compared_with: as `drift_row` has it.
    """
    had, has = set(_with_values(before)), set(_with_values(now))
    known = {
        **_drift_key(key, before[0].batches, now[0].batches, drift_type, compared_with),
        "column_name": TABLE,
        "count_delta": now[0].count - before[0].count,
        "non_null_columns_delta": {"added": len(has - had), "missing": len(had - has)},
    }
    return {name: known.get(name) for name in DRIFT_COLUMNS}


def _profile_key(key: RowKey, batches: int, log_type: LogType) -> dict[str, Any]:
    return {
        "window": window_of(key.batch_date, batches),
        "log_type": log_type,
        "logging_table_commit_version": key.version,
        "monitor_version": MONITOR_VERSION,
        "granularity": granularity(batches),
        "slice_key": key.slice_key,
        "slice_value": key.slice_value,
        "slice": key.slice,
        "table_name": key.table,
    }


def _drift_key(
    key: RowKey, before: int, now: int, drift_type: DriftType, compared_with: date | None
) -> dict[str, Any]:
    return {
        "window": window_of(key.batch_date, now),
        "granularity": granularity(now),
        "monitor_version": MONITOR_VERSION,
        "slice_key": key.slice_key,
        "slice_value": key.slice_value,
        "slice": key.slice,
        "window_cmp": None if compared_with is None else window_of(compared_with, before),
        "drift_type": drift_type,
        "table_name": key.table,
    }


def _figures(profile: ColumnProfile) -> dict[str, float | None]:
    moments, numeric = profile.moments, profile.numbers is not None
    return {
        "avg": None if moments is None or not moments.count else moments.mean,
        "percent_null": _percent(profile.nulls, profile.count),
        "percent_zeros": _percent(profile.zeros, profile.count) if numeric else None,
        "percent_distinct": _percent(profile.distinct_count, profile.count),
    }


def _decided(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": str(verdict.kind),
        "reason": None if verdict.reason is None else str(verdict.reason),
        "effect": _finite(verdict.effect),
        "effect_limit": verdict.limit,
        "pvalue": verdict.pvalue,
        "adjusted_pvalue": verdict.adjusted,
        "rows_judged": verdict.rows,
    }


def _with_values(profiles: Sequence[ColumnProfile]) -> list[str]:
    return [profile.column for profile in profiles if profile.nulls < profile.count]


def window_of(last: date, batches: int) -> dict[str, datetime]:
    """The column `window`: so many batches, of which `last` is the last."""
    end = datetime.combine(last + timedelta(1), datetime.min.time(), UTC)
    return {"start": end - timedelta(batches), "end": end}


def granularity(batches: int) -> str:
    """The column `granularity`."""
    return "1 day" if batches == 1 else f"{batches} days"


def _frequent_items(profile: ColumnProfile) -> list[dict[str, Any]] | None:
    if profile.categories is None:
        return None
    return [{"item": item, "count": rows} for item, rows in profile.categories.frequent(_MOST_FREQUENT)]


def _percent(part: int | None, whole: int) -> float | None:
    return None if part is None or not whole else 100 * part / whole


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _delta(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else now - before


def _tested(test: Test | None) -> dict[str, float] | None:
    return None if test is None else {"statistic": test.statistic, "pvalue": test.pvalue}

"""What was judged of a night, read back from `monitoring.drift_metrics` without Spark.

Owns which rows those are. What they say in words is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import QueryBuilder

from lakesmith.contracts.model import BATCH_DATE

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["DRIFT_TABLE", "PROFILE_TABLE", "ColumnDrift", "drift_of", "last_drift_day"]

DRIFT_TABLE = "monitoring.drift_metrics"
"""Where drift is kept."""

PROFILE_TABLE = "monitoring.profile_metrics"
"""Where profiles are kept."""

_FIGURES = (
    *("table_name", "slice", "column_name", "data_type", "baseline", "verdict", "reason", "effect"),
    *(
        "effect_limit",
        "pvalue",
        "adjusted_pvalue",
        "rows_judged",
        "granularity",
        "population_stability_index",
    ),
    *(
        "js_distance",
        "count_delta",
        "avg_delta",
        "percent_null_delta",
        "new_categories",
        "vanished_categories",
    ),
)


@dataclass(frozen=True)
class ColumnDrift:
    """What was said of a column of a night, by the names of the table's columns."""

    table_name: str
    slice: str
    column_name: str
    data_type: str | None
    baseline: str | None
    verdict: str
    reason: str | None
    effect: float | None
    effect_limit: float | None
    pvalue: float | None
    adjusted_pvalue: float | None
    rows_judged: float | None
    granularity: str
    population_stability_index: float | None
    js_distance: float | None
    count_delta: int | None
    avg_delta: float | None
    percent_null_delta: float | None
    new_categories: list[str] | None
    vanished_categories: list[str] | None

    @property
    def drifted(self) -> bool:
        """True when it is called drift."""
        return self.verdict == "drifted"


def last_drift_day(drift: DeltaTable) -> date | None:
    """The last night that has rows; None without any."""
    [row] = _query(drift, f"SELECT max({BATCH_DATE}) AS day FROM drift")
    day: date | None = row["day"]
    return day


def drift_of(drift: DeltaTable, night: date, table: str | None = None) -> list[ColumnDrift]:
    """What was said of the columns of a night against their baselines, in order of table, slice and column.

    Args:
        drift: the table, at the version that is to be read.
        night: the batch.
        table: only this watched table's.
    """
    of = f"AND table_name = '{table}' " if table is not None else ""
    names = ", ".join(f'"{name}"' for name in _FIGURES)
    rows = _query(
        drift,
        f"SELECT {names} FROM drift WHERE {BATCH_DATE} = DATE '{night}' AND verdict IS NOT NULL {of}"
        'ORDER BY table_name, "slice", column_name',
    )
    return [ColumnDrift(**row) for row in rows]


def _query(drift: DeltaTable, sql: str) -> list[dict[str, Any]]:
    found = QueryBuilder().register("drift", drift).execute(sql)
    rows: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(found).read_all().to_pylist()
    return rows

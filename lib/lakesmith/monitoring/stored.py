"""What monitoring has written, read back without Spark: rows of its tables, and what was judged of a night.

Owns the names of the tables and which rows are asked for. A lake need not have any of them. What they say in words is the
caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import QueryBuilder

from lakesmith.contracts.judged import DRIFT_TABLE
from lakesmith.contracts.model import BATCH_DATE

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = [
    "DRIFTED",
    "DRIFT_TABLE",
    "PERFORMANCE_TABLE",
    "PROFILE_TABLE",
    "SHADOW",
    "TOO_FEW",
    "TREND",
    "WORSE",
    "ColumnDrift",
    "MetricOutcome",
    "drift_of",
    "last_drift_day",
    "newest_outcomes",
    "outcomes_of",
    "stored_rows",
]

DRIFTED = "drifted"
"""The verdict that a column has drifted: `VerdictKind.DRIFTED` as it is stored, for those that need not wait for scipy."""

TREND = "trend"
"""What was judged is how far the column is off its trend: `Reason.TREND` as it is stored."""

PROFILE_TABLE = "monitoring.profile_metrics"
"""Where profiles are kept."""

PERFORMANCE_TABLE = "monitoring.model_performance"
"""Where it is kept how models do on labels that came since."""

WORSE = "worse"
"""The verdict that a metric is worse than in the test: `PerformanceVerdict.WORSE` as it is stored."""

TOO_FEW = "too few"
"""The verdict where too few entities have a label: `PerformanceVerdict.TOO_FEW` as it is stored."""

SHADOW = "shadow"
"""The role of a version whose scores nobody acted upon."""


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
        return self.verdict == DRIFTED


@dataclass(frozen=True)
class MetricOutcome:
    """A metric of a version on the labels of a batch that it scored, by the names of the table's columns."""

    batch_date: date
    model_name: str
    model_version: int
    role: str
    table_name: str
    slice: str
    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    rows: int
    entities: int
    granularity: str
    test_value: float | None
    test_lower: float | None
    test_upper: float | None
    verdict: str | None
    input_drift: str
    concept_drift: bool | None

    @property
    def worse(self) -> bool:
        """True when it is called worse than in the version's test."""
        return self.verdict == WORSE

    @property
    def enough(self) -> bool:
        """True when enough entities had a label for anything to be said."""
        return self.verdict != TOO_FEW

    @property
    def in_use(self) -> bool:
        """True when it is about all rows of a batch whose scores were acted upon."""
        return self.slice == "" and self.role != SHADOW


def stored_rows(
    table: DeltaTable | None,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    where: str = "",
) -> list[dict[str, Any]] | None:
    """Rows of a table; None where it is not there, or lacks one of the columns.

    Args:
        columns: that are read, besides `batch_date`.
        optional: that are read, too, and are None where the table lacks them.
        since, until: the first and the last batch.
        where: a further condition, in SQL.
    """
    if table is None:
        return None
    known = {field.name for field in table.schema().fields}
    wanted = [BATCH_DATE, *columns]
    if not known.issuperset(wanted):
        return None
    conditions = [f"{BATCH_DATE} >= DATE '{since}'"] if since is not None else []
    conditions += [f"{BATCH_DATE} <= DATE '{until}'"] if until is not None else []
    conditions += [where] if where else []
    listed = [f'"{name}"' for name in wanted]
    listed += [f'"{name}"' if name in known else f'NULL AS "{name}"' for name in optional]
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return _query(table, f"SELECT {', '.join(listed)} FROM rows{condition}")


def last_drift_day(drift: DeltaTable) -> date | None:
    """The last night that has rows; None without any."""
    [row] = _query(drift, f"SELECT max({BATCH_DATE}) AS day FROM rows")
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
    names = ", ".join(f'"{name}"' for name in ColumnDrift.__dataclass_fields__)
    rows = _query(
        drift,
        f"SELECT {names} FROM rows WHERE {BATCH_DATE} = DATE '{night}' AND verdict IS NOT NULL {of}"
        'ORDER BY table_name, "slice", column_name',
    )
    return [ColumnDrift(**row) for row in rows]


def outcomes_of(
    performance: DeltaTable | None, *, since: date | None = None, until: date | None = None
) -> list[MetricOutcome]:
    """How models did, in order of day, model, version, role, slice and metric; nothing where there is no such table.

    Args:
        since, until: the first and the last batch that was scored.
    """
    names = [name for name in MetricOutcome.__dataclass_fields__ if name != BATCH_DATE]
    rows = stored_rows(performance, names, since=since, until=until) or ()
    found = [MetricOutcome(**row) for row in rows]
    return sorted(
        found,
        key=lambda o: (
            o.batch_date, o.model_name, o.model_version, o.table_name, o.role, o.slice, o.metric,
        ),
    )  # fmt: skip


def newest_outcomes(outcomes: Iterable[MetricOutcome]) -> list[MetricOutcome]:
    """Of each model those of its newest batch that was judged, in the same order."""
    known = list(outcomes)
    last: dict[str, date] = {}
    for each in known:
        last[each.model_name] = max(last.get(each.model_name, each.batch_date), each.batch_date)
    return [each for each in known if each.batch_date == last[each.model_name]]


def _query(table: DeltaTable, sql: str) -> list[dict[str, Any]]:
    found = QueryBuilder().register("rows", table).execute(sql)
    rows: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(found).read_all().to_pylist()
    return rows

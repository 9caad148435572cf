"""The rows of `monitoring.profile_metrics`: profiles of the batches of every table that asks for them.

Owns which rows a batch of that table has, and on which bins. The batches of one run that share a baseline are one scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Watched
from lakesmith.monitoring.baseline import TableBaseline, baseline_of
from lakesmith.monitoring.metric_rows import PROFILE_COLUMNS, RowKey, profile_row, table_row
from lakesmith.monitoring.profile import ColumnLayout, Measure
from lakesmith.monitoring.scan import (
    SliceProfile,
    empty_profile,
    find_layouts,
    measure_of,
    profile_batches,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["NamedBaseline", "Profiled", "ProfiledTable", "find_baseline", "profile_frame"]


@dataclass(frozen=True)
class NamedBaseline:
    """A baseline and what it is called in rows.

    Args:
        name: `repurchase version 3`, or the days.
        baseline: the profiles.
    """

    name: str
    baseline: TableBaseline


@dataclass(frozen=True)
class ProfiledTable:
    """A watched table in one run.

    Args:
        rows: of the batches, and perhaps of other days.
        batches: those that are there, empty ones included.
        baselines: of each batch; those without one are profiled on no bins.
    """

    watched: Watched
    rows: DataFrame
    batches: tuple[date, ...]
    baselines: Mapping[date, NamedBaseline]


@dataclass(frozen=True)
class Profiled:
    """All that a run profiles."""

    spark: SparkSession
    tables: tuple[ProfiledTable, ...]


def profile_frame(profiled: Profiled) -> DataFrame:
    """The rows of `monitoring.profile_metrics`, with `batch_date`."""
    rows = [row for table in profiled.tables for row in _rows(table)]
    names = [*PROFILE_COLUMNS, BATCH_DATE]
    schema = ", ".join(f"`{name}` {kind}" for name, kind in {**PROFILE_COLUMNS, BATCH_DATE: "date"}.items())
    return profiled.spark.createDataFrame([tuple(row[name] for name in names) for row in rows], schema)


def find_baseline(
    rows: DataFrame,
    columns: Mapping[str, Measure],
    slices: Sequence[str] = (),
    *,
    repeated: bool = False,
) -> TableBaseline | None:
    """The baseline that rows of some batches make: their bins, their profiles, what is usual among them.

    Args:
        rows: with `batch_date`.
        columns: what is measured of each.
        slices: Spark SQL expressions over the columns.
        repeated: the batches hold the same entities again and again.

    Returns:
        None without rows.
    """
    layouts = find_layouts(rows, columns)
    found = profile_batches(rows, layouts, slices)
    return baseline_of(
        ((p.batch_date, (p.slice_key, p.slice_value), p.columns) for p in found), repeated=repeated
    )


def _rows(table: ProfiledTable) -> Iterator[dict[str, Any]]:
    by_baseline: dict[str | None, list[date]] = {}
    for day in table.batches:
        named = table.baselines.get(day)
        by_baseline.setdefault(named.name if named is not None else None, []).append(day)
    for days in by_baseline.values():
        named = table.baselines.get(days[0])
        layouts = _layouts(table, named)
        wanted = table.rows.where(F.col(BATCH_DATE).isin(days))
        found = profile_batches(wanted, layouts, table.watched.profile.slices)
        empty = [
            SliceProfile(day, None, None, tuple(empty_profile(layout) for layout in layouts))
            for day in sorted(set(days) - {profile.batch_date for profile in found})
        ]
        for profile in [*found, *empty]:
            yield from _of_batch(table, profile, named)
        if named is not None:
            for day in days:
                yield from _of_baseline(table, day, named)


def _layouts(table: ProfiledTable, named: NamedBaseline | None) -> list[ColumnLayout]:
    kinds = {field.name: field.dataType for field in table.rows.schema.fields}
    layouts = []
    for column in table.watched.columns:
        kind = kinds[column.name]
        known = named.baseline.layout(column.name, kind.simpleString()) if named is not None else None
        measure = measure_of(kind, subject=column.subject)
        if known is None and measure is Measure.CATEGORY:
            # Which values may be kept is known from a baseline only.
            measure = Measure.TEXT
        layouts.append(known or ColumnLayout(column.name, kind.simpleString(), measure))
    return layouts


def _of_batch(
    table: ProfiledTable, found: SliceProfile, named: NamedBaseline | None
) -> Iterator[dict[str, Any]]:
    key = RowKey(table.watched.table, found.batch_date, found.slice_key, found.slice_value)
    facts = _facts(table, found.batch_date, named)
    yield {**table_row(key, found.columns), **facts}
    trends = {column.name: column.trends for column in table.watched.columns}
    for profile in found.columns:
        yield {**profile_row(key, profile), **facts, "trends": trends[profile.column]}


def _of_baseline(table: ProfiledTable, day: date, named: NamedBaseline) -> Iterator[dict[str, Any]]:
    baseline = named.baseline
    ends = (baseline.first, baseline.last + timedelta(1))
    start, end = (datetime.combine(day, datetime.min.time(), UTC) for day in ends)
    facts = {**_facts(table, day, named), "window": {"start": start, "end": end}}
    names = {column.name for column in table.watched.columns}
    for (slice_key, slice_value, column), found in baseline.columns.items():
        if column in names:
            key = RowKey(table.watched.table, baseline.last, slice_key, slice_value)
            row = profile_row(key, found.profile, log_type="BASELINE")
            yield {
                **row,
                **facts,
                "usual_effects": [{"days": days, "effect": effect} for days, effect in found.usual],
            }


def _facts(table: ProfiledTable, day: date, named: NamedBaseline | None) -> dict[str, Any]:
    return {
        BATCH_DATE: day,
        "repeated": table.watched.profile.repeated,
        "windows": list(table.watched.profile.windows) or None,
        "least_effect": table.watched.profile.effect,
        "baseline": named.name if named is not None else None,
    }

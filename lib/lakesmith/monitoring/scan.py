"""Profiles of the batches of a table, by Spark: one action, one scan, for all columns, slices and batches.

Owns the scan. Spark reads the rows and hands each task's to `lakesmith.monitoring.kernels`, as Arrow has them: numpy measures a
column several times faster than what Catalyst compiles for the same (a wide aggregate is too large for the JVM to compile, and
a row a column is as many rows to group). What comes back is a few kilobytes a task, column and slice.
"""

from __future__ import annotations

import math
import pickle
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.errors import UsageError
from lakesmith.monitoring.categories import MOST_CATEGORIES, CategoryCounts
from lakesmith.monitoring.distinct import DistinctSketch
from lakesmith.monitoring.kernels import Partial, Plan, measured
from lakesmith.monitoring.moments import Moments
from lakesmith.monitoring.numbers import BINS, NumberCounts, edges_of_quantiles, quantile_levels
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Lengths, Measure, merge_profiles

__all__ = ["SliceProfile", "empty_profile", "find_layouts", "measure_of", "profile_batches", "profile_rows"]

_PARTIALS = "day date, slice int, value string, partials binary"
_MOST_EDGES = 63
_ACCURACY = 2000
_SEVERAL = 1.1


@dataclass(frozen=True)
class SliceProfile:
    """The profiles of a batch's columns, of all its rows or of a slice of them.

    Args:
        batch_date: the batch.
        slice_key: the expression that slices; None for all rows.
        slice_value: the expression's value, as text; None where it is null, and for all rows.
        columns: one profile a column, in the order of the layouts.
    """

    batch_date: date
    slice_key: str | None
    slice_value: str | None
    columns: tuple[ColumnProfile, ...]


def measure_of(data_type: T.DataType, *, subject: bool = False) -> Measure:
    """What may be measured of a column; a text is a category until it has too many values.

    Args:
        data_type: of the column.
        subject: it is about a person: rows and nulls only.
    """
    if subject:
        return Measure.COUNTS
    if isinstance(data_type, T.NumericType):
        return Measure.NUMBER
    return Measure.CATEGORY if isinstance(data_type, T.StringType | T.BooleanType) else Measure.COUNTS


def find_layouts(baseline: DataFrame, columns: Mapping[str, Measure]) -> list[ColumnLayout]:
    """How the columns of a baseline are measured: its quantiles as edges, its values as categories. Two actions at most.

    Args:
        baseline: all rows of it, with the columns.
        columns: what is measured of each; a category with more than `MOST_CATEGORIES` values becomes a text.

    Returns:
        One layout a column, in order.
    """
    types = {field.name: field.dataType for field in baseline.schema.fields}
    aggregates: list[Column] = [F.count(F.lit(1))]
    for name, measure in columns.items():
        if measure is Measure.NUMBER:
            finite = _finite(_number(name))
            levels = [0.0, *quantile_levels(BINS), 1.0]
            aggregates.append(F.percentile_approx(finite, levels, _ACCURACY).alias(name))
        elif measure is Measure.CATEGORY:
            aggregates.append(F.approx_count_distinct(name).alias(name))
    found = baseline.agg(*aggregates).collect()[0].asDict()
    few = [
        name
        for name, measure in columns.items()
        if measure is Measure.CATEGORY and found[name] <= MOST_CATEGORIES * _SEVERAL
    ]
    values = _values_of(baseline, few)
    layouts = []
    for name, measure in columns.items():
        kind = types[name].simpleString()
        if measure is Measure.NUMBER:
            layouts.append(_layout_of_number(name, kind, found[name]))
        elif measure is Measure.CATEGORY and name in values and len(values[name]) <= MOST_CATEGORIES:
            layouts.append(ColumnLayout(name, kind, measure, categories=tuple(sorted(values[name]))))
        else:
            changed = Measure.TEXT if measure is Measure.CATEGORY else measure
            layouts.append(ColumnLayout(name, kind, changed))
    return layouts


def profile_batches(
    rows: DataFrame, layouts: Sequence[ColumnLayout], slices: Sequence[str] = ()
) -> list[SliceProfile]:
    """The profiles of all batches that the rows are of, by one Spark job or as few as Spark makes of one action.

    Args:
        rows: of one table, with `batch_date`; of each batch all rows.
        layouts: how the columns are measured: those of the baseline.
        slices: Spark SQL expressions over the columns; each value of each is a slice.

    Returns:
        By batch: all rows first, then the slices in the order of the expressions and their values. A batch without rows has
        no profile.

    Raises:
        UsageError: no column to profile, or more bins than a scan can tell apart.
    """
    if not layouts:
        raise UsageError("there is nothing to profile: no column was named. Name one in the contract.")
    for layout in layouts:
        if len(layout.edges) > _MOST_EDGES:
            raise UsageError(
                f"{layout.column} has {len(layout.edges)} edges, a scan tells at most {_MOST_EDGES} apart. "
                f"Make its baseline again, with {BINS} bins."
            )
    plan = Plan(tuple(layouts), len(slices), BATCH_DATE)
    found = _arranged(rows, layouts, slices).mapInArrow(partial(measured, plan), _PARTIALS).collect()
    groups: dict[tuple[date, int, str | None], list[Partial]] = {}
    known = [frozenset(layout.categories) for layout in layouts]
    for row in found:
        parts = groups.setdefault(
            (row["day"], row["slice"], row["value"]), [Partial.of(layout) for layout in layouts]
        )
        for part, more, values in zip(parts, pickle.loads(row["partials"]), known, strict=True):
            part.add(more, values)
    profiles = [
        SliceProfile(
            day,
            slices[at] if at >= 0 else None,
            value,
            tuple(_profile(layout, part) for layout, part in zip(layouts, parts, strict=True)),
        )
        for (day, at, value), parts in groups.items()
    ]
    return _with_all_rows(profiles, slices)


def profile_rows(rows: DataFrame, layouts: Sequence[ColumnLayout]) -> tuple[ColumnProfile, ...]:
    """The profiles of rows that are no batch of a table, such as those that a model was trained on: its baseline.

    Args:
        rows: with the columns of the layouts; a column `batch_date` of theirs is left aside.
        layouts: how the columns are measured.

    Returns:
        One profile a column, in order; empty ones without rows.
    """
    asked = rows.select(*[layout.column for layout in layouts if layout.column != BATCH_DATE])
    found = profile_batches(asked.withColumn(BATCH_DATE, F.lit(date(1970, 1, 1))), layouts)
    return found[0].columns if found else tuple(empty_profile(layout) for layout in layouts)


def empty_profile(layout: ColumnLayout) -> ColumnProfile:
    """The profile of a column of a batch without rows."""
    return _profile(layout, Partial.of(layout))


def _number(name: str) -> Column:
    # + 0.0: the two zeros are one value.
    return F.col(name).cast("double") + F.lit(0.0)


def _finite(number: Column) -> Column:
    return F.when(F.abs(number) < F.lit(math.inf), number)


def _arranged(rows: DataFrame, layouts: Sequence[ColumnLayout], slices: Sequence[str]) -> DataFrame:
    """The columns as the kernels take them; numbers keep their type where Arrow has it, since it is shorter than a double."""
    columns = [
        F.col(BATCH_DATE),
        *[F.expr(each).cast("string").alias(f"s{at}") for at, each in enumerate(slices)],
    ]
    for at, layout in enumerate(layouts):
        value = F.col(layout.column)
        match layout.measure:
            case Measure.NUMBER:
                number = value.cast("double") if layout.data_type.startswith("decimal") else value
                columns.append(number.alias(f"c{at}"))
            case Measure.CATEGORY:
                columns.append(value.cast("string").alias(f"c{at}"))
            case Measure.TEXT:
                columns.append(F.length(value).alias(f"c{at}"))
                columns.append(F.when(value.isNotNull(), F.xxhash64(value)).alias(f"h{at}"))
            case Measure.COUNTS:
                columns.append(value.isNull().alias(f"c{at}"))
    return rows.select(*columns)


def _profile(layout: ColumnLayout, found: Partial) -> ColumnProfile:
    """The profile of a column from what all tasks found."""
    cells = [int(rows) for rows in found.cells]
    profile = ColumnProfile(
        layout.column, layout.data_type, layout.measure, count=sum(cells), nulls=cells[-1]
    )
    sketch = DistinctSketch() if found.registers is None else DistinctSketch(found.registers.tobytes())
    texts = sum(cells[:-1])
    lengths = (
        Lengths()
        if found.shortest is None
        else Lengths(texts, found.shortest, found.longest, found.characters)
    )
    match layout.measure:
        case Measure.NUMBER:
            numbers = sum(cells[:-2])
            return replace(
                profile,
                nans=cells[-2],
                zeros=found.zeros,
                minimum=found.least if numbers else None,
                maximum=found.greatest if numbers else None,
                moments=Moments.about(layout.pivot, found.finite, *map(float, found.sums)).rounded(),
                numbers=NumberCounts(layout.edges, tuple(cells[:-2])),
                distinct=sketch,
            )
        case Measure.CATEGORY:
            categories = CategoryCounts.of(layout.categories, found.values)
            unnamed = categories.unnamed + found.unnamed
            return replace(profile, categories=replace(categories, unnamed=unnamed), lengths=lengths)
        case Measure.TEXT:
            hashed = None if found.hashed is None else tuple(found.hashed.tolist())
            return replace(profile, lengths=lengths, distinct=sketch, hashed=hashed)
        case Measure.COUNTS:
            return profile


def _with_all_rows(profiles: Sequence[SliceProfile], slices: Sequence[str]) -> list[SliceProfile]:
    by_batch: dict[date, list[SliceProfile]] = defaultdict(list)
    for profile in profiles:
        by_batch[profile.batch_date].append(profile)
    order = {key: at for at, key in enumerate(slices)}
    found: list[SliceProfile] = []
    for day in sorted(by_batch):
        of_day = sorted(
            by_batch[day],
            key=lambda p: (
                order.get(p.slice_key or "", -1),
                p.slice_value is not None,
                p.slice_value or "",
            ),
        )
        if slices:
            first = [profile.columns for profile in of_day if profile.slice_key == slices[0]]
            columns = tuple(replace(merge_profiles(column), batches=1) for column in zip(*first, strict=True))
            found.append(SliceProfile(day, None, None, columns))
        found += of_day
    return found


def _layout_of_number(name: str, kind: str, quantiles: Sequence[float] | None) -> ColumnLayout:
    if not quantiles:
        return ColumnLayout(name, kind, Measure.NUMBER)
    least, *inner, greatest = quantiles
    edges = edges_of_quantiles(least, inner, greatest)
    return ColumnLayout(name, kind, Measure.NUMBER, edges=edges, pivot=float(inner[len(inner) // 2]))


def _values_of(baseline: DataFrame, columns: Sequence[str]) -> dict[str, set[str]]:
    if not columns:
        return {}
    texts = F.array(*[F.col(name).cast("string") for name in columns])
    values = baseline.select(F.posexplode(texts).alias("at", "value")).distinct()
    found: dict[str, set[str]] = {name: set() for name in columns}
    for row in values.collect():
        if row["value"] is not None:
            found[columns[row["at"]]].add(row["value"])
    return found

"""Profiles of the batches of a table, by Spark: one action for all columns, slices and batches.

Owns the scan. Its one query reads the rows twice: for counts, bins, moments, values and lengths of all columns, and for the
sketches of distinct values. Both turn a row into one short row a column, by a loop over two arrays, and group those by
column and cell, or column and register. So the code that Spark makes stays small however many columns there are: one wide
aggregate, or an array of structs, is too large for the JVM to compile, and runs ten times slower. Cells are found by a binary
search in the edges of all columns, which are one constant array.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.errors import UsageError
from lakesmith.monitoring.categories import MOST_CATEGORIES, MOST_NEW, CategoryCounts
from lakesmith.monitoring.distinct import GREATEST_RANK, LG_REGISTERS, DistinctSketch
from lakesmith.monitoring.moments import Moments
from lakesmith.monitoring.numbers import BINS, NumberCounts, edges_of_quantiles, quantile_levels
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Lengths, Measure, merge_profiles

__all__ = ["SliceProfile", "find_layouts", "measure_of", "profile_batches", "profile_rows"]

_NULL, _NAN = -2, -1
_KEYS = (BATCH_DATE, "slice_key", "slice_value")
_STEPS = (32, 16, 8, 4, 2, 1)
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
    sliced = _sliced(rows, slices)
    found = _bounded(_counted(sliced, layouts), layouts)
    if any(layout.measure in (Measure.NUMBER, Measure.TEXT) for layout in layouts):
        found = found.unionByName(_sketched(sliced, layouts), allowMissingColumns=True)
    by_slice: dict[tuple[Any, ...], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in found.collect():
        by_slice[tuple(row[key] for key in _KEYS)][row["at"]].append(row)
    profiles = [
        SliceProfile(
            key[0], key[1], key[2], tuple(_profile(layout, parts[at]) for at, layout in enumerate(layouts))
        )
        for key, parts in by_slice.items()
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
    return found[0].columns if found else tuple(_profile(layout, []) for layout in layouts)


def _number(name: str) -> Column:
    # + 0.0: the two zeros are one value.
    return F.col(name).cast("double") + F.lit(0.0)


def _finite(number: Column) -> Column:
    return F.when(F.abs(number) < F.lit(math.inf), number)


def _sliced(rows: DataFrame, slices: Sequence[str]) -> DataFrame:
    """Each row once a slicing expression; what all rows give is the sum over the values of any one of them."""
    if not slices:
        nothing = F.lit(None).cast("string")
        return rows.withColumns({"slice_key": nothing, "slice_value": nothing})
    parts = [
        F.struct(F.lit(each).alias("slice_key"), F.expr(each).cast("string").alias("slice_value"))
        for each in slices
    ]
    return rows.withColumn("slice", F.explode(F.array(*parts))).select("*", "slice.*").drop("slice")


def _counted(rows: DataFrame, layouts: Sequence[ColumnLayout]) -> DataFrame:
    """One row a batch, slice, column, cell and value."""
    numbers, texts = [], []
    no_number, no_text = F.lit(None).cast("double"), F.lit(None).cast("string")
    for layout in layouts:
        match layout.measure:
            case Measure.NUMBER:
                parts = _number(layout.column), no_text
            case Measure.CATEGORY | Measure.TEXT:
                parts = no_number, F.col(layout.column).cast("string")
            case Measure.COUNTS:
                parts = no_number, F.when(F.col(layout.column).isNotNull(), "")
        numbers.append(parts[0])
        texts.append(parts[1])
    # Two arrays and a loop over their places, instead of an array of structs: what Spark compiles stays small enough for
    # the JVM to compile it in turn.
    at = F.col("at")
    short = rows.select(*_KEYS, F.array(*numbers).alias("numbers"), F.array(*texts).alias("texts"))
    short = short.withColumn("at", F.explode(F.array(*map(F.lit, range(len(layouts))))))
    short = short.select(*_KEYS, "at", F.get("numbers", at).alias("x"), F.get("texts", at).alias("text"))
    named = F.array(*[F.lit(layout.measure is Measure.CATEGORY) for layout in layouts])
    pivots = F.array(*[F.lit(layout.pivot) for layout in layouts])
    short = _with_cells(short, layouts).select(
        *_KEYS,
        "at",
        "cell",
        F.when(F.get(named, at), F.col("text")).alias("value"),
        F.when(~F.isnan("x"), F.col("x")).alias("number"),
        (_finite(F.col("x")) - F.get(pivots, at)).alias("d"),
        F.length("text").alias("length"),
    )
    number, d = F.col("number"), F.col("d")
    return short.groupBy(*_KEYS, "at", "cell", "value").agg(
        F.count(F.lit(1)).alias("rows"),
        F.count_if(number == 0).alias("zeros"),
        F.min(number).alias("least"),
        F.max(number).alias("greatest"),
        F.count(d).alias("finite"),
        F.sum(d).alias("s1"),
        F.sum(d * d).alias("s2"),
        F.sum(d * d * d).alias("s3"),
        F.sum(d * d * (d * d)).alias("s4"),
        F.min("length").alias("shortest"),
        F.max("length").alias("longest"),
        F.sum(F.col("length").cast("bigint")).alias("characters"),
    )


def _with_cells(short: DataFrame, layouts: Sequence[ColumnLayout]) -> DataFrame:
    """The cell of each number, found by halving: of n edges after the first one, how many lie below it."""
    width = sum(_STEPS)
    flat: list[float] = []
    for layout in layouts:
        bounds = list(layout.edges[1:])
        flat += bounds + [math.inf] * (width - len(bounds))
    bounds_of_all = F.array(*[F.lit(bound) for bound in flat])
    least = F.array(*[F.lit(layout.edges[0] if layout.edges else math.inf) for layout in layouts])
    bins = F.array(*[F.lit(len(layout.edges)) for layout in layouts])
    x, at = F.col("x"), F.col("at")
    short = short.withColumn("under", at * width)
    for step in _STEPS:
        bound = F.get(bounds_of_all, F.col("under") + (step - 1))
        short = short.withColumn("under", F.col("under") + F.when(x > bound, step).otherwise(0))
    cell = (
        F.when(x.isNull() & F.col("text").isNull(), _NULL)
        .when(F.isnan(x), _NAN)
        .when(x.isNull() | (x < F.get(least, at)), 0)
        .otherwise(F.least(F.col("under") - at * width + 1, F.get(bins, at)))
    )
    return short.withColumn("cell", cell)


def _bounded(counted: DataFrame, layouts: Sequence[ColumnLayout]) -> DataFrame:
    """The same with only the most frequent new values by name: a column gone wild has as many values as rows."""
    if all(layout.measure is not Measure.CATEGORY for layout in layouts):
        return counted
    known = F.array(*[F.array(*map(F.lit, layout.categories)).cast("array<string>") for layout in layouts])
    is_known = F.col("value").isNull() | F.array_contains(known[F.col("at")], F.col("value"))
    frequent = Window.partitionBy(*_KEYS, "at", "known").orderBy(F.desc("rows"), "value")
    ranked = counted.withColumn("known", is_known).withColumn("rank", F.row_number().over(frequent))
    unnamed = ~F.col("known") & (F.col("rank") > MOST_NEW)
    sums = ["rows", "zeros", "finite", "s1", "s2", "s3", "s4", "characters"]
    return (
        ranked.withColumn("unnamed", unnamed)
        .withColumn("value", F.when(~unnamed, F.col("value")))
        .groupBy(*_KEYS, "at", "cell", "value", "unnamed")
        .agg(
            *[F.sum(name).alias(name) for name in sums],
            *[F.min(name).alias(name) for name in ("least", "shortest")],
            *[F.max(name).alias(name) for name in ("greatest", "longest")],
        )
    )


def _sketched(rows: DataFrame, layouts: Sequence[ColumnLayout]) -> DataFrame:
    """One row a batch, slice and column with the registers of its distinct values, each as 64 times its place plus its rank.

    By plain aggregates, not by `hll_sketch_agg`: Spark compiles nothing around that, and its sketches need a JVM to be read.
    """
    places = [at for at, layout in enumerate(layouts) if layout.measure in (Measure.NUMBER, Measure.TEXT)]
    hashes = []
    for at in places:
        name = layouts[at].column
        if layouts[at].measure is Measure.NUMBER:
            number = _number(name)
            hashes.append(F.when(number.isNotNull() & ~F.isnan(number), F.xxhash64(number)))
        else:
            hashes.append(F.when(F.col(name).isNotNull(), F.xxhash64(F.col(name))))
    short = rows.select(*_KEYS, F.array(*hashes).alias("hashes"))
    short = short.withColumn("of", F.explode(F.array(*map(F.lit, range(len(places))))))
    short = short.withColumn("hash", F.get("hashes", F.col("of"))).where(F.col("hash").isNotNull())
    rest = F.shiftrightunsigned("hash", LG_REGISTERS)
    # The lowest bit that is set, less one, has as many bits as there are zeros below it.
    rank = F.when(rest == 0, GREATEST_RANK).otherwise(
        F.bit_count(rest.bitwiseAND(-rest) - F.lit(1)).cast("int") + 1
    )
    short = short.select(
        *_KEYS,
        "of",
        F.col("hash").bitwiseAND(F.lit((1 << LG_REGISTERS) - 1)).cast("int").alias("register"),
        rank.alias("rank"),
    )
    registers = short.groupBy(*_KEYS, "of", "register").agg(F.max("rank").alias("rank"))
    place = F.get(F.array(*map(F.lit, places)), F.col("of")).alias("at")
    return registers.groupBy(*_KEYS, place).agg(
        F.collect_list(F.col("register") * 64 + F.col("rank")).alias("registers")
    )


def _profile(layout: ColumnLayout, parts: Iterable[Row]) -> ColumnProfile:
    """The profile of a column from its groups, taken in order: sums of doubles depend on it."""
    groups, sketch = [], DistinctSketch()
    for row in parts:
        if row["rows"] is None:
            sketch = DistinctSketch.of(divmod(packed, 64) for packed in row["registers"])
        else:
            groups.append(row)
    groups.sort(key=lambda row: (row["cell"], row["value"] is not None, row["value"] or ""))
    there = [row for row in groups if row["cell"] >= 0]
    profile = ColumnProfile(
        layout.column,
        layout.data_type,
        layout.measure,
        count=sum(row["rows"] for row in groups),
        nulls=sum(row["rows"] for row in groups if row["cell"] == _NULL),
    )
    match layout.measure:
        case Measure.NUMBER:
            return _with_numbers(profile, layout, groups, there, sketch)
        case Measure.CATEGORY:
            counted = {row["value"]: row["rows"] for row in there if row["value"] is not None}
            categories = CategoryCounts.of(layout.categories, counted)
            unnamed = categories.unnamed + sum(row["rows"] for row in there if row["value"] is None)
            return replace(profile, categories=replace(categories, unnamed=unnamed), lengths=_lengths(there))
        case Measure.TEXT:
            return replace(profile, lengths=_lengths(there), distinct=sketch)
        case Measure.COUNTS:
            return profile


def _with_numbers(
    profile: ColumnProfile,
    layout: ColumnLayout,
    groups: Sequence[Row],
    there: Sequence[Row],
    sketch: DistinctSketch,
) -> ColumnProfile:
    counts = [0] * (len(layout.edges) + 1)
    for row in there:
        counts[row["cell"]] += row["rows"]
    powers = (math.fsum(row[power] or 0.0 for row in there) for power in ("s1", "s2", "s3", "s4"))
    finite = sum(row["finite"] for row in there)
    return replace(
        profile,
        nans=sum(row["rows"] for row in groups if row["cell"] == _NAN),
        zeros=sum(row["zeros"] for row in there),
        minimum=min((row["least"] for row in there), default=None),
        maximum=max((row["greatest"] for row in there), default=None),
        moments=Moments.about(layout.pivot, finite, *powers).rounded(),
        numbers=NumberCounts(layout.edges, tuple(counts)),
        distinct=sketch,
    )


def _lengths(there: Sequence[Row]) -> Lengths:
    if not there:
        return Lengths()
    return Lengths(
        sum(row["rows"] for row in there),
        min(row["shortest"] for row in there),
        max(row["longest"] for row in there),
        sum(row["characters"] for row in there),
    )


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

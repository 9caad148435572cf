"""The second pass: what the rows grouped by the values of columns answer, for all batches at once.

Owns uniqueness, distinct values, quantiles and the most common value. All groupings of a suite read the staged rows
once: each row is handed to every grouping that takes it, the groups are counted, then counted by batch. Exact: groups are
kept apart by their values, never by a hash of them, and nothing is sampled. Builds one DataFrame; `lakesmith.quality.gate`
runs it as one Spark action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DoubleType, LongType

from lakesmith.contracts.expectations import Family, family
from lakesmith.contracts.model import BATCH_DATE, Expectation
from lakesmith.contracts.types import ColumnType, DecimalType, PrimitiveType
from lakesmith.quality.predicates import condition_sql
from lakesmith.quality.questions import Aggregates, Answers, between, is_integral, map_outcome
from lakesmith.quality.results import Outcome

__all__ = [
    "CONSIDERED",
    "COUNTS",
    "DISTINCT",
    "GROUPED_TYPES",
    "GROUPING",
    "QUANTILES",
    "REPEATED",
    "GroupedQuestion",
    "Grouping",
    "GroupingCounts",
    "count_groups",
    "grouped_question",
    "groupings_of",
    "provable_by_hash",
]

CONSIDERED, DISTINCT, REPEATED = "considered", "distinct", "repeated"
"""Rows that were grouped; groups; rows in groups of two rows or more."""

GROUPING, COUNTS, QUANTILES = "__grouping", "counts", "quantiles"
"""Columns of the answer: the grouping's number, the counts and the quantiles of a batch by name."""

_ROWS, _PLACE, _UP_TO, _ALL = "__rows_of_group", "__place", "__rows_up_to", "__rows_in_all"
_TOP = "most common, "

GroupingCounts = Mapping[str, Any]
"""What one grouping of one batch counted, by name; empty for a batch without rows that it takes."""
Rank = Callable[[Column], Column]
"""The rank of a quantile, from 1, among so many values."""


class Order(StrEnum):
    """What groups are put in order by, where an answer needs one."""

    VALUE = "value"
    ROWS = "rows"


@dataclass(frozen=True)
class Grouping:
    """The rows of a batch, grouped by the values of columns.

    Args:
        columns: what is grouped by, together with the batch.
        condition: SQL that selects the rows; None selects all.
        ignore_if: `any`, `all` or `never`: the nulls that leave a row out.
        order: VALUE, for quantiles, groups by the one column's value as a double; ROWS, for the most common value, puts
            the groups in order by their number of rows; None is for what needs no order.
    """

    columns: tuple[str, ...]
    condition: str | None
    ignore_if: str
    order: Order | None = None

    def takes(self) -> Column:
        """True for a row that is grouped, else false or null."""
        parts = [] if self.condition is None else [F.expr(self.condition)]
        if self.ignore_if != "never":
            missing = [F.col(name).isNull() for name in self.columns]
            parts.append(~reduce(or_ if self.ignore_if == "any" else and_, missing))
        return reduce(and_, parts, F.lit(True))

    @property
    def within_batch(self) -> list[str]:
        """The columns that tell its groups apart within a batch."""
        return [name for name in self.columns if name != BATCH_DATE]


@dataclass(frozen=True)
class GroupedQuestion:
    """One expectation, answered from the counts of a grouping and the aggregates of the grouped pass.

    Args:
        members: the set of values that it asks for, by the name of its count.
        ranks: the quantiles that it asks for, by name.
        only_repeats: it asks for nothing but whether values repeat.
    """

    expectation: Expectation
    grouping: Grouping
    answer: Callable[[Answers, GroupingCounts], Outcome]
    members: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ranks: Mapping[str, Rank] = field(default_factory=dict)
    only_repeats: bool = False


def groupings_of(questions: Sequence[GroupedQuestion]) -> list[Grouping]:
    """The groupings that questions ask for, each once; its place is its number."""
    return list(dict.fromkeys(asked.grouping for asked in questions))


def provable_by_hash(
    questions: Sequence[GroupedQuestion], columns: Mapping[str, ColumnType]
) -> frozenset[Grouping]:
    """The groupings of which it is only asked whether values repeat, and whose values differ where their hashes do.

    Args:
        columns: the types of the table's columns.
    """
    others = {asked.grouping for asked in questions if not asked.only_repeats}
    return frozenset(
        grouping
        for grouping in groupings_of(questions)
        if grouping not in others
        and grouping.within_batch
        and all(_is_its_bytes(columns[name]) for name in grouping.columns)
    )


def _is_its_bytes(kind: ColumnType) -> bool:
    """False for floating-point numbers, which have two zeros, and for nested values."""
    floating = {"float", "double"}
    return isinstance(kind, DecimalType) or (isinstance(kind, PrimitiveType) and kind.name not in floating)


def count_groups(
    staged: DataFrame, questions: Sequence[GroupedQuestion], hashed: Collection[Grouping] = ()
) -> DataFrame:
    """One row for each grouping and batch that has rows: the columns GROUPING, `batch_date`, COUNTS and QUANTILES.

    Args:
        staged: rows with `batch_date`; read once.
        questions: what is asked, by one grouping or more.
        hashed: groupings by the hashes of their values, which are narrower and quicker to compare; where REPEATED is not 0,
            nothing is known of the values.
    """
    groupings = groupings_of(questions)
    handed, slots = _handed_out(staged, groupings, hashed)
    keys = [GROUPING, BATCH_DATE]
    groups = handed.groupBy(*keys, *sorted({s for of_one in slots for s in of_one.values()})).agg(
        F.count(F.lit(1)).alias(_ROWS)
    )
    counts = {
        CONSIDERED: F.sum(_ROWS),
        DISTINCT: F.count(F.lit(1)),
        REPEATED: F.sum(F.when(F.col(_ROWS) > 1, F.col(_ROWS)).otherwise(0)),
        **_inside(questions, groupings, slots),
    }
    ordered = [g for g in groupings if g.order is not None]
    if not ordered:
        return _named(groups.groupBy(*keys), counts, {})
    # Groups that no order is asked of fall into one, and what must be sorted is as little as can be.
    placed = groups.withColumn(_PLACE, _place(groupings, slots)).groupBy(*keys, _PLACE)
    # Names of sets hold whatever a suite holds, dots and backticks too.
    columns = {name: f"__count_{at}" for at, name in enumerate(counts)}
    in_places = placed.agg(*(column.alias(columns[name]) for name, column in counts.items()))
    considered = F.col(columns[CONSIDERED])
    in_order = Window.partitionBy(*keys).orderBy(_PLACE)
    whole = in_order.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    is_number = ~F.isnan(_PLACE)
    ranked = in_places.withColumns(
        {
            _UP_TO: F.sum(considered).over(so_far),
            _ALL: F.sum(F.when(is_number, considered)).over(whole),
        }
    )
    ranks = {name: rank for asked in questions for name, rank in asked.ranks.items()}
    quantiles = {
        name: F.min(F.when(is_number & (F.col(_UP_TO) >= rank(F.col(_ALL))), F.col(_PLACE)))
        for name, rank in ranks.items()
    }
    summed = {name: F.sum(column) for name, column in columns.items()}
    topmost = {_TOP + name: F.max_by(column, _PLACE) for name, column in columns.items()}
    most_common = topmost if any(g.order is Order.ROWS for g in ordered) else {}
    return _named(ranked.groupBy(*keys), {**summed, **most_common}, quantiles)


def _handed_out(
    staged: DataFrame, groupings: Sequence[Grouping], hashed: Collection[Grouping]
) -> tuple[DataFrame, list[dict[str, str]]]:
    """Each row once for every grouping that takes it, and of each grouping which column is in which slot.

    Columns of one type share a slot, grouping by grouping, so that a suite with many groupings has narrow rows.
    """
    kinds = {column.name: column.dataType for column in staged.schema.fields}
    types: dict[str, DataType] = {}
    named: dict[tuple[str, int], str] = {}
    slots: list[dict[str, str]] = []
    columns = {name: F.col(name) for name in kinds}
    for at, grouping in enumerate(groupings):
        taken: Counter[str] = Counter()
        slots.append({})
        keys = grouping.within_batch
        if grouping in hashed:
            keys = [f"__hash_{at}"]
            columns[keys[0]], kinds[keys[0]] = F.xxhash64(*grouping.within_batch), LongType()
        for name in keys:
            kind = DoubleType() if grouping.order is Order.VALUE else kinds[name]
            text = kind.json()
            slot = named.setdefault((text, taken[text]), f"__key_{len(named)}")
            taken[text] += 1
            types[slot], slots[-1][name] = kind, slot

    def fields(of_one: Mapping[str, str]) -> list[Column]:
        filled = {slot: columns[name] for name, slot in of_one.items()}
        return [filled.get(slot, F.lit(None)).cast(kind).alias(slot) for slot, kind in types.items()]

    if len(groupings) == 1:
        rows = staged.where(groupings[0].takes())
        return rows.select(BATCH_DATE, F.lit(0).alias(GROUPING), *fields(slots[0])), slots
    each = [
        F.struct(F.when(grouping.takes(), F.lit(at)).alias(GROUPING), *fields(slots[at]))
        for at, grouping in enumerate(groupings)
    ]
    handed = staged.select(BATCH_DATE, F.inline(F.array(*each)))
    return handed.where(F.col(GROUPING).isNotNull()), slots


def _value(grouping: Grouping, slots: Mapping[str, str]) -> Column:
    """The value of the one column that is asked about."""
    name = grouping.columns[0]
    return F.col(slots.get(name, name))


def _inside(
    questions: Sequence[GroupedQuestion], groupings: Sequence[Grouping], slots: Sequence[Mapping[str, str]]
) -> dict[str, Column]:
    """The groups whose value is in a set, by the set's name."""
    tests: dict[str, list[Column]] = {}
    for asked in questions:
        at = groupings.index(asked.grouping)
        for name, values in asked.members.items():
            inside = _value(asked.grouping, slots[at]).isin(list(values))
            tests.setdefault(name, []).append((F.col(GROUPING) == at) & inside)
    return {name: F.count(F.when(reduce(or_, parts), 1)) for name, parts in tests.items()}


def _place(groupings: Sequence[Grouping], slots: Sequence[Mapping[str, str]]) -> Column:
    """What a group is put in order by; null where its grouping asks for no order."""
    place = F.lit(None).cast("double")
    for at, grouping in enumerate(groupings):
        by = {Order.VALUE: _value(grouping, slots[at]), Order.ROWS: F.col(_ROWS).cast("double")}
        if grouping.order is not None:
            place = F.when(F.col(GROUPING) == at, by[grouping.order]).otherwise(place)
    return place


def _named(grouped: Any, counts: Mapping[str, Column], quantiles: Mapping[str, Column]) -> DataFrame:
    def pairs(columns: Mapping[str, Column]) -> Column:
        return F.create_map(*(part for name, column in columns.items() for part in (F.lit(name), column)))

    measured = pairs(quantiles) if quantiles else F.lit(None).cast("map<string,double>")
    answered: DataFrame = grouped.agg(pairs(counts).alias(COUNTS), measured.alias(QUANTILES))
    return answered


def grouped_question(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion | None:
    """The question that an expectation asks of a grouping; None when a grouping can't answer it.

    Args:
        expectation: of a suite that was read without problems.
        columns: the types of the table's columns.
        aggregates: where the columns of the grouped pass that it needs are added.
    """
    if expectation.kwargs.get("condition_parser") == "great_expectations":
        return None
    build = _GROUPED.get(expectation.type)
    return None if build is None else build(expectation, columns, aggregates)


Build = Callable[[Expectation, Mapping[str, ColumnType], Aggregates], GroupedQuestion | None]


def _grouping(kwargs: Mapping[str, Any], order: Order | None = None, *, ignore_if: str = "any") -> Grouping:
    condition = kwargs.get("row_condition")
    sql = None if condition is None else condition_sql(condition)
    return Grouping(tuple(kwargs.get("column_list") or [kwargs["column"]]), sql, ignore_if, order)


def _unique(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion:
    kwargs = expectation.kwargs
    mostly, rows = kwargs.get("mostly", 1), aggregates.rows(kwargs)
    default = "all_values_are_missing" if "column_list" in kwargs else "any"
    ignore_if = kwargs.get("ignore_row_if", default).split("_")[0]

    def answer(values: Answers, counts: GroupingCounts) -> Outcome:
        ignored = values[rows] - counts.get(CONSIDERED, 0)
        return map_outcome(values[rows], ignored, counts.get(REPEATED, 0), mostly)

    return GroupedQuestion(expectation, _grouping(kwargs, ignore_if=ignore_if), answer, only_repeats=True)


def _distinct_count(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion:
    kwargs = expectation.kwargs
    return GroupedQuestion(
        expectation, _grouping(kwargs), lambda _, counts: between(counts.get(DISTINCT, 0), kwargs)
    )


def _distinct_share(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion:
    def answer(_: Answers, counts: GroupingCounts) -> Outcome:
        considered = counts.get(CONSIDERED, 0)
        share = counts.get(DISTINCT, 0) / considered if considered else 0
        return between(share, expectation.kwargs)

    return GroupedQuestion(expectation, _grouping(expectation.kwargs), answer)


def _set_of(*, outside: bool, complete: bool) -> Build:
    def build(
        expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
    ) -> GroupedQuestion:
        values = expectation.kwargs["value_set"]
        inside, wanted = f"inside {values!r}", len(values)

        def answer(_: Answers, counts: GroupingCounts) -> Outcome:
            found = counts.get(inside, 0)
            extra = counts.get(DISTINCT, 0) - found if outside else None
            missing = wanted - found if complete else 0
            details = {"missing_count": missing} if complete else {}
            return Outcome(not extra and not missing, unexpected_count=extra, details=details)

        return GroupedQuestion(expectation, _grouping(expectation.kwargs), answer, {inside: values})

    return build


def _most_common(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion | None:
    kwargs = expectation.kwargs
    kind = columns[kwargs["column"]]
    if family(kind) not in (Family.NUMBER, Family.STRING, Family.BOOLEAN):
        return None  # Great Expectations compares days and times with the suite's texts, in Python
    values = [same for value in kwargs["value_set"] if (same := _same_in_spark(value, kind)) is not None]
    inside = f"equal to {values!r}"

    def answer(_: Answers, counts: GroupingCounts) -> Outcome:
        # The values themselves stay in Spark.
        found, ties = counts.get(_TOP + inside, 0), counts.get(_TOP + DISTINCT, 0)
        return Outcome(found > 0 and (bool(kwargs.get("ties_okay")) or ties == 1))

    return GroupedQuestion(expectation, _grouping(kwargs, Order.ROWS), answer, {inside: values})


def _same_in_spark(value: Any, kind: ColumnType) -> Any:
    """The literal that equals, of a column's values, just those that Python finds equal; None where none can be.

    Spark compares a decimal with a double as doubles, where 0.1 equals 0.1; for Python they differ.
    """
    if isinstance(value, str | bool):
        return value
    if isinstance(kind, DecimalType):
        exact = Decimal(value)
        digits = len(exact.as_tuple().digits)
        scale = -int(exact.as_tuple().exponent)
        return exact if scale <= kind.scale and digits - scale <= kind.precision - kind.scale else None
    if is_integral(kind):
        return int(value) if value == int(value) and -(2**63) <= value < 2**63 else None
    return float(value) if float(value) == value else None


def _quantiles(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion:
    kwargs = expectation.kwargs
    shares = [float(share) for share in kwargs["quantile_ranges"]["quantiles"]]
    ranges = kwargs["quantile_ranges"]["value_ranges"]

    def answer(_: Answers, counts: GroupingCounts) -> Outcome:
        values = [_without_sign_of_zero(counts.get(_quantile(share))) for share in shares]
        kept = [_is_in_range(value, *limits) for value, limits in zip(values, ranges, strict=True)]
        observed = {"quantiles": shares, "values": values}
        return Outcome(all(kept), observed_value=observed, details={"details": {"success_details": kept}})

    ranks = {_quantile(share): _rank(share) for share in shares}
    return GroupedQuestion(expectation, _grouping(kwargs, Order.VALUE), answer, ranks=ranks)


def _quantile(share: float) -> str:
    return f"quantile {share!r}"


def _rank(share: float) -> Rank:
    return lambda rows: F.ceil(F.lit(share) * rows)


def _is_in_range(value: float | None, lowest: float | None, highest: float | None) -> bool:
    """As Great Expectations has it: a bound that is missed by a ten-thousandth is met."""
    if value is None:
        return False
    least, most = -np.inf if lowest is None else lowest, np.inf if highest is None else highest
    met = any(
        np.isclose(np.float64(value), np.float64(limit), rtol=1e-4, atol=1e-8) for limit in (least, most)
    )
    return bool(met or least <= value <= most)


def _without_sign_of_zero(value: float | None) -> float | None:
    return None if value is None else value + 0.0


_LOWER, _UPPER = "lower median", "upper median"


def _median(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> GroupedQuestion:
    kwargs = expectation.kwargs

    def answer(_: Answers, counts: GroupingCounts) -> Outcome:
        if counts.get(_LOWER) is None:
            return between(None, kwargs)
        return between(_without_sign_of_zero((counts[_LOWER] + counts[_UPPER]) / 2), kwargs)

    ranks: dict[str, Rank] = {
        _LOWER: lambda rows: F.ceil(rows / 2),
        _UPPER: lambda rows: F.floor(rows / 2) + 1,
    }
    return GroupedQuestion(expectation, _grouping(kwargs, Order.VALUE), answer, ranks=ranks)


_GROUPED: Mapping[str, Build] = {
    "expect_column_distinct_values_to_be_in_set": _set_of(outside=True, complete=False),
    "expect_column_distinct_values_to_contain_set": _set_of(outside=False, complete=True),
    "expect_column_distinct_values_to_equal_set": _set_of(outside=True, complete=True),
    "expect_column_median_to_be_between": _median,
    "expect_column_most_common_value_to_be_in_set": _most_common,
    "expect_column_proportion_of_unique_values_to_be_between": _distinct_share,
    "expect_column_quantile_values_to_be_between": _quantiles,
    "expect_column_unique_value_count_to_be_between": _distinct_count,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique,
}
GROUPED_TYPES = frozenset(_GROUPED)
"""The types that a grouping answers."""

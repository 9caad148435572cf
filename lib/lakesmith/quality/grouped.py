"""Grouped checks: what one grouping by the values of columns answers, for all batches at once.

Owns uniqueness and distinct values. Each set of columns is grouped once by (batch, values) and its
groups are counted by batch: no countDistinct inside a wider aggregate, no window over whole rows. Builds
DataFrames only, one for each set of columns; `lakesmith.quality.gate` runs them all as one Spark action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Expectation
from lakesmith.quality.predicates import condition_sql
from lakesmith.quality.questions import Aggregates, Answers, between, map_outcome
from lakesmith.quality.results import Outcome

__all__ = [
    "CONSIDERED",
    "DISTINCT",
    "GROUPED_TYPES",
    "REPEATED",
    "GroupedQuestion",
    "Grouping",
    "grouped_question",
]

CONSIDERED, DISTINCT, REPEATED = "considered", "distinct", "repeated"
"""Rows that were grouped; groups; rows in groups of two rows or more."""

_ROWS = "__rows_of_group"
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Grouping:
    """The rows of a batch, grouped by the values of columns.

    Args:
        columns: what is grouped by, together with the batch.
        condition: SQL that selects the rows; None selects all.
        ignore_if: `any`, `all` or `never`: the nulls that leave a row out.
    """

    columns: tuple[str, ...]
    condition: str | None
    ignore_if: str

    def counts(self, staged: DataFrame, members: Mapping[str, Sequence[Any]]) -> DataFrame:
        """One row a batch: `batch_date` and a map of counts by name.

        Args:
            staged: rows with `batch_date`.
            members: sets of values of the first column; the distinct values inside of each are counted
                by its name.
        """
        rows = staged if self.condition is None else staged.where(self.condition)
        if self.ignore_if != "never":
            missing = [F.col(name).isNull() for name in self.columns]
            rows = rows.where(~reduce(or_ if self.ignore_if == "any" else and_, missing))
        groups = rows.groupBy(BATCH_DATE, *self._apart_from_batch()).agg(F.count(F.lit(1)).alias(_ROWS))
        measured: dict[str, Column] = {
            CONSIDERED: F.sum(_ROWS),
            DISTINCT: F.count(F.lit(1)),
            REPEATED: F.sum(F.when(F.col(_ROWS) > 1, F.col(_ROWS)).otherwise(0)),
        }
        for name, values in members.items():
            measured[name] = F.count(F.when(F.col(self.columns[0]).isin(list(values)), 1))
        pairs = [part for name, column in measured.items() for part in (F.lit(name), column)]
        return groups.groupBy(BATCH_DATE).agg(F.create_map(*pairs).alias("counts"))

    def _apart_from_batch(self) -> list[str]:
        return [name for name in self.columns if name != BATCH_DATE]


@dataclass(frozen=True)
class GroupedQuestion:
    """One expectation, answered from the counts of a grouping and the aggregates of the grouped pass.

    Args:
        members: the set of values that it asks for, by the name of its count.
    """

    expectation: Expectation
    grouping: Grouping
    members: Mapping[str, Sequence[Any]]
    answer: Callable[[Answers, Counts], Outcome]


def grouped_question(expectation: Expectation, aggregates: Aggregates) -> GroupedQuestion | None:
    """The question that an expectation asks of a grouping; None when a grouping can't answer it."""
    kwargs = expectation.kwargs
    if kwargs.get("condition_parser") == "great_expectations" or expectation.type not in _GROUPED:
        return None
    condition = kwargs.get("row_condition")
    sql = None if condition is None else condition_sql(condition)
    rows = aggregates.rows(kwargs)
    if expectation.type == "expect_compound_columns_to_be_unique":
        rule = kwargs.get("ignore_row_if", "all_values_are_missing")
        grouping = Grouping(tuple(kwargs["column_list"]), sql, rule.split("_")[0])
    else:
        grouping = Grouping((kwargs["column"],), sql, "any")
    values = kwargs.get("value_set", [])
    members = {f"inside {values!r}": values} if "value_set" in kwargs else {}
    answer = _GROUPED[expectation.type](kwargs, rows, next(iter(members), ""))
    return GroupedQuestion(expectation, grouping, members, answer)


Answer = Callable[[Answers, Counts], Outcome]
Build = Callable[[Mapping[str, Any], str, str], Answer]


def _unique(kwargs: Mapping[str, Any], rows: str, inside: str) -> Answer:
    mostly = kwargs.get("mostly", 1)

    def answer(values: Answers, counts: Counts) -> Outcome:
        ignored = values[rows] - counts.get(CONSIDERED, 0)
        return map_outcome(values[rows], ignored, counts.get(REPEATED, 0), mostly)

    return answer


def _distinct_count(kwargs: Mapping[str, Any], rows: str, inside: str) -> Answer:
    return lambda values, counts: between(counts.get(DISTINCT, 0), kwargs)


def _distinct_share(kwargs: Mapping[str, Any], rows: str, inside: str) -> Answer:
    def answer(values: Answers, counts: Counts) -> Outcome:
        considered = counts.get(CONSIDERED, 0)
        return between(counts.get(DISTINCT, 0) / considered if considered else 0, kwargs)

    return answer


def _set(kwargs: Mapping[str, Any], rows: str, inside: str, *, outside: bool, complete: bool) -> Answer:
    wanted = len(kwargs["value_set"])

    def answer(values: Answers, counts: Counts) -> Outcome:
        found = counts.get(inside, 0)
        extra = counts.get(DISTINCT, 0) - found if outside else None
        missing = wanted - found if complete else 0
        details = {"missing_count": missing} if complete else {}
        return Outcome(not extra and not missing, unexpected_count=extra, details=details)

    return answer


def _set_of(*, outside: bool, complete: bool) -> Build:
    return lambda kwargs, rows, inside: _set(kwargs, rows, inside, outside=outside, complete=complete)


_GROUPED: Mapping[str, Build] = {
    "expect_column_distinct_values_to_be_in_set": _set_of(outside=True, complete=False),
    "expect_column_distinct_values_to_contain_set": _set_of(outside=False, complete=True),
    "expect_column_distinct_values_to_equal_set": _set_of(outside=True, complete=True),
    "expect_column_proportion_of_unique_values_to_be_between": _distinct_share,
    "expect_column_unique_value_count_to_be_between": _distinct_count,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique,
}
GROUPED_TYPES = frozenset(_GROUPED)
"""The types that a grouping answers."""

"""Questions: expectations that one grouped pass of aggregates can answer, and how the answers are judged.

Owns which types the aggregates answer and the arithmetic of the verdict (`mostly`, bounds, empty
batches), in Great Expectations' own way on Spark, and which aggregates the log's statistics can tell instead. Builds
columns only; who runs them is `lakesmith.quality.gate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakesmith.contracts.expectations import Family, family
from lakesmith.contracts.model import Expectation
from lakesmith.contracts.types import ColumnType, PrimitiveType
from lakesmith.quality.log_statistics import BatchStatistics
from lakesmith.quality.predicates import RowCheck, bound, compiles, condition_sql, row_check, row_condition
from lakesmith.quality.results import Outcome, jsonable

__all__ = [
    "AGGREGATE_TYPES",
    "LOG_TYPES",
    "Aggregates",
    "Answers",
    "Question",
    "between",
    "is_integral",
    "map_outcome",
    "question",
]

Answers = Mapping[str, Any]
"""The values of the aggregates for one batch, by name; of an empty batch, what aggregates of no rows give."""


FromLog = Callable[[BatchStatistics], Any]
"""The value that an aggregate would have, from the statistics of one batch; a KeyError where they do not tell."""


class Aggregates:
    """The columns of the grouped pass; equal questions share one.

    `columns` maps a name to its aggregate, `of_no_rows` to what it gives for a batch without rows, `from_log` to how the
    log tells it, where it may.
    """

    def __init__(self) -> None:
        self.columns: dict[str, Column] = {}
        self.of_no_rows: dict[str, Any] = {}
        self.from_log: dict[str, FromLog] = {}
        self._names: dict[str, str] = {}

    def add(self, key: str, column: Column, of_no_rows: Any, from_log: FromLog | None = None) -> str:
        """The name under which the aggregate's value will be found.

        Args:
            key: says what is measured; the same key is measured once.
            from_log: None where statistics never tell.
        """
        if key not in self._names:
            name = f"gate_{len(self._names)}"
            self._names[key] = name
            self.columns[name] = column
            self.of_no_rows[name] = of_no_rows
            if from_log is not None:
                self.from_log[name] = from_log
        return self._names[key]

    def rows(self, kwargs: Mapping[str, Any]) -> str:
        """The number of rows that the row condition selects."""
        within = row_condition(kwargs)
        one = F.lit(1) if within is None else F.when(within, 1)
        return self.add(
            f"rows|{_condition_key(kwargs)}", F.count(one), 0, _of_all_rows(kwargs, lambda log: log.rows)
        )

    def of_log(
        self, log: Mapping[date, BatchStatistics], batches: Sequence[date]
    ) -> dict[str, dict[date, Any]]:
        """The values that the log tells of every one of these batches that has rows, by name and batch."""
        told = {}
        for name, from_log in self.from_log.items():
            with suppress(KeyError):
                told[name] = {day: from_log(log[day]) for day in batches if day in log}
        return told


@dataclass(frozen=True)
class Question:
    """One expectation, answered from the aggregates."""

    expectation: Expectation
    answer: Callable[[Answers], Outcome]


def question(
    expectation: Expectation, columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> Question | None:
    """The question that an expectation asks of the grouped pass; None when aggregates can't answer it.

    Args:
        expectation: of a suite that was read without problems.
        columns: the types of the table's columns, in order, `batch_date` last.
        aggregates: where the columns that it needs are added.
    """
    if compiles(expectation):
        return _map_question(expectation, row_check(expectation, columns), aggregates)
    if expectation.kwargs.get("condition_parser") == "great_expectations":
        return None
    if build := _AGGREGATES.get(expectation.type):
        answer = build(expectation.kwargs, columns, aggregates)
        return None if answer is None else Question(expectation, answer)
    return None


def map_outcome(elements: int, ignored: int | None, unexpected: int, mostly: float) -> Outcome:
    """The outcome of a question about rows; where none was considered, it is kept.

    Args:
        elements: rows that were looked at.
        ignored: how many of them were not considered; None where the type ignores none.
        unexpected: how many broke it.
        mostly: the share of the considered rows that must keep it.
    """
    considered = elements - (ignored or 0)
    kept = considered == 0 or (float(considered) - float(unexpected)) / float(considered) >= mostly
    return Outcome(kept, elements, unexpected, ignored)


def _map_question(expectation: Expectation, check: RowCheck, aggregates: Aggregates) -> Question:
    kwargs = expectation.kwargs
    key = f"{expectation.type}|{sorted(kwargs.items(), key=lambda item: item[0])!r}"
    rows = aggregates.rows(kwargs)
    tell = _BROKEN_IN_LOG.get(expectation.type)
    broken_in_log = None if tell is None else _of_all_rows(kwargs, lambda log: tell(log, kwargs))
    broken = aggregates.add(f"broken|{key}", F.count(F.when(check.broken, 1)), 0, broken_in_log)
    ignored: str | None = None
    if check.counts_ignored:
        never = F.lit(False)
        selected = check.ignored if check.ignored is not None else never
        if check.within is not None:
            selected = check.within & selected
        shared = _condition_key(kwargs)
        about = (
            kwargs.get("column")
            or f"{_named(kwargs)}|{kwargs.get('ignore_row_if')}|{'column_list' in kwargs}"
        )
        nulls = _of_all_rows(kwargs, lambda log: log.nulls[kwargs["column"]]) if "column" in kwargs else None
        ignored = aggregates.add(f"ignored|{about}|{shared}", F.count(F.when(selected, 1)), 0, nulls)
    mostly = kwargs.get("mostly", 1)

    def answer(values: Answers) -> Outcome:
        missing = None if ignored is None else values[ignored]
        return map_outcome(values[rows], missing, values[broken], mostly)

    return Question(expectation, answer)


def _of_all_rows(kwargs: Mapping[str, Any], from_log: FromLog) -> FromLog | None:
    """The log knows nothing of some rows only."""
    return from_log if kwargs.get("row_condition") is None else None


def _none_outside(log: BatchStatistics, kwargs: Mapping[str, Any]) -> int:
    """No value is outside of bounds that the least and the greatest keep; else the log can't tell how many are."""
    least, greatest = log.least[kwargs["column"]], log.greatest[kwargs["column"]]
    if least is not None:
        lowest, highest = bound(kwargs.get("min_value")), bound(kwargs.get("max_value"))
        if not (
            _keeps(least, lowest, kwargs.get("strict_min"))
            and _keeps(highest, greatest, kwargs.get("strict_max"))
        ):
            raise KeyError(kwargs["column"])
    return 0


def _keeps(high: Any, low: Any, strict: Any) -> bool:
    """True when one is surely above the other, as Spark compares them; a bound that is not there is kept."""
    if high is None or low is None:
        return True
    if type(high) is date and type(low) is date:
        return high > low if strict else high >= low
    if isinstance(high, date) or isinstance(low, date):
        return False
    # Numbers meet their bounds as doubles, which keeps their order.
    return float(high) > float(low) if strict else float(high) >= float(low)


_BROKEN_IN_LOG: Mapping[str, Callable[[BatchStatistics, Mapping[str, Any]], int]] = {
    "expect_column_values_to_be_between": _none_outside,
    "expect_column_values_to_be_null": lambda log, kwargs: log.rows - log.nulls[kwargs["column"]],
    "expect_column_values_to_not_be_null": lambda log, kwargs: log.nulls[kwargs["column"]],
}


def _named(kwargs: Mapping[str, Any]) -> list[str]:
    return list(kwargs.get("column_list") or (kwargs["column_A"], kwargs["column_B"]))


def _condition_key(kwargs: Mapping[str, Any]) -> str:
    condition = kwargs.get("row_condition")
    return "" if condition is None else condition_sql(condition)


def between(value: Any, kwargs: Mapping[str, Any]) -> Outcome:
    """The outcome of a measured value that must lie between bounds; nothing measured is a failure.

    Args:
        value: as Spark gave it.
        kwargs: `min_value`, `max_value`, `strict_min`, `strict_max`.
    """
    lowest, highest = bound(kwargs.get("min_value")), bound(kwargs.get("max_value"))
    observed = jsonable(value)
    if observed is None:
        return Outcome(False)
    measured = _comparable(observed, [b for b in (lowest, highest) if b is not None])
    above = lowest is None or (measured > lowest if kwargs.get("strict_min") else measured >= lowest)
    below = highest is None or (measured < highest if kwargs.get("strict_max") else measured <= highest)
    return Outcome(bool(above and below), observed_value=jsonable(measured))


def _comparable(observed: Any, bounds: list[Any]) -> Any:
    """Days and times compare as the bounds are written: as times where one has a time, else as days."""
    if not isinstance(observed, str):
        return observed
    if any(isinstance(b, datetime) for b in bounds):
        return datetime.fromisoformat(observed)
    return datetime.fromisoformat(observed).date() if any(isinstance(b, date) for b in bounds) else observed


Build = Callable[
    [Mapping[str, Any], Mapping[str, ColumnType], Aggregates], Callable[[Answers], Outcome] | None
]


def _measured(
    measure: Callable[[Column], Column],
    what: str,
    families: set[Family],
    tell: Callable[[BatchStatistics, str], Any] | None = None,
) -> Build:
    """A type that measures one column and compares with bounds; `tell` is how the log knows the measure."""

    def build(
        kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType], aggregates: Aggregates
    ) -> Callable[[Answers], Outcome] | None:
        name = kwargs["column"]
        if family(columns[name]) not in families or not _same_kind_of_bounds(kwargs):
            return None
        if what == "mean" and str(columns[name]) in ("smallint", "tinyint"):
            return None  # Great Expectations refuses them; it says so itself
        column = F.col(name)
        within = row_condition(kwargs)
        if what == "sum" and is_integral(columns[name]):
            column = column.cast("double")
        selected = column if within is None else F.when(within, column)
        from_log = None if tell is None else _of_all_rows(kwargs, lambda log: tell(log, name))
        key = f"{what}|{name}|{_condition_key(kwargs)}"
        measured = aggregates.add(key, measure(selected), None, from_log)
        return lambda values: between(values[measured], kwargs)

    return build


def _same_kind_of_bounds(kwargs: Mapping[str, Any]) -> bool:
    kinds = {type(bound(kwargs[key])) for key in ("min_value", "max_value") if kwargs.get(key) is not None}
    return len(kinds) == 1


def is_integral(kind: ColumnType) -> bool:
    """True for a type of whole numbers."""
    return isinstance(kind, PrimitiveType) and kind.name in {"tinyint", "smallint", "int", "bigint"}


def _share_of_non_null(
    kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> Callable[[Answers], Outcome]:
    within, column = row_condition(kwargs), F.col(kwargs["column"])
    selected = column if within is None else F.when(within, column)
    rows = aggregates.rows(kwargs)
    in_log = _of_all_rows(kwargs, lambda log: log.rows - log.nulls[kwargs["column"]])
    key = f"filled|{kwargs['column']}|{_condition_key(kwargs)}"
    filled = aggregates.add(key, F.count(selected), 0, in_log)
    return lambda values: between(values[filled] / values[rows] if values[rows] else 0, kwargs)


def _row_count_between(
    kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> Callable[[Answers], Outcome]:
    rows = aggregates.rows(kwargs)
    return lambda values: between(values[rows], kwargs)


def _row_count_equals(
    kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType], aggregates: Aggregates
) -> Callable[[Answers], Outcome]:
    rows = aggregates.rows(kwargs)
    return lambda values: Outcome(values[rows] == int(kwargs["value"]), observed_value=values[rows])


_NUMBERS = {Family.NUMBER}
_ORDERED = {Family.NUMBER, Family.DATE, Family.TIMESTAMP}
_AGGREGATES: Mapping[str, Build] = {
    "expect_column_max_to_be_between": _measured(
        F.max, "max", _ORDERED, lambda log, name: log.greatest[name]
    ),
    "expect_column_mean_to_be_between": _measured(F.mean, "mean", _NUMBERS),
    "expect_column_min_to_be_between": _measured(F.min, "min", _ORDERED, lambda log, name: log.least[name]),
    "expect_column_proportion_of_non_null_values_to_be_between": _share_of_non_null,
    "expect_column_stdev_to_be_between": _measured(F.stddev_samp, "stdev", _NUMBERS),
    "expect_column_sum_to_be_between": _measured(F.sum, "sum", _NUMBERS),
    "expect_table_row_count_to_be_between": _row_count_between,
    "expect_table_row_count_to_equal": _row_count_equals,
}
AGGREGATE_TYPES = frozenset(_AGGREGATES)
"""The types that measure something and compare it with bounds."""

LOG_TYPES = frozenset(
    {
        *_BROKEN_IN_LOG,
        "expect_column_max_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_proportion_of_non_null_values_to_be_between",
        "expect_table_row_count_to_be_between",
        "expect_table_row_count_to_equal",
    }
)
"""The types, of those that rows or measures answer, that the log's statistics may tell."""

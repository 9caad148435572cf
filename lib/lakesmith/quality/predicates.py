"""Predicates: expectations about single rows as Spark columns.

Owns what "a row breaks a rule" means. For each type that compiles, the predicate is the very expression
that Great Expectations 1.x evaluates on Spark (nulls skipped, NaN above every number, bounds as doubles,
Java's regular expressions, a null answer counts as kept), so that the gate, the quarantine and Great
Expectations cannot disagree; tests/lib/quality/test_parity.py proves it. Refuses nothing at run time:
suites were checked when they were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from operator import and_, or_
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakesmith.contracts.expectations import ROW_RULE_TYPES
from lakesmith.contracts.model import Expectation
from lakesmith.contracts.types import ColumnType, PrimitiveType

__all__ = ["RowCheck", "bound", "compiles", "condition_sql", "row_check", "row_condition", "row_rules"]

_INTEGRAL = {"tinyint", "smallint", "int", "bigint"}


@dataclass(frozen=True)
class RowCheck:
    """One expectation about rows.

    Args:
        within: the rows that its row condition selects; None selects all.
        ignored: rows that are not considered, among those: a null value, or by `ignore_row_if`; None
            ignores none.
        unexpected: true for a considered row that breaks the expectation; null counts as kept.
        counts_ignored: its results say how many rows were ignored (Great Expectations' `missing_count`).
    """

    within: Column | None
    ignored: Column | None
    unexpected: Column
    counts_ignored: bool = True

    @property
    def broken(self) -> Column:
        """True, and never null, for a row that breaks the expectation."""
        considered = self.unexpected if self.ignored is None else ~self.ignored & self.unexpected
        selected = considered if self.within is None else self.within & considered
        return F.coalesce(selected, F.lit(False))


def compiles(expectation: Expectation) -> bool:
    """True when `row_check` knows the type and how its row condition is written."""
    condition, parser = expectation.kwargs.get("row_condition"), expectation.kwargs.get("condition_parser")
    legacy = isinstance(condition, str) and parser not in (None, "spark")
    return expectation.type in ROW_RULE_TYPES and not legacy


def row_check(expectation: Expectation, columns: Mapping[str, ColumnType]) -> RowCheck:
    """The predicate of one expectation.

    Args:
        expectation: one for which `compiles` holds.
        columns: the types of the table's columns, `batch_date` included.
    """
    kwargs = expectation.kwargs
    within = row_condition(kwargs)
    if expectation.type == "expect_column_values_to_not_be_null":
        return RowCheck(within, None, F.col(kwargs["column"]).isNull(), counts_ignored=False)
    if expectation.type == "expect_column_values_to_be_null":
        return RowCheck(within, None, F.col(kwargs["column"]).isNotNull(), counts_ignored=False)
    if "column" in kwargs:
        column = F.col(kwargs["column"])
        return RowCheck(within, column.isNull(), ~_COLUMN[expectation.type](column, kwargs))
    if "column_A" in kwargs:
        pair = F.col(kwargs["column_A"]), F.col(kwargs["column_B"])
        ignored = _ignored(pair, kwargs.get("ignore_row_if", "both_values_are_missing"))
        return RowCheck(within, ignored, ~_PAIR[expectation.type](*pair, kwargs))
    listed = [F.col(name) for name in kwargs["column_list"]]
    ignored = _ignored(listed, kwargs.get("ignore_row_if", "all_values_are_missing"))
    return RowCheck(within, ignored, ~_MULTICOLUMN[expectation.type](kwargs, columns))


def row_rules(rules: Iterable[Expectation], columns: Mapping[str, ColumnType]) -> Column:
    """The names of the rules that a row breaks: an array<string> in suite order, empty when it breaks none.

    Args:
        rules: the row rules of a suite, in its order.
        columns: the types of the columns that they name.
    """
    checks = [(rule.rule, row_check(rule, columns).broken) for rule in rules]
    none = F.array().cast("array<string>")
    if not checks:
        return none
    # Most rows break nothing: they answer one boolean and build no array.
    any_broken = reduce(or_, (broken for _, broken in checks))
    names = F.array_compact(F.array(*(F.when(broken, F.lit(name)) for name, broken in checks)))
    return F.when(any_broken, names).otherwise(none)


def row_condition(kwargs: Mapping[str, Any]) -> Column | None:
    """The rows that an expectation looks at; None for all."""
    condition = kwargs.get("row_condition")
    return None if condition is None else F.expr(condition_sql(condition))


def condition_sql(condition: str | Mapping[str, Any]) -> str:
    """A row condition as the SQL text that Great Expectations filters by."""
    if isinstance(condition, str):
        return condition
    match condition["type"]:
        case "pass_through":
            return str(condition["pass_through_filter"])
        case "nullity":
            return f"{_quoted(condition)} IS {'NULL' if condition['is_null'] else 'NOT NULL'}"
        case "comparison":
            operator, parameter = condition["operator"], condition["parameter"]
            if operator in ("IN", "NOT_IN"):
                values = ", ".join(repr(value) for value in parameter)
                return f"{_quoted(condition)} {operator.replace('_', ' ')} ({values})"
            return f"{_quoted(condition)} {operator} {parameter!r}"
        case group:
            return (
                "(" + f" {group.upper()} ".join(condition_sql(part) for part in condition["conditions"]) + ")"
            )


def bound(value: Any) -> float | date | datetime | None:
    """A bound as Great Expectations reads it from JSON: numbers as doubles, texts as a day or a time."""
    if value is None or isinstance(value, int | float):
        return None if value is None else float(value)
    return date.fromisoformat(value) if len(value) == len("2011-03-01") else datetime.fromisoformat(value)


def _quoted(condition: Mapping[str, Any]) -> str:
    return "`" + str(condition["column"]["name"]) + "`"


def _ignored(columns: Iterable[Column], rule: str) -> Column | None:
    missing = [column.isNull() for column in columns]
    match rule:
        case "both_values_are_missing" | "all_values_are_missing":
            return reduce(and_, missing)
        case "either_value_is_missing" | "any_value_is_missing":
            return reduce(or_, missing)
        case _:
            return None


def _between(value: Column, kwargs: Mapping[str, Any], lowest: Any, highest: Any) -> Column:
    parts = []
    if lowest is not None:
        parts.append(value > F.lit(lowest) if kwargs.get("strict_min") else value >= F.lit(lowest))
    if highest is not None:
        parts.append(value < F.lit(highest) if kwargs.get("strict_max") else value <= F.lit(highest))
    return reduce(and_, parts)


def _values_between(column: Column, kwargs: Mapping[str, Any]) -> Column:
    return _between(column, kwargs, bound(kwargs.get("min_value")), bound(kwargs.get("max_value")))


def _lengths_between(column: Column, kwargs: Mapping[str, Any]) -> Column:
    lowest, highest = (kwargs.get(key) for key in ("min_value", "max_value"))
    whole = [None if value is None else int(value) for value in (lowest, highest)]
    return _between(F.length(column), kwargs, whole[0], whole[1])


def _match_list(column: Column, kwargs: Mapping[str, Any]) -> Column:
    patterns = kwargs["regex_list"]
    if kwargs.get("match_on", "any") == "any":
        return column.rlike("|".join(patterns))
    return reduce(and_, (column.rlike(pattern) for pattern in patterns))


_COLUMN: Mapping[str, Callable[[Column, Mapping[str, Any]], Column]] = {
    "expect_column_value_lengths_to_be_between": _lengths_between,
    "expect_column_value_lengths_to_equal": lambda c, k: F.length(c) == F.lit(float(k["value"])),
    "expect_column_values_to_be_between": _values_between,
    "expect_column_values_to_be_in_set": lambda c, k: c.isin(list(k["value_set"])),
    "expect_column_values_to_match_regex": lambda c, k: c.rlike(k["regex"]),
    "expect_column_values_to_match_regex_list": _match_list,
    "expect_column_values_to_not_be_in_set": lambda c, k: ~c.isin(list(k["value_set"])),
    "expect_column_values_to_not_match_regex": lambda c, k: ~c.rlike(k["regex"]),
    "expect_column_values_to_not_match_regex_list": lambda c, k: reduce(
        and_, (~c.rlike(pattern) for pattern in k["regex_list"])
    ),
}


def _greater(a: Column, b: Column, kwargs: Mapping[str, Any]) -> Column:
    return (a >= b) | a.eqNullSafe(b) if kwargs.get("or_equal") else a > b


def _pair_in_set(a: Column, b: Column, kwargs: Mapping[str, Any]) -> Column:
    pairs = kwargs["value_pairs_set"]
    return reduce(or_, (a.eqNullSafe(F.lit(x)) & b.eqNullSafe(F.lit(y)) for x, y in pairs))


_PAIR: Mapping[str, Callable[[Column, Column, Mapping[str, Any]], Column]] = {
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": lambda a, b, _: a.eqNullSafe(b),
    "expect_column_pair_values_to_be_in_set": _pair_in_set,
}


def _sum_equals(kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> Column:
    terms = []
    for name in kwargs["column_list"]:
        kind = columns[name]
        term = F.coalesce(F.col(name), F.lit(0))
        whole = isinstance(kind, PrimitiveType) and kind.name in _INTEGRAL
        terms.append(term.cast("decimal(38,0)") if whole else term)
    return reduce(lambda total, term: total + term, terms) == F.lit(float(kwargs["sum_total"]))


def _all_equal(kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> Column:
    first, *others = (F.col(name) for name in kwargs["column_list"])
    return reduce(and_, (first.eqNullSafe(other) for other in others))


def _all_different(kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> Column:
    listed = [F.col(name) for name in kwargs["column_list"]]
    pairs = [(a, b) for at, a in enumerate(listed) for b in listed[at + 1 :]]
    return ~reduce(or_, (a.eqNullSafe(b) for a, b in pairs))


_MULTICOLUMN: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, ColumnType]], Column]] = {
    "expect_multicolumn_sum_to_equal": _sum_equals,
    "expect_multicolumn_values_to_be_equal": _all_equal,
    "expect_select_column_values_to_be_unique_within_record": _all_different,
}

"""Parameters of expectations: whether their values can mean anything for the columns that they name.

Owns the checks of values, one small function a parameter; each returns what is wrong, with its place
below `kwargs`. Whatever is found here would else surface in the middle of a night, as an exception of
Spark or Great Expectations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from lakesmith.contracts.expectations import Family, family, named_columns
from lakesmith.contracts.regexes import dialect_problem
from lakesmith.contracts.types import ColumnType

__all__ = ["Finding", "check_parameters"]

Finding = tuple[str, str]
"""A place below `kwargs` and what is wrong there."""

_NUMERIC_ONLY = {
    "expect_column_mean_to_be_between",
    "expect_column_median_to_be_between",
    "expect_column_quantile_values_to_be_between",
    "expect_column_stdev_to_be_between",
    "expect_column_sum_to_be_between",
    "expect_column_value_z_scores_to_be_less_than",
    "expect_column_values_to_not_be_outliers",
    "expect_multicolumn_sum_to_equal",
}
_TEXT_ONLY = {
    "expect_column_value_lengths_to_be_between",
    "expect_column_value_lengths_to_equal",
    "expect_column_values_to_be_dateutil_parseable",
    "expect_column_values_to_be_json_parseable",
    "expect_column_values_to_match_json_schema",
    "expect_column_values_to_match_regex",
    "expect_column_values_to_match_regex_list",
    "expect_column_values_to_match_strftime_format",
    "expect_column_values_to_not_match_regex",
    "expect_column_values_to_not_match_regex_list",
}
# Their bounds are compared with the column's own values; the bounds of all others with a number.
_BOUNDS_OF_VALUES = {
    "expect_column_max_to_be_between",
    "expect_column_min_to_be_between",
    "expect_column_values_to_be_between",
}
_WHOLE_BOUNDS = {
    "expect_column_unique_value_count_to_be_between",
    "expect_column_value_lengths_to_be_between",
    "expect_table_column_count_to_be_between",
    "expect_table_row_count_to_be_between",
}
_FLAGS = ("strict_min", "strict_max", "or_equal", "strictly", "double_sided", "ties_okay", "exact_match")
_IGNORED_ROWS = {
    "column_A": ("both_values_are_missing", "either_value_is_missing", "neither"),
    "column_list": ("all_values_are_missing", "any_value_is_missing", "never"),
}
_DAY_LENGTH = len("2011-03-01")
_EXPECTED = {
    Family.NUMBER: "a number",
    Family.STRING: "a text",
    Family.DATE: "a day written YYYY-MM-DD",
    Family.TIMESTAMP: "a day or a time written YYYY-MM-DDTHH:MM:SS",
    Family.BOOLEAN: "true or false",
}


def check_parameters(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> list[Finding]:
    """Everything that is wrong with the values of one expectation's parameters.

    Args:
        type_name: a built-in type.
        kwargs: its parameters, whose names are known to be valid.
        columns: the columns that the suite sees; a column that is not there is somebody else's finding.
    """
    # A parameter has no value yet, so nothing else can be said of it.
    named = list(_suite_parameters(kwargs))
    return named or [finding for check in _CHECKS for finding in check(type_name, kwargs, columns)]


def _suite_parameters(kwargs: Mapping[str, Any]) -> Iterator[Finding]:
    for key, value in kwargs.items():
        if isinstance(value, dict) and any(str(k).startswith("$PARAMETER") for k in value):
            yield key, "suite parameters ($PARAMETER) are not supported; write the value itself"


def _column_types(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    for place, name in named_columns(kwargs):
        if name not in columns:
            continue
        kind = family(columns[name])
        if type_name in _NUMERIC_ONLY and kind is not Family.NUMBER:
            yield place, f"{name} is {columns[name]}; {type_name} needs a number column"
        if type_name in _TEXT_ONLY and kind is not Family.STRING:
            yield place, f"{name} is {columns[name]}; {type_name} needs a string column"
    first, second = (columns.get(str(kwargs.get(key))) for key in ("column_A", "column_B"))
    if first is not None and second is not None and not _comparable(first, second):
        yield (
            "column_B",
            f"{kwargs['column_A']} is {first} and {kwargs['column_B']} is {second}; they do not compare",
        )


def _comparable(first: ColumnType, second: ColumnType) -> bool:
    families = {family(first), family(second)}
    return first == second or len(families) == 1 or families == {Family.DATE, Family.TIMESTAMP}


def _mostly(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if "mostly" in kwargs and not (_is_number(kwargs["mostly"]) and 0 <= kwargs["mostly"] <= 1):
        yield "mostly", f"expected a share between 0 and 1, found {kwargs['mostly']!r}"


def _flags(type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> Iterator[Finding]:
    for key in _FLAGS:
        if key in kwargs and not isinstance(kwargs[key], bool):
            yield key, f"expected true or false, found {kwargs[key]!r}"


def _bounds(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if not type_name.endswith("_between") or "quantile_ranges" in kwargs:
        return
    if kwargs.get("min_value") is None and kwargs.get("max_value") is None:
        yield "", "expected min_value, max_value or both"
        return
    expected = Family.NUMBER
    if type_name in _BOUNDS_OF_VALUES:
        column = columns.get(str(kwargs.get("column")))
        if column is None:
            return
        expected = family(column)
        if expected not in (Family.NUMBER, Family.DATE, Family.TIMESTAMP):
            yield "column", f"{kwargs['column']} is {column}; bounds need a number, date or timestamp column"
            return
    bounds = {key: kwargs[key] for key in ("min_value", "max_value") if kwargs.get(key) is not None}
    wrong = [key for key, bound in bounds.items() if not _fits(bound, expected)]
    for key in wrong:
        yield key, f"expected {_EXPECTED[expected]}, found {bounds[key]!r}"
    if not wrong and type_name in _WHOLE_BOUNDS:
        for key, bound in bounds.items():
            if isinstance(bound, float) and not bound.is_integer():
                yield key, f"expected a whole number, found {bound!r}"
    if len(bounds) < 2 or wrong:
        return
    if (
        isinstance(bounds["min_value"], str)
        and len({len(bound) == _DAY_LENGTH for bound in bounds.values()}) > 1
    ):
        yield "max_value", "one bound is a day and the other a time; Great Expectations needs two of a kind"
    elif bounds["min_value"] > bounds["max_value"]:
        yield "min_value", f"min_value {bounds['min_value']!r} is above max_value {bounds['max_value']!r}"


def _quantiles(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    asked = kwargs.get("quantile_ranges")
    if asked is None:
        return
    shares, ranges = (
        asked.get(key) if isinstance(asked, dict) else None for key in ("quantiles", "value_ranges")
    )
    if not isinstance(shares, list) or not isinstance(ranges, list) or len(shares) != len(ranges):
        yield "quantile_ranges", "expected quantiles and value_ranges, two lists of the same length"
    elif not all(_is_number(share) and 0 <= share <= 1 for share in shares):
        yield "quantile_ranges.quantiles", "expected shares between 0 and 1"
    elif not all(
        isinstance(r, list) and len(r) == 2 and all(b is None or _is_number(b) for b in r) for r in ranges
    ):
        yield "quantile_ranges.value_ranges", "expected a list [lowest, highest] for each quantile"


def _single_values(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    for key in ("value", "sum_total", "threshold", "multiplier"):
        if kwargs.get(key) is not None and not _is_number(kwargs[key]):
            yield key, f"expected a number, found {kwargs[key]!r}"


def _value_sets(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if "value_set" in kwargs:
        column = columns.get(str(kwargs.get("column")))
        yield from _members("value_set", kwargs["value_set"], column)
    if "value_pairs_set" not in kwargs:
        return
    pairs = kwargs["value_pairs_set"]
    if not isinstance(pairs, list) or not pairs or any(not isinstance(p, list) or len(p) != 2 for p in pairs):
        yield "value_pairs_set", "expected a list of pairs, each a list of two values"
        return
    for at, key in enumerate(("column_A", "column_B")):
        column = columns.get(str(kwargs.get(key)))
        values = [pair[at] for pair in pairs if pair[at] is not None]
        if column is not None:
            yield from _members("value_pairs_set", values, column)


def _members(place: str, values: Any, column: ColumnType | None) -> Iterator[Finding]:
    if not isinstance(values, list):
        yield place, f"expected a list of values, found {values!r}"
        return
    if any(value is None for value in values):
        yield place, "a null in the set makes every value pass; take it out (nulls are not looked at anyway)"
        return
    kind = family(column) if column is not None else Family.OTHER
    if kind in _EXPECTED:
        for value in values:
            if not _fits(value, kind):
                yield place, f"expected {_EXPECTED[kind]} for a column of type {column}, found {value!r}"
                return


def _patterns(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if type_name == "expect_column_values_to_match_regex" and "regex" not in kwargs:
        yield "", "the parameter regex is missing"
    patterns = {"regex": kwargs["regex"]} if "regex" in kwargs else {}
    if "regex_list" in kwargs:
        listed = kwargs["regex_list"]
        if not isinstance(listed, list) or not listed:
            yield "regex_list", "expected a list of one or more regular expressions"
        else:
            patterns |= {f"regex_list[{at}]": pattern for at, pattern in enumerate(listed)}
    for place, pattern in patterns.items():
        if not isinstance(pattern, str):
            yield place, f"expected a regular expression, found {pattern!r}"
        elif problem := dialect_problem(pattern):
            yield place, problem
    if "regex_list" in kwargs and kwargs.get("match_on", "any") not in ("any", "all"):
        yield "match_on", f"expected any or all, found {kwargs['match_on']!r}"


def _ignored_rows(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if "ignore_row_if" not in kwargs:
        return
    allowed = next((values for key, values in _IGNORED_ROWS.items() if key in kwargs), ())
    if allowed and kwargs["ignore_row_if"] not in allowed:
        yield "ignore_row_if", f"expected {', '.join(allowed)}; found {kwargs['ignore_row_if']!r}"


def _column_lists(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    for key in ("column", "column_A", "column_B"):
        if key in kwargs and not isinstance(kwargs[key], str):
            yield key, f"expected the name of a column, found {kwargs[key]!r}"
    for key in ("column_list", "column_set", "group_by"):
        listed = kwargs.get(key, [])
        if not isinstance(listed, list) or any(not isinstance(name, str) for name in listed):
            yield key, f"expected a list of column names, found {listed!r}"
        elif len(set(listed)) < len(listed):
            yield key, "a column stands twice"
        elif key == "column_list" and key in kwargs and len(listed) < 2 and "multicolumn" in type_name:
            yield key, "expected two columns or more"


def _queries(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    query = kwargs.get("unexpected_rows_query")
    if query is None:
        return
    if not isinstance(query, str) or not query.strip():
        yield "unexpected_rows_query", f"expected a SELECT statement, found {query!r}"
    elif "{batch}" not in query:
        yield (
            "unexpected_rows_query",
            "expected {batch} where the table's name would stand; nothing else can be read",
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fits(value: Any, kind: Family) -> bool:
    match kind:
        case Family.NUMBER:
            return _is_number(value)
        case Family.STRING:
            return isinstance(value, str)
        case Family.BOOLEAN:
            return isinstance(value, bool)
        case Family.DATE:
            return isinstance(value, str) and _parses(date.fromisoformat, value) and len(value) == _DAY_LENGTH
        case Family.TIMESTAMP:
            return isinstance(value, str) and _parses(datetime.fromisoformat, value) and value[4:5] == "-"
        case Family.OTHER:
            return False


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_CHECKS = (
    _column_lists,
    _column_types,
    _mostly,
    _flags,
    _bounds,
    _quantiles,
    _single_values,
    _value_sets,
    _patterns,
    _ignored_rows,
    _queries,
)

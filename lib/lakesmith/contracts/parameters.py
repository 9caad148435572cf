"""Parameters of expectations: whether their values can mean anything for the columns that they name.

Owns the checks of values, one small function a parameter; each returns what is wrong, with its place
below `kwargs`. Whatever is found here would else surface in the middle of a night, as an exception of
Spark or Great Expectations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lakesmith.contracts.expectations import Family, catalogue, family, named_columns
from lakesmith.contracts.regexes import dialect_problem, joined_problem
from lakesmith.contracts.types import ArrayType, ColumnType, MapType, StructType
from lakesmith.contracts.values import EXPECTED, fits, is_gregorian, is_number, precision

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
# They look at whether a value is there, or at the table; all others compare the values of the columns they name.
_ANY_COLUMN = {
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_to_exist",
    "expect_column_type_to_be",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_null",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_not_be_null",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
}
_COMPARING_COLUMNS = {
    "expect_column_pair_values_a_to_be_greater_than_b",
    "expect_column_pair_values_to_be_equal",
    "expect_multicolumn_values_to_be_equal",
    "expect_select_column_values_to_be_unique_within_record",
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
_WHOLE_VALUES = {"expect_table_column_count_to_equal", "expect_table_row_count_to_equal"}
_SEVERAL_COLUMNS = {
    "expect_compound_columns_to_be_unique",
    "expect_multicolumn_sum_to_equal",
    "expect_multicolumn_values_to_be_equal",
    "expect_select_column_values_to_be_unique_within_record",
}
_JOINING_PATTERNS = "expect_column_values_to_match_regex_list"
_FLAGS = ("strict_min", "strict_max", "or_equal", "strictly", "double_sided", "ties_okay", "exact_match")
_IGNORED_ROWS = {
    "column_A": ("both_values_are_missing", "either_value_is_missing", "neither"),
    "column_list": ("all_values_are_missing", "any_value_is_missing", "never"),
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
        if type_name not in _ANY_COLUMN and _holds_map(columns[name]):
            yield place, f"{name} is {columns[name]}; maps do not compare"
    compared = [(place, name) for place, name in named_columns(kwargs) if name in columns]
    if type_name not in _COMPARING_COLUMNS or len(compared) < 2:
        return
    (_, first), *others = compared
    for place, name in others:
        if not _comparable(columns[first], columns[name]):
            yield place, f"{first} is {columns[first]} and {name} is {columns[name]}; they do not compare"


def _comparable(first: ColumnType, second: ColumnType) -> bool:
    families = {family(first), family(second)}
    same = len(families) == 1 and Family.OTHER not in families
    return first == second or same or families == {Family.DATE, Family.TIMESTAMP}


def _holds_map(kind: ColumnType) -> bool:
    match kind:
        case MapType():
            return True
        case ArrayType(element):
            return _holds_map(element)
        case StructType(fields):
            return any(_holds_map(field) for _, field in fields)
        case _:
            return False


def _mostly(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if "mostly" in kwargs and not (is_number(kwargs["mostly"]) and 0 <= kwargs["mostly"] <= 1):
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
    wrong = [key for key, bound in bounds.items() if not fits(bound, expected)]
    for key in wrong:
        yield key, f"expected {EXPECTED[expected]}, found {bounds[key]!r}"
    if not wrong and type_name in _WHOLE_BOUNDS:
        for key, bound in bounds.items():
            if bound != int(bound) or abs(bound) >= 2**63:
                yield key, f"expected a whole number of at most 64 bits, found {bound!r}"
    if wrong:
        return
    written = {key: precision(bound) for key, bound in bounds.items() if isinstance(bound, str)}
    for key, kind in written.items():
        # These bounds become literals of Spark, the others are compared by Python.
        if type_name == "expect_column_values_to_be_between":
            if not is_gregorian(bounds[key]):
                yield (
                    key,
                    "PySpark counts what lies before 1582-10-15 by another calendar; leave the bound out",
                )
        elif kind == "time with a zone":
            yield key, f"{type_name} measures times without a zone (UTC); write the bound without one"
    if len(bounds) < 2:
        return
    if len(set(written.values())) > 1:
        different = " and the other a ".join(sorted(written.values()))
        yield "max_value", f"one bound is a {different}; Great Expectations needs two of a kind"
    elif _is_above(bounds["min_value"], bounds["max_value"]):
        yield "min_value", f"min_value {bounds['min_value']!r} is above max_value {bounds['max_value']!r}"


def _is_above(lowest: Any, highest: Any) -> bool:
    if isinstance(lowest, str):
        return datetime.fromisoformat(lowest) > datetime.fromisoformat(highest)
    return bool(lowest > highest)


def _quantiles(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    asked = kwargs.get("quantile_ranges")
    if asked is None:
        return
    if kwargs.get("allow_relative_error", False) is not False:
        yield (
            "allow_relative_error",
            f"quantiles are exact here, and Great Expectations raises on Spark for "
            f"{kwargs['allow_relative_error']!r}; leave it out",
        )
    shares, ranges = (
        asked.get(key) if isinstance(asked, dict) else None for key in ("quantiles", "value_ranges")
    )
    if not isinstance(shares, list) or not isinstance(ranges, list) or len(shares) != len(ranges):
        yield "quantile_ranges", "expected quantiles and value_ranges, two lists of the same length"
    elif not all(is_number(share) and 0 <= share <= 1 for share in shares):
        yield "quantile_ranges.quantiles", "expected shares between 0 and 1"
    elif whole := [share for share in shares if isinstance(share, int)]:
        # py4j hands it on as an Integer, which Spark's approxQuantile cannot cast.
        yield (
            "quantile_ranges.quantiles",
            f"Great Expectations raises on Spark for {whole[0]}; write {whole[0]}.0",
        )
    elif not all(
        isinstance(r, list) and len(r) == 2 and all(b is None or is_number(b) for b in r) for r in ranges
    ):
        yield "quantile_ranges.value_ranges", "expected a list [lowest, highest] for each quantile"
    elif reversed_ := [r for r in ranges if None not in r and r[0] > r[1]]:
        yield "quantile_ranges.value_ranges", f"the lowest is above the highest: {reversed_[0]}"


def _single_values(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    for key in ("value", "sum_total", "threshold", "multiplier", "column_index"):
        may_be_null = key not in catalogue()[type_name].required
        if key in kwargs and not is_number(kwargs[key]) and not (may_be_null and kwargs[key] is None):
            yield key, f"expected a number, found {kwargs[key]!r}"
    whole = {"column_index"} | ({"value"} if type_name in _WHOLE_VALUES else set())
    for key in sorted(whole & set(kwargs)):
        # Great Expectations would cut 6.5 to 6.
        if is_number(kwargs[key]) and kwargs[key] != int(kwargs[key]):
            yield key, f"expected a whole number, found {kwargs[key]!r}"


def _value_sets(
    type_name: str, kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[Finding]:
    if "value_set" in kwargs:
        column = columns.get(str(kwargs.get("column")))
        yield from _members("value_set", kwargs["value_set"], column)
        if type_name == "expect_column_distinct_values_to_be_in_set" and not kwargs["value_set"]:
            yield "value_set", "the set is empty, which Great Expectations refuses; list what may be there"
    if "value_pairs_set" not in kwargs:
        return
    if kwargs.get("row_condition") is not None:
        yield (
            "row_condition",
            "Great Expectations leaves it out when it counts what breaks this type; "
            "take it out, or ask with unexpected_rows_expectation",
        )
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
    kind = family(column) if column is not None else None
    if kind is Family.OTHER:
        yield (
            place,
            f"JSON has no values of type {column}; a set needs numbers, texts, days, times or booleans",
        )
    elif kind is not None:
        for value in values:
            if not fits(value, kind):
                yield place, f"expected {EXPECTED[kind]} for a column of type {column}, found {value!r}"
                return
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                yield place, f"{value} is a whole number beyond 64 bits, which Spark has no literal for"
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
    problems = [
        (place, problem) for place, pattern in patterns.items() if (problem := _pattern_problem(pattern))
    ]
    yield from problems
    if "regex_list" not in kwargs:
        return
    match_on = kwargs.get("match_on", "any")
    if match_on not in ("any", "all"):
        yield "match_on", f"expected any or all, found {match_on!r}"
    elif (
        type_name == _JOINING_PATTERNS
        and match_on == "any"
        and not problems
        and (problem := joined_problem(list(patterns.values())))
    ):
        yield "regex_list", problem


def _pattern_problem(pattern: Any) -> str | None:
    if not isinstance(pattern, str):
        return f"expected a regular expression, found {pattern!r}"
    return dialect_problem(pattern)


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
        elif key == "column_list" and key in kwargs and len(listed) < 2 and type_name in _SEVERAL_COLUMNS:
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

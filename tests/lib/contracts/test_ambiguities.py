"""What a suite may not say because Spark, Great Expectations and the gate would not all read the same in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakesmith.contracts.suites import parse_suite
from lakesmith.contracts.types import parse_type

TYPES = {
    "name": "string",
    "units": "bigint",
    "day": "date",
    "at": "timestamp",
    "paid": "boolean",
    "blob": "binary",
    "tags": "array<string>",
    "facts": "map<string,int>",
    "place": "struct<x:int,y:string>",
    "nested": "array<struct<facts:map<string,int>>>",
}
COLUMNS = {name: parse_type(text) for name, text in TYPES.items()}
SQL = {"type": "pass_through", "pass_through_filter": "units > 1"}


def of(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def problems_of(expectation: dict[str, Any]) -> list[str]:
    text = json.dumps({"name": "silver.orders", "expectations": [expectation]})
    _, problems = parse_suite(text, "suite.json", COLUMNS, ())
    return [str(problem).removeprefix("suite.json: expectations[0].") for problem in problems]


def comparison(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


BETWEEN, IN_SET = "column_values_to_be_between", "column_values_to_be_in_set"
NOT_NULL, QUANTILES = "column_values_to_not_be_null", "column_quantile_values_to_be_between"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a bound beyond a double": (
        of(BETWEEN, column="units", max_value=10**400),
        f"kwargs.max_value: expected a number, found {10**400}",
    ),
    "a member beyond 64 bits": (
        of(IN_SET, column="units", value_set=[2**63]),
        f"kwargs.value_set: {2**63} is a whole number beyond 64 bits, which Spark has no literal for",
    ),
    "a day as Python reads it": (
        of(IN_SET, column="day", value_set=["2011-W09-2"]),
        "kwargs.value_set: expected a day written YYYY-MM-DD for a column of type date, found '2011-W09-2'",
    ),
    "a quantile written as a whole number": (
        of(
            QUANTILES,
            column="units",
            quantile_ranges={"quantiles": [0.5, 1], "value_ranges": [[0, 1], [0, 1]]},
        ),
        "kwargs.quantile_ranges.quantiles: Great Expectations raises on Spark for 1; write 1.0",
    ),
    "a relative error of quantiles": (
        of(
            QUANTILES,
            column="units",
            quantile_ranges={"quantiles": [0.5], "value_ranges": [[0, 1]]},
            allow_relative_error=0.1,
        ),
        "kwargs.allow_relative_error: quantiles are exact here, and Great Expectations raises on Spark for 0.1; "
        "leave it out",
    ),
    "bounds of a quantile in the wrong order": (
        of(QUANTILES, column="units", quantile_ranges={"quantiles": [0.5], "value_ranges": [[2, 1]]}),
        "kwargs.quantile_ranges.value_ranges: the lowest is above the highest: [2, 1]",
    ),
    "a time of nine digits": (
        of(BETWEEN, column="at", min_value="2011-03-01T10:00:00.123456789"),
        "kwargs.min_value: expected a day or a time written YYYY-MM-DDTHH:MM:SS, "
        "found '2011-03-01T10:00:00.123456789'",
    ),
    "a day that is none": (
        of(BETWEEN, column="day", min_value="2011-02-30"),
        "kwargs.min_value: expected a day written YYYY-MM-DD, found '2011-02-30'",
    ),
    "a zone in the bound of a maximum": (
        of("column_max_to_be_between", column="at", max_value="2011-03-01T10:00:00Z"),
        "kwargs.max_value: expect_column_max_to_be_between measures times without a zone (UTC); "
        "write the bound without one",
    ),
    "a time with a zone and one without": (
        of(BETWEEN, column="at", min_value="2011-03-01T10:00:00", max_value="2011-03-01T11:00:00+01:00"),
        "kwargs.max_value: one bound is a time and the other a time with a zone; "
        "Great Expectations needs two of a kind",
    ),
    "times the wrong way round": (
        of(
            BETWEEN, column="at", min_value="2011-03-01T10:00:00-05:00", max_value="2011-03-01T11:00:00+01:00"
        ),
        "kwargs.min_value: min_value '2011-03-01T10:00:00-05:00' is above max_value "
        "'2011-03-01T11:00:00+01:00'",
    ),
    "a length beyond 64 bits": (
        of("column_value_lengths_to_be_between", column="name", max_value=1e308),
        "kwargs.max_value: expected a whole number of at most 64 bits, found 1e+308",
    ),
    "a day of the old calendar": (
        of(BETWEEN, column="day", min_value="1582-10-14"),
        "kwargs.min_value: PySpark counts what lies before 1582-10-15 by another calendar; leave the bound out",
    ),
    "a time of the old calendar": (
        of(BETWEEN, column="at", max_value="1582-10-15T00:59:59+01:00"),
        "kwargs.max_value: PySpark counts what lies before 1582-10-15 by another calendar; leave the bound out",
    ),
    "half a character": (
        of(IN_SET, column="name", value_set=["\ud83d"]),
        "suite.json: expectations[0]: a text holds half a character: one of \\ud800 to \\udfff without its "
        "other half",
    ),
    "a set for a column that JSON has no values of": (
        of(IN_SET, column="blob", value_set=["a"]),
        "kwargs.value_set: JSON has no values of type binary; a set needs numbers, texts, days, times or "
        "booleans",
    ),
    "no member": (
        of("column_distinct_values_to_be_in_set", column="name", value_set=[]),
        "kwargs.value_set: the set is empty, which Great Expectations refuses; list what may be there",
    ),
    "a row condition on pairs in a set": (
        of(
            "column_pair_values_to_be_in_set",
            column_A="name",
            column_B="units",
            value_pairs_set=[["a", 1]],
            row_condition=SQL,
        ),
        "kwargs.row_condition: Great Expectations leaves it out when it counts what breaks this type; "
        "take it out, or ask with unexpected_rows_expectation",
    ),
    "a map compared": (
        of("column_values_to_be_unique", column="facts"),
        "kwargs.column: facts is map<string,int>; maps do not compare",
    ),
    "a map inside of others compared": (
        of("compound_columns_to_be_unique", column_list=["name", "nested"]),
        "kwargs.column_list[1]: nested is array<struct<facts:map<string,int>>>; maps do not compare",
    ),
    "columns of unlike types": (
        of("multicolumn_values_to_be_equal", column_list=["name", "units"]),
        "kwargs.column_list[1]: name is string and units is bigint; they do not compare",
    ),
    "nested columns of unlike types": (
        of("column_pair_values_to_be_equal", column_A="tags", column_B="place"),
        "kwargs.column_B: tags is array<string> and place is struct<x:int,y:string>; they do not compare",
    ),
    "one column": (
        of("compound_columns_to_be_unique", column_list=["name"]),
        "kwargs.column_list: expected two columns or more",
    ),
    "half a row": (
        of("table_row_count_to_equal", value=6.5),
        "kwargs.value: expected a whole number, found 6.5",
    ),
    "no value": (
        of("table_row_count_to_equal", value=None),
        "kwargs.value: expected a number, found None",
    ),
    "half a place": (
        of("column_to_exist", column="name", column_index=0.5),
        "kwargs.column_index: expected a whole number, found 0.5",
    ),
    "a list of both kinds": (
        of(NOT_NULL, column="name", row_condition=comparison("name", "IN", ["a", 1])),
        "kwargs.row_condition.parameter: IN needs a list of one or more values, all texts or all numbers",
    ),
    "a list of booleans": (
        of(NOT_NULL, column="name", row_condition=comparison("paid", "IN", [True])),
        "kwargs.row_condition.parameter: IN needs a list of one or more values, all texts or all numbers",
    ),
    "a condition that Spark would cast the column for": (
        of(NOT_NULL, column="units", row_condition=comparison("name", ">", 1)),
        "kwargs.row_condition.parameter: expected a text for a column of type string, found 1",
    ),
    "a condition on a nested column": (
        of(NOT_NULL, column="units", row_condition=comparison("tags", "==", "a")),
        "kwargs.row_condition.parameter: the column is array<string>, which compares with no value; "
        "write the condition as SQL",
    ),
    "a condition with a hard space": (
        of(NOT_NULL, column="units", row_condition=comparison("name", "==", "\u00a0")),
        "kwargs.row_condition.parameter: Spark reads the escapes of characters like a hard space in another "
        "way; write it as SQL",
    ),
    "a condition on a long number": (
        of(NOT_NULL, column="name", row_condition=comparison("units", "<", 10**38)),
        "kwargs.row_condition.parameter: Spark reads whole numbers of at most 38 digits; write it as 1e39",
    ),
    "SQL in a group": (
        of(NOT_NULL, column="name", row_condition={"type": "and", "conditions": [SQL]}),
        "kwargs.row_condition.conditions[0]: SQL inside a group is refused by Great Expectations; "
        "write the whole condition as SQL",
    ),
    "too many conditions": (
        of(
            NOT_NULL,
            column="name",
            row_condition={"type": "or", "conditions": [comparison("units", "==", 1)] * 101},
        ),
        "kwargs.row_condition: 101 conditions; Great Expectations takes 100",
    ),
    "flags in a list of patterns": (
        of("column_values_to_match_regex_list", column="name", regex_list=["(?i)a", "b"]),
        "kwargs.regex_list: the patterns are joined with |, so flags of one would count for all; "
        "write (?i:...)",
    ),
    "groups in a list of patterns": (
        of("column_values_to_match_regex_list", column="name", regex_list=[r"(a)\1", r"(b)\1"]),
        "kwargs.regex_list: the patterns are joined with |, so their groups are numbered through; use no \\1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_read_in_two_ways_is_refused(case: str) -> None:
    expectation, message = REFUSED[case]

    assert problems_of(expectation) == [message]


TAKEN = {
    "maps that are only there or not": of(NOT_NULL, column="facts"),
    "nested columns of one type": of("column_values_to_be_unique", column="tags"),
    "unlike columns with a set each": of(
        "column_pair_values_to_be_in_set", column_A="name", column_B="units", value_pairs_set=[["a", 1]]
    ),
    "days and times": of("column_pair_values_to_be_equal", column_A="day", column_B="at"),
    "zones on both sides": of(
        BETWEEN, column="at", min_value="2011-03-01T10:00:00Z", max_value="2011-03-01T10:00:00-05:00"
    ),
    "the first day of the new calendar": of(BETWEEN, column="day", min_value="1582-10-15"),
    "a day of the old calendar, measured": of(
        "column_min_to_be_between", column="day", min_value="0001-01-01"
    ),
    "a day of a condition": of(NOT_NULL, column="name", row_condition=comparison("day", ">=", "2011-03-01")),
    "a boolean of a condition": of(NOT_NULL, column="name", row_condition=comparison("paid", "==", True)),
    "text with a backslash": of(NOT_NULL, column="units", row_condition=comparison("name", "==", "\\x")),
    "the last column": of("column_to_exist", column="name", column_index=-1),
    "scoped flags in a list of patterns": of(
        "column_values_to_match_regex_list", column="name", regex_list=["(?i:a)", "b"]
    ),
    "flags where patterns are not joined": of(
        "column_values_to_match_regex_list", column="name", regex_list=["(?i)a", "b"], match_on="all"
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_read_in_one_way_is_taken(case: str) -> None:
    assert problems_of(TAKEN[case]) == []

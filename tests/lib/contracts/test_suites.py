from __future__ import annotations

import json
from typing import Any

import pytest

from lakesmith.contracts.model import Severity, Suite
from lakesmith.contracts.suites import parse_suite
from lakesmith.contracts.types import parse_type

COLUMNS = {
    name: parse_type(text)
    for name, text in {
        "invoice_no": "string",
        "customer_id": "bigint",
        "quantity": "int",
        "unit_price": "decimal(12,3)",
        "invoice_date": "timestamp",
        "country": "string",
    }.items()
}
LISTED = "invoice_no, customer_id, quantity, unit_price, invoice_date, country, batch_date"
CUSTOM = {"expect_column_values_to_be_valid_vat": frozenset({"column", "land", "mostly"})}


def read(*expectations: Any, **suite: Any) -> tuple[Suite, list[str]]:
    text = json.dumps({"name": "silver.sales_lines", "expectations": list(expectations), **suite})
    parsed, problems = parse_suite(text, "suite.json", COLUMNS, ["lines"], CUSTOM)
    return parsed, [str(problem) for problem in problems]


def of_column(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_column_{kind}", "kwargs": kwargs}


def test_a_suite_is_read_as_it_is_written() -> None:
    condition = {"type": "comparison", "column": {"name": "country"}, "operator": "==", "parameter": "France"}
    suite, problems = read(
        {
            **of_column("values_to_be_between", column="quantity", max_value=0, row_condition=condition),
            "severity": "warning",
            "meta": {
                "rule": "returns_are_negative",
                "on_failure": "quarantine",
                "why": "A return takes back.",
            },
        },
        of_column("values_to_not_be_null", column="country", mostly=0.9),
        {
            "type": "expect_group_totals_to_equal_input",
            "kwargs": {"input": "lines", "group_by": ["country"], "totals": {"sum(quantity)": "sum(n)"}},
        },
        of_column("values_to_be_valid_vat", column="country", land="DE"),
    )

    assert problems == []
    assert [(e.rule, e.severity, e.quarantines) for e in suite.expectations] == [
        ("returns_are_negative", Severity.WARNING, True),
        ("country_not_be_null", Severity.CRITICAL, False),
        ("country_group_totals_to_equal_input", Severity.CRITICAL, False),
        ("country_be_valid_vat", Severity.CRITICAL, False),
    ]
    assert (suite.name, suite.file) == ("silver.sales_lines", "suite.json")
    assert [e.rule for e in suite.row_rules] == ["returns_are_negative"]
    assert dict(suite.expectations[0].kwargs) == {
        "column": "quantity",
        "max_value": 0,
        "row_condition": condition,
    }


def test_what_great_expectations_writes_is_read() -> None:
    suite, problems = read(
        {**of_column("values_to_not_be_null", column="country"), "id": None, "notes": None, "meta": None},
        id=None,
        notes=None,
        meta={"great_expectations_version": "1.24.1"},
    )

    assert problems == []
    assert [e.rule for e in suite.expectations] == ["country_not_be_null"]


def test_a_suite_sees_the_batch_date() -> None:
    assert read(of_column("values_to_not_be_null", column="batch_date"))[1] == []


def test_every_mistake_is_reported_at_once() -> None:
    suite, problems = read(
        of_column("values_to_not_be_nul", column="country"),
        of_column("values_to_not_be_null", column="countri"),
        {**of_column("values_to_not_be_null", column="country", mostly=2), "severity": "critcal"},
        of_column("values_to_not_be_null", column="customer_id"),
    )

    assert problems == [
        "suite.json: expectations[0].type: unknown expectation 'expect_column_values_to_not_be_nul'. "
        "Did you mean 'expect_column_values_to_not_be_null'?",
        f"suite.json: expectations[1].kwargs.column: no column 'countri'; the table has: {LISTED}. "
        "Did you mean 'country'?",
        "suite.json: expectations[2].kwargs.mostly: expected a share between 0 and 1, found 2",
        "suite.json: expectations[2].severity: expected critical, warning, info; found 'critcal'. "
        "Did you mean 'critical'?",
    ]
    assert [e.rule for e in suite.expectations] == ["customer_id_not_be_null"]


def test_two_rules_of_one_name_are_refused() -> None:
    _, problems = read(
        of_column("values_to_not_be_null", column="country", mostly=0.5),
        {**of_column("values_to_not_be_null", column="country"), "severity": "warning"},
    )

    assert problems == [
        "suite.json: expectations[1].meta.rule: the rule name 'country_not_be_null' is that of "
        "expectations[0] "
        "too; give each a `rule` of its own in meta"
    ]


ONE_DAY_ONE_TIME = {"min_value": "2011-03-01", "max_value": "2011-03-02T10:00:00"}
OR = {"type": "or", "conditions": [{"type": "nullity", "column": {"name": "country"}, "is_null": True}]}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown parameter": (
        of_column("values_to_be_between", column="quantity", min_valu=1, max_value=2),
        "kwargs.min_valu: expect_column_values_to_be_between has no parameter 'min_valu'; it has: column, "
        "condition_parser, max_value, min_value, mostly, row_condition, strict_max, strict_min. "
        "Did you mean 'min_value'?",
    ),
    "missing parameter": (
        of_column("values_to_be_in_set", column="country"),
        "kwargs: the parameter value_set is missing",
    ),
    "result format": (
        of_column("values_to_not_be_null", column="country", result_format="COMPLETE"),
        "kwargs.result_format: results hold counts only, whatever a suite says; leave it out",
    ),
    "not on Spark": (
        of_column("values_to_match_like_pattern", column="country", like_pattern="F%"),
        "Great Expectations has no expect_column_values_to_match_like_pattern on Spark",
    ),
    "suite parameter": (
        of_column("values_to_be_in_set", column="country", value_set={"$PARAMETER": "countries"}),
        "kwargs.value_set: suite parameters ($PARAMETER) are not supported; write the value itself",
    ),
    "no bounds": (
        of_column("values_to_be_between", column="quantity"),
        "kwargs: expected min_value, max_value or both",
    ),
    "bounds the wrong way round": (
        of_column("values_to_be_between", column="quantity", min_value=2, max_value=1),
        "kwargs.min_value: min_value 2 is above max_value 1",
    ),
    "bounds of text": (
        of_column("values_to_be_between", column="country", min_value="a"),
        "kwargs.column: country is string; bounds need a number, date or timestamp column",
    ),
    "a number as a time": (
        of_column("max_to_be_between", column="invoice_date", max_value=2012),
        "kwargs.max_value: expected a day or a time written YYYY-MM-DDTHH:MM:SS, found 2012",
    ),
    "a day and a time": (
        of_column("values_to_be_between", column="invoice_date", **ONE_DAY_ONE_TIME),
        "kwargs.max_value: one bound is a day and the other a time; Great Expectations needs two of a kind",
    ),
    "half a row": (
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1.5}},
        "kwargs.min_value: expected a whole number of at most 64 bits, found 1.5",
    ),
    "mean of text": (
        of_column("mean_to_be_between", column="country", min_value=1),
        "kwargs.column: country is string; expect_column_mean_to_be_between needs a number column",
    ),
    "pattern on a number": (
        of_column("values_to_match_regex", column="quantity", regex="1"),
        "kwargs.column: quantity is int; expect_column_values_to_match_regex needs a string column",
    ),
    "pair of unlike columns": (
        of_column("pair_values_to_be_equal", column_A="country", column_B="quantity"),
        "kwargs.column_B: country is string and quantity is int; they do not compare",
    ),
    "null in a set": (
        of_column("values_to_be_in_set", column="country", value_set=["France", None]),
        "kwargs.value_set: a null in the set makes every value pass; take it out (nulls are not looked at "
        "anyway)",
    ),
    "text in a set of numbers": (
        of_column("values_to_be_in_set", column="quantity", value_set=[1, "2"]),
        "kwargs.value_set: expected a number for a column of type int, found '2'",
    ),
    "pattern that does not parse": (
        of_column("values_to_match_regex", column="country", regex="(a"),
        "kwargs.regex: not a regular expression: missing ), unterminated subpattern at position 0",
    ),
    "pattern of Python": (
        of_column("values_to_match_regex_list", column="country", regex_list=["a", "(?P<b>b)"]),
        "kwargs.regex_list[1]: (?P...) is Python's spelling of a named group; leave the name out",
    ),
    "flag": (
        of_column("values_to_be_between", column="quantity", min_value=1, strict_min="yes"),
        "kwargs.strict_min: expected true or false, found 'yes'",
    ),
    "ignored rows": (
        of_column(
            "pair_values_to_be_equal", column_A="country", column_B="invoice_no", ignore_row_if="never"
        ),
        "kwargs.ignore_row_if: expected both_values_are_missing, either_value_is_missing, neither; found "
        "'never'",
    ),
    "SQL without the batch": (
        {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "SELECT * FROM orders"}},
        "kwargs.unexpected_rows_query: expected {batch} where the table's name would stand; nothing else "
        "can be read",
    ),
    "quantiles": (
        of_column("quantile_values_to_be_between", column="quantity", quantile_ranges={"quantiles": [0.5]}),
        "kwargs.quantile_ranges: expected quantiles and value_ranges, two lists of the same length",
    ),
    "condition of pandas": (
        of_column("values_to_not_be_null", column="country", row_condition="a>1", condition_parser="pandas"),
        "kwargs.condition_parser: 'pandas' does not work on Spark; leave it out and write a condition object",
    ),
    "condition on no column": (
        of_column(
            "values_to_not_be_null",
            column="country",
            row_condition={"type": "nullity", "column": {"name": "customer"}, "is_null": False},
        ),
        f"kwargs.row_condition.column.name: no column 'customer'; the table has: {LISTED}. "
        "Did you mean 'customer_id'?",
    ),
    "condition of no type": (
        of_column("values_to_not_be_null", column="country", row_condition={"col": "x"}),
        "kwargs.row_condition: expected a condition object with a type among comparison, nullity, and, or, "
        "pass_through; found {'col': 'x'}",
    ),
    "condition with an unknown operator": (
        of_column(
            "values_to_not_be_null",
            column="country",
            row_condition={
                "type": "comparison",
                "column": {"name": "quantity"},
                "operator": "=",
                "parameter": 1,
            },
        ),
        "kwargs.row_condition.operator: expected one of ==, !=, <, <=, >, >=, IN, NOT_IN; found '='",
    ),
    "or inside and": (
        of_column(
            "values_to_not_be_null", column="country", row_condition={"type": "and", "conditions": [OR]}
        ),
        "kwargs.row_condition.conditions[0]: an or inside another group is refused by Great Expectations; "
        "write the or outermost",
    ),
    "totals of an unknown input": (
        {
            "type": "expect_group_totals_to_equal_input",
            "kwargs": {"input": "line", "group_by": [], "totals": {"count(*)": "count(*)"}},
        },
        "kwargs.input: the contract has no same_day input 'line'; it has: lines. Did you mean 'lines'?",
    ),
    "no totals": (
        {
            "type": "expect_group_totals_to_equal_input",
            "kwargs": {"input": "lines", "group_by": [], "totals": {}},
        },
        "kwargs.totals: expected aggregates of this table, each with that of the input, as SQL",
    ),
    "unknown parameter of a custom type": (
        of_column("values_to_be_valid_vat", column="country", lang="DE"),
        "kwargs.lang: expect_column_values_to_be_valid_vat has no parameter 'lang'; it has: column, land, "
        "mostly. "
        "Did you mean 'land'?",
    ),
    "unknown key": (
        {**of_column("values_to_not_be_null", column="country"), "severty": "info"},
        "severty: unknown key; allowed: description, id, kwargs, meta, notes, rendered_content, severity, "
        "type. "
        "Did you mean 'severity'?",
    ),
    "name of a rule": (
        {**of_column("values_to_not_be_null", column="country"), "meta": {"rule": "Country there"}},
        "meta.rule: expected lower-case letters, digits and _ (at most 100), found 'Country there'",
    ),
    "name of the contract's own": (
        {**of_column("values_to_not_be_null", column="country"), "meta": {"rule": "contract_key_unique"}},
        "meta.rule: 'contract_key_unique': names that start with contract_ are the contract's own",
    ),
    "on_failure": (
        {**of_column("values_to_not_be_null", column="country"), "meta": {"on_failure": "drop"}},
        "meta.on_failure: expected quarantine, found 'drop'",
    ),
    "quarantine by the mean": (
        {
            **of_column("mean_to_be_between", column="quantity", min_value=1),
            "meta": {"on_failure": "quarantine"},
        },
        "meta.on_failure: expect_column_mean_to_be_between cannot quarantine rows: it judges a batch as a "
        "whole, "
        "not single rows",
    ),
    "quarantine of repeated rows": (
        {**of_column("values_to_be_unique", column="country"), "meta": {"on_failure": "quarantine"}},
        "meta.on_failure: expect_column_values_to_be_unique cannot quarantine rows: it cannot be decided "
        "by looking "
        "at one row alone",
    ),
    "quarantine of some": (
        {
            **of_column("values_to_not_be_null", column="country", mostly=0.9),
            "meta": {"on_failure": "quarantine"},
        },
        "meta.on_failure: expect_column_values_to_not_be_null cannot quarantine rows: `mostly` below 1 "
        "lets some "
        "rows break it, so no single row is at fault; leave `mostly` out",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_names_its_place_and_the_remedy(case: str) -> None:
    expectation, message = BAD[case]

    suite, problems = read(expectation)

    place = "suite.json: expectations[0]"
    assert problems == [f"{place}: {message}" if message.startswith("Great") else f"{place}.{message}"]
    assert suite.expectations == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "suite.json:1: not JSON: Expecting property name enclosed in double quotes"),
        ("[]", "suite.json: expected an object with name and expectations"),
        (
            '{"name": "a", "name": "b"}',
            "suite.json: the key 'name' stands twice in one object; JSON keeps only the last",
        ),
        (
            '{"expectations": []}',
            "suite.json: name: expected the suite's name, which is the table's, found None",
        ),
        ('{"name": "a", "expectations": {}}', "suite.json: expectations: expected a list"),
        ('{"name": "a", "meta": NaN}', "suite.json: NaN is not JSON"),
        (
            '{"name": "a", "expectation": []}',
            "suite.json: expectation: unknown key; allowed: expectations, id, meta, "
            "name, notes, suite_parameters. Did you mean 'expectations'?",
        ),
    ],
)
def test_a_file_that_is_no_suite_says_so(text: str, message: str) -> None:
    _, problems = parse_suite(text, "suite.json", COLUMNS, [])

    assert [str(problem) for problem in problems] == [message]

"""Every compiled expectation type against Great Expectations itself, on the same Spark frames.

Cases that somebody thought of; those that nobody did are drawn in tests/parity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.expectations import GROUP_TOTALS, ROW_RULE_TYPES, catalogue
from lakesmith.contracts.model import Contract
from lakesmith.quality.gate import BatchVerdict, Gate
from lakesmith.quality.great_expectations_runner import COUNTS_ONLY, quiet_context, validate
from lakesmith.quality.grouped import GROUPED_TYPES
from lakesmith.quality.questions import AGGREGATE_TYPES, LOG_TYPES
from lakesmith.quality.structure import STRUCTURE_TYPES
from parity.comparison import answer
from staged_rows import staged_rows

DAY, ONE_ROW, ONLY_NULLS, EMPTY = (date(2011, 3, day) for day in (1, 2, 3, 4))
BATCHES = {"six rows": DAY, "one row": ONE_ROW, "one row of nulls": ONLY_NULLS, "no row": EMPTY}
IS_A = {"type": "comparison", "column": {"name": "name"}, "operator": "==", "parameter": "a"}
NO_LINES = {"type": "nullity", "column": {"name": "lines"}, "is_null": True}
SQL = {"type": "pass_through", "pass_through_filter": "units > 1 AND name LIKE 'b%'"}
NOT_NAN = {"type": "pass_through", "pass_through_filter": "NOT isnan(weight)"}
MIXED = {
    "type": "and",
    "conditions": [
        {"type": "comparison", "column": {"name": "units"}, "operator": "IN", "parameter": [1, 2]},
        {"type": "comparison", "column": {"name": "name"}, "operator": "NOT_IN", "parameter": ["bb", "it's"]},
    ],
}


def column(name: str, **kwargs: Any) -> tuple[str, dict[str, Any]]:
    return f"expect_column_{name}", kwargs


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "not null": column("values_to_not_be_null", column="name"),
    "not null, mostly at the edge": column("values_to_not_be_null", column="lines", mostly=4 / 6),
    "not null, mostly above the edge": column("values_to_not_be_null", column="lines", mostly=0.6667),
    "not null, NaN is a value": column("values_to_not_be_null", column="weight"),
    "null": column("values_to_be_null", column="price", mostly=0.5),
    "in set": column("values_to_be_in_set", column="name", value_set=["a", "Ünï "]),
    "in set, numbers of both kinds": column("values_to_be_in_set", column="price", value_set=[7, 1.25]),
    "in set, integers": column("values_to_be_in_set", column="units", value_set=[1, 2]),
    "in set, days": column("values_to_be_in_set", column="day", value_set=["2011-01-01"]),
    "in set, times": column("values_to_be_in_set", column="at", value_set=["2011-01-01T10:00:00"]),
    "in set, booleans": column("values_to_be_in_set", column="paid", value_set=[True]),
    "in no set": column("values_to_be_in_set", column="name", value_set=[]),
    "not in set": column("values_to_not_be_in_set", column="weight", value_set=[0, 1.5]),
    "between": column("values_to_be_between", column="units", min_value=1, max_value=2),
    "between, beyond a double's digits": column("values_to_be_between", column="units", max_value=2**53),
    "between, NaN and infinity": column("values_to_be_between", column="weight", max_value=1e300),
    "between, strict": column(
        "values_to_be_between", column="lines", min_value=1, max_value=5, strict_min=True, strict_max=True
    ),
    "between, decimals, mostly at the edge": column(
        "values_to_be_between", column="price", min_value=1.25, mostly=0.75
    ),
    "between, days": column("values_to_be_between", column="day", min_value="1582-10-15"),
    "between, times": column(
        "values_to_be_between", column="at", min_value="2011-01-01", max_value="2011-01-02"
    ),
    "between, times by the second": column(
        "values_to_be_between", column="at", min_value="2011-01-01T10:00:00", strict_min=True
    ),
    "regex": column("values_to_match_regex", column="name", regex="^[a-z]+$"),
    "regex anywhere": column("values_to_match_regex", column="name", regex="b{2}|ï"),
    "not regex": column("values_to_not_match_regex", column="name", regex=r"\s$", mostly=0.8),
    "any regex": column("values_to_match_regex_list", column="name", regex_list=["^a", "b$"]),
    "all regexes": column(
        "values_to_match_regex_list", column="name", regex_list=["^b", "b$"], match_on="all"
    ),
    "no regex": column("values_to_not_match_regex_list", column="name", regex_list=["x", "^$"]),
    "lengths": column("value_lengths_to_be_between", column="name", min_value=1, max_value=4),
    "lengths, strict": column("value_lengths_to_be_between", column="name", max_value=4, strict_max=True),
    "length": column("value_lengths_to_equal", column="name", value=4),
    "pair equal": column("pair_values_to_be_equal", column_A="units", column_B="lines"),
    "pair equal, none ignored": column(
        "pair_values_to_be_equal", column_A="units", column_B="lines", ignore_row_if="neither"
    ),
    "pair greater": column(
        "pair_values_a_to_be_greater_than_b",
        column_A="units",
        column_B="lines",
        ignore_row_if="either_value_is_missing",
    ),
    "pair greater or equal": column(
        "pair_values_a_to_be_greater_than_b", column_A="units", column_B="weight", or_equal=True, mostly=0.5
    ),
    "pair in set": column(
        "pair_values_to_be_in_set", column_A="units", column_B="lines", value_pairs_set=[[1, 1], [2, None]]
    ),
    "sum of columns": (
        "expect_multicolumn_sum_to_equal",
        {"column_list": ["units", "price"], "sum_total": 2.25},
    ),
    "sum of integers": (
        "expect_multicolumn_sum_to_equal",
        {"column_list": ["units", "lines"], "sum_total": 2, "ignore_row_if": "any_value_is_missing"},
    ),
    "columns equal": ("expect_multicolumn_values_to_be_equal", {"column_list": ["units", "lines"]}),
    "columns differ": (
        "expect_select_column_values_to_be_unique_within_record",
        {"column_list": ["units", "lines"], "ignore_row_if": "never"},
    ),
    "unique": column("values_to_be_unique", column="name", mostly=0.6),
    "unique, -0.0 is 0.0": column("values_to_be_unique", column="weight"),
    "compound unique": ("expect_compound_columns_to_be_unique", {"column_list": ["name", "lines"]}),
    "compound unique, nulls ignored": (
        "expect_compound_columns_to_be_unique",
        {"column_list": ["name", "units"], "ignore_row_if": "any_value_is_missing"},
    ),
    "distinct count": column("unique_value_count_to_be_between", column="name", max_value=3, strict_max=True),
    "max is infinite": column("max_to_be_between", column="weight", min_value=0, row_condition=NOT_NAN),
    "distinct share": column("proportion_of_unique_values_to_be_between", column="name", min_value=0.8),
    "distinct in set": column("distinct_values_to_be_in_set", column="name", value_set=["a", "bb"]),
    "distinct contain": column("distinct_values_to_contain_set", column="units", value_set=[1, 2, 9]),
    "distinct equal": column("distinct_values_to_equal_set", column="paid", value_set=[True, False]),
    "median": column("median_to_be_between", column="lines", min_value=2, max_value=2.5),
    "median of two": column("median_to_be_between", column="units", max_value=2, row_condition=NO_LINES),
    "median without NaN, with infinity": column("median_to_be_between", column="weight", min_value=1.5),
    "median of decimals": column("median_to_be_between", column="price", min_value=1.3),
    "quantiles": column(
        "quantile_values_to_be_between",
        column="lines",
        quantile_ranges={
            "quantiles": [0.0, 0.25, 0.5, 0.7, 1.0],
            "value_ranges": [[1, 1], [None, 1], [2, None], [0, 3], [None, 4]],
        },
    ),
    "quantiles, out of order, infinite": column(
        "quantile_values_to_be_between",
        column="weight",
        quantile_ranges={"quantiles": [1.0, 0.34, 0.33], "value_ranges": [[1, None], [-1, 1], [-2, -1]]},
    ),
    "quantile a ten-thousandth off": column(
        "quantile_values_to_be_between",
        column="price",
        quantile_ranges={"quantiles": [0.5], "value_ranges": [[1.2501, 2]]},
        row_condition=NO_LINES,
    ),
    "most common": column("most_common_value_to_be_in_set", column="name", value_set=["a", "z"]),
    "most common, a tie": column("most_common_value_to_be_in_set", column="weight", value_set=[0, 1.5]),
    "most common, a tie is fine": column(
        "most_common_value_to_be_in_set", column="weight", value_set=[77, 1.5], ties_okay=True
    ),
    "most common of booleans": column("most_common_value_to_be_in_set", column="paid", value_set=[True]),
    "most common, an inexact decimal": column(
        "most_common_value_to_be_in_set", column="price", value_set=[0.1, 7.0], ties_okay=True
    ),
    "most common of doubles": column(
        "most_common_value_to_be_in_set", column="weight", value_set=[0, 1.5, -1e-5], row_condition=NO_LINES
    ),
    "most common of whole numbers": column(
        "most_common_value_to_be_in_set", column="units", value_set=[2.0, 2.5]
    ),
    "filled share": column("proportion_of_non_null_values_to_be_between", column="lines", min_value=4 / 6),
    "max of numbers": column("max_to_be_between", column="units", max_value=2**53),
    "max with NaN": column("max_to_be_between", column="weight", max_value=2),
    "max of days": column("max_to_be_between", column="day", min_value="2011-01-05", strict_min=True),
    "max of times": column("max_to_be_between", column="at", max_value="2012-01-01"),
    "max of times, by the second": column("max_to_be_between", column="at", max_value="2011-12-31T23:59:59"),
    "min of decimals": column("min_to_be_between", column="price", min_value=-3),
    "min of days": column("min_to_be_between", column="day", min_value="1500-01-01"),
    "mean": column("mean_to_be_between", column="lines", min_value=2.5, max_value=2.5),
    "mean of decimals": column("mean_to_be_between", column="price", min_value=1.6),
    "sum": column("sum_to_be_between", column="lines", max_value=10, strict_max=True),
    "sum of decimals": column("sum_to_be_between", column="price", min_value=6.5, max_value=6.5),
    "sum of doubles": column("sum_to_be_between", column="weight", min_value=0),
    "deviation": column("stdev_to_be_between", column="lines", min_value=1, max_value=2),
    "rows": ("expect_table_row_count_to_equal", {"value": 6}),
    "rows between": ("expect_table_row_count_to_be_between", {"min_value": 1}),
    "column there": ("expect_column_to_exist", {"column": "name"}),
    "column at": ("expect_column_to_exist", {"column": "name", "column_index": 1}),
    "columns": ("expect_table_column_count_to_equal", {"value": 9}),
    "columns between": ("expect_table_column_count_to_be_between", {"max_value": 8}),
    "columns in order": ("expect_table_columns_to_match_ordered_list", {"column_list": ["name", "lines"]}),
    "columns as a set": ("expect_table_columns_to_match_set", {"column_set": ["name"], "exact_match": False}),
    "type": column("type_to_be", column="price", type_="DecimalType"),
    "type, a class above": column("type_to_be", column="units", type_="IntegralType"),
    "values of a type": column("values_to_be_of_type", column="units", type_="IntegerType"),
    "values of a listed type": column(
        "values_to_be_in_type_list", column="at", type_list=["text", "TimestampType", "DateType"]
    ),
    "values of any type": column("values_to_be_in_type_list", column="at"),
    "where text equals": column("values_to_be_between", column="units", min_value=2, row_condition=IS_A),
    "where null": column("values_to_not_be_null", column="name", row_condition=NO_LINES),
    "where SQL": column("max_to_be_between", column="units", max_value=1, row_condition=SQL),
    "where a list": column("values_to_be_unique", column="name", row_condition=MIXED),
    "pairs where": column("pair_values_to_be_equal", column_A="units", column_B="lines", row_condition=IS_A),
    "rows where": ("expect_table_row_count_to_equal", {"value": 2, "row_condition": IS_A}),
    "filled share where": column(
        "proportion_of_non_null_values_to_be_between", column="lines", min_value=0.75, row_condition=NO_LINES
    ),
    "where, older spelling": column(
        "values_to_be_between",
        column="units",
        min_value=2,
        row_condition="name = 'a'",
        condition_parser="spark",
    ),
}


EVERYBODY = ("name", "units", "lines", "weight", "price", "day", "at", "paid")
# What least and greatest values prove, just so.
IN_BOUNDS = [
    column("values_to_be_between", column="units", min_value=0, strict_min=True, max_value=2**53),
    column("values_to_be_between", column="price", min_value=-3, max_value=7),
    column("values_to_be_between", column="day", max_value="2011-01-05"),
    column("values_to_be_between", column="batch_date", min_value="2011-03-01"),
]

# One case of each type suffices where there is little to see: Great Expectations starts several jobs for
# some.
FIRST_OF_TYPE = {kind: case for case, (kind, _) in reversed(CASES.items())}.values()
CASES_OF_BATCH = {
    DAY: list(CASES),
    EMPTY: list(FIRST_OF_TYPE),
    ONE_ROW: [case for case in FIRST_OF_TYPE if CASES[case][0] in AGGREGATE_TYPES],
    ONLY_NULLS: [case for case in FIRST_OF_TYPE if CASES[case][0].startswith("expect_column_value")],
}
PAIRS = [(case, batch) for batch, day in BATCHES.items() for case in CASES_OF_BATCH[day]]


@pytest.fixture(scope="module")
def both(
    orders: DataFrame, make_contract: Callable[..., Contract]
) -> tuple[Mapping[date, BatchVerdict], Mapping[date, Mapping[str, Any]]]:
    """The answers of the gate and of Great Expectations to the cases, by batch."""
    contract = make_contract(
        [
            {"type": kind, "kwargs": kwargs, "meta": {"rule": f"case_{at}"}}
            for at, (kind, kwargs) in enumerate(CASES.values())
        ]
    )
    gate = Gate.compile(contract)
    assert gate.left_to_great_expectations == ()
    verdicts = gate.evaluate(orders, list(BATCHES.values()), {}, {})
    asked = dict(zip(CASES, contract.suite.expectations, strict=True))
    with quiet_context() as context:
        native = {
            day: validate(
                context, orders.where(orders.batch_date == day), [asked[case] for case in cases], COUNTS_ONLY
            )
            for day, cases in CASES_OF_BATCH.items()
        }
    return verdicts, native


@pytest.mark.parametrize(("case", "batch"), PAIRS)
def test_the_gate_answers_as_great_expectations(
    case: str, batch: str, both: tuple[Mapping[date, BatchVerdict], Mapping[date, Mapping[str, Any]]]
) -> None:
    verdicts, native = both
    rule = f"case_{list(CASES).index(case)}"
    mine = next(r for r in verdicts[BATCHES[batch]].results if r.rule == rule)

    assert answer(mine.native()) == answer(native[BATCHES[batch]][rule])


@pytest.mark.parametrize("subject", [(), EVERYBODY], ids=["statistics", "no statistics"])
def test_the_answers_are_the_same_with_the_log(
    subject: tuple[str, ...],
    orders: DataFrame,
    make_contract: Callable[..., Contract],
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    contract = make_contract(
        [
            {"type": kind, "kwargs": kwargs, "meta": {"rule": f"case_{at}"}}
            for at, (kind, kwargs) in enumerate([*CASES.values(), *IN_BOUNDS])
        ],
        subject=subject,
    )
    gate, days = Gate.compile(contract), list(BATCHES.values())
    # What is in quarantine is outside of every bound.
    outside = orders.withColumns({"units": F.lit(-(2**62)), "day": F.lit(date(1500, 1, 1))})
    rows, log = staged_rows(spark, orders, contract, tmp_path, days, quarantined=outside)

    alone = gate.evaluate(rows, days, {}, {"rows": F.count(F.lit(1))})
    with_log = gate.evaluate(rows, days, {}, {"rows": F.count(F.lit(1))}, log)

    assert with_log == alone
    assert sorted(log) == [DAY, ONE_ROW, ONLY_NULLS]
    assert set(log[DAY].least) == (
        {"batch_date"} | (set() if subject else {"units", "lines", "price", "day"})
    )


def test_the_log_leaves_little_to_the_grouped_pass(
    orders: DataFrame, make_contract: Callable[..., Contract], spark: SparkSession, tmp_path: Path
) -> None:
    told = [
        ("expect_table_row_count_to_be_between", {"min_value": 1}),
        ("expect_table_row_count_to_equal", {"value": 6}),
        *(column("values_to_not_be_null", column=name) for name in ("name", "weight", "at")),
        column("values_to_be_null", column="name"),
        column("proportion_of_non_null_values_to_be_between", column="weight", min_value=0.5),
        *(column("max_to_be_between", column=name, min_value=0) for name in ("units", "price")),
        column("min_to_be_between", column="day", min_value="2011-01-05"),
        *IN_BOUNDS,
    ]
    asked = [
        column("values_to_not_be_null", column="name", row_condition=IS_A),
        column("max_to_be_between", column="weight", min_value=0),
        column("max_to_be_between", column="at", min_value="2011-01-01"),
        column("values_to_be_between", column="units", max_value=1),
        column("mean_to_be_between", column="units", max_value=1),
    ]

    def left(listed: list[tuple[str, dict[str, Any]]]) -> set[str]:
        rules = [
            {"type": kind, "kwargs": kwargs, "meta": {"rule": f"r_{at}"}}
            for at, (kind, kwargs) in enumerate(listed)
        ]
        gate = Gate.compile(make_contract(rules))
        return set(gate.aggregates) - set(gate.told_by(log, list(BATCHES.values())))

    _, log = staged_rows(spark, orders, make_contract([]), tmp_path, list(BATCHES.values()))

    assert {kind for kind, _ in told} == LOG_TYPES
    assert left(told) == set()
    # One for each, and the rows that a condition selects.
    assert len(left(asked)) == len(asked) + 1


def test_every_compiled_type_has_a_case() -> None:
    compiled = ROW_RULE_TYPES | GROUPED_TYPES | AGGREGATE_TYPES | STRUCTURE_TYPES

    assert {kind for kind, _ in CASES.values()} == compiled
    assert compiled <= set(catalogue()) - {GROUP_TOTALS}

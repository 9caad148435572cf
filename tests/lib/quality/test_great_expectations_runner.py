from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.model import Contract
from lakesmith.contracts.suites import parse_suite
from lakesmith.contracts.types import parse_type
from lakesmith.quality.gate import Gate
from lakesmith.quality.great_expectations_runner import expectation_json, quiet_context

MON, TUE = date(2011, 3, 7), date(2011, 3, 8)
TYPES = {"customer": "bigint", "name": "string", "amount": "int"}


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    rows = [(4711, "Jane-Doe", 1, MON), (4712, "Joe", 3, MON)]
    frame = spark.createDataFrame(rows, "customer bigint, name string, amount int, batch_date date")
    return frame.withColumn("_outcome", F.lit("published")).coalesce(1).localCheckpoint()


OLD = {"row_condition": 'col("amount") > 0', "condition_parser": "great_expectations"}
QUARTER = {"quantiles": [0.25], "value_ranges": [[2, None]]}
LEFT: dict[str, tuple[str, dict[str, Any], tuple[bool, dict[str, Any]]]] = {
    "median": (
        "expect_column_median_to_be_between",
        {"column": "amount", "max_value": 1, **OLD},
        (False, {"observed_value": 2.0}),
    ),
    "median of a subject": (
        "expect_column_median_to_be_between",
        {"column": "customer", "max_value": 1, **OLD},
        (False, {"observed_value": None}),
    ),
    "quantiles": (
        "expect_column_quantile_values_to_be_between",
        {"column": "amount", "quantile_ranges": QUARTER, **OLD},
        (
            False,
            {
                "observed_value": {"quantiles": [0.25], "values": [1.0]},
                "details": {"success_details": [False]},
            },
        ),
    ),
    "type of some rows": (
        "expect_column_values_to_be_of_type",
        {"column": "name", "type_": "StringType", "row_condition": "amount > 0"},
        (True, {}),
    ),
    "most common day": (
        "expect_column_most_common_value_to_be_in_set",
        {"column": "batch_date", "value_set": ["2011-03-07"]},
        (False, {"observed_value": None}),
    ),
    "SQL": (
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "SELECT * FROM {batch} WHERE amount > 2"},
        (False, {"observed_value": 1}),
    ),
    "SQL that fails on a value": (
        "unexpected_rows_expectation",
        {"unexpected_rows_query": "SELECT * FROM {batch} WHERE CAST(name AS INT) > 2"},
        (False, {}),
    ),
}


def test_what_is_left_is_answered_without_values(
    frame: DataFrame, make_contract: Callable[..., Contract], capfd: pytest.CaptureFixture[str]
) -> None:
    contract = make_contract(
        [
            {"type": kind, "kwargs": kwargs, "meta": {"rule": f"rule_{at}"}}
            for at, (kind, kwargs, _) in enumerate(LEFT.values())
        ],
        TYPES,
        subject=("customer", "name"),
    )
    gate = Gate.compile(contract)
    assert [e.rule for e in gate.left_to_great_expectations] == [f"rule_{at}" for at in range(len(LEFT))]

    found = gate.evaluate(frame, [MON, TUE], {}, {})

    assert {
        name: (r.success, r.native()["result"]) for name, r in zip(LEFT, found[MON].results, strict=True)
    } == {name: expected for name, (_, _, expected) in LEFT.items()}
    assert [r.error for r in found[MON].results] == [None] * 6 + ["CAST_INVALID_INPUT"]
    assert [r.success for r in found[TUE].results] == [False, False, False, True, False, True, True]
    told = json.dumps([r.native() for v in found.values() for r in v.results])
    assert "Jane" not in told
    assert "4711" not in told
    # Spark's executors write to stderr on their own account; what Python says of the failure is ours.
    assert "SQLQueryContextLogger" not in capfd.readouterr().err


def test_great_expectations_reads_our_suites_and_we_read_what_it_writes(
    make_contract: Callable[..., Contract], spark: SparkSession
) -> None:
    condition = {"type": "comparison", "column": {"name": "amount"}, "operator": ">", "parameter": 0}
    contract = make_contract(
        [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "amount", "min_value": 1, "row_condition": condition},
                "severity": "warning",
                "meta": {"rule": "some", "on_failure": "quarantine", "why": "because"},
            },
            {
                "type": "expect_group_totals_to_equal_input",
                "kwargs": {"input": "lines", "group_by": ["name"], "totals": {"count(*)": "count(*)"}},
            },
        ],
        TYPES,
        inputs=("lines",),
    )
    with quiet_context() as context:
        import great_expectations as gx

        listed = [expectation_json(e) for e in contract.suite.expectations]
        written = context.suites.add(
            gx.ExpectationSuite(name="silver.orders", expectations=listed)
        ).to_json_dict()

    columns = {name: parse_type(text) for name, text in TYPES.items()}
    again, problems = parse_suite(json.dumps(written), "suite.json", columns, ["lines"])

    assert problems == []
    assert [(e.type, dict(e.kwargs), e.rule, e.severity, e.quarantines) for e in again.expectations] == [
        (e.type, dict(e.kwargs), e.rule, e.severity, e.quarantines) for e in contract.suite.expectations
    ]

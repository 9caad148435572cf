from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.model import Contract
from lakesmith.quality.gate import Gate
from lakesmith.quality.native import validate_with_great_expectations

MON, TUE = date(2011, 3, 7), date(2011, 3, 8)
TYPES = {"customer": "bigint", "name": "string", "amount": "int"}
EXPECTATIONS = [
    {"type": "expect_column_max_to_be_between", "kwargs": {"column": "customer", "max_value": 5}},
    {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "name", "regex": "^[A-Z][a-z]+$"}},
    {
        "type": "expect_column_distinct_values_to_be_in_set",
        "kwargs": {"column": "name", "value_set": ["Joe"]},
    },
    {
        "type": "expect_group_totals_to_equal_input",
        "kwargs": {
            "input": "lines",
            "group_by": [],
            "totals": {"count(*)": "count(*)", "sum(amount)": "sum(price)"},
        },
    },
    {
        "type": "unexpected_rows_expectation",
        "kwargs": {"unexpected_rows_query": "SELECT * FROM {batch} WHERE CAST(name AS INT) > 2"},
    },
]


@pytest.fixture
def contract(make_contract: Callable[..., Contract]) -> Contract:
    return make_contract(EXPECTATIONS, TYPES, subject=("customer", "name"), inputs=("lines",))


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    rows = [(4711001, "Jane-Doe", 1, MON), (4711002, "Joe", 2, MON), (4711003, "Zoe", 3, TUE)]
    return (
        spark.createDataFrame(rows, "customer bigint, name string, amount int, batch_date date")
        .coalesce(1)
        .localCheckpoint()
    )


@pytest.fixture
def lines(spark: SparkSession) -> DataFrame:
    return (
        spark.createDataFrame([(1, MON), (2, MON), (9, TUE)], "price int, batch_date date")
        .coalesce(1)
        .localCheckpoint()
    )


def test_both_ways_agree(contract: Contract, frame: DataFrame, lines: DataFrame) -> None:
    gate = Gate.compile(contract).evaluate(frame, [MON], {"lines": lines}, {})[MON]

    plain = validate_with_great_expectations(frame, contract, MON, {"lines": lines})

    assert plain["results"] == [result.native() for result in gate.results]
    assert [result["success"] for result in plain["results"]] == [False, False, False, True, False]
    assert plain["statistics"] == {
        "evaluated_expectations": 5,
        "successful_expectations": 1,
        "unsuccessful_expectations": 4,
        "success_percent": 20.0,
    }
    assert (plain["success"], plain["suite_name"]) == (False, "silver.orders")
    assert plain["meta"]["batch_date"] == "2011-03-07"


def test_data_docs_show_the_rules_and_no_subject(
    contract: Contract, frame: DataFrame, lines: DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, docs = tmp_path / "home", tmp_path / "docs"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))

    validate_with_great_expectations(frame, contract, MON, {"lines": lines}, docs)

    [page] = docs.glob("validations/**/*.html")
    assert (docs / "index.html").is_file()
    shown = page.read_text()
    assert "values must match this regular expression" in shown
    assert "CAST_INVALID_INPUT" in shown
    assert "1 unexpected" in shown
    written = "".join(path.read_text(errors="replace") for path in docs.rglob("*.html"))
    assert [value for value in ("Jane", "4711", "Doe") if value in written] == []
    assert list(home.iterdir()) == []


def test_the_answer_is_plain_json(contract: Contract, frame: DataFrame, lines: DataFrame) -> None:
    answer = validate_with_great_expectations(frame, contract, TUE, {"lines": lines})

    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert answer["results"][3]["success"] is False

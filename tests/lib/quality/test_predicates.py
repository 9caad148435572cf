from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.model import Contract
from lakesmith.quality.gate import Gate, suite_columns
from lakesmith.quality.predicates import row_rules

TYPES = {"invoice_no": "string", "quantity": "int", "price": "double"}
CANCELLATION = {"type": "pass_through", "pass_through_filter": "invoice_no LIKE 'C%'"}


def rule(name: str, kind: str, **kwargs: Any) -> dict[str, Any]:
    meta = {"rule": name, "on_failure": "quarantine"}
    return {"type": f"expect_column_{kind}", "kwargs": kwargs, "meta": meta}


RULES = [
    rule("price_not_negative", "values_to_be_between", column="price", min_value=0),
    rule("invoice_present", "values_to_not_be_null", column="invoice_no"),
    rule(
        "cancellation_is_negative",
        "values_to_be_between",
        column="quantity",
        max_value=0,
        strict_max=True,
        row_condition=CANCELLATION,
    ),
]


def broken(frame: DataFrame, contract: Contract) -> list[tuple[Any, ...]]:
    rules = row_rules(contract.suite.row_rules, suite_columns(contract)).alias("broken_rules")
    return [tuple(row) for row in frame.select("invoice_no", "quantity", "price", rules).collect()]


def test_each_row_names_the_rules_that_it_breaks(
    spark: SparkSession, make_contract: Callable[..., Contract]
) -> None:
    rows = [
        ("1", 1, 1.0),
        ("C2", -1, 1.0),
        ("C3", 1, 1.0),
        ("C4", 0, -0.5),
        (None, None, None),
        (None, 5, float("nan")),
        ("5", 5, -0.0),
    ]
    frame = spark.createDataFrame(rows, "invoice_no string, quantity int, price double")

    found = broken(frame, make_contract(RULES, TYPES))

    assert [row[3] for row in found] == [
        [],
        [],
        ["cancellation_is_negative"],
        ["price_not_negative", "cancellation_is_negative"],
        ["invoice_present"],
        ["invoice_present"],
        [],
    ]


def test_without_rules_no_row_breaks_one(spark: SparkSession, make_contract: Callable[..., Contract]) -> None:
    frame = spark.createDataFrame([("1", 1, 1.0)], "invoice_no string, quantity int, price double")
    contract = make_contract([], TYPES)

    assert broken(frame, contract) == [("1", 1, 1.0, [])]
    assert frame.select(row_rules((), {}).alias("broken")).dtypes == [("broken", "array<string>")]


def test_rows_that_break_no_rule_pass_the_same_rules_as_a_gate(
    orders: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    asked = [
        ("values_to_be_between", {"column": "weight", "min_value": 0, "max_value": 10}),
        ("values_to_match_regex", {"column": "name", "regex": "^a"}),
        ("pair_values_a_to_be_greater_than_b", {"column_A": "units", "column_B": "lines"}),
        ("values_to_not_be_in_set", {"column": "price", "value_set": [7]}),
    ]
    as_rules = make_contract([rule(f"rule_{at}", kind, **kwargs) for at, (kind, kwargs) in enumerate(asked)])
    as_gate = make_contract(
        [
            {"type": f"expect_column_{kind}", "kwargs": kwargs, "meta": {"rule": f"rule_{at}"}}
            for at, (kind, kwargs) in enumerate(asked)
        ]
    )
    marked = orders.withColumn("broken", row_rules(as_rules.suite.row_rules, suite_columns(as_rules)))
    days = [row[0] for row in orders.select("batch_date").distinct().collect()]
    gate = Gate.compile(as_gate)

    before = gate.evaluate(orders, days, {}, {})
    after = gate.evaluate(marked.where(F.size("broken") == 0), days, {}, {})

    counted = {
        (row["batch_date"], row["rule"]): row["count"]
        for row in marked.select("batch_date", F.explode("broken").alias("rule"))
        .groupBy("batch_date", "rule")
        .count()
        .collect()
    }
    assert counted == {
        (day, result.rule): result.unexpected_count
        for day, verdict in before.items()
        for result in verdict.results
        if result.unexpected_count
    }
    assert [result.success for verdict in after.values() for result in verdict.results] == [True] * 12

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.model import Contract, Severity
from lakesmith.errors import ConfigurationError
from lakesmith.quality import grouped
from lakesmith.quality.gate import Gate, GateFailed, implied_expectations
from lakesmith.quality.grouped import count_groups, grouped_question
from lakesmith.quality.questions import Aggregates

MON, TUE, WED = date(2011, 3, 7), date(2011, 3, 8), date(2011, 3, 9)
TYPES = {"customer": "bigint", "name": "string", "amount": "decimal(12,2)"}
SCHEMA = "customer bigint, name string, amount decimal(12,2), batch_date date"
TOTALS = {
    "type": "expect_group_totals_to_equal_input",
    "kwargs": {
        "input": "lines",
        "group_by": ["name"],
        "totals": {"count(*)": "count(*)", "sum(amount)": "sum(price)"},
        "where": "kind = 'sale'",
    },
    "meta": {"rule": "totals"},
}


ROWS = {**TOTALS, "kwargs": {**TOTALS["kwargs"], "totals": {"count(*)": "count(*)"}}}


def expect(kind: str, rule: str = "asked", severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"rule": rule}, "severity": severity}


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    rows = [(1, "Ann", 1, MON), (2, "Bob", 2, MON), (3, None, 3, MON), (4, "Ann", 4, TUE), (4, "Ann", 4, TUE)]
    return spark.createDataFrame(rows, "customer bigint, name string, amount int, batch_date date").select(
        "customer", "name", F.col("amount").cast("decimal(12,2)").alias("amount"), "batch_date"
    )


def verdicts(
    contract: Contract, frame: DataFrame, *, inputs: dict[str, DataFrame] | None = None
) -> dict[date, dict[str, bool]]:
    found = Gate.compile(contract).evaluate(frame, [MON, TUE, WED], inputs or {}, {})
    return {day: {r.rule: r.success for r in verdict.results} for day, verdict in found.items()}


def test_each_batch_is_judged_by_itself(frame: DataFrame, make_contract: Callable[..., Contract]) -> None:
    contract = make_contract(
        [
            expect("column_values_to_not_be_null", "named", column="name"),
            expect("column_values_to_be_unique", "once", "warning", column="customer"),
            expect("table_row_count_to_be_between", "some", "info", min_value=1),
        ],
        TYPES,
    )

    found = Gate.compile(contract).evaluate(frame, [MON, TUE, WED], {}, {"rows": F.count(F.lit(1))})

    assert {
        day: (v.passed, [r.rule for r in v.failures], [r.rule for r in v.warnings], v.extras)
        for day, v in found.items()
    } == {
        MON: (False, ["named"], [], {"rows": 3}),
        TUE: (True, [], ["once"], {"rows": 2}),
        WED: (True, [], ["some"], {"rows": None}),
    }
    assert [r.summary() for r in found[MON].failures] == ["named: 1 of 3 rows"]
    assert [(r.unexpected_count, r.element_count) for r in found[TUE].warnings] == [(2, 2)]


def test_rows_of_other_batches_are_not_looked_at(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract([expect("column_values_to_be_unique", column="name")], TYPES)

    found = Gate.compile(contract).evaluate(frame, [MON], {}, {})

    assert [(day, verdict.passed) for day, verdict in found.items()] == [(MON, True)]


def test_the_contract_demands_its_key_and_its_required_columns(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract([], TYPES, required=("name",), key=("customer", "amount"))

    assert verdicts(contract, frame) == {
        MON: {"contract_not_null_name": False, "contract_key_unique": True},
        TUE: {"contract_not_null_name": True, "contract_key_unique": False},
        WED: {"contract_not_null_name": True, "contract_key_unique": True},
    }


@pytest.mark.parametrize(
    ("expectation", "is_said"),
    [
        (expect("column_values_to_not_be_null", column="name"), True),
        (expect("column_values_to_not_be_null", column="name", mostly=0.9), False),
        (expect("column_values_to_not_be_null", "asked", "warning", column="name"), False),
        (expect("column_values_to_not_be_null", column="name", row_condition="amount > 0"), False),
        (expect("column_values_to_not_be_null", column="customer"), False),
    ],
)
def test_what_the_suite_says_as_strictly_is_not_asked_twice(
    expectation: dict[str, Any], is_said: bool, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract([expectation], TYPES, required=("name",))

    implied = implied_expectations(contract)

    assert [(e.rule, e.severity) for e in implied] == (
        [] if is_said else [("contract_not_null_name", Severity.CRITICAL)]
    )


@pytest.fixture
def lines(spark: SparkSession) -> DataFrame:
    rows = [
        ("Ann", "1.00", "sale", MON),
        ("Bob", "2.00", "sale", MON),
        ("Bob", "9.00", "gift", MON),
        (None, "3.00", "sale", MON),
        ("Ann", "4.00", "sale", TUE),
        ("Eve", "4.00", "sale", TUE),
    ]
    frame = spark.createDataFrame(rows, "name string, price string, kind string, batch_date date")
    return frame.withColumn("price", F.col("price").cast("decimal(18,3)"))


@pytest.mark.parametrize("totals", [TOTALS, ROWS], ids=["rows and amounts", "rows"])
def test_totals_by_group_are_compared_with_an_input(
    totals: dict[str, Any], frame: DataFrame, lines: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract([totals], TYPES, inputs=("lines",))

    found = Gate.compile(contract).evaluate(frame, [MON, TUE, WED], {"lines": lines}, {})

    # Tuesday: Ann has two rows of 4.00 for one, Eve has none for one.
    assert {
        day: (v.passed, v.results[0].unexpected_count, v.results[0].element_count) for day, v in found.items()
    } == {
        MON: (True, 0, 3),
        TUE: (False, 2, 2),
        WED: (True, 0, 0),
    }


def test_a_group_that_one_side_lacks_is_unequal_though_its_totals_are_null(
    spark: SparkSession, make_contract: Callable[..., Contract]
) -> None:
    only_amounts = {**TOTALS, "kwargs": {**TOTALS["kwargs"], "totals": {"sum(amount)": "sum(price)"}}}
    contract = make_contract([only_amounts], TYPES, inputs=("lines",))
    frame = spark.createDataFrame([(1, "Ann", None, MON), (2, "Bob", None, TUE)], SCHEMA)
    lines = spark.createDataFrame(
        [("Ann", None, "sale", MON)], "name string, price decimal(12,2), kind string, batch_date date"
    )

    found = verdicts(contract, frame, inputs={"lines": lines})

    assert found == {MON: {"totals": True}, TUE: {"totals": False}, WED: {"totals": True}}


@pytest.mark.parametrize("totals", [TOTALS, ROWS], ids=["rows and amounts", "rows"])
def test_an_input_with_rows_for_a_batch_without_any_is_unequal(
    totals: dict[str, Any], frame: DataFrame, lines: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract([totals], TYPES, inputs=("lines",))
    only_tuesday = frame.where(F.col("batch_date") == TUE)

    assert verdicts(contract, only_tuesday, inputs={"lines": lines})[MON] == {"totals": False}


def test_totals_of_the_whole_batch_need_no_group(
    frame: DataFrame, lines: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    whole = {
        **TOTALS,
        "kwargs": {**TOTALS["kwargs"], "group_by": [], "totals": {"sum(amount)": "sum(price)"}},
    }
    contract = make_contract([whole], TYPES, inputs=("lines",))

    assert verdicts(contract, frame, inputs={"lines": lines}) == {
        MON: {"totals": True},
        TUE: {"totals": True},
        WED: {"totals": True},
    }


def test_an_input_that_was_not_read_is_named(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract([TOTALS], TYPES, inputs=("lines",))

    with pytest.raises(ConfigurationError, match="the rule 'totals' compares with the input 'lines'"):
        verdicts(contract, frame)


def test_everything_but_great_expectations_takes_two_actions(
    spark: SparkSession, frame: DataFrame, lines: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract(
        [
            expect("column_values_to_not_be_null", "a", column="name"),
            expect("column_mean_to_be_between", "b", column="amount", min_value=0),
            expect("column_values_to_be_unique", "c", column="customer"),
            expect("column_unique_value_count_to_be_between", "d", column="name", min_value=0),
            expect("column_distinct_values_to_be_in_set", "e", column="name", value_set=["Ann"]),
            TOTALS,
        ],
        TYPES,
        key=("customer", "name"),
        inputs=("lines",),
    )
    gate = Gate.compile(contract)
    counted = [
        count_actions(spark, lambda f=f, i=i: gate.evaluate(f, [MON, TUE, WED], i, {"n": F.count(F.lit(1))}))
        for f, i in (
            (frame.where(F.col("batch_date") == MON), {"lines": lines}),
            (frame.where("batch_date IS NULL"), {"lines": lines}),
            (frame, {"lines": lines}),
        )
    ]

    # The third counts the rows that repeat what must be unique.
    assert counted == [2, 2, 3]
    # One measure serves several questions: rows, nulls of two columns and the mean.
    assert len(gate.aggregates) == 3


def test_two_keys_with_one_hash_are_still_two_keys(
    spark: SparkSession,
    frame: DataFrame,
    make_contract: Callable[..., Contract],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hashes only prove that nothing repeats; where they do not, the values are grouped, of those batches alone."""
    contract = make_contract(
        [
            expect("compound_columns_to_be_unique", "a", column_list=["customer", "name"]),
            expect("column_values_to_be_unique", "b", column="name"),
            expect("column_values_to_be_unique", "c", column="amount"),
        ],
        TYPES,
    )
    gate = Gate.compile(contract)

    def judged() -> dict[date, list[dict[str, Any]]]:
        found = gate.evaluate(frame, [MON, TUE, WED], {}, {})
        return {day: [result.native() for result in verdict.results] for day, verdict in found.items()}

    expected = judged()
    assert {day: [r["success"] for r in results] for day, results in expected.items()} == {
        MON: [True] * 3,
        TUE: [False] * 3,
        WED: [True] * 3,
    }
    monkeypatch.setattr(grouped.F, "xxhash64", lambda *columns: F.lit(7).cast("bigint"))
    assert judged() == expected


def test_the_groupings_of_a_suite_read_the_rows_once(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    where = {"row_condition": "amount > 1"}
    contract = make_contract(
        [
            expect("compound_columns_to_be_unique", "a", column_list=["customer", "name", "batch_date"]),
            expect("column_unique_value_count_to_be_between", "b", column="name", max_value=1, **where),
            expect("column_distinct_values_to_contain_set", "c", column="name", value_set=["Bob"], **where),
            expect("column_distinct_values_to_contain_set", "d", column="name", value_set=["Bob"]),
            expect("column_median_to_be_between", "e", column="customer", max_value=3),
            expect("column_most_common_value_to_be_in_set", "f", column="customer", value_set=[4]),
        ],
        TYPES,
    )
    gate = Gate.compile(contract)
    questions = [grouped_question(e, gate.columns, Aggregates()) for e in contract.suite.expectations]

    plan = count_groups(frame, [q for q in questions if q])._jdf.queryExecution().optimizedPlan()
    found = gate.evaluate(frame, [MON, TUE, WED], {}, {})

    assert plan.collectLeaves().size() == 1
    assert {day: "".join(r.rule for r in verdict.results if r.success) for day, verdict in found.items()} == {
        MON: "abcde",
        TUE: "bf",
        WED: "ab",
    }


def count_actions(spark: SparkSession, run: Callable[[], object]) -> int:
    """SQL executions that an action started; each has one or more Spark jobs."""
    spark.range(1).collect()
    before = _newest_execution(spark)
    run()
    return _newest_execution(spark) - before


def _newest_execution(spark: SparkSession) -> int:
    """The number of the newest; Spark forgets old ones, so that counting them would not do."""
    spark._jsc.sc().listenerBus().waitUntilEmpty()  # type: ignore[attr-defined]
    store = spark._jsparkSession.sharedState().statusStore()  # type: ignore[attr-defined]
    return int(store.executionsList(store.executionsCount() - 1, 1).apply(0).executionId())


def test_a_batch_without_rows_is_judged_without_spark(
    make_contract: Callable[..., Contract], spark: SparkSession
) -> None:
    contract = make_contract(
        [
            expect("column_values_to_not_be_null", "a", column="name"),
            expect("column_max_to_be_between", "b", column="amount", max_value=1),
        ],
        TYPES,
    )

    assert [(r.rule, r.success) for r in Gate.compile(contract).judge(None)] == [("a", True), ("b", False)]


def test_no_value_of_a_subject_comes_into_a_result(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    contract = make_contract(
        [
            expect("column_max_to_be_between", "highest", column="customer", max_value=0),
            expect("column_max_to_be_between", "most", column="amount", max_value=0),
            expect("column_values_to_be_in_set", "known", column="name", value_set=["Zoe"]),
            expect("column_distinct_values_to_be_in_set", "names", column="name", value_set=["Zoe"]),
        ],
        TYPES,
        subject=("customer", "name"),
    )

    found = Gate.compile(contract).evaluate(frame, [TUE], {}, {})[TUE]

    assert [r.native()["result"] for r in found.results] == [
        {"observed_value": None},
        {"observed_value": 4.0},
        {
            "element_count": 2,
            "unexpected_count": 2,
            "unexpected_percent": 100.0,
            "missing_count": 0,
            "missing_percent": 0.0,
            "unexpected_percent_total": 100.0,
            "unexpected_percent_nonmissing": 100.0,
        },
        {"unexpected_count": 1, "observed_value": None},
    ]
    text = json.dumps([r.native() for r in found.results]) + "".join(r.summary() for r in found.results)
    assert "Ann" not in text


def test_sql_that_fails_on_a_value_names_the_condition_and_not_the_value(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    condition = {"type": "pass_through", "pass_through_filter": "CAST(name AS INT) > 1"}
    contract = make_contract(
        [expect("column_values_to_not_be_null", column="name", row_condition=condition)], TYPES
    )

    with pytest.raises(GateFailed) as raised:
        verdicts(contract, frame)

    assert "CAST_INVALID_INPUT" in str(raised.value)
    assert "Ann" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_sql_that_cannot_be_resolved_names_the_rule(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    condition = {"type": "pass_through", "pass_through_filter": "nme = 'Ann'"}
    contract = make_contract(
        [expect("column_values_to_not_be_null", "named", column="name", row_condition=condition)], TYPES
    )

    with pytest.raises(ConfigurationError, match=r"the rule 'named'.*`nme`"):
        verdicts(contract, frame)


def test_sql_that_cannot_be_parsed_names_the_rule(
    frame: DataFrame, make_contract: Callable[..., Contract]
) -> None:
    condition = {"type": "pass_through", "pass_through_filter": "name = ("}
    contract = make_contract(
        [expect("column_values_to_not_be_null", "named", column="name", row_condition=condition)], TYPES
    )

    with pytest.raises(ConfigurationError, match=r"the rule 'named'.*PARSE_SYNTAX_ERROR"):
        verdicts(contract, frame)

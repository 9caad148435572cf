"""Each detector of look-ahead, on the least that sets it off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakesmith.errors import ExitCode
from lakesmith.ml.guards import (
    LookAhead,
    check_ages,
    check_delete_the_future,
    check_files,
    check_gaps,
    days_to_check,
)
from lakesmith.ml.split import AsOfDates, Fold
from shops import PROJECT, night

RETURNING = PROJECT.models["returning"]
CONTRACT = PROJECT.graph.contract("gold.customers")
DATES = AsOfDates(
    night(40), (night(1), night(8), night(15)), (Fold((night(1),), (night(8),)),), (night(22), night(23))
)


def said(check: Callable[[], None]) -> str:
    """What a check that must refuse says."""
    with pytest.raises(LookAhead) as caught:
        check()
    assert caught.value.exit_code is ExitCode.REJECTED
    assert caught.value.model == "returning"
    return str(caught.value)


def test_a_gap_as_long_as_the_horizon_will_do() -> None:
    check_gaps(RETURNING, DATES)


@pytest.mark.parametrize(
    ("dates", "text"),
    [
        (
            replace(DATES, test=(night(21), night(23))),
            "the label of 2024-01-15 is decided on 2024-01-22, after 2024-01-21",
        ),
        (
            replace(DATES, folds=(Fold((night(1),), (night(7),)),)),
            "the label of 2024-01-01 is decided on 2024-01-08, after 2024-01-07",
        ),
    ],
    ids=["before the test", "within a fold"],
)
def test_a_day_less_lets_the_future_in(dates: AsOfDates, text: str) -> None:
    assert said(lambda: check_gaps(RETURNING, dates)) == (
        f"returning: {text}, on which the model is judged. Nothing was trained. "
        "Let split.gap in conf/models/returning.yml be 7d at least."
    )


def ages(spark: SparkSession, *values: int | None) -> DataFrame:
    return spark.createDataFrame(
        [(value, -1.0) for value in values], "recency_days int, gap_mean_days double"
    )


def test_an_age_below_zero_is_a_day_after_the_batch(spark_session: SparkSession) -> None:
    declaration = replace(RETURNING, features=("recency_days", "orders_14d"))
    check_ages(declaration, CONTRACT, ages(spark_session, 0, 3, None))

    found = said(lambda: check_ages(declaration, CONTRACT, ages(spark_session, 0, -1, -2)))

    assert found == (
        "returning: gold.customers.recency_days is below 0 in 2 rows: days after the batch were read. Nothing was trained. "
        "Look at jobs/gold/customers.py; a transform reads days only through its windows."
    )


def test_only_what_is_measured_in_days_has_an_age(spark_session: SparkSession) -> None:
    # Asked for nothing else, it does not even look: this frame has no such column.
    check_ages(replace(RETURNING, features=("orders_14d", "last_channel")), CONTRACT, ages(spark_session, -1))


def test_a_batch_that_differs_by_itself_had_seen_more() -> None:
    published = {night(8): "one", night(22): "two"}
    asked: list[date] = []

    def alone(day: date) -> str:
        asked.append(day)
        return "one" if day == night(8) else "other"

    def check() -> None:
        check_delete_the_future(RETURNING, CONTRACT, published.__getitem__, alone, published)

    assert said(check) == (
        "returning: gold.customers 2024-01-22 comes out differently without the days after it. Nothing was trained. "
        "Look at jobs/gold/customers.py: does every grouping and window name batch_date?"
    )
    assert asked == [night(8), night(22)]
    check_delete_the_future(RETURNING, CONTRACT, published.__getitem__, published.__getitem__, published)


def test_a_file_of_another_day_is_no_input() -> None:
    allowed = frozenset({"part-1 a.parquet", "part-2.parquet"})
    read = [
        "file:///lake/bronze/orders/batches/r1/part-1%20a.parquet",
        "s3a://lake/bronze/orders/part-2.parquet",
    ]
    check_files(RETURNING, CONTRACT, night(8), read, allowed)
    check_files(RETURNING, CONTRACT, night(8), [], allowed)

    others = [*read, "file:/lake/bronze/orders/part-4.parquet", "file:/lake/bronze/orders/part-3.parquet"]
    assert said(lambda: check_files(RETURNING, CONTRACT, night(8), others, allowed)) == (
        "returning: gold.customers 2024-01-08 is computed from files that its windows do not allow (2, part-3.parquet among "
        "them). Nothing was trained. Look at jobs/gold/customers.py: a transform reads its inputs and nothing by a path of its "
        "own."
    )


def test_the_days_looked_at_have_trade_the_day_after() -> None:
    open_days = [day + timedelta(1) for day in (night(1), night(15), night(22))]
    assert days_to_check(DATES, open_days) == (night(15), night(22))
    assert days_to_check(DATES, []) == ()

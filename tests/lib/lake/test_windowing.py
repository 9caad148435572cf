"""Windows as pairs: against a brute force over every row and every batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.windows import Window
from lakesmith.lake.windowing import window_pairs

START = date(2011, 2, 20)
SCHEMA = "id int, batch_date date, note string"

# Rows from before the start of history to after the last batch; several a day and days without any.
DAYS = st.integers(-6, 30).map(lambda offset: START + timedelta(offset))
LENGTHS = st.integers(1, 12)
WINDOWS = st.one_of(
    st.just(Window.same_day()),
    LENGTHS.map(Window.last),
    LENGTHS.map(Window.ahead),
    LENGTHS.map(Window.previous),
)


def brute_force(rows: Sequence[date], window: Window, batches: Sequence[date]) -> list[tuple[object, ...]]:
    """Every pair of a row and a batch, kept when the offset between them is one that the window names."""
    return sorted(
        (n, batch, f"row {n}", day, (batch - day).days)
        for n, day in enumerate(rows)
        for batch in set(batches)
        if window.first_offset <= (day - batch).days <= window.last_offset and day >= START
    )


def frame_of(spark: SparkSession, rows: Sequence[date]) -> DataFrame:
    return spark.createDataFrame([(n, day, f"row {n}") for n, day in enumerate(rows)], SCHEMA)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(DAYS, max_size=25),
    window=WINDOWS,
    batches=st.lists(DAYS, max_size=8),
    spread_by=st.sampled_from([(), ("id",)]),
)
def test_pairs_equal_a_brute_force(
    spark_session: SparkSession,
    rows: list[date],
    window: Window,
    batches: list[date],
    spread_by: tuple[str, ...],
) -> None:
    pairs = window_pairs(frame_of(spark_session, rows), window, batches, START, spread_by=spread_by)

    expected = brute_force(rows, window, batches)
    if window.is_same_day:
        assert pairs.columns == ["id", "batch_date", "note"]
        expected = [pair[:3] for pair in expected]
    else:
        assert pairs.columns == ["id", "batch_date", "note", "input_date", "age_days"]
        assert dict(pairs.dtypes)["age_days"] == "int"
    assert sorted(tuple(row) for row in pairs.collect()) == expected


@pytest.mark.parametrize(
    ("window", "ages"),
    [
        (Window.last(3), [2, 1, 0]),
        (Window.ahead(3), [-1, -2, -3]),
        (Window.previous(3), [3, 2, 1]),
    ],
    ids=str,
)
def test_a_batch_sees_the_days_of_its_window_and_no_other(
    spark_session: SparkSession, window: Window, ages: list[int]
) -> None:
    batch = START + timedelta(10)
    rows = [START + timedelta(n) for n in range(21)]

    pairs = window_pairs(frame_of(spark_session, rows), window, [batch], START)

    assert [row["age_days"] for row in pairs.orderBy("input_date").collect()] == ages
    assert {row["batch_date"] for row in pairs.collect()} == {batch}


def test_pairs_of_a_range_are_the_pairs_of_its_batches(spark_session: SparkSession) -> None:
    rows = frame_of(spark_session, [START + timedelta(n % 15) for n in range(40)])
    batches = [START + timedelta(n) for n in (0, 4, 5, 6, 13)]

    whole = window_pairs(rows, Window.last(5), batches, START).collect()
    one_by_one = [
        pair for day in batches for pair in window_pairs(rows, Window.last(5), [day], START).collect()
    ]

    assert sorted(whole) == sorted(one_by_one)


def test_grouping_by_the_columns_that_rows_are_spread_by_moves_no_pairs(spark_session: SparkSession) -> None:
    rows = frame_of(spark_session, [START, START + timedelta(1)])
    batches = [START + timedelta(n) for n in range(5)]

    pairs = window_pairs(rows, Window.last(3), batches, START, spread_by=["id"])
    plan = pairs.groupBy("batch_date", "id").count()._jdf.queryExecution().executedPlan().toString()

    assert plan.count("Exchange") == 1
    assert "REPARTITION_BY_NUM" in plan

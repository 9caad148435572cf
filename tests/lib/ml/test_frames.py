"""Rows to train on: joined, in one order whatever files they came from, every one with a label, and measured within bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.errors import DataRejected, InputMissing
from lakesmith.ml import frames
from lakesmith.ml.frames import check_labels, collect_predictions, in_order, of_dates, training_frame
from shops import PROJECT, night

RETURNING = PROJECT.models["returning"]
LAG = PROJECT.graph.contract("gold.next_week").lag_days
SMALL = replace(RETURNING, features=("orders_14d",), segments={"size": "IF(orders_14d > 2, 'many', 'few')"})
DDL = "customer_id bigint, orders_14d bigint, label double, batch_date date"

Row = tuple[int, int, float | None, date]


def rows(*days: int, customers: int = 10) -> list[Row]:
    return [(n, n % 5, float(n % 2), night(day)) for day in days for n in range(customers)]


def frame(spark: SparkSession, given: Sequence[Row]) -> DataFrame:
    return spark.createDataFrame(list(given), DDL)


def test_a_row_for_each_entity_and_day_that_has_features(spark_session: SparkSession) -> None:
    features = spark_session.createDataFrame(
        [(1, 5, "x", night(1)), (2, 6, "y", night(1)), (1, 7, "z", night(2))],
        "customer_id bigint, orders_14d bigint, unused string, batch_date date",
    )
    labels = spark_session.createDataFrame(
        [(1, True, night(1)), (2, False, night(1)), (3, True, night(1))],
        "customer_id bigint, bought boolean, batch_date date",
    )

    found = training_frame(SMALL, features, labels)

    assert sorted(found.columns) == ["batch_date", "customer_id", "label", "orders_14d"]
    collected = found.select("customer_id", "batch_date", "orders_14d", "label").collect()
    assert sorted((tuple(row) for row in collected), key=repr) == [
        (1, night(1), 5, 1.0),
        (1, night(2), 7, None),
        (2, night(1), 6, 0.0),
    ]


@pytest.mark.parametrize(("count", "tasks"), [(30, 1), (500_001, 3)])
def test_rows_stand_in_one_order_whatever_files_they_came_from(
    spark_session: SparkSession, count: int, tasks: int
) -> None:
    given = rows(1, 2, 3)

    def placed(found: DataFrame) -> list[Any]:
        ordered = in_order(found, RETURNING, count)
        assert ordered.rdd.getNumPartitions() == tasks
        return ordered.select(F.spark_partition_id(), "batch_date", "customer_id").collect()

    whole = placed(frame(spark_session, given).coalesce(1))
    scattered = placed(frame(spark_session, given[::-1]).repartition(5))
    assert scattered == whole
    assert len(whole) == len(given)
    assert [tuple(row)[1:] for row in whole if row[0] == whole[0][0]] == sorted(
        tuple(row)[1:] for row in whole if row[0] == whole[0][0]
    )


def test_only_the_dates_asked_for(spark_session: SparkSession) -> None:
    found = of_dates(frame(spark_session, rows(1, 2, 3)), [night(3), night(1)])
    assert sorted({row["batch_date"] for row in found.collect()}) == [night(1), night(3)]


def test_rows_are_counted_by_day(spark_session: SparkSession) -> None:
    given = [*rows(1, customers=3), *rows(2, customers=5)]
    assert check_labels(RETURNING, frame(spark_session, given), LAG) == {night(1): 3, night(2): 5}


def test_a_row_without_a_label_is_told_with_the_night_that_makes_it(spark_session: SparkSession) -> None:
    given = [*rows(1), (98, 1, None, night(3)), (99, 1, None, night(2)), (97, 1, None, night(2))]

    with pytest.raises(InputMissing) as caught:
        check_labels(RETURNING, frame(spark_session, given), LAG)

    assert str(caught.value) == (
        "returning: 2 rows of gold.customers 2024-01-02 have no label in gold.next_week; 2 as-of dates are so. "
        "Publish the labels first: lakesmith run --date 2024-01-09 --table gold.next_week"
    )


def test_a_class_is_0_or_1(spark_session: SparkSession) -> None:
    given = frame(spark_session, [*rows(1), (98, 1, 2.0, night(1)), (99, 1, -1.0, night(1))])

    with pytest.raises(DataRejected) as caught:
        check_labels(RETURNING, given, LAG)

    assert str(caught.value) == (
        "returning: 2 labels in gold.next_week.bought are neither 0 nor 1. Say what is predicted by a boolean, or declare "
        "problem: regression in conf/models/returning.yml."
    )
    assert check_labels(PROJECT.models["revenue"], given, LAG) == {night(1): 12}


def test_predictions_come_in_one_order_with_their_segments(spark_session: SparkSession) -> None:
    scored = frame(spark_session, rows(2, 1)).withColumn("score", F.col("customer_id") / 10)

    found = [collect_predictions(SMALL, part, 20, segments=True) for part in (scored, scored.repartition(3))]

    for predictions in found:
        assert predictions.share == 1.0
        assert predictions.entities[:10].tolist() == sorted(predictions.entities[:10].tolist())
        assert predictions.entities[:10].tolist() == predictions.entities[10:].tolist()
        assert sorted(
            zip(predictions.scores, predictions.labels, predictions.segments["size"], strict=True)
        ) == sorted(
            (n / 10, float(n % 2), "many" if n % 5 > 2 else "few") for n in range(10) for _ in range(2)
        )
    assert found[0].scores.tolist() == found[1].scores.tolist()
    assert collect_predictions(SMALL, scored, 20).segments == {}


def test_too_many_rows_are_a_sample_of_entities(
    spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_MOST_ROWS_MEASURED", 50)
    scored = frame(spark_session, rows(1, 2, customers=100)).withColumn("score", F.lit(0.5))

    found = collect_predictions(SMALL, scored, 200)

    assert found.share == 0.25
    counts = {int(entity): found.entities.tolist().count(entity) for entity in set(found.entities.tolist())}
    # All rows of a customer or none: a quarter of the customers, not of the rows.
    assert set(counts.values()) == {2}
    assert 15 <= len(counts) <= 35

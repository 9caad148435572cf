"""The baseline profile: every training row is counted once, in a bin, as a null or as a value."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from lakesmith.ml.profile import baseline_profile
from shops import PROJECT

CONTRACT = PROJECT.graph.contract("gold.customers")
DDL = (
    "recency_days int, amount_14d decimal(12,2), gap_mean_days double, last_channel string, last_weekday int"
)


def test_counts_add_up(spark_session: SparkSession) -> None:
    given = [
        (
            0,
            Decimal(n),
            float(n) if n % 4 else None,
            "web" if n % 3 else ("shop" if n % 2 else None),
            1 + n % 7,
        )
        for n in range(100)
    ]
    rows = spark_session.createDataFrame(given, DDL)

    found = baseline_profile(
        CONTRACT, rows, ["recency_days", "amount_14d", "gap_mean_days"], ["last_channel", "last_weekday"]
    )

    assert json.loads(json.dumps(found)) == found
    # A column of one value has one edge, and nothing above it.
    assert found["recency_days"] == {
        "type": "int",
        "count": 100,
        "nulls": 0,
        "mean": 0.0,
        "stddev": 0.0,
        "min": 0.0,
        "max": 0.0,
        "edges": [0.0],
        "counts": [100, 0],
    }
    amount = found["amount_14d"]
    assert (amount["type"], amount["min"], amount["max"], amount["mean"]) == (
        "decimal(12,2)",
        0.0,
        99.0,
        49.5,
    )
    assert amount["stddev"] == pytest.approx(28.866070047722118)
    assert amount["edges"] == [9.0, 19.0, 29.0, 39.0, 49.0, 59.0, 69.0, 79.0, 89.0]
    assert amount["counts"] == [10] * 10
    gap = found["gap_mean_days"]
    assert (gap["count"], gap["nulls"], sum(gap["counts"])) == (75, 25, 75)
    assert found["last_channel"] == {
        "type": "string",
        "count": 83,
        "nulls": 17,
        "values": {"web": 66, "shop": 17},
    }
    # A hundred days: fifteen of the first two weekdays, fourteen of the others.
    assert list(found["last_weekday"]["values"].items()) == [
        (str(n), 15 if n <= 2 else 14) for n in range(1, 8)
    ]


def test_only_the_hundred_most_frequent_categories_are_kept(spark_session: SparkSession) -> None:
    given = [
        (0, Decimal(0), None, f"channel {n:03}", 1) for n in range(150) for _ in range(2 if n >= 140 else 1)
    ]
    found = baseline_profile(CONTRACT, spark_session.createDataFrame(given, DDL), [], ["last_channel"])
    assert list(found) == ["last_channel"]
    channel = found["last_channel"]
    assert (channel["count"], channel["nulls"], len(channel["values"])) == (160, 0, 100)
    kept = [f"channel {n:03}" for n in [*range(140, 150), *range(90)]]
    assert list(channel["values"]) == kept

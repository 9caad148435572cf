"""One hash over columns: equal for equal values, different when a null, a position or an entry differs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.types import parse_type
from lakesmith.lake.digest_expression import hash_columns

NAN = float("nan")


def hashes(spark: SparkSession, types: list[str], rows: list[tuple[Any, ...]], salt: int = 0) -> list[int]:
    """The hash of each row, in order."""
    schema = "n int, " + ", ".join(f"c{at} {text}" for at, text in enumerate(types))
    frame = spark.createDataFrame([(n, *row) for n, row in enumerate(rows)], schema)
    columns = [(F.col(f"c{at}"), parse_type(text)) for at, text in enumerate(types)]
    hashed = frame.select("n", hash_columns(columns, salt).alias("hash"))
    return [row["hash"] for row in hashed.orderBy("n").collect()]


def test_nulls_and_positions_count(spark_session: SparkSession) -> None:
    rows = [
        ("a", "b"),
        ("b", "a"),
        ("ab", ""),
        ("", "ab"),
        ("a", None),
        (None, "a"),
        ("", None),
        (None, ""),
        (None, None),
    ]
    found = hashes(spark_session, ["string", "string"], rows)
    assert len(set(found)) == len(rows)
    assert None not in found


def test_zeros_are_one_and_nans_are_one(spark_session: SparkSession) -> None:
    values = [0.0, -0.0, NAN, -NAN, None, 1.0]
    for text in ("double", "float"):
        plus, minus, nan, other_nan, null, one = hashes(spark_session, [text], [(v,) for v in values])
        assert plus == minus
        assert nan == other_nan
        assert len({plus, nan, null, one}) == 4


def test_a_salt_makes_another_hash(spark_session: SparkSession) -> None:
    assert hashes(spark_session, ["int"], [(7,)], salt=1) != hashes(spark_session, ["int"], [(7,)], salt=2)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("array<int>", [None, [], [None], [1, 2], [2, 1], [1, 2, None]]),
        ("array<string>", [["a", "b"], ["a,b"], ['a","b'], ["null"], [None]]),
        ("map<string,int>", [None, {}, {"a": 1}, {"a": None}, {"a": 1, "b": 2}, {"a": 2, "b": 1}]),
        ("map<int,map<string,double>>", [{}, {1: {}}, {1: None}, {1: {"a": 0.5}}, {2: {"a": 0.5}}]),
        ("struct<a:int,b:string>", [None, (None, None), (1, None), (1, ""), (1, "x")]),
        ("array<struct<a:int>>", [[None], [(None,)], [(1,)], [(1,), None]]),
        (
            "array<timestamp>",
            [[datetime(2011, 3, 1, 12, 0, 0, micros, tzinfo=UTC)] for micros in (0, 1, 999)],
        ),
        ("array<binary>", [[b""], [b"\x00"], [b"\xff\xfe"], [None]]),
        (
            "array<decimal(20,3)>",
            [[Decimal("0.100")], [Decimal("0.010")], [Decimal("99999999999999999.001")]],
        ),
        ("array<date>", [[date(2011, 3, 1)], [date(2011, 3, 2)]]),
        ("array<double>", [[0.5], [NAN], [None], [float("inf")], [0.0]]),
        ("decimal(38,3)", [Decimal("0.100"), Decimal("0.010"), None]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_different_values_have_different_hashes(
    spark_session: SparkSession, text: str, values: list[Any]
) -> None:
    found = hashes(spark_session, [text], [(value,) for value in values])
    assert len(set(found)) == len(values)


# Written in SQL: a dict loses its order on the way into the JVM.
@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("map<string,int>", "map('a', 1, 'b', 2)", "map('b', 2, 'a', 1)"),
        ("struct<m:map<int,string>>", "struct(map(2, 'x', 10, null))", "struct(map(10, null, 2, 'x'))"),
        (
            "array<map<string,array<double>>>",
            "array(map('a', array(0.0D), 'b', array(double('NaN'))))",
            "array(map('b', array(double('NaN')), 'a', array(-0.0D)))",
        ),
        ("array<struct<x:map<int,int>>>", "array(struct(map(1, 1, 2, 2)))", "array(struct(map(2, 2, 1, 1)))"),
    ],
    ids=lambda value: value if "<" in value else "",
)
def test_the_order_of_a_maps_entries_does_not_count(
    spark_session: SparkSession, text: str, one: str, other: str
) -> None:
    values = [F.expr(f"CAST({value} AS {text})") for value in (one, other)]
    hashed = spark_session.range(1).select(
        *[hash_columns([(value, parse_type(text))], 0) for value in values]
    )
    assert len(set(hashed.collect()[0])) == 1

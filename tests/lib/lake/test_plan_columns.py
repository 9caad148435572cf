"""Where columns come from, by the plans of small frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from lakesmith.lake.plan_columns import analyzed_plan, columns_of, marked
from lakesmith.ledger.columns import ColumnSource, TableColumns

TARGETS = {"a": "silver.a", "b": "silver.b"}


@pytest.fixture(scope="module")
def a(spark_session: SparkSession) -> DataFrame:
    return marked(spark_session.createDataFrame([(1, 2, 3)], "k int, x int, y int"), "a")


@pytest.fixture(scope="module")
def b(spark_session: SparkSession) -> DataFrame:
    return marked(spark_session.createDataFrame([(1, 2)], "k int, z int"), "b")


def told(frame: DataFrame) -> TableColumns:
    found = columns_of(analyzed_plan(frame), TARGETS)
    assert TableColumns.from_json(found.to_json()) == found
    return found


def sources(frame: DataFrame) -> dict[str, str]:
    return {
        name: " ".join(str(s).removeprefix("silver.") for s in found)
        for name, (found, _) in told(frame).columns.items()
    }


def deciding(frame: DataFrame) -> str:
    return " ".join(str(s).removeprefix("silver.") for s in told(frame).deciding)


def as_it_is(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    yield from frames


def test_joins_filters_and_sums(a: DataFrame, b: DataFrame) -> None:
    both = a.join(b, "k", "left").where("y > 0")
    summed = both.groupBy("k").agg(F.sum(F.col("x") + F.col("z")).alias("s"), F.lit(1).alias("one"))
    assert sources(summed) == {"k": "a.k", "s": "a.x b.z", "one": ""}
    assert deciding(summed) == "a.k a.y b.k"
    assert told(summed).opaque == ()
    assert sources(a.join(b, "k", "left_semi")) == {"k": "a.k", "x": "a.x", "y": "a.y"}


def test_both_sides_of_a_self_join_are_found_again(a: DataFrame) -> None:
    joined = a.select("k", "x").join(a.select("k", F.col("y").alias("x2")), "k")
    assert sources(joined) == {"k": "a.k", "x": "a.x", "x2": "a.y"}


def test_columns_laid_over_each_other(a: DataFrame, b: DataFrame) -> None:
    both = a.select("k", "x").unionByName(b.select("k", F.col("z").alias("x")))
    assert sources(both) == {"k": "a.k b.k", "x": "a.x b.z"}
    assert sources(a.rollup("k").agg(F.max("x").alias("m"))) == {"k": "a.k", "m": "a.x"}


def test_windows_generators_and_picks(a: DataFrame) -> None:
    nth = F.row_number().over(Window.partitionBy("k").orderBy("y"))
    assert sources(a.withColumn("n", nth))["n"] == "a.k a.y"
    assert sources(a.select("k", F.explode(F.array("x", "y")).alias("e"))) == {"k": "a.k", "e": "a.x a.y"}
    picked = a.groupBy("k").agg(F.max_by("x", F.struct("y")).alias("m"))
    assert sources(picked) == {"k": "a.k", "m": "a.x a.y"}


def test_what_a_plan_cannot_say_is_said(a: DataFrame) -> None:
    by_python = F.udf(lambda value: value, "int")
    found = told(a.select("k", by_python("x").alias("u")))
    assert found.columns["u"] == ((ColumnSource("silver.a", "x"),), ("PythonUDF",))
    assert found.columns["k"] == ((ColumnSource("silver.a", "k"),), ())
    assert found.opaque == ()

    every = tuple(ColumnSource("silver.a", name) for name in "kxy")
    found = told(a.mapInPandas(as_it_is, "k int, x int, y int").select("k"))
    assert found.columns == {"k": (every, ("MapInPandas",))}
    assert found.opaque == ("MapInPandas",)


@pytest.mark.parametrize("text", ["{}", "[]", '[{"x": 1}]'])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plan"):
        columns_of(text, {})


def test_a_plan_is_read_without_spark() -> None:
    """One projection of one marked input, as Spark 4.0 writes it."""

    def attribute(name: str, number: int) -> dict[str, Any]:
        kind = "org.apache.spark.sql.catalyst.expressions.AttributeReference"
        return {"class": kind, "num-children": 0, "name": name, "exprId": {"id": number, "jvmId": "j"}}

    logical = "org.apache.spark.sql.catalyst.plans.logical"
    alias = {"class": "org.apache.spark.sql.catalyst.expressions.Alias", "num-children": 1, "child": 0}
    plan = [
        {
            "class": f"{logical}.Project",
            "num-children": 1,
            "projectList": [[{**alias, "name": "twice", "exprId": {"id": 9}}, attribute("x", 1)]],
        },
        {
            "class": f"{logical}.SubqueryAlias",
            "num-children": 1,
            "identifier": {"name": "_lakesmith_input_a"},
            "child": 0,
        },
        {"class": f"{logical}.LocalRelation", "num-children": 0, "output": [[attribute("x", 1)]]},
    ]

    found = columns_of(json.dumps(plan), TARGETS)
    assert found.columns == {"twice": ((ColumnSource("silver.a", "x"),), ())}

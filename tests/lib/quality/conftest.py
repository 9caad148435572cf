from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.model import Column, Contract
from lakesmith.contracts.suites import parse_suite
from lakesmith.contracts.types import parse_type

TYPES = {
    "name": "string",
    "units": "bigint",
    "lines": "int",
    "weight": "double",
    "price": "decimal(12,3)",
    "day": "date",
    "at": "timestamp",
    "paid": "boolean",
}

MakeContract = Callable[..., Contract]


@pytest.fixture(scope="session")
def make_contract() -> MakeContract:
    """A contract over the columns above (or others) with a suite of the given expectations."""

    def make(
        expectations: list[dict[str, Any]],
        types: Mapping[str, str] = TYPES,
        *,
        subject: tuple[str, ...] = (),
        required: tuple[str, ...] = (),
        key: tuple[str, ...] = (),
        inputs: tuple[str, ...] = (),
        custom: Mapping[str, frozenset[str]] | None = None,
    ) -> Contract:
        columns = {name: parse_type(text) for name, text in types.items()}
        text = json.dumps({"name": "silver.orders", "expectations": expectations})
        suite, problems = parse_suite(text, "suite.json", columns, inputs, custom or {})
        assert problems == []
        return Contract(
            table="silver.orders",
            description="",
            owner="",
            job="",
            inputs=(),
            key=key,
            columns=tuple(
                Column(name, kind, nullable=name not in required, subject=name in subject)
                for name, kind in columns.items()
            ),
            suite=suite,
        )

    return make


@pytest.fixture(scope="session")
def spark(spark_session: SparkSession) -> SparkSession:
    return spark_session


DAY, ONE_ROW, ONLY_NULLS, EMPTY = (date(2011, 3, day) for day in (1, 2, 3, 4))


def _utc(*parts: int) -> datetime:
    """A time as Spark takes it for the session's zone, UTC."""
    return datetime(*parts, tzinfo=UTC)


@pytest.fixture(scope="session")
def orders(spark: SparkSession) -> Iterator[DataFrame]:
    """Four batches: six rows with nulls, NaN and infinity; one row; one row of nulls; none."""
    schema = ", ".join(f"{name} {kind}" for name, kind in TYPES.items()) + ", batch_date date"
    nan, infinity = float("nan"), float("inf")
    rows = [
        ("a", 1, 1, 1.5, Decimal("1.250"), date(2011, 1, 1), _utc(2011, 1, 1, 10), True, DAY),
        ("bb", 2, None, nan, Decimal("-3"), date(2011, 1, 5), _utc(2011, 1, 2), False, DAY),
        (None, None, None, None, None, None, None, None, DAY),
        ("a", 2, 5, -1.0, Decimal("7"), date(2010, 1, 1), _utc(2012, 1, 1), None, DAY),
        ("Ünï ", None, 3, infinity, None, date(2011, 1, 1), None, True, DAY),
        ("", 2**53 + 1, 1, -0.0, Decimal("1.250"), date(1500, 1, 1), _utc(1969, 12, 31), True, DAY),
        ("a", 3, 3, 0.0, Decimal("0.001"), date(2011, 1, 1), _utc(2011, 1, 1), True, ONE_ROW),
        (None, None, None, None, None, None, None, None, ONLY_NULLS),
    ]
    frame = spark.createDataFrame(rows, schema).coalesce(1).cache()
    yield frame
    frame.unpersist()

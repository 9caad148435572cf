"""A database as Spark reads it, shown on PostgreSQL: every type, every moment, and what its errors become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from lakesmith.config.sections.outside import ConnectionSettings
from lakesmith.contracts.model import Extraction, Partition, Source, SourceColumn, SourceFormat
from lakesmith.contracts.types import ColumnType, PrimitiveType, parse_type
from lakesmith.errors import ConfigurationError, ExitCode, LakesmithError
from lakesmith.lake.databases import (
    AnswerRefused,
    ColumnsDiffer,
    DatabaseUnavailable,
    DriverMissing,
    QueryRefused,
    ReadFailed,
    query_answer,
)
from postgres import PASSWORD, USER, Database
from receivers import free_port

DAY = date(2024, 3, 31)
"""On which Europe's clocks skip an hour."""

Read = Callable[..., Any]


def typed(text: str) -> ColumnType:
    return PrimitiveType(text) if text == "timestamp_ntz" else parse_type(text)


def source(query: str, columns: dict[str, str], partition: Partition | None = None) -> Source:
    declared = tuple(SourceColumn(name, name, type=typed(kind)) for name, kind in columns.items())
    extraction = Extraction("erp", query, fetch_size=2, partition=partition)
    return Source(
        "sales",
        "",
        ("{batch_date}.parquet",),
        SourceFormat.PARQUET,
        declared,
        DAY,
        file="conf/sources/sales.yml",
        extraction=extraction,
    )


def connection(database: Database, **changes: Any) -> ConnectionSettings:
    return ConnectionSettings(**{"url": database.url, "user": USER, "password": PASSWORD, **changes})


@pytest.fixture
def read(spark_session: SparkSession, database: Database, tmp_path: Path) -> Read:
    """The rows of a query as they are in the Parquet file that Spark writes of it."""

    def rows(query: str, columns: dict[str, str], **how: Any) -> list[tuple[Any, ...]]:
        login = connection(database, **how.pop("login", {}))
        folder = tmp_path / uuid4().hex
        with query_answer(spark_session, source(query, columns, **how), login, DAY) as answer:
            answer.frame.write.parquet(str(folder))
        found = pq.read_table(folder)
        return [tuple(row.values()) for row in found.to_pylist()]

    return rows


def test_every_type_comes_as_it_is_declared_to_the_last_digit(read: Read) -> None:
    cases: dict[str, tuple[str, str, Any]] = {
        "tiny": ("7::smallint", "smallint", 7),
        "whole": ("-2147483648", "int", -2147483648),
        "big": ("9223372036854775807", "bigint", 9223372036854775807),
        "price": ("0.01::numeric(12,2)", "decimal(12,2)", Decimal("0.01")),
        "most": (
            f"{'9' * 28}.0123456789::numeric(38,10)",
            "decimal(38,10)",
            Decimal(f"{'9' * 28}.0123456789"),
        ),
        "half": ("0.1::real", "float", 0.10000000149011612),
        "real": ("1e308::float8", "double", 1e308),
        "flag": ("true", "boolean", True),
        "empty": ("''", "string", ""),
        "text": ("E'Café \\U0001F600\\n\"x\",\\u0085'", "string", 'Café \U0001f600\n"x",\x85'),
        "long": ("repeat('ä', 100000)", "string", "ä" * 100_000),
        "short": ("'ab'::varchar(5)", "string", "ab"),
        "document": ("'{\"a\": 1.10}'::jsonb", "string", '{"a": 1.10}'),
        "uuid": (
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            "string",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ),
        "bytes": ("'\\x00ff'::bytea", "binary", b"\x00\xff"),
        "day": ("DATE '2024-03-31'", "date", DAY),
        "old": ("DATE '1500-02-28'", "date", date(1500, 2, 28)),
        "first": ("DATE '0001-01-01'", "date", date(1, 1, 1)),
        "instant": (
            "TIMESTAMPTZ '2024-03-31 01:30:00.000001+00'",
            "timestamp",
            datetime(2024, 3, 31, 1, 30, 0, 1, UTC),
        ),
        # There is no such time in Berlin.
        "skipped": (
            "TIMESTAMP '2024-03-31 02:30:00'",
            "timestamp_ntz",
            datetime.fromisoformat("2024-03-31 02:30:00"),
        ),
        "of_old": (
            "TIMESTAMP '1582-10-04 23:59:59'",
            "timestamp_ntz",
            datetime.fromisoformat("1582-10-04 23:59:59"),
        ),
        "codes": ("ARRAY['22423', NULL]", "array<string>", ["22423", None]),
        "today": (":batch_date", "date", DAY),
        "tomorrow": (":next_date", "date", date(2024, 4, 1)),
        "session_day": ("TIMESTAMPTZ '2024-03-31 23:30:00+00'::date", "date", DAY),
    }
    values = ", ".join(f"{sql} AS {name}" for name, (sql, _, _) in cases.items())
    query = f"WITH v AS (SELECT {values}) SELECT * FROM v UNION ALL SELECT v.* FROM (SELECT 1) AS x LEFT JOIN v ON false"
    found = read(query, {name: kind for name, (_, kind, _) in cases.items()})
    assert dict(zip(cases, found[0], strict=True)) == {name: value for name, (_, _, value) in cases.items()}
    assert found[1:] == [tuple(None for _ in cases)]


def test_a_column_that_is_not_as_declared_is_named_with_what_was_expected_and_found(read: Read) -> None:
    query = "SELECT 1 AS a, 2 AS b, 'x' AS c, 1.5 AS d, TIME '10:00' AS e, now() AS f, 3 AS g, 4 AS g"
    declared = {"a": "bigint", "c": "string", "d": "decimal(38,18)", "e": "string", "g": "int", "z": "date"}
    with pytest.raises(ColumnsDiffer) as caught:
        read(query, declared)
    assert caught.value.exit_code is ExitCode.REJECTED
    assert caught.value.differences == (
        "g: the query gives it twice",
        "z: expected date, the query does not give it",
        "b: the query gives it, it is not declared",
        "f: the query gives it, it is not declared",
        "d: expected decimal(38,18), found numeric without precision and scale, which would be rounded",
        "e: expected string, found time; cast it to text",
    )
    with pytest.raises(ColumnsDiffer) as caught:
        read(
            "SELECT 1 AS a, now() AS b, LOCALTIMESTAMP AS c",
            {"a": "bigint", "b": "timestamp_ntz", "c": "timestamp"},
        )
    assert caught.value.differences == (
        "a: expected bigint, found int",
        "b: expected timestamp_ntz, found timestamp",
        "c: expected timestamp, found timestamp_ntz",
    )


@pytest.mark.parametrize(
    ("query", "error", "words", "code"),
    [
        (
            "SELECT nothing AS a FROM generate_series(1, 2)",
            QueryRefused,
            'column "nothing" does not exist',
            2,
        ),
        ("SELECT 1 AS a FROM nowhere", QueryRefused, 'relation "nowhere" does not exist', 2),
        ("SELECT 1 AS AS a", QueryRefused, "syntax error", 2),
        (
            "SELECT ('geheim' || n)::int AS a FROM generate_series(1, 9) AS n",
            AnswerRefused,
            "SQLSTATE 22P02",
            3,
        ),
        ("SELECT 1 / (n - 5) AS a FROM generate_series(1, 9) AS n", AnswerRefused, "SQLSTATE 22012", 3),
        (
            "SELECT pg_terminate_backend(pg_backend_pid())::int AS a",
            DatabaseUnavailable,
            "does not answer",
            4,
        ),
    ],
)
def test_an_error_of_the_database_says_what_it_means_and_never_a_value(
    read: Read, query: str, error: type[LakesmithError], words: str, code: int
) -> None:
    with pytest.raises(error) as caught:
        read(query, {"a": "int"})
    assert words in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert (caught.value.exit_code, caught.value.retryable) == (code, code == 4)
    assert caught.value.__cause__ is None


def test_what_no_type_of_ours_holds(read: Read) -> None:
    with pytest.raises(AnswerRefused) as caught:
        read("SELECT 'NaN'::numeric(5,2) AS a", {"a": "decimal(5,2)"})
    assert caught.value.batch_date == DAY
    # Spark's own stand-ins, as docs/databases.md says.
    ((moment, day),) = read(
        "SELECT 'infinity'::timestamptz AS a, 'infinity'::date AS b", {"a": "timestamp", "b": "date"}
    )
    assert (moment, day) == (datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC), date(9999, 12, 31))
    with pytest.raises(ReadFailed, match=r"java\.lang\.ArithmeticException"):
        read("SELECT 'infinity'::timestamp AS a", {"a": "timestamp_ntz"})


def test_what_is_no_fault_of_the_database_is_named_by_its_kind_alone(
    spark_session: SparkSession, database: Database
) -> None:
    asked = source("SELECT 'geheim' AS a", {"a": "string"})
    with (
        pytest.raises(ReadFailed) as caught,
        query_answer(spark_session, asked, connection(database), DAY) as answer,
    ):
        answer.frame.selectExpr("raise_error(a)").collect()
    assert "SparkRuntimeException" in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_a_database_that_cannot_be_reached_or_entered(read: Read, database: Database) -> None:
    nowhere = f"jdbc:postgresql://127.0.0.1:{free_port()}/x"
    for changes, error in [
        ({"url": nowhere}, DatabaseUnavailable),
        ({"password": "wrong, geheim"}, QueryRefused),
        ({"url": f"{database.url}_not"}, QueryRefused),
        ({"driver": "org.example.Driver"}, DriverMissing),
        ({"url": "jdbc:example:x"}, ConfigurationError),
    ]:
        with pytest.raises(error) as caught:
            read("SELECT 1 AS a", {"a": "int"}, login=changes)
        assert "geheim" not in str(caught.value)


def test_a_read_over_several_connections_is_of_one_moment(
    spark_session: SparkSession, database: Database
) -> None:
    database.run("CREATE TABLE t AS SELECT n, 'old' AS said FROM generate_series(1, 1000) AS n")
    spread = source("SELECT n, said FROM t", {"n": "int", "said": "string"}, Partition("n", 4))
    with query_answer(spark_session, spread, connection(database), DAY) as answer:
        # Between the moment that is shared and the reading.
        database.run("UPDATE t SET said = 'new'; DELETE FROM t WHERE n > 500")
        assert answer.frame.groupBy("said").count().collect() == [("old", 1000)]
        assert "[numPartitions=4]" in answer.frame._jdf.queryExecution().toString()
        assert answer.snapshot == "one moment, shared by 4 connections"
    with query_answer(spark_session, spread, connection(database), DAY) as answer:
        assert answer.frame.groupBy("said").count().collect() == [("new", 500)]
    # No session of ours is left behind in a transaction.
    left = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
    )
    assert database.run(left) == "0"
    empty = replace(spread, extraction=replace(spread.extraction, query="SELECT n, said FROM t WHERE n < 0"))
    with query_answer(spark_session, empty, connection(database), DAY) as answer:
        assert answer.frame.collect() == []


def test_one_connection_reads_one_moment_and_says_which(
    spark_session: SparkSession, database: Database
) -> None:
    one = source("SELECT 1 AS a", {"a": "int"})
    before = database.run("SELECT date_trunc('milliseconds', now())::text")
    with query_answer(spark_session, one, connection(database), DAY) as answer:
        assert answer.snapshot == "one statement over one connection"
        assert answer.database.startswith("PostgreSQL ")
        assert datetime.fromisoformat(before) <= answer.database_time <= datetime.now(UTC)
        assert answer.columns == (("a", "int"),)


def test_the_jvm_has_its_own_time_zone_again(spark_session: SparkSession, read: Read) -> None:
    zones = spark_session.sparkContext._jvm.java.util.TimeZone
    before = zones.getDefault()
    zones.setDefault(zones.getTimeZone("Europe/Berlin"))
    try:
        rows = read("SELECT TIMESTAMP '2024-03-31 02:30:00' AS a", {"a": "timestamp_ntz"})
        assert rows == [(datetime.fromisoformat("2024-03-31 02:30:00"),)]
        assert zones.getDefault().getID() == "Europe/Berlin"
    finally:
        zones.setDefault(before)

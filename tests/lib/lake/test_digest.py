"""The digest of a batch: equal for equal rows however they come, different for the smallest difference.

The platform pins what rows depend on (`lakesmith.lake.session`: the session's time zone, ANSI arithmetic, how Parquet keeps
times and days before 1582). A digest must not lean on any of that: it is written down and compared for years.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from every_type import EVERY_TYPE
from lakesmith.contracts.model import Column
from lakesmith.contracts.types import parse_type
from lakesmith.lake.digest import digest_aggregates, digest_of

COLUMNS = [Column(name, parse_type(kind)) for name, (kind, _) in EVERY_TYPE.items()]

# What is written down in lakes already; computed once more by hand in plain Python, with another xxHash. Other digests for the
# same rows would make every batch look changed: a new format, to be named in CHANGELOG.md.
PINNED = {
    "text": "a4fab35642eee8ac0baa0d918c19ddf7",
    "big": "23f6d224c9fd3ce9891a37f4c37a476c",
    "whole": "1ab00b48449c819c24418695eaed9077",
    "small": "8b7c47e1dd186d3ea5a9da8869afe33e",
    "tiny": "68a07f4961fb360c1cf50ad06a9df421",
    "real": "4873c4d851ecf1c519d3cba4ad011504",
    "half": "36f4a1c36353f655bed39331e9883ddd",
    "flag": "9cc2f470b2461fcf1009e60f403215d7",
    "bytes": "2b217a2253a9ffab76b780be09c9e0be",
    "day": "b8f02d535fba20b0b2ac37ad77803b6d",
    "moment": "e279652eb2b91aac95daa91a114baf5e",
    "price": "96bb53214eed92d9497556858effb9b0",
    "amount": "ef0cb7dd077392af76207892daca011f",
    "products": "7e7bda100e16f65f433230ed1f940d8a",
    "reals": "ebd8f5516baa574c0428be68027d5715",
    "halves": "c260e4dd0f989280f3483f8971739004",
    "days": "02bf9416c052eb283ae6e680eeaeacce",
    "moments": "11fee60d9cf18ec4348b8c25d2754ee6",
    "prices": "bdcc2fda8ac8b7d7e842823d3b6691f6",
    "extra": "f26a0b6d2cc5415439d3c0c4bf22aa05",
    "line": "65dec0f361d820e7c3a5ecf874096d56",
    "the whole table": "516594d8ddf003b6905c88666d06da01",
}


def digests(frame: DataFrame, columns: Sequence[Column]) -> dict[Any, str]:
    """The digest of each batch of a frame, whose column `batch` says which row is whose."""
    aggregates = [column.alias(name) for name, column in digest_aggregates(columns).items()]
    found = frame.groupBy("batch").agg(*aggregates).collect()
    return {row["batch"]: digest_of(columns, row.asDict())[0] for row in found}


def batches(
    spark: SparkSession, types: Sequence[str], rows: Sequence[Sequence[tuple[Any, ...]]]
) -> tuple[DataFrame, list[Column]]:
    """Batches given as lists of rows, in one frame."""
    columns = [Column(f"c{at}", parse_type(kind)) for at, kind in enumerate(types)]
    schema = ", ".join(["batch int", *(f"{c.name} {c.type}" for c in columns)])
    numbered = [(number, *row) for number, batch in enumerate(rows) for row in batch]
    return spark.createDataFrame(numbered, schema), columns


@pytest.fixture(scope="module")
def every_type(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Path:
    """The table of EVERY_TYPE as a Parquet file: the same instants for every session that reads it."""
    selects = [
        "SELECT 0 AS batch, "
        + ", ".join(f"CAST({values[at]} AS {kind}) AS {name}" for name, (kind, values) in EVERY_TYPE.items())
        for at in range(4)
    ]
    folder = tmp_path_factory.mktemp("digest") / "every_type"
    spark_session.sql(" UNION ALL ".join(selects)).coalesce(1).write.parquet(str(folder))
    return folder


def sums(frame: DataFrame, asked: Mapping[str, Sequence[Column]]) -> dict[str, dict[str, int]]:
    """The values of the aggregates over several lists of columns, in one scan."""
    aggregates = [
        column.alias(f"{name}: {part}")
        for name, columns in asked.items()
        for part, column in digest_aggregates(columns).items()
    ]
    found = frame.agg(*aggregates).collect()[0].asDict()
    return {
        name: {part: found[f"{name}: {part}"] for part in digest_aggregates(columns)}
        for name, columns in asked.items()
    }


def test_digests_are_what_they_were(spark_session: SparkSession, every_type: Path) -> None:
    """In another process, on another machine, next year.

    Spark 4.0.2 is the only version in use today. These values are what a second one is held to: it may be used on a lake
    once this test passes with it.
    """
    asked = {**{c.name: [c] for c in COLUMNS}, "the whole table": COLUMNS}
    found = sums(spark_session.read.parquet(str(every_type)), asked)
    assert {name: digest_of(columns, found[name])[0] for name, columns in asked.items()} == PINNED


@pytest.mark.parametrize("partitions", [1, 3, 7])
def test_digests_do_not_hang_on_partitions_or_the_order_of_rows_and_files(
    spark_session: SparkSession, every_type: Path, tmp_path: Path, partitions: int
) -> None:
    rows = spark_session.read.parquet(str(every_type))
    spread = rows.repartition(partitions, F.xxhash64("whole")).sortWithinPartitions(F.desc("day"))
    spread.write.option("maxRecordsPerFile", 1).parquet(str(tmp_path / "spread"))
    files = sorted(str(file) for file in (tmp_path / "spread").glob("*.parquet"))
    assert len(files) >= 4

    backwards = [spark_session.read.schema(rows.schema).parquet(file) for file in files[::-1]]
    whole = reduce(DataFrame.unionByName, backwards).repartition(partitions)
    assert digests(whole, COLUMNS) == {0: PINNED["the whole table"]}


# Nothing of this is the platform's choice, or it is pinned; the digests hold all the same.
SETTINGS: dict[str, dict[str, str]] = {
    "a time zone that was an hour ahead in summer": {"spark.sql.session.timeZone": "Europe/London"},
    "a time zone of quarters of an hour": {"spark.sql.session.timeZone": "Asia/Kathmandu"},
    "a time zone beyond the date line": {"spark.sql.session.timeZone": "Pacific/Apia"},
    "arithmetic that overflows silently": {"spark.sql.ansi.enabled": "false"},
    "no generated code": {
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    },
    "another plan": {"spark.sql.adaptive.enabled": "false", "spark.sql.shuffle.partitions": "7"},
    "files read row by row": {"spark.sql.parquet.enableVectorizedReader": "false"},
    "the calendar of Spark 2": {"spark.sql.legacy.timeParserPolicy": "LEGACY"},
    "JSON without nulls": {"spark.sql.jsonGenerator.ignoreNullFields": "true"},
}


@pytest.mark.parametrize("changed", SETTINGS.values(), ids=SETTINGS.keys())
def test_digests_do_not_hang_on_a_sessions_settings(
    spark_session: SparkSession, every_type: Path, changed: Mapping[str, str]
) -> None:
    session = spark_session.newSession()
    for key, value in changed.items():
        session.conf.set(key, value)
    assert digests(session.read.parquet(str(every_type)), COLUMNS) == {0: PINNED["the whole table"]}


def test_the_smallest_difference_makes_another_digest(spark_session: SparkSession) -> None:
    unlike: list[list[tuple[Any, ...]]] = [
        [(None, None)],
        [("", None)],
        [(None, "")],
        [("", "")],
        [("a", None)],
        [(None, "a")],
        [("a", "b")],
        [("b", "a")],
        [("ab", "")],
        [("", "ab")],
        # Two rows and their values dealt otherwise.
        [("a", "b"), ("c", "d")],
        [("a", "d"), ("c", "b")],
        [("a", "c"), ("b", "d")],
        # Doubled rows: a sum that lets pairs cancel takes each of the first three for one of the last three.
        [("a", "b"), ("a", "b")],
        [("b", "a"), ("b", "a")],
        [("a", "b"), ("a", "b"), ("x", "y")],
        [("x", "y")],
        [("b", "a"), ("b", "a"), ("x", "y")],
        [("a", "b"), ("a", "b"), ("a", "b")],
        [("a", "b"), ("a", "b"), ("b", "a")],
        [("a", "b"), ("b", "a"), ("b", "a")],
    ]
    found = digests(*batches(spark_session, ["string", "string"], unlike))
    assert len(set(found.values())) == len(unlike)


@pytest.mark.parametrize(
    ("kind", "unlike"),
    [
        (
            "array<array<int>>",
            [None, [], [None], [[]], [[], []], [[None]], [[1, 2]], [[1], [2]], [[2], [1]], [[1], [2], []]],
        ),
        ("array<array<string>>", [[["a", "b"]], [["a"], ["b"]], [["a,b"]], [['a"],["b']], [["[]"]], [[]]]),
        ("double", [None, 0.0, 5e-324, float("nan"), float("inf"), float("-inf"), 0.1, 0.1 + 0.2, 0.3]),
        ("array<double>", [[0.1 + 0.2], [0.3], [1e23], [1e22], [5e-324], [0.0], [float("nan")], [None]]),
        ("array<float>", [[0.1], [0.2], [3.3e10], [float("inf")], [0.0], [float("nan")], [None]]),
        (
            "date",
            [date(1, 1, 1), date(1582, 10, 4), date(1582, 10, 5), date(1582, 10, 14), date(1582, 10, 15)],
        ),
        # The last of the Julian calendar and the first of ours are one day apart there, eleven here; a zone's local mean time
        # before there were zones differs by minutes and seconds.
        (
            "timestamp",
            [
                datetime(1582, 10, 4, 23, 59, 59, tzinfo=UTC),
                datetime(1582, 10, 14, 23, 59, 59, tzinfo=UTC),
                datetime(1582, 10, 15, tzinfo=UTC),
                datetime(1847, 11, 30, 23, 58, 45, tzinfo=UTC),
                datetime(1847, 12, 1, tzinfo=UTC),
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_different_values_have_different_digests(
    spark_session: SparkSession, kind: str, unlike: list[Any]
) -> None:
    found = digests(*batches(spark_session, [kind], [[(value,)] for value in unlike]))
    assert len(set(found.values())) == len(unlike)


def test_nested_texts_that_are_no_utf8_are_told_apart(spark_session: SparkSession) -> None:
    values = [
        "X'FF'",
        "X'FE'",
        "X'61FF'",
        "'\ufffd'",
        "'a\ufffd'",
        "concat('\x00', 'FF')",
        "concat('\x00', '00')",
        "'FF'",
    ]
    selects = [
        f"SELECT {at} AS batch, array(CAST({value} AS string)) AS texts" for at, value in enumerate(values)
    ]
    found = digests(
        spark_session.sql(" UNION ALL ".join(selects)), [Column("texts", parse_type("array<string>"))]
    )
    assert len(set(found.values())) == len(values)


def test_equal_rows_have_equal_digests(spark_session: SparkSession) -> None:
    """One zero, one NaN, maps without an order, and rows in any order, at any depth."""
    rows = {
        0: ["(0.0D, array(0.0D), map('a', 1, 'b', 2))", "(double('NaN'), array(double('NaN')), map())"],
        1: ["(double('NaN'), array(double('NaN')), map())", "(-0.0D, array(-0.0D), map('b', 2, 'a', 1))"],
    }
    values = ", ".join(f"({batch}, {row[1:]}" for batch, listed in rows.items() for row in listed)
    frame = spark_session.sql(f"SELECT * FROM VALUES {values} AS t(batch, real, reals, marks)")
    columns = [
        Column("real", parse_type("double")),
        Column("reals", parse_type("array<double>")),
        Column("marks", parse_type("map<string,int>")),
    ]
    found = digests(frame, columns)
    assert found[0] == found[1]


def test_names_types_and_the_order_of_columns_count(spark_session: SparkSession) -> None:
    kinds = ["decimal(10,3)", "decimal(10,2)", "decimal(18,2)", "decimal(19,2)", "decimal(38,2)", "bigint"]
    casts = [
        F.lit("1.00").try_cast("decimal(3,2)").cast(kind).alias(f"c{at}") for at, kind in enumerate(kinds)
    ]
    frame = spark_session.range(1).select(F.lit("0.100").cast("decimal(10,3)").alias("tenth"), *casts)
    found = sums(frame, {name: [Column(name, parse_type(kind))] for name, kind in frame.dtypes})

    def digest(column: str, kind: str, name: str = "x") -> str:
        return digest_of([Column(name, parse_type(kind))], found[column])[0]

    # 1.00 and 0.100 are the same bytes, 100 and a scale that only the type knows.
    assert found["tenth"] == found["c1"]
    assert digest("tenth", "decimal(10,3)") != digest("c1", "decimal(10,2)")
    # The same number with other scales, and on either side of the 18 digits that 64 bits hold.
    assert len({digest(f"c{at}", kind) for at, kind in enumerate(kinds)}) == len(kinds)
    assert digest("c5", "bigint", "x") != digest("c5", "bigint", "y")
    one, other = Column("x", parse_type("bigint")), Column("y", parse_type("bigint"))
    assert digest_of([one, other], found["c5"]) != digest_of([other, one], found["c5"])


def test_decimals_of_one_type_are_compared_by_value(spark_session: SparkSession) -> None:
    values = ["1.00", "1", "1.0", "0.01", "100", "-1.00", "0.00", "-0.00", "99999999999999999999.99", "1e2"]
    selects = [
        f"SELECT {at} AS batch, CAST('{text}' AS decimal(22,2)) AS price" for at, text in enumerate(values)
    ]
    found = digests(
        spark_session.sql(" UNION ALL ".join(selects)), [Column("price", parse_type("decimal(22,2)"))]
    )
    alike = [{0, 1, 2}, {3}, {4, 9}, {5}, {6, 7}, {8}]
    assert [{at for at in found if found[at] == found[min(group)]} for group in alike] == alike


def test_halves_of_sums_carry_over() -> None:
    """Sums of hashes are kept as two halves, which overlap once there are many rows, and wrap at 64 bits."""
    columns = [Column("n", parse_type("int"))]

    def digest(low: int, high: int) -> str:
        values = {
            "digest_rows": 3,
            "digest_1_low": low,
            "digest_1_high": high,
            "digest_2_low": 0,
            "digest_2_high": 0,
        }
        return digest_of(columns, values)[0]

    assert digest(5 + (2 << 32), 7) == digest(5, 9)
    assert digest(5, 7 + (1 << 32)) == digest(5, 7)
    assert digest(5, 7) != digest(7, 5)


def test_no_rows_are_no_rows_whatever_the_columns() -> None:
    one, other = [Column("n", parse_type("int"))], [Column("text", parse_type("string"))]
    assert (
        digest_of(one, None) == digest_of(other, None) == digest_of(one, {"digest_rows": 0}) == ("empty", 0)
    )


# Days around every change that a calendar has seen, as a source would write them.
OLD_DAYS = [
    "0001-01-01",
    "1000-02-28",
    "1000-03-01",
    "1582-10-04",
    "1582-10-05",
    "1582-10-14",
    "1582-10-15",
    "1900-02-28",
]


def test_days_before_1582_are_the_same_in_files_and_for_other_readers(
    spark_session: SparkSession, tmp_path: Path
) -> None:
    """Parsed by a transform, written by Spark, read back: the same digest; and Arrow reads the days that were meant."""
    columns = [Column("day", parse_type("date")), Column("moment", parse_type("timestamp"))]
    texts = spark_session.createDataFrame([(0, day) for day in OLD_DAYS], "batch int, text string")
    parsed = texts.select(
        "batch",
        F.col("text").try_cast("date").alias("day"),
        F.concat("text", F.lit(" 23:59:59.999999")).try_cast("timestamp").alias("moment"),
    )
    parsed.coalesce(1).write.parquet(str(tmp_path / "old"))

    moments = [datetime.combine(date.fromisoformat(day), datetime.max.time(), tzinfo=UTC) for day in OLD_DAYS]
    values = [(0, date.fromisoformat(day), moment) for day, moment in zip(OLD_DAYS, moments, strict=True)]
    given = spark_session.createDataFrame(values, "batch int, day date, moment timestamp")
    written = spark_session.read.parquet(str(tmp_path / "old"))
    assert digests(parsed, columns) == digests(written, columns) == digests(given, columns)
    read = parquet.read_table(tmp_path / "old", columns=["day", "moment"]).to_pydict()
    assert read["day"] == [date.fromisoformat(day) for day in OLD_DAYS]
    assert [moment.replace(tzinfo=UTC) for moment in read["moment"]] == moments


VALUES = [None, "", "a", "b"], [None, 0.0, -0.0, float("nan"), 1.5], [None, [], [None], [0], [0, 1], [1, 0]]
ROWS = st.tuples(*[st.sampled_from(values) for values in VALUES])
Row = tuple[Any, ...]


def _plain(row: Row) -> Row:
    """A row that Python compares as the digest should: one zero, one NaN."""
    text, real, items = row
    return text, "NaN" if real is not None and real != real else real, None if items is None else tuple(items)


@st.composite
def batches_and_near_misses(draw: Callable[..., Any]) -> list[list[Row]]:
    """Sixty small batches, most of them another one with its rows in another order, or with one row more, less or changed."""
    found: list[list[Row]] = [draw(st.lists(ROWS, min_size=1, max_size=5)) for _ in range(15)]
    for rows in found[:15]:
        at = draw(st.integers(0, len(rows) - 1))
        found += [
            draw(st.permutations(rows)),
            [*rows, rows[at]],
            [*rows[:at], draw(ROWS), *rows[at + 1 :]],
        ]
    return found


# No shrinking: each try is a Spark job, and sixty small batches can be read as they are.
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(given_batches=batches_and_near_misses())
def test_two_batches_have_one_digest_exactly_when_they_hold_the_same_rows(
    spark_session: SparkSession, given_batches: list[list[Row]]
) -> None:
    """All sixty in one frame, each pair compared."""
    found = digests(*batches(spark_session, ["string", "double", "array<int>"], given_batches))
    bags = [Counter(map(_plain, rows)) for rows in given_batches]
    pairs = [(one, other) for one in range(len(bags)) for other in range(one)]
    assert [found[one] == found[other] for one, other in pairs] == [
        bags[one] == bags[other] for one, other in pairs
    ]

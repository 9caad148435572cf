"""The fold of keyed tables, against histories computed without Spark, many at once: the histories of a test share one job.

Keys of different examples never meet, so that an example is a part of the key.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.model import Column, Contract, FullDump, Keyed, Suite
from lakesmith.contracts.types import parse_type
from lakesmith.lake.keyed import as_of_pairs, fold, key_bucket, last_of_each_day, marked_changes

HISTORY = Contract(
    table="silver.t",
    description="",
    owner="",
    job="",
    inputs=(),
    key=("example", "k"),
    columns=(
        Column("example", parse_type("int")),
        Column("k", parse_type("string")),
        Column("v", parse_type("double")),
        Column("tags", parse_type("map<string,int>")),
        *Keyed(2, ()).generated,
    ),
    suite=Suite("silver.t"),
    keyed=Keyed(2, ("position",), "operation", ("D",), buckets=3),
)
PRESENT = replace(
    HISTORY,
    columns=HISTORY.columns[:4],
    keyed=Keyed(1, ("position",), "operation", ("D",), buckets=3),
)
DUMPS = replace(HISTORY, keyed=Keyed(2, ("position",), buckets=3, full_dump=FullDump()))
CHANGES = "example int, k string, v double, tags map<string,int>, _deleted boolean, batch_date date"
STATE = "example int, k string, v double, tags map<string,int>, valid_from date, valid_to date, is_current boolean"
FIRST = date(2024, 1, 1)
EXAMPLES, DAYS = 300, 7

Value = tuple[float | None, tuple[tuple[str, int], ...] | None] | None
"""What a key holds: a number and a map; None for a key that is deleted."""
Daily = Mapping[int, Mapping[str, Value]]
"""day -> key -> value."""


def day(number: int) -> date:
    return FIRST + timedelta(number)


def _value(draw: random.Random) -> Value:
    if draw.random() < 0.2:
        return None
    number = draw.choice([None, 0.0, -0.0, 1.5, float("nan")])
    tags = draw.choice([None, (), (("a", 1),), (("a", 1), ("b", 2)), (("b", 2), ("a", 1))])
    return number, tags


def _histories(seed: int, *, dumps: bool = False) -> list[Daily]:
    """Random changes of two keys over a week; full dumps never delete."""
    draw = random.Random(seed)
    found: list[Daily] = []
    for _ in range(EXAMPLES):
        days: dict[int, dict[str, Value]] = {}
        for number in range(DAYS):
            keys = [key for key in ("x", "y") if draw.random() < 0.6]
            values = {key: _value(draw) for key in keys}
            days[number] = {k: v or (1.5, None) for k, v in values.items()} if dumps else values
        found.append(days)
    return found


def _plain(value: Value) -> Any:
    """Equal for equal values: one zero, one NaN, maps without an order."""
    if value is None:
        return None
    number, tags = value
    text = (
        "nan" if number is not None and number != number else number if number is None else str(number + 0.0)
    )
    return text, None if tags is None else tuple(sorted(tags))


def versions(days: Daily, dumps: Sequence[int] = ()) -> set[tuple[Any, ...]]:
    """The history that follows, in one pass over the days."""
    rows: set[tuple[Any, ...]] = set()
    holds: dict[str, tuple[int, Any]] = {}
    for number in sorted(days):
        changes = {key: _plain(value) for key, value in days[number].items()}
        if number in dumps:
            changes |= {key: None for key in holds if key not in changes}
        for key, value in changes.items():
            if key in holds and holds[key][1] != value:
                rows.add((key, holds[key][1], day(holds[key][0]), day(number), False))
                del holds[key]
            if value is not None and key not in holds:
                holds[key] = (number, value)
    return rows | {(key, value, day(began), None, True) for key, (began, value) in holds.items()}


def present(days: Daily) -> set[tuple[Any, ...]]:
    """The last values."""
    found: dict[str, Any] = {}
    for number in sorted(days):
        found |= {key: _plain(value) for key, value in days[number].items()}
    return {(key, value) for key, value in found.items() if value is not None}


def changes_of(spark: SparkSession, histories: Sequence[Daily]) -> DataFrame:
    rows = [
        (at, key, value[0] if value else None, _map(value), value is None, day(number))
        for at, days in enumerate(histories)
        for number, changes in days.items()
        for key, value in changes.items()
    ]
    return spark.createDataFrame(rows, CHANGES)


def _map(value: Value) -> dict[str, int] | None:
    return None if value is None or value[1] is None else dict(value[1])


def collected(frame: DataFrame) -> dict[int, set[tuple[Any, ...]]]:
    found: dict[int, set[tuple[Any, ...]]] = {at: set() for at in range(EXAMPLES)}
    for row in frame.collect():
        value = _plain((row.v, None if row.tags is None else tuple(row.tags.items())))
        times = (row.valid_from, row.valid_to, row.is_current) if "valid_from" in row else ()
        entry = (row.k, value, *times)
        assert entry not in found[row.example], "a row stands twice"
        found[row.example].add(entry)
    return found


@pytest.mark.parametrize("contract", [HISTORY, PRESENT], ids=["scd 2", "scd 1"])
def test_building_upon_rows_equals_all_changes_at_once(
    spark_session: SparkSession, contract: Contract
) -> None:
    """Each example is cut after a day of its own: the first days at once, the others on top, and all at once."""
    histories = _histories(seed=7)
    changes = changes_of(spark_session, histories)
    cut = F.date_add(F.lit(FIRST), F.pmod("example", F.lit(DAYS)))
    early, late = (
        changes.where(condition) for condition in (changes.batch_date <= cut, changes.batch_date > cut)
    )

    before = fold(contract, None, early)
    upon = fold(contract, before, late)
    at_once = fold(contract, None, changes)

    oracle = versions if contract is HISTORY else present
    assert collected(at_once) == {at: oracle(days) for at, days in enumerate(histories)}
    assert sorted(map(str, upon.collect())) == sorted(map(str, at_once.collect())), "to the bit"


def test_a_key_that_a_full_dump_does_not_list_is_deleted(spark_session: SparkSession) -> None:
    histories = _histories(seed=8, dumps=True)
    # Dumps are those of the table, not of an example: a day is one when any example has a change on it.
    dumps = list(range(DAYS))
    changes = changes_of(spark_session, histories)
    cut = 3
    early, late = (
        changes.where(F.col("batch_date") <= day(cut)),
        changes.where(F.col("batch_date") > day(cut)),
    )

    before = fold(DUMPS, None, early, dumps=[day(n) for n in dumps[: cut + 1]])
    upon = fold(DUMPS, before, late, dumps=[day(n) for n in dumps[cut:]], seen=day(cut))
    at_once = fold(DUMPS, None, changes, dumps=[day(n) for n in dumps])

    assert collected(at_once) == {at: versions(days, dumps) for at, days in enumerate(histories)}
    assert sorted(map(str, upon.collect())) == sorted(map(str, at_once.collect()))


def test_the_state_as_of_a_day_is_that_of_the_days_before(spark_session: SparkSession) -> None:
    histories = _histories(seed=9)
    rows = fold(HISTORY, None, changes_of(spark_session, histories))
    pairs = as_of_pairs(rows, [day(4), day(1)])
    assert "key_bucket" not in pairs.columns
    for number in (1, 4):
        known = {
            at: versions({n: c for n, c in days.items() if n <= number}) for at, days in enumerate(histories)
        }
        assert collected(pairs.where(F.col("batch_date") == day(number))) == known


def test_the_last_change_of_a_day_wins_and_ties_do_not_hang_on_the_order(spark_session: SparkSession) -> None:
    schema = "example int, k string, v double, tags map<string,int>, position int, operation string, batch_date date"
    rows = [
        (1, "a", 1.0, None, 2, None, day(0)),
        (1, "a", 2.0, None, 10, None, day(0)),
        (1, "b", 1.0, None, None, None, day(0)),
        (1, "b", 2.0, None, -5, None, day(0)),
        (1, "c", 1.0, {"x": 1}, 1, "D", day(0)),
        (1, "c", 3.0, None, 0, None, day(0)),
        (1, "d", 1.0, None, 1, None, day(0)),
        (1, "d", 2.0, None, 1, None, day(0)),
        (1, "a", 7.0, None, 1, None, day(1)),
    ]
    results = []
    for order in (rows, rows[::-1]):
        marked, sequence = marked_changes(HISTORY, spark_session.createDataFrame(order, schema))
        kept = last_of_each_day(HISTORY, marked.withColumn("_outcome", F.lit("published")), sequence)
        results.append({(r.k, r.batch_date): (r.v, r.tags, r._deleted) for r in kept.collect()})
    assert results[0] == results[1]
    assert {key: value for key, value in results[0].items() if key[0] != "d"} == {
        ("a", day(0)): (2.0, None, False),
        ("b", day(0)): (2.0, None, False),
        ("c", day(0)): (None, None, True),
        ("a", day(1)): (7.0, None, False),
    }


def test_a_row_that_is_not_published_does_not_win_a_day(spark_session: SparkSession) -> None:
    schema = "example int, k string, v double, tags map<string,int>, position int, operation string, batch_date date"
    rows = [(1, "a", 1.0, None, 1, None, day(0)), (1, "a", -1.0, None, 2, None, day(0))]
    marked, sequence = marked_changes(HISTORY, spark_session.createDataFrame(rows, schema))
    judged = marked.withColumn("_outcome", F.when(F.col("v") < 0, "quarantined").otherwise("published"))
    kept = last_of_each_day(HISTORY, judged, sequence).select("v", "_outcome").collect()
    assert sorted(kept) == [Row(v=-1.0, _outcome="quarantined"), Row(v=1.0, _outcome="published")]


def test_buckets_are_what_they_were(spark_session: SparkSession) -> None:
    """Lakes hold rows by these numbers: another hash would look for a key in another file."""
    frame = spark_session.createDataFrame([(n, f"k{n}") for n in range(6)], "example int, k string")
    assert [row[0] for row in frame.select(key_bucket(HISTORY)).collect()] == BUCKETS


BUCKETS = [2, 0, 0, 2, 2, 1]

"""The scan beside what numpy and plain Python say of the same rows, and how often Spark reads them."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.errors import UsageError
from lakesmith.monitoring.moments import Moments
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Lengths, Measure, merge_profiles
from lakesmith.monitoring.sample import profile_of_categories, profile_of_numbers
from lakesmith.monitoring.scan import SliceProfile, find_layouts, measure_of, profile_batches, profile_rows

SCHEMA = (
    "batch_date date, amount double, price decimal(12,3), orders int, always int, never double, country string, "
    "member boolean, note string, customer bigint, tags array<string>"
)
COLUMNS = [name.split()[0] for name in SCHEMA.split(", ")][1:]
DAYS = [date(2024, 3, 1), date(2024, 3, 2), date(2024, 3, 3)]
ODD = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e9, -1e9, None]


def made(seed: int, rows: int, *, countries: str = "DE FR UK") -> list[tuple[Any, ...]]:
    draw = random.Random(seed)

    def row(number: int) -> tuple[Any, ...]:
        amount = ODD[number // 9 % len(ODD)] if number % 9 == 0 else round(draw.gammavariate(2, 30), 3)
        return (
            draw.choice(DAYS),
            amount,
            None if number % 50 == 0 else Decimal(draw.randrange(1, 90_000)) / 1000,
            draw.choice([0, 0, 0, 1, 2, 5]),
            7,
            None,
            None if number % 31 == 0 else draw.choice(countries.split()),
            draw.random() < 0.3,
            f"note {draw.randrange(4000)} ä" if number % 7 else None,
            draw.randrange(10**9),
            ["a"] if number % 3 else None,
        )

    return [row(number) for number in range(rows)]


@pytest.fixture(scope="module")
def table(spark_session: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> DataFrame:
    folder = tmp_path_factory.mktemp("scan") / "rows"
    frame = spark_session.createDataFrame(made(1, 3000, countries="DE FR UK ES IT"), SCHEMA)
    frame.repartition(3).write.parquet(str(folder))
    return spark_session.read.parquet(str(folder))


@pytest.fixture(scope="module")
def layouts(spark_session: SparkSession) -> list[ColumnLayout]:
    baseline = spark_session.createDataFrame(made(2, 2000), SCHEMA)
    types = {field.name: field.dataType for field in baseline.schema.fields}
    asked = {name: measure_of(types[name], subject=name == "customer") for name in COLUMNS}
    return find_layouts(baseline, asked)


@pytest.fixture(scope="module")
def profiles(table: DataFrame, layouts: list[ColumnLayout]) -> list[SliceProfile]:
    return profile_batches(table, layouts, ["country", "orders > 0"])


def expected(rows: list[tuple[Any, ...]], layout: ColumnLayout) -> ColumnProfile:
    """By numpy and plain Python."""
    values = [row[COLUMNS.index(layout.column) + 1] for row in rows]
    there = [value for value in values if value is not None]
    match layout.measure:
        case Measure.NUMBER:
            numbers = np.array([float(value) for value in there], float)
            return profile_of_numbers(layout, numbers, nulls=len(values) - len(there))
        case Measure.CATEGORY:
            texts = [None if v is None else str(v).lower() if isinstance(v, bool) else v for v in values]
            return profile_of_categories(layout, texts)
        case Measure.TEXT:
            lengths = [len(value) for value in there]
            found = Lengths(len(lengths), min(lengths), max(lengths), sum(lengths))
            counts = ColumnProfile(layout.column, layout.data_type, layout.measure, count=len(values))
            return replace(counts, nulls=len(values) - len(there), lengths=found)
        case Measure.COUNTS:
            counts = ColumnProfile(layout.column, layout.data_type, layout.measure, count=len(values))
            return replace(counts, nulls=len(values) - len(there))


def in_slice(row: tuple[Any, ...], profile: SliceProfile) -> bool:
    match profile.slice_key:
        case None:
            return True
        case "country":
            return bool(row[6] == profile.slice_value)
        case _:
            return str(row[3] > 0).lower() == profile.slice_value


def test_the_baseline_says_how_columns_are_measured(layouts: list[ColumnLayout]) -> None:
    measures = {layout.column: (layout.measure, layout.data_type) for layout in layouts}
    assert measures == {
        "amount": (Measure.NUMBER, "double"),
        "price": (Measure.NUMBER, "decimal(12,3)"),
        "orders": (Measure.NUMBER, "int"),
        "always": (Measure.NUMBER, "int"),
        "never": (Measure.NUMBER, "double"),
        "country": (Measure.CATEGORY, "string"),
        "member": (Measure.CATEGORY, "boolean"),
        "note": (Measure.TEXT, "string"),
        "customer": (Measure.COUNTS, "bigint"),
        "tags": (Measure.COUNTS, "array<string>"),
    }
    by_name = {layout.column: layout for layout in layouts}
    assert by_name["orders"].edges == (0.0, 0.0, 1.0, 2.0, 5.0)
    assert by_name["always"].edges == (7.0, 7.0)
    assert by_name["never"].edges == ()
    assert (by_name["amount"].edges[0], by_name["amount"].edges[-1]) == (-1e9, 1e9)
    assert len(by_name["price"].edges) == 41
    assert by_name["country"].categories == ("DE", "FR", "UK")
    assert by_name["member"].categories == ("false", "true")
    assert (by_name["note"].categories, by_name["customer"].edges) == ((), ())


def test_every_figure_of_every_batch_slice_and_column_is_what_plain_code_says(
    profiles: list[SliceProfile], layouts: list[ColumnLayout]
) -> None:
    rows = made(1, 3000, countries="DE FR UK ES IT")
    slices = [(None, None), *[("country", c) for c in (None, "DE", "ES", "FR", "IT", "UK")]]
    slices += [("orders > 0", "false"), ("orders > 0", "true")]
    assert [(p.batch_date, p.slice_key, p.slice_value) for p in profiles] == [
        (day, *each) for day in DAYS for each in slices
    ]
    for profile in profiles:
        of_slice = [row for row in rows if row[0] == profile.batch_date and in_slice(row, profile)]
        assert [column.column for column in profile.columns] == COLUMNS
        for layout, found in zip(layouts, profile.columns, strict=True):
            wanted = expected(of_slice, layout)
            assert replace(found, moments=None, distinct=None, hashed=None) == replace(
                wanted, moments=None
            ), layout
            if found.hashed is not None:
                assert sum(found.hashed) == found.values
            if wanted.moments is not None and found.moments is not None:
                assert_near(found.moments, wanted.moments)


def assert_near(found: Moments, wanted: Moments) -> None:
    """Equal but for the ten digits that are kept, each figure's by its own size."""
    spread = math.sqrt(wanted.variance) if wanted.count else 0.0
    assert found.count == wanted.count
    assert found.mean == pytest.approx(wanted.mean, abs=1e-9 * max(spread, abs(wanted.mean)))
    assert found.m2 == pytest.approx(wanted.m2, rel=1e-8, abs=1e-9)
    assert found.m3 == pytest.approx(wanted.m3, abs=1e-8 * max(wanted.count, 1) * max(spread, 1) ** 3)
    assert found.m4 == pytest.approx(wanted.m4, rel=1e-8, abs=1e-9)


def test_new_values_are_counted_beside_the_baselines(profiles: list[SliceProfile]) -> None:
    country = profiles[0].columns[COLUMNS.index("country")].categories

    assert country is not None
    assert [value for value, _ in country.known] == ["DE", "FR", "UK"]
    assert [value for value, _ in country.new] == ["ES", "IT"]


def test_distinct_values_are_estimated_and_add_up_over_batches(
    profiles: list[SliceProfile], table: DataFrame
) -> None:
    whole = [profile for profile in profiles if profile.slice_key is None]
    names = ("amount", "price", "orders", "always", "never", "note")
    counts = table.agg(
        *[
            F.countDistinct(F.when(~F.isnan(F.col(n).cast("double")), F.col(n)) if n != "note" else n)
            for n in names
        ]
    ).collect()[0]
    for name, exact in zip(names, counts, strict=True):
        merged = merge_profiles(profile.columns[COLUMNS.index(name)] for profile in whole)
        assert merged.distinct is not None
        assert merged.distinct_count == pytest.approx(exact, rel=0.08, abs=1), name
    assert whole[0].columns[COLUMNS.index("customer")].distinct is None


def test_registers_are_what_their_definition_says(spark_session: SparkSession) -> None:
    """Sketches of years are in tables: another hash or another bit would count every value twice."""
    frame = spark_session.range(0, 500, 1, 3).selectExpr(
        "DATE'2024-03-01' AS batch_date", "id", "string(id) AS text"
    )
    hashes = frame.selectExpr("xxhash64(id * 1D)", "xxhash64(text)").collect()
    layouts = [
        ColumnLayout("text", "string", Measure.TEXT),
        ColumnLayout("batch_date", "date", Measure.COUNTS),
        ColumnLayout("id", "bigint", Measure.NUMBER, edges=(0.0, 499.0)),
    ]

    [profile] = profile_batches(frame, layouts)

    groups = Counter(f"{row[1] & (1 << 64) - 1:064b}"[:9] for row in hashes)
    assert profile.columns[0].hashed == tuple(groups[f"{at:09b}"] for at in range(512))
    for found, column in ((profile.columns[0], 1), (profile.columns[2], 0)):
        registers = [0] * 2048
        for row in hashes:
            bits = f"{row[column] & (1 << 64) - 1:064b}"
            place, rest = int(bits[-11:], 2), bits[:-11]
            registers[place] = max(registers[place], len(rest) - len(rest.rstrip("0")) + 1)
        assert found.distinct is not None
        assert list(found.distinct.registers) == registers
        assert found.distinct_count == pytest.approx(500, rel=0.05)


def test_a_column_gone_wild_is_bounded(spark_session: SparkSession) -> None:
    rows = [(DAYS[0], f"v{number % 300:03}") for number in range(900)] + [(DAYS[0], "DE"), (DAYS[0], "v000")]
    frame = spark_session.createDataFrame(rows, "batch_date date, c string")

    [profile] = profile_batches(
        frame, [ColumnLayout("c", "string", Measure.CATEGORY, categories=("DE", "UK"))]
    )

    categories = profile.columns[0].categories
    assert categories is not None
    assert categories.known == (("DE", 1), ("UK", 0))
    assert len(categories.new) == 20
    assert dict(categories.new)["v000"] == 4
    assert (categories.unknown, categories.unnamed) == (901, 901 - 4 - 19 * 3)


def test_all_columns_slices_and_batches_are_one_action_of_one_scan(
    spark_session: SparkSession, table: DataFrame, layouts: list[ColumnLayout]
) -> None:
    for columns, slices in ((layouts, []), (layouts[:3], ["country"]), (layouts, ["country", "orders > 0"])):
        before = newest_execution(spark_session)

        profile_batches(table, columns, slices)

        after = newest_execution(spark_session)
        assert after["id"] - before["id"] == 1
        [read] = re.findall(r"ReadSchema: struct<(.*?)>(?=\n|$)", after["plan"])
        assert all((f"{layout.column}:" in read) for layout in columns)
        assert "Exchange" not in after["plan"]


def newest_execution(spark: SparkSession) -> dict[str, Any]:
    """The newest action as SQL's status store knows it."""
    spark._jsc.sc().listenerBus().waitUntilEmpty()  # type: ignore[attr-defined]
    store = spark._jsparkSession.sharedState().statusStore()  # type: ignore[attr-defined]
    execution = store.executionsList(store.executionsCount() - 1, 1).apply(0)
    return {"id": int(execution.executionId()), "plan": str(execution.physicalPlanDescription())}


def test_the_same_rows_give_the_same_profile(table: DataFrame, layouts: list[ColumnLayout]) -> None:
    once = profile_batches(table, layouts)
    again = profile_batches(table.repartition(7).sortWithinPartitions("note"), layouts)

    assert [[c.to_dict() for c in p.columns] for p in once] == [
        [c.to_dict() for c in p.columns] for p in again
    ]


def test_rows_of_no_batch_are_the_sum_of_their_batches(
    table: DataFrame, layouts: list[ColumnLayout], profiles: list[SliceProfile]
) -> None:
    whole = zip(*(profile.columns for profile in profiles if profile.slice_key is None), strict=True)

    for found, batches in zip(profile_rows(table.drop("batch_date"), layouts), whole, strict=True):
        merged = replace(merge_profiles(batches), batches=1)
        assert replace(found, moments=None) == replace(merged, moments=None)
        if found.moments is not None and merged.moments is not None:
            assert_near(found.moments, merged.moments)


def test_without_rows_there_is_no_profile(table: DataFrame, layouts: list[ColumnLayout]) -> None:
    assert profile_batches(table.where("false"), layouts, ["country"]) == []
    empty = profile_rows(table.where("false"), layouts)
    assert [(profile.column, profile.count, profile.distinct_count) for profile in empty] == [
        (layout.column, 0, None if layout.measure is Measure.COUNTS else 0) for layout in layouts
    ]


def test_nothing_to_profile_and_too_many_bins_are_refused(table: DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to profile"):
        profile_batches(table, [])
    fine = ColumnLayout("amount", "double", Measure.NUMBER, edges=tuple(float(n) for n in range(65)))
    with pytest.raises(UsageError, match="amount has 65 edges"):
        profile_batches(table, [fine])


def test_more_values_than_a_category_has_make_a_text(spark_session: SparkSession) -> None:
    rows = [(f"v{number % 101}", f"v{number % 100}") for number in range(400)]
    frame = spark_session.createDataFrame(rows, "many string, few string")

    many, few = find_layouts(frame, {"many": Measure.CATEGORY, "few": Measure.CATEGORY})

    assert (many.measure, many.categories) == (Measure.TEXT, ())
    assert (few.measure, len(few.categories)) == (Measure.CATEGORY, 100)
    assert Counter(few.categories).most_common(1)[0][1] == 1

"""One night of the reference pipeline's batch tables, and what else could have computed it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from bench.duck_night import DuckLake
from bench.lakes import SOURCE, START, lake_in, land
from bench.lakes import run as run_tables
from bench.measure import Side, in_turns, ratio
from bench.plain_night import TABLES, PlainLake
from bench.report import Figure, Report, Table
from bench.size import Size
from bench.suites import audited_by

_HISTORY_DAYS, _HISTORY_LINES = 2, 3_000
# A day of December has more lines than the mean of a year: about three million of these.
_LINES_PER_DAY = 2_600_000
_NIGHT = START + timedelta(_HISTORY_DAYS)


def run(size: Size) -> Report:
    """Lakesmith, the same by hand without an audit, DuckDB, and by hand with Great Expectations."""
    rounds = size.rounds_or(5 if size.full else 2)
    landing = size.folder / "landing"
    land(landing, START, _HISTORY_DAYS, _HISTORY_LINES)
    rows = land(landing, _NIGHT, 1, size.rows_or(_LINES_PER_DAY))
    before = lake_in(size.folder / "before", landing)
    spark = before.spark
    run_tables(before, START, _NIGHT - timedelta(1), TABLES)
    plain_before = PlainLake(spark, size.folder / "plain-before", landing / SOURCE, before.project)
    for number in range(_HISTORY_DAYS):
        plain_before.night(START + timedelta(number))
    duck_before = DuckLake(size.folder / "duck-before", landing / SOURCE)
    for number in range(_HISTORY_DAYS):
        duck_before.night(START + timedelta(number))

    def fresh(name: str) -> Path:
        """A copy of the history, so that each round writes the same rows into tables alike."""
        shutil.rmtree(size.folder / name, ignore_errors=True)
        shutil.copytree(
            size.folder / f"{name}-before" if name != "lakesmith" else size.folder / "before",
            size.folder / name,
        )
        return size.folder / name

    def by_hand(audit: bool) -> PlainLake:
        return PlainLake(
            spark,
            size.folder / "plain",
            landing / SOURCE,
            before.project,
            audited_by(before.project) if audit else None,
        )

    sides = [
        Side(
            "Lakesmith",
            lambda _: run_tables(lake_in(size.folder / "lakesmith", landing), _NIGHT, _NIGHT, TABLES),
            lambda _: fresh("lakesmith"),
        ),
        Side(
            "by hand: replaceWhere, no audit",
            lambda _: by_hand(False).night(_NIGHT),
            lambda _: fresh("plain"),
        ),
        Side(
            "DuckDB to Parquet",
            lambda _: DuckLake(size.folder / "duck", landing / SOURCE).night(_NIGHT),
            lambda _: fresh("duck"),
        ),
    ]
    measured = in_turns(sides, rounds, spark)
    audited = in_turns(
        [
            Side(
                "by hand, audited by Great Expectations",
                lambda _: by_hand(True).night(_NIGHT),
                lambda _: fresh("plain"),
            )
        ],
        1 if size.full else 0,
        spark,
    )
    ours, hand, duck = measured.values()
    [with_audit] = audited.values()
    return Report(
        name="night",
        title="A night",
        command=size.command("night"),
        size={"lines": rows, "nights_before": _HISTORY_DAYS, "rounds": rounds},
        rows=rows,
        measured=[*measured.values(), with_audit],
        ratios=[
            ratio("a night / the same by hand without an audit, warm", ours, hand, limit=1.25),
            ratio("a night / DuckDB to Parquet, warm", ours, duck),
        ],
        figures=[
            Figure(
                "the same by hand with Great Expectations / a night", with_audit.median / ours.median, "times"
            )
        ],
        tables=[_compared(spark, size.folder, landing)],
    )


def _compared(spark: SparkSession, folder: Path, landing: Path) -> Table:
    """The night's rows of every side: how many, and a sum that would show another row.

    Raises:
        AssertionError: they differ; nothing was measured then.
    """
    ours = lake_in(folder / "lakesmith", landing)
    plain = PlainLake(spark, folder / "plain", landing / SOURCE, ours.project)
    duck = DuckLake(folder / "duck", landing / SOURCE)
    rows = []
    for table in TABLES:
        sum_of = _SUMS[table]
        found = [
            frame.where(F.col("batch_date") == F.lit(_NIGHT))
            .agg(F.count("*"), F.expr(f"CAST(sum({sum_of}) AS STRING)"))
            .first()
            for frame in (
                spark.read.format("delta").load(ours.lake.path(table)),
                plain.table(table),
                spark.read.parquet(str(duck.file(table, _NIGHT))),
            )
        ]
        counts = [(row[0], _number(row[1])) for row in found if row is not None]
        if len(set(counts)) != 1:
            raise AssertionError(
                f"{table} {_NIGHT}: Lakesmith, by hand and DuckDB give {counts} (rows, sum of {sum_of})"
            )
        rows.append([table, counts[0][0], f"sum of {sum_of}", counts[0][1]])
    return Table("Equal in all of them", ("table", "rows", "also equal", ""), rows)


_SUMS = {
    "bronze.sales_lines": "quantity",
    "silver.sales_lines": "amount",
    "silver.customer_days": "sale_amount",
    "gold.daily_sales": "revenue",
    "gold.customer_features": "amount_90d + distinct_products_90d + orders_30_over_90d",
}


def _number(text: str) -> str:
    return f"{float(text):.4f}"

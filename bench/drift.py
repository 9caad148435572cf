"""What profiling and judging a night costs, beside one Parquet write of the same rows.

Makes rows of 20 columns and times in turns: a pass that only writes them as Parquet; the profile of all columns on the
bins of a baseline; the comparisons and verdicts of all columns.

    python bench/drift.py --rows 3000000 --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.config.load import load_settings
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.lake.session import session
from lakesmith.monitoring.comparison import compare
from lakesmith.monitoring.decision import Subject, judge_night
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile
from lakesmith.monitoring.scan import find_layouts, measure_of, profile_batches

DAY = date(2024, 3, 1)
_NUMBERS, _COUNTS, _DECIMALS, _CATEGORIES, _TEXTS = 10, 3, 2, 4, 1


def made(spark: SparkSession, rows: int, seed: int) -> DataFrame:
    """Rows as tables of features have them: skewed numbers, counts, money, categories, nulls."""
    frame = spark.range(0, rows, 1, spark.sparkContext.defaultParallelism)
    columns = [F.lit(DAY).alias(BATCH_DATE)]
    for at in range(_NUMBERS):
        number = F.round(F.exp(F.randn(seed + at)), 6)
        columns.append(
            (F.when(F.rand(seed + 50 + at) > 0.05, number) if at % 3 == 0 else number).alias(f"number{at}")
        )
    columns += [F.floor(-3 * F.log(F.rand(seed + 20 + at))).alias(f"count{at}") for at in range(_COUNTS)]
    columns += [
        (F.rand(seed + 30 + at) * 1000).cast("decimal(18,3)").alias(f"money{at}") for at in range(_DECIMALS)
    ]
    columns += [
        F.concat(F.lit("value "), F.floor(F.rand(seed + 40 + at) * 8 * (at + 1)).cast("string")).alias(
            f"category{at}"
        )
        for at in range(_CATEGORIES)
    ]
    columns += [F.sha2(F.col("id").cast("string"), 256).alias(f"text{at}") for at in range(_TEXTS)]
    return frame.select(*columns)


def timed(spark: SparkSession, name: str, work: Callable[[], object]) -> tuple[float, int]:
    """Seconds, and how many Spark jobs."""
    spark.sparkContext.setJobGroup(name, name)
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    jobs = spark.sparkContext.statusTracker().getJobIdsForGroup(name)
    return seconds, len(jobs)


def judged(baseline: list[ColumnProfile], current: list[ColumnProfile]) -> None:
    """The verdicts of a night."""
    pairs = zip(baseline, current, strict=True)
    judge_night([Subject(now.column, compare(before, now)) for before, now in pairs])


def profiled(rows: DataFrame, layouts: list[ColumnLayout]) -> list[ColumnProfile]:
    """The profiles of the one batch."""
    [found] = profile_batches(rows, layouts)
    return list(found.columns)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    spark = session(load_settings("dev", None), "bench drift", by_name=False)
    with tempfile.TemporaryDirectory(prefix="lakesmith-drift-") as folder:
        source = str(Path(folder) / "rows")
        made(spark, asked.rows, 7).write.parquet(source)
        rows = spark.read.parquet(source)
        before = made(spark, 50_000, 1007)
        types = {field.name: field.dataType for field in before.schema.fields if field.name != BATCH_DATE}
        layouts = find_layouts(before, {name: measure_of(kind) for name, kind in types.items()})
        baseline = profiled(before, layouts)
        found: dict[str, list[float]] = {"write": [], "profile": [], "judge": []}
        jobs: dict[str, int] = {}
        current: list[ColumnProfile] = []
        for number in range(asked.rounds + 1):
            for name, work in {
                "write": lambda: rows.write.mode("overwrite").parquet(str(Path(folder) / "again")),
                "profile": lambda: current.__setitem__(slice(None), profiled(rows, layouts)),
                "judge": lambda: judged(baseline, current),
            }.items():
                seconds, jobs[name] = timed(spark, f"{name} {number}", work)
                if number:  # the first round warms up
                    found[name].append(seconds)
    medians = {name: statistics.median(times) for name, times in found.items()}
    print(f"{asked.rows:,} rows, {len(layouts)} columns, medians of {asked.rounds} rounds")
    for name, value in medians.items():
        print(f"  {name:8} {value:6.2f} s  {jobs[name]} Spark jobs")
    ratio = (medians["profile"] + medians["judge"]) / medians["write"]
    print(f"  drift and profile / one Parquet write: {ratio:.2f}")


if __name__ == "__main__":
    main()

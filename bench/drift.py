"""What profiling and judging a night costs, beside one Parquet write of the same rows, and beside Evidently.

Makes rows of 20 columns: skewed numbers, counts, money, categories, a text of distinct values, nulls. Evidently works on pandas
frames in memory, in an environment of its own (`make bench-env`): it is given fewer rows and no text, and so is Lakesmith
beside it.
"""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.lakes import ROOT
from bench.measure import Measured, Side, in_turns, ratio
from bench.report import Figure, Report, Table
from bench.size import Size
from lakesmith.config.load import load_settings
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.lake.session import session
from lakesmith.monitoring.comparison import compare
from lakesmith.monitoring.decision import Subject, VerdictKind, judge_night
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile
from lakesmith.monitoring.scan import find_layouts, measure_of, profile_batches

_DAY = date(2024, 3, 1)
_NUMBERS, _COUNTS, _DECIMALS, _CATEGORIES, _TEXTS = 10, 3, 2, 4, 1
_BASELINE_ROWS = 50_000
_EVIDENTLY_ROWS = 1_000_000
_EVIDENTLY = ROOT / ".venv-bench" / "bin" / "python"


def run(size: Size) -> Report:
    """The profile of all columns and the verdicts on them, in turns with a pass that only writes the rows."""
    rounds = size.rounds_or(5 if size.full else 3)
    spark = session(load_settings("dev", ROOT), "bench drift", by_name=False)
    rows, baseline_rows = size.rows_or(3_000_000), _made(spark, _BASELINE_ROWS, 1007)
    current = _stored(_made(spark, rows, 7), size.folder / "current")
    types = {field.name: field.dataType for field in baseline_rows.schema.fields if field.name != BATCH_DATE}
    layouts = find_layouts(baseline_rows, {name: measure_of(kind) for name, kind in types.items()})
    baseline = _profiled(baseline_rows, layouts)
    measured = in_turns(
        [
            Side("profile and verdicts", lambda _: _judged(baseline, _profiled(current, layouts))),
            Side(
                "one Parquet write",
                lambda _: current.write.mode("overwrite").parquet(str(size.folder / "again")),
            ),
        ],
        rounds,
        spark,
    )
    ours, written = measured.values()
    report = Report(
        name="drift",
        title="Profile and drift",
        command=size.command("drift"),
        size={"rows": rows, "columns": len(layouts), "rounds": rounds},
        rows=rows,
        measured=[ours, written],
        ratios=[ratio("profile and drift of 20 columns / one Parquet write", ours, written, limit=1.0)],
    )
    if _EVIDENTLY.exists():
        _beside_evidently(report, size, spark, baseline_rows, baseline, layouts)
    return report


def _beside_evidently(
    report: Report,
    size: Size,
    spark: SparkSession,
    baseline_rows: DataFrame,
    baseline: list[ColumnProfile],
    layouts: list[ColumnLayout],
) -> None:
    """Adds the verdicts by Evidently's DataDriftPreset on the same columns, of rows that fit into memory."""
    # As a category, a text of distinct values takes Evidently minutes at 10,000 rows: its users leave such columns out.
    kept = [at for at, layout in enumerate(layouts) if not layout.column.startswith("text")]
    baseline, layouts = [baseline[at] for at in kept], [layouts[at] for at in kept]
    columns = [BATCH_DATE, *(layout.column for layout in layouts)]
    rows = min(size.rows_or(3_000_000), _EVIDENTLY_ROWS)
    _stored(baseline_rows.select(columns), size.folder / "evidently-baseline")
    current = _stored(_made(spark, rows, 7).select(columns), size.folder / "evidently-current")
    folders = [str(size.folder / name) for name in ("evidently-baseline", "evidently-current")]
    told = subprocess.run(
        [str(_EVIDENTLY), str(Path(__file__).with_name("evidently_side.py")), *folders],
        check=True,
        capture_output=True,
        text=True,
    )
    theirs = json.loads(told.stdout.splitlines()[-1])
    few = in_turns([Side("few rows", lambda _: _judged(baseline, _profiled(current, layouts)))], 3)[
        "few rows"
    ]
    evidently = Measured("Evidently", theirs["seconds"][0], theirs["seconds"][1:])
    few.seconds = few.seconds[: len(evidently.seconds)]
    report.ratios.append(
        ratio(f"profile and drift of {len(kept)} columns / Evidently, {rows:,} rows", few, evidently)
    )
    report.figures += [
        Figure(
            f"Evidently {theirs['version']}, DataDriftPreset, {rows:,} rows in memory", evidently.median, "s"
        ),
        Figure(f"Lakesmith, {rows:,} rows from Parquet", few.median, "s"),
        Figure("Evidently's process at its peak", theirs["peak_mb"], "MB"),
    ]
    report.tables.append(
        Table(
            "Of the same rows, drawn from one distribution",
            ("", "columns that drifted"),
            [["Lakesmith", _judged(baseline, _profiled(current, layouts))], ["Evidently", theirs["drifted"]]],
        )
    )


def _stored(frame: DataFrame, folder: Path) -> DataFrame:
    frame.write.parquet(str(folder))
    return frame.sparkSession.read.parquet(str(folder))


def _made(spark: SparkSession, rows: int, seed: int) -> DataFrame:
    """Rows as tables of features have them."""
    frame = spark.range(0, rows, 1, spark.sparkContext.defaultParallelism)
    columns = [F.lit(_DAY).alias(BATCH_DATE)]
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


def _judged(baseline: list[ColumnProfile], current: list[ColumnProfile]) -> int:
    """The verdicts of a night; gives how many columns drifted."""
    pairs = zip(baseline, current, strict=True)
    found = judge_night([Subject(now.column, compare(before, now)) for before, now in pairs])
    return sum(verdict.kind is VerdictKind.DRIFTED for verdict in found)


def _profiled(rows: DataFrame, layouts: list[ColumnLayout]) -> list[ColumnProfile]:
    [found] = profile_batches(rows, layouts)
    return list(found.columns)

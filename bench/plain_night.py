"""The night that somebody writes by hand: PySpark and delta-spark, one batch a night by `replaceWhere`.

It calls the reference pipeline's own transforms, so that only what is around them differs: Spark's CSV reader instead of
Lakesmith's, row rules as one condition, windows as a date filter, no audit, no ledger, no digest. What it gives away for its
speed stands in bench/notes/night.md.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.lakes import ROOT, SOURCE
from lakesmith.contracts.model import Contract
from lakesmith.contracts.project import Project
from lakesmith.jobs import Job

__all__ = ["TABLES", "PlainLake"]

TABLES = (
    "bronze.sales_lines",
    "silver.sales_lines",
    "silver.customer_days",
    "gold.daily_sales",
    "gold.customer_features",
)


@dataclass
class PlainLake:
    """Tables of a night by hand.

    Args:
        project: for the columns, their order and the scale of doubles, which the hand-written jobs would have as constants.
        audit: is given each batch after it was written; None audits nothing.
    """

    spark: SparkSession
    root: Path
    landing: Path
    project: Project
    audit: Callable[[str, DataFrame], None] | None = None

    def night(self, day: date) -> None:
        """All tables of one day."""
        for table, frame in self._frames(day):
            self._write(table, frame(), day)

    def table(self, name: str) -> DataFrame:
        """A table as it is now."""
        return self.spark.read.format("delta").load(str(self.root / name))

    def _frames(self, day: date) -> Iterable[tuple[str, Callable[[], DataFrame]]]:
        yield "bronze.sales_lines", lambda: self._bronze(day)
        yield "silver.sales_lines", lambda: self._silver(day)
        yield (
            "silver.customer_days",
            lambda: _transform("silver.customer_days")(lines=self._of("silver.sales_lines", day)),
        )
        yield (
            "gold.daily_sales",
            lambda: _transform("gold.daily_sales")(lines=self._of("silver.sales_lines", day)),
        )
        yield "gold.customer_features", lambda: self._features(day)

    def _of(self, table: str, day: date) -> DataFrame:
        return self.table(table).where(F.col("batch_date") == F.lit(day))

    def _bronze(self, day: date) -> DataFrame:
        file = self.landing / f"{day}.csv"
        columns = self.project.graph.sources[SOURCE].columns
        schema = ", ".join(f"`{name}` string" for name in (*(c.header for c in columns), "malformed"))
        records = (
            self.spark.read.schema(schema)
            .options(header=True, escape='"', mode="PERMISSIVE", columnNameOfCorruptRecord="malformed")
            .csv([str(file)] if file.exists() else [])
        )
        return records.select(
            F.col("_metadata.file_name").alias("source_file"),
            (F.monotonically_increasing_id() + 1).alias("record_no"),
            *[F.col(c.header).alias(c.name) for c in columns],
            F.lit(None).cast("map<string,string>").alias("extra"),
            "malformed",
            F.lit(day).alias("batch_date"),
        )

    def _silver(self, day: date) -> DataFrame:
        lines = _transform("silver.sales_lines")(lines=self._of("bronze.sales_lines", day))
        is_adjustment = F.col("line_type") == "adjustment"
        return lines.where(
            F.col("_dropped").isNull()
            & F.col("unparsed").isNull()
            & F.col("invoice_no").isNotNull()
            & F.col("stock_code").isNotNull()
            & (F.col("quantity") != 0)
            & F.col("quantity").between(-100_000, 100_000)
            & ((F.col("unit_price") >= 0) | is_adjustment)
            & (F.to_date("invoice_date") == F.col("batch_date"))
        ).drop("_dropped")

    def _features(self, day: date) -> DataFrame:
        """The day's year as ages."""
        year = self.table("silver.customer_days").where(
            (F.col("batch_date") > F.lit(day - timedelta(365))) & (F.col("batch_date") <= F.lit(day))
        )
        aged = year.withColumns(
            {
                "input_date": F.col("batch_date"),
                "age_days": F.datediff(F.lit(day), "batch_date"),
                "batch_date": F.lit(day),
            }
        )
        return _transform("gold.customer_features")(days=aged)

    def _write(self, table: str, frame: DataFrame, day: date) -> None:
        rounded = _rounded(self.project.graph.contracts[table], frame)
        path = str(self.root / table)
        writer = rounded.write.format("delta").partitionBy("batch_date").mode("overwrite")
        if (self.root / table / "_delta_log").exists():
            writer = writer.option("replaceWhere", f"batch_date = '{day}'")
        writer.save(path)
        if self.audit is not None:
            self.audit(table, self._of(table, day))


def _transform(table: str) -> Callable[..., DataFrame]:
    """The transform of a table's own job."""
    layer, name = table.split(".")
    found: Job = runpy.run_path(str(ROOT / "jobs" / layer / f"{name}.py"))[name]
    return found.transform


def _rounded(contract: Contract, frame: DataFrame) -> DataFrame:
    scaled = {c.name: c.scale for c in contract.columns if c.scale is not None}
    names = [*(c.name for c in contract.columns), "batch_date"]
    return frame.select(
        *[F.round(name, scaled[name]).alias(name) if name in scaled else F.col(name) for name in names]
    )

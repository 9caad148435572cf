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

from bench.lakes import ROOT
from lakesmith.contracts.model import Contract
from lakesmith.contracts.project import Project

__all__ = ["TABLES", "PlainLake"]

TABLES = (
    "bronze.sales_lines",
    "silver.sales_lines",
    "silver.customer_days",
    "gold.daily_sales",
    "gold.customer_features",
)
_TEXTS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
_NAMES = (
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
)


@dataclass
class PlainLake:
    """Tables of a night by hand.

    Args:
        project: for the order of columns and the scale of doubles, which the hand-written jobs would have as constants.
        audit: is given each batch after it was written; None audits nothing.
    """

    spark: SparkSession
    root: Path
    landing: Path
    project: Project
    audit: Callable[[str, DataFrame], None] | None = None

    def night(self, day: date) -> None:
        """All tables of one day."""
        self.nights(day, day)

    def nights(self, first: date, last: date) -> None:
        """All tables of a range of days, each written once."""
        days = [first + timedelta(n) for n in range((last - first).days + 1)]
        for table, frame in self._frames(days):
            self._write(table, frame(), first, last)

    def table(self, name: str) -> DataFrame:
        """A table as it is now."""
        return self.spark.read.format("delta").load(str(self.root / name))

    def _frames(self, days: list[date]) -> Iterable[tuple[str, Callable[[], DataFrame]]]:
        yield "bronze.sales_lines", lambda: self._bronze(days)
        yield "silver.sales_lines", lambda: self._silver(days)
        yield (
            "silver.customer_days",
            lambda: _job("silver/customer_days.py")["customer_days"].transform(
                lines=self._of("silver.sales_lines", days)
            ),
        )
        yield (
            "gold.daily_sales",
            lambda: _job("gold/daily_sales.py")["daily_sales"].transform(
                lines=self._of("silver.sales_lines", days)
            ),
        )
        yield "gold.customer_features", lambda: self._features(days)

    def _of(self, table: str, days: list[date]) -> DataFrame:
        return self.table(table).where(
            (F.col("batch_date") >= F.lit(days[0])) & (F.col("batch_date") <= F.lit(days[-1]))
        )

    def _bronze(self, days: list[date]) -> DataFrame:
        files = [str(file) for day in days if (file := self.landing / f"{day}.csv").exists()]
        schema = ", ".join(f"`{name}` string" for name in (*_TEXTS, "malformed"))
        records = (
            self.spark.read.schema(schema)
            .options(header=True, escape='"', mode="PERMISSIVE", columnNameOfCorruptRecord="malformed")
            .csv(files)
        )
        return records.select(
            F.col("_metadata.file_name").alias("source_file"),
            (F.monotonically_increasing_id() + 1).alias("record_no"),
            *[F.col(text).alias(name) for text, name in zip(_TEXTS, _NAMES, strict=True)],
            F.lit(None).cast("map<string,string>").alias("extra"),
            "malformed",
            F.to_date(F.substring("_metadata.file_name", 1, 10)).alias("batch_date"),
        )

    def _silver(self, days: list[date]) -> DataFrame:
        job = _job("silver/sales_lines.py")
        lines = job["sales_lines"].transform(lines=self._of("bronze.sales_lines", days))
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

    def _features(self, days: list[date]) -> DataFrame:
        """One day: its year as ages. A range would pair days; nobody writes that by hand, so that it goes day by day."""
        [day] = days
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
        return _job("gold/customer_features.py")["customer_features"].transform(days=aged)

    def _write(self, table: str, frame: DataFrame, first: date, last: date) -> None:
        rounded = _rounded(self.project.graph.contracts[table], frame)
        path = str(self.root / table)
        writer = rounded.write.format("delta").partitionBy("batch_date").mode("overwrite")
        if (self.root / table / "_delta_log").exists():
            # BETWEEN in replaceWhere fails in this Delta.
            writer = writer.option("replaceWhere", f"batch_date >= '{first}' AND batch_date <= '{last}'")
        writer.save(path)
        if self.audit is not None:
            days = [first + timedelta(n) for n in range((last - first).days + 1)]
            self.audit(table, self._of(table, days))


def _job(path: str) -> dict[str, object]:
    return runpy.run_path(str(ROOT / "jobs" / path))


def _rounded(contract: Contract, frame: DataFrame) -> DataFrame:
    scaled = {c.name: c.scale for c in contract.columns if c.scale is not None}
    names = [*(c.name for c in contract.columns), "batch_date"]
    return frame.select(
        *[F.round(name, scaled[name]).alias(name) if name in scaled else F.col(name) for name in names]
    )

"""silver.customer_days: what one known customer did on one day, by line type."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakesmith import job

LINE_TYPES = ("sale", "cancellation", "adjustment", "write_off")


@job("silver.customer_days")
def customer_days(lines: DataFrame) -> DataFrame:
    """One row per customer and day with any line; every count and amount can be added up over days."""
    measures = [measure for line_type in LINE_TYPES for measure in measures_of(line_type)]
    return (
        lines.filter(F.col("customer_id").isNotNull())
        .groupBy("batch_date", "customer_id")
        .agg(country_of_last_line().alias("country"), *measures, product_ids().alias("product_ids"))
    )


def measures_of(line_type: str) -> list[Column]:
    """Invoices, lines, units and amount of one line type, named after it."""
    is_type = F.col("line_type") == line_type
    # A customer has few invoices a day: sets are cheaper than Spark's distinct counts, which copy every row.
    invoices = F.size(F.collect_set(F.when(is_type, F.col("invoice_no"))))
    return [
        invoices.cast("bigint").alias(f"{line_type}_invoices"),
        F.count_if(is_type).alias(f"{line_type}_lines"),
        F.sum(F.when(is_type, F.col("quantity").cast("bigint")).otherwise(0)).alias(f"{line_type}_units"),
        F.sum(F.when(is_type, F.col("amount")).otherwise(0))
        .cast("decimal(18,3)")
        .alias(f"{line_type}_amount"),
    ]


def product_ids() -> Column:
    """The distinct products on sale lines, sorted; an empty list when nothing was sold."""
    is_sold_product = (F.col("line_type") == "sale") & F.col("is_product")
    return F.sort_array(F.collect_set(F.when(is_sold_product, F.col("stock_code"))))


def country_of_last_line() -> Column:
    """The country on the last sale line, or on the last line when nothing was sold."""
    recency = F.struct(F.col("line_type") == "sale", "invoice_date", "source_file", "record_no")
    return F.max_by("country", recency)


if __name__ == "__main__":
    customer_days.main()

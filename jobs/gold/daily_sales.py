"""gold.daily_sales: sales and returns of one day by country."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.daily_sales")
def daily_sales(lines: DataFrame) -> DataFrame:
    """One row per day and country with any line; revenue is what was sold, before returns."""
    is_sale = F.col("line_type") == "sale"
    is_return = F.col("line_type") == "cancellation"
    invoices = lines.groupBy("batch_date", "country", "line_type", "invoice_no", "customer_id").agg(
        F.sum("amount").alias("amount"), F.count("*").alias("lines"), F.sum("quantity").alias("units")
    )
    return invoices.groupBy("batch_date", "country").agg(
        F.sum(F.when(is_sale, F.col("amount")).otherwise(0)).cast("decimal(18,3)").alias("revenue"),
        F.count_distinct(F.when(is_sale, F.col("invoice_no"))).alias("orders"),
        F.count_distinct(F.when(is_sale, F.col("customer_id"))).alias("customers"),
        F.sum(F.when(is_sale, F.col("lines")).otherwise(0)).alias("lines"),
        F.sum(F.when(is_sale, F.col("units")).otherwise(0)).alias("units"),
        F.count_distinct(F.when(is_return, F.col("invoice_no"))).alias("returns"),
        F.sum(F.when(is_return, -F.col("amount")).otherwise(0))
        .cast("decimal(18,3)")
        .alias("returned_amount"),
    )


if __name__ == "__main__":
    daily_sales.main()

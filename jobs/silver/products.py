"""silver.products: what a stock code was called, through time."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("silver.products")
def products(lines: DataFrame) -> DataFrame:
    """One change per sale line of a known customer; a line without a description says nothing."""
    is_sale = (F.col("line_type") == "sale") & F.col("customer_id").isNotNull()
    return lines.where(is_sale & F.col("description").isNotNull()).select(
        "batch_date", "stock_code", "description", "invoice_date", "source_file", "record_no"
    )


if __name__ == "__main__":
    products.main()

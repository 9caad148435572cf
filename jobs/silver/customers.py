"""silver.customers: where a customer was, through time."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("silver.customers")
def customers(lines: DataFrame) -> DataFrame:
    """One change per sale line of a known customer."""
    is_sale = (F.col("line_type") == "sale") & F.col("customer_id").isNotNull()
    return lines.where(is_sale).select(
        "batch_date", "customer_id", "country", "invoice_date", "source_file", "record_no"
    )


if __name__ == "__main__":
    customers.main()

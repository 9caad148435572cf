"""bronze.sales_lines: every record of the shop's daily files, as text."""

from __future__ import annotations

from pyspark.sql import DataFrame

from lakesmith import job

COLUMNS = (
    "source_file",
    "record_no",
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
    "extra",
    "malformed",
    "batch_date",
)


@job("bronze.sales_lines")
def sales_lines(records: DataFrame) -> DataFrame:
    """Every record of the landing files once, untouched, under the contract's names."""
    return records.select(*COLUMNS)


if __name__ == "__main__":
    sales_lines.main()

"""bronze.orders: every record as it came."""

from pyspark.sql import DataFrame

from lakesmith import job


@job("bronze.orders")
def orders(files: DataFrame) -> DataFrame:
    return files

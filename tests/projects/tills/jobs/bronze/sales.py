"""bronze.sales: every sale as the database gave it."""

from pyspark.sql import DataFrame

from lakesmith import job


@job("bronze.sales")
def sales(files: DataFrame) -> DataFrame:
    return files

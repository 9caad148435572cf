"""silver.sales: one typed sale."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("silver.sales")
def sales(lines: DataFrame) -> DataFrame:
    return lines.select(
        F.col("id").cast("bigint").alias("id"),
        "shop",
        F.col("amount").cast("decimal(12,2)").alias("amount"),
        "batch_date",
        F.lit(None).cast("string").alias("_dropped"),
    )

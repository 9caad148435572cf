"""silver.items: the articles through time."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("silver.items")
def items(edits: DataFrame) -> DataFrame:
    return edits.select(
        "batch_date",
        "sku",
        F.col("position").cast("int").alias("position"),
        "name",
        F.col("price").cast("double").alias("price"),
        "operation",
    )

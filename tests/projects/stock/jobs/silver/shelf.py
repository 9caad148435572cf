"""silver.shelf: what stood on the shelf through time."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("silver.shelf")
def shelf(edits: DataFrame) -> DataFrame:
    return edits.select("batch_date", "sku", F.col("position").cast("int").alias("position"), "name")

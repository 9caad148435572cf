"""gold.running: all that a meter has used so far."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.running")
def running(usage: DataFrame, before: DataFrame) -> DataFrame:
    columns = ["batch_date", "meter", "kwh"]
    both = usage.select(columns).unionByName(before.select(columns))
    return both.groupBy("batch_date", "meter").agg(F.sum("kwh").alias("kwh"))

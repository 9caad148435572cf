"""gold.usage: energy a meter used in a day."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.usage")
def usage(readings: DataFrame, settings: dict) -> DataFrame:
    used = readings.groupBy("batch_date", "meter").agg(F.sum("kwh").alias("kwh"))
    return used.withColumn("cost", F.col("kwh") * F.lit(settings["tariff"]).cast("bigint"))

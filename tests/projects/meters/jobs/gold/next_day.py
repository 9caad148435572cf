"""gold.next_day: what a meter used on the day after."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.next_day")
def next_day(usage: DataFrame, later: DataFrame) -> DataFrame:
    after = later.select("batch_date", "meter", F.col("kwh").alias("next_kwh"))
    return usage.select("batch_date", "meter").join(after, on=["batch_date", "meter"], how="left")

"""gold.usage_3d: energy a meter used in three days."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.usage_3d")
def usage_3d(usage: DataFrame) -> DataFrame:
    return usage.groupBy("batch_date", "meter").agg(F.sum("kwh").alias("kwh"), F.avg("kwh").alias("mean_kwh"))

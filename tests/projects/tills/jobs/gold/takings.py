"""gold.takings: what a shop took in a day."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.takings")
def takings(sales: DataFrame) -> DataFrame:
    return sales.groupBy("batch_date", "shop").agg(F.sum("amount").alias("amount"))

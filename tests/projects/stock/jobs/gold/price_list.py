"""gold.price_list: how many articles there were on a day."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.price_list")
def price_list(items: DataFrame) -> DataFrame:
    return items.groupBy("batch_date").agg(
        F.count(F.lit(1)).alias("known"),
        F.count_if("is_current").alias("articles"),
        F.count("valid_to").alias("ended"),
    )

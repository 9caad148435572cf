"""gold.customers: what is known of a customer who ordered within two weeks."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.customers")
def customers(orders: DataFrame) -> DataFrame:
    latest_first = F.struct(F.col("input_date"), F.col("record_no"))
    days = F.countDistinct("input_date")
    return (
        orders.groupBy("batch_date", F.col("customer").cast("bigint").alias("customer_id"))
        .agg(
            F.min("age_days").alias("recency_days"),
            F.count("*").alias("orders_14d"),
            F.sum(F.col("amount").cast("decimal(12,2)")).cast("decimal(12,2)").alias("amount_14d"),
            days.alias("days"),
            (F.max("age_days") - F.min("age_days")).alias("span"),
            (F.weekday(F.max("input_date")) + 1).alias("last_weekday"),
            F.max_by("channel", latest_first).alias("last_channel"),
        )
        .withColumn("gap_mean_days", F.when(F.col("days") > 1, F.col("span") / (F.col("days") - 1)))
        .drop("days", "span")
    )

"""gold.next_week: what a customer did in the week after."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.next_week")
def next_week(customers: DataFrame, orders: DataFrame) -> DataFrame:
    later = orders.groupBy("batch_date", F.col("customer").cast("bigint").alias("customer_id")).agg(
        F.sum(F.col("amount").cast("decimal(12,2)")).cast("decimal(12,2)").alias("revenue")
    )
    return (
        customers.select("batch_date", "customer_id")
        .join(later, on=["batch_date", "customer_id"], how="left")
        .select(
            "batch_date",
            "customer_id",
            F.col("revenue").isNotNull().alias("bought"),
            F.coalesce("revenue", F.lit(0).cast("decimal(12,2)")).alias("revenue"),
        )
    )

"""gold.repurchase_labels: did the customer buy again within the window ahead?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job


@job("gold.repurchase_labels")
def repurchase_labels(features: DataFrame, days: DataFrame) -> DataFrame:
    """A label for each customer of the feature table, from the days that the window ahead allows."""
    buyers = (
        days.filter(F.col("sale_lines") > 0)
        .groupBy("batch_date", "customer_id")
        .agg(F.lit(True).alias("has_bought"))
    )
    return features.join(buyers, on=["batch_date", "customer_id"], how="left").select(
        "customer_id", F.coalesce("has_bought", F.lit(False)).alias("repurchased"), "batch_date"
    )


if __name__ == "__main__":
    repurchase_labels.main()

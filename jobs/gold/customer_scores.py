"""gold.customer_scores: how likely each customer is to buy again, by the model in use on the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakesmith import job

if TYPE_CHECKING:
    from lakesmith.ml.serving import Model


@job("gold.customer_scores")
def customer_scores(features: DataFrame, model: Model) -> DataFrame:
    """One score for each row of the features; the tenth most likely customers of a day are decile 1."""
    most_likely_first = Window.partitionBy("batch_date").orderBy(F.desc("score"), "customer_id")
    return model.score(features).select(
        "customer_id",
        F.col("score").alias("probability"),
        F.ntile(10).over(most_likely_first).alias("decile"),
        "model_name",
        "model_version",
        "served_by",
        "batch_date",
    )


if __name__ == "__main__":
    customer_scores.main()

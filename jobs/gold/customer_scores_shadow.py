"""gold.customer_scores_shadow: what the challenger would have said of each customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith import job

if TYPE_CHECKING:
    from lakesmith.ml.serving import Model


@job("gold.customer_scores_shadow")
def customer_scores_shadow(features: DataFrame, model: Model) -> DataFrame:
    """One score for each row of the features; none on days without a challenger."""
    return model.score(features).select(
        "customer_id",
        F.col("score").alias("probability"),
        "model_name",
        "model_version",
        "served_by",
        "batch_date",
    )


if __name__ == "__main__":
    customer_scores_shadow.main()

"""gold.revenue_scores: the score of every customer, by the model revenue."""

from pyspark.sql import DataFrame

from lakesmith import job


@job("gold.revenue_scores")
def revenue_scores(customers: DataFrame, model: object) -> DataFrame:
    return model.score(customers).select("customer_id", "score", "model_version", "batch_date")

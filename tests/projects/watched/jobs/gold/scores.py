"""gold.scores: the score of every customer, by the model returning."""

from pyspark.sql import DataFrame

from lakesmith import job


@job("gold.scores")
def scores(customers: DataFrame, model: object) -> DataFrame:
    return model.score(customers).select("customer_id", "score", "model_version", "served_by", "batch_date")

"""bronze.edits: every edit as it came."""

from pyspark.sql import DataFrame

from lakesmith import job


@job("bronze.edits")
def edits(files: DataFrame) -> DataFrame:
    return files

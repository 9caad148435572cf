"""bronze.readings: every record as it came."""

from pyspark.sql import DataFrame

from lakesmith import job


@job("bronze.readings")
def readings(files: DataFrame) -> DataFrame:
    return files

"""silver.readings: one typed reading; a second reading of a meter on a day is dropped."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakesmith import job


@job("silver.readings")
def readings(lines: DataFrame) -> DataFrame:
    nth = F.row_number().over(Window.partitionBy("batch_date", "meter").orderBy("source_file", "record_no"))
    return lines.select(
        "source_file",
        "record_no",
        "meter",
        F.col("kwh").try_cast("int").alias("kwh"),
        "street",
        "batch_date",
        F.when(nth > 1, "second_reading").alias("_dropped"),
    )


if __name__ == "__main__":
    readings.main()

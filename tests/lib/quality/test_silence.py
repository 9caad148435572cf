from __future__ import annotations

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from lakesmith.quality.silence import errors_without_values


@pytest.mark.parametrize("written", ["as a column", "as SQL"])
def test_python_logs_nothing_of_a_failed_query(
    written: str, spark: SparkSession, capfd: pytest.CaptureFixture[str]
) -> None:
    cast: Column = F.col("name").cast("int") if written == "as a column" else F.expr("cast(name AS int)")
    frame = spark.createDataFrame([("Jane",)], "name string").select(cast)

    with errors_without_values(), pytest.raises(PySparkException, match="CAST_INVALID_INPUT"):
        frame.collect()

    # Spark's executors write to stderr on their own account; what Python says of the failure is ours.
    assert "QueryContextLogger" not in capfd.readouterr().err

"""Reading a Delta table of somebody else with Spark, at the version that was pinned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Source
from lakesmith.lake.landing import Erasure

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["read_external"]


def read_external(
    spark: SparkSession,
    source: Source,
    path: str,
    version: int | None,
    days: Sequence[date],
    *,
    erasure: Erasure | None = None,
) -> DataFrame:
    """The declared columns of some days, and `batch_date`.

    Args:
        version: as pinned.
        days: the batches of the run.
        erasure: people whose rows are to be left out; the table itself is somebody else's, and keeps them.
    """
    frame = spark.read.format("delta").option("versionAsOf", str(version)).load(path)
    present = set(frame.columns)
    columns = [
        (F.col(f"`{c.header}`") if c.header in present else F.lit(None).cast("string")).alias(c.name)
        for c in source.columns
    ]
    day = F.col(f"`{source.date_column}`")
    rows = frame.where(day.isin(list(days))).select(*columns, day.alias(BATCH_DATE))
    if erasure is None:
        return rows

    def left(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return (erasure.apply(batch) for batch in batches)

    return rows.mapInArrow(left, rows.schema)

"""Windows over batches: which input rows each batch of the output may see.

Owns the pairing of input rows with output batches, the one place where dates of inputs and outputs meet; a
transform gets the pairs and never filters by date, so it cannot look ahead. Which versions and batches of a
table are read is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.days import merge_days
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.contracts.windows import Window

__all__ = ["AGE_DAYS", "INPUT_DATE", "window_pairs"]

INPUT_DATE = "input_date"
AGE_DAYS = "age_days"


def window_pairs(
    frame: DataFrame,
    window: Window,
    batches: Sequence[date],
    start: date,
    *,
    spread_by: Sequence[str] = (),
) -> DataFrame:
    """Each input row once for every batch that may read it.

    A `same_day` input is only filtered to the batches. Any other gives the input's columns, with
    `batch_date` now the batch of the output, then `input_date` (the row's own day) and `age_days`
    (batch_date - input_date, an int; negative when the window looks ahead). A row's batches are computed
    from its day, so the cost is that of the pairs.

    Args:
        frame: the input, with its `batch_date`; rows that no batch reads may be there and are left out.
        window: what a batch of the output reads.
        batches: the batches of the output, in any order; none gives no rows.
        start: the first day of history; earlier rows are never read.
        spread_by: columns by which the rows are spread over tasks before they are paired, best the input's
            key: grouping by `batch_date` and these columns then moves the few rows instead of the many pairs.
    """
    if window.is_same_day:
        return frame.filter(_is_read(window, batches, start))
    columns = [name for name in frame.columns if name != BATCH_DATE]
    return (
        _spread(frame.filter(_is_read(window, batches, start)), spread_by)
        .select(
            *columns,
            F.explode(_reading_batches(window, batches)).alias(BATCH_DATE),
            F.col(BATCH_DATE).alias(INPUT_DATE),
        )
        .select(
            *[F.col(BATCH_DATE) if name == BATCH_DATE else F.col(name) for name in frame.columns],
            INPUT_DATE,
            F.datediff(BATCH_DATE, INPUT_DATE).alias(AGE_DAYS),
        )
    )


def _is_read(window: Window, batches: Sequence[date], start: date) -> Column:
    """True for rows that some batch reads: one condition a gap-free range, so that partitions are pruned."""
    condition = F.lit(False)
    for days in merge_days(day for batch in batches for day in window.reads(batch, start) or ()):
        condition |= F.col(BATCH_DATE).between(F.lit(days.first), F.lit(days.last))
    return condition


def _reading_batches(window: Window, batches: Sequence[date]) -> Column:
    """The batches that read a row's day, as an array."""
    first_reader = F.date_add(BATCH_DATE, -window.last_offset)
    last_reader = F.date_add(BATCH_DATE, -window.first_offset)
    readers = []
    for days in merge_days(batches):
        first = F.greatest(first_reader, F.lit(days.first))
        last = F.least(last_reader, F.lit(days.last))
        # Counted down, sequence() would give days that nobody asked for.
        readers.append(
            F.when(first <= last, F.sequence(first, last)).otherwise(F.array().cast("array<date>"))
        )
    return F.concat(*readers) if readers else F.array().cast("array<date>")


def _spread(frame: DataFrame, columns: Sequence[str]) -> DataFrame:
    if not columns:
        return frame
    # With a number given, Spark does not merge the small partitions into one, whose one task would make all
    # pairs.
    partitions = int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions") or 1)
    return frame.repartition(partitions, *columns)

"""Keyed tables: from changes to the rows that follow from them, with Spark.

Owns which change of a key and day counts, which bucket a key belongs to, and the fold. The fold takes rows that hold and the
changes after them; without rows it takes all changes there ever were. Both give the same rows, since what a change means hangs
on nothing but the last state of its key before it: a row that holds stands for all changes up to then.

Lazy, like everything that makes DataFrames. Which changes are read and which buckets are written is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce
from itertools import pairwise
from operator import and_
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from lakesmith.contracts.model import (
    BATCH_DATE,
    DELETED,
    IS_CURRENT,
    KEY_BUCKET,
    VALID_FROM,
    VALID_TO,
    Contract,
    Keyed,
)
from lakesmith.contracts.types import PrimitiveType
from lakesmith.lake.digest_expression import comparable, hash_columns
from lakesmith.lake.staging import OUTCOME, RowOutcome

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["as_of_pairs", "fold", "key_bucket", "last_of_each_day", "marked_changes"]

# Fixed for good: another salt would move every key to another bucket.
_BUCKET_SALT = 0
_DAY, _SEEN, _NEXT_SEEN, _NEXT_DUMP, _NTH = "_day", "_seen", "_next_seen", "_next_dump", "_nth"
_FLAG = PrimitiveType("boolean")


def key_bucket(contract: Contract) -> Column:
    """The bucket of a row's key."""
    keyed = _keyed(contract)
    types = {c.name: c.type for c in contract.columns}
    key_hash = hash_columns([(F.col(name), types[name]) for name in contract.key], _BUCKET_SALT)
    return F.pmod(key_hash, F.lit(keyed.buckets)).cast("int")


def marked_changes(
    contract: Contract, frame: DataFrame, beside: Sequence[str] = ()
) -> tuple[DataFrame, list[str]]:
    """What the job returned, with `_deleted`, and with what orders the changes of a key and day in columns of their own.

    Of a change that deletes its key nothing but the key is left, so that two such changes are equal whatever else they say.

    Args:
        contract: the keyed table's.
        frame: its columns without the generated ones, the sequence, the marker of deletes, `batch_date`.
        beside: other columns to keep.

    Returns:
        The frame, and the names of the columns that order it, the most important first.
    """
    keyed = _keyed(contract)
    is_deleted = F.lit(False)
    if keyed.delete_column is not None:
        is_deleted = F.coalesce(F.col(keyed.delete_column).isin(list(keyed.delete_values)), F.lit(False))
    order = [f"_sequence_{n}" for n in range(len(keyed.sequence))]
    values = [
        (F.col(c.name) if c.name in contract.key else F.when(~is_deleted, F.col(c.name))).alias(c.name)
        for c in contract.change_columns
    ]
    sequence = [F.col(name).alias(alias) for name, alias in zip(keyed.sequence, order, strict=True)]
    return frame.select(*values, is_deleted.alias(DELETED), BATCH_DATE, *beside, *sequence), order


def last_of_each_day(contract: Contract, frame: DataFrame, order: Sequence[str]) -> DataFrame:
    """Of all changes of a key and day that may be published the last; the others' rows stay as they are.

    The last is the one that is greatest in the order, column by column, where a null comes before every value; of equal ones
    the one with the greatest digest of key, values and marker, so that it does not hang on the order of rows.

    Args:
        contract: the keyed table's.
        frame: as `rows_with_outcome` gives it, with the columns that order it.
        order: those columns; they are not in the result.
    """
    values = [
        *((F.col(c.name), c.type) for c in contract.change_columns),
        (F.col(DELETED), _FLAG),
    ]
    digests = [hash_columns(values, salt).desc() for salt in (1, 2)]
    latest = Window.partitionBy(BATCH_DATE, *contract.key, OUTCOME).orderBy(
        *(F.col(name).desc_nulls_last() for name in order), *digests
    )
    is_last = (F.col(OUTCOME) != str(RowOutcome.PUBLISHED)) | (F.col(_NTH) == 1)
    return frame.withColumn(_NTH, F.row_number().over(latest)).where(is_last).drop(_NTH, *order)


def fold(
    contract: Contract,
    rows: DataFrame | None,
    changes: DataFrame,
    *,
    dumps: Sequence[date] = (),
    seen: date | None = None,
) -> DataFrame:
    """The rows of a keyed table after some changes.

    Args:
        contract: the keyed table's.
        rows: what it held before; None when the changes are all that there ever were of these keys.
        changes: one row at most for each key and day, all later than the rows, with `_deleted` and `batch_date`.
        dumps: for a table whose batches list all keys, the days of these batches, in order.
        seen: for such a table, the last of these days that the rows have taken in.

    Returns:
        The contract's columns and `key_bucket`.
    """
    keyed = _keyed(contract)
    columns = [c.name for c in contract.change_columns]
    events = changes.select(*columns, DELETED, F.col(BATCH_DATE).alias(_DAY), F.col(BATCH_DATE).alias(_SEEN))
    over = None
    if rows is not None:
        # Without history a row says nothing of its day: it was there before all of these changes.
        holding, began = rows, F.lit(None).cast("date")
        if keyed.keeps_history:
            holding, over = rows.where(IS_CURRENT), rows.where(~F.col(IS_CURRENT))
            began = F.col(VALID_FROM)
        events = holding.select(
            *columns, F.lit(False).alias(DELETED), began.alias(_DAY), F.lit(seen).cast("date").alias(_SEEN)
        ).unionByName(events)
    if keyed.full_dump is not None:
        events = _with_absences(contract, events, dumps)
    folded = _versions(contract, events) if keyed.keeps_history else _last_rows(contract, events)
    folded = folded.select(*[c.name for c in contract.columns], key_bucket(contract).alias(KEY_BUCKET))
    return folded if over is None else folded.unionByName(over)


def as_of_pairs(rows: DataFrame, batches: Sequence[date]) -> DataFrame:
    """The state of a table with history as it was known on each of some days, whatever it has learned since.

    Args:
        rows: of the table.
        batches: the days, which become `batch_date`.
    """
    days = F.array(*[F.lit(day) for day in sorted(batches)]).cast("array<date>")
    known = F.filter(days, lambda day: day >= F.col(VALID_FROM))
    ended = F.when(F.col(VALID_TO) <= F.col(BATCH_DATE), F.col(VALID_TO))
    paired = rows.drop(KEY_BUCKET).withColumn(BATCH_DATE, F.explode(known))
    return paired.withColumn(VALID_TO, ended).withColumn(IS_CURRENT, F.col(VALID_TO).isNull())


def _versions(contract: Contract, events: DataFrame) -> DataFrame:
    """One row for each stretch of days on which the values of a key did not change."""
    by_day = Window.partitionBy(*contract.key).orderBy(_DAY)
    values = [c for c in contract.change_columns if c.name not in contract.key]
    before = F.lag(F.struct(DELETED, *[c.name for c in values])).over(by_day)
    was = "_before"
    same = [
        comparable(F.col(f"{was}.{c.name}"), c.type).eqNullSafe(comparable(F.col(c.name), c.type))
        for c in values
    ]
    # A deleted key has no values, so that two deletes in a row are equal as well.
    is_news = F.col(was).isNull() | ~reduce(and_, same, F.col(f"{was}.{DELETED}") == F.col(DELETED))
    ends = F.lead(_DAY).over(by_day)
    return (
        events.withColumn(was, before)
        .where(is_news)
        .withColumns({VALID_FROM: F.col(_DAY), VALID_TO: ends})
        .where(~F.col(DELETED))
        .withColumn(IS_CURRENT, F.col(VALID_TO).isNull())
    )


def _last_rows(contract: Contract, events: DataFrame) -> DataFrame:
    """The last row of each key that is not deleted."""
    latest = Window.partitionBy(*contract.key).orderBy(F.col(_DAY).desc_nulls_last())
    return events.withColumn(_NTH, F.row_number().over(latest)).where((F.col(_NTH) == 1) & ~F.col(DELETED))


def _with_absences(contract: Contract, events: DataFrame, dumps: Sequence[date]) -> DataFrame:
    """The events of full dumps, and for each key that the next dump does not list the event that deletes it."""
    following = [(day, after) for day, after in pairwise(sorted(dumps))]
    if not following:
        return events
    next_dump = events.sparkSession.createDataFrame(following, f"{_SEEN} date, {_NEXT_DUMP} date")
    by_dump = Window.partitionBy(*contract.key).orderBy(_SEEN)
    next_seen = F.lead(_SEEN).over(by_dump)
    is_absent = F.col(_NEXT_DUMP).isNotNull() & (
        F.col(_NEXT_SEEN).isNull() | (F.col(_NEXT_SEEN) > F.col(_NEXT_DUMP))
    )
    gone = (
        events.withColumn(_NEXT_SEEN, next_seen)
        .join(F.broadcast(next_dump), on=_SEEN, how="inner")
        .where(is_absent)
    )
    absences = gone.select(
        *[
            F.col(c.name) if c.name in contract.key else F.lit(None).cast(str(c.type)).alias(c.name)
            for c in contract.change_columns
        ],
        F.lit(True).alias(DELETED),
        F.col(_NEXT_DUMP).alias(_DAY),
        F.col(_NEXT_DUMP).alias(_SEEN),
    )
    return events.unionByName(absences)


def _keyed(contract: Contract) -> Keyed:
    assert contract.keyed is not None, f"{contract.table} is not keyed"
    return contract.keyed

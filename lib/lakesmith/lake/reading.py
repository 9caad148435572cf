"""Reading the lake with Spark, always at a version that was pinned before.

Owns how a contracted table becomes a DataFrame: the contract's columns in their order, then `batch_date` (of a keyed table
`key_bucket`).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import BATCH_DATE, KEY_BUCKET, Contract
from lakesmith.errors import InputMissing
from lakesmith.lake.staging import OUTCOME, Staged
from lakesmith.lake.tables import BROKEN_RULES
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.nights import open_night
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import NightRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["read_batches", "read_buckets", "read_night", "read_staged", "schema_ddl"]

_PARTITION_TYPES = {BATCH_DATE: "date", KEY_BUCKET: "int"}

# PySpark hands a date over as text, and that of a year below 1000 is one that Java does not read.
_EVERY_DAY = BatchRange(date(1000, 1, 1), date.max)


def schema_ddl(contract: Contract) -> str:
    """The table's columns as Spark's DDL, the partition column last."""
    partition = f"{contract.partitioned_by} {_PARTITION_TYPES[contract.partitioned_by]}"
    return ", ".join([*(f"`{c.name}` {c.type}" for c in contract.columns), partition])


def read_batches(
    spark: SparkSession, lake: LakeLocation, contract: Contract, version: int | None, days: BatchRange | None
) -> DataFrame:
    """The rows of some batches of a table.

    Args:
        version: the pinned version; None for a table that was never made, which has no rows.
        days: None for no batch at all.
    """
    if version is None or days is None:
        return spark.createDataFrame([], schema_ddl(contract))
    wanted = F.col(BATCH_DATE).between(F.lit(days.first), F.lit(days.last))
    return _read(spark, lake, contract, version).where(wanted)


def read_buckets(
    spark: SparkSession,
    lake: LakeLocation,
    contract: Contract,
    version: int | None,
    buckets: Collection[int] | None = None,
) -> DataFrame:
    """The rows of a keyed table.

    Args:
        version: as for `read_batches`.
        buckets: None for all.
    """
    if version is None:
        return spark.createDataFrame([], schema_ddl(contract))
    frame = _read(spark, lake, contract, version)
    return frame if buckets is None else frame.where(F.col(KEY_BUCKET).isin(sorted(buckets)))


def _read(spark: SparkSession, lake: LakeLocation, contract: Contract, version: int) -> DataFrame:
    frame = spark.read.format("delta").option("versionAsOf", version).load(lake.path(contract.table))
    present = set(frame.columns)
    # A column that the contract gained after this version was made is null in it.
    columns = [
        F.col(c.name) if c.name in present else F.lit(None).cast(str(c.type)).alias(c.name)
        for c in contract.columns
    ]
    return frame.select(*columns, contract.partitioned_by)


def read_night(
    spark: SparkSession, lake: LakeLocation, ops: Ops, contract: Contract, night: NightRecord | None
) -> DataFrame:
    """All rows of a table as a night left it.

    Args:
        night: as `choose_night` gives it; None for the newest version.

    Raises:
        InputMissing: the table was never published, or not before that night had ended; a quarantine has no rows then.
        NightGone: what the night left of it can no longer be read.
    """
    opened = lake.open(contract.table) if night is None else open_night(lake, ops, contract.table, night)
    if opened is not None:
        if contract.keyed is not None:
            return read_buckets(spark, lake, contract, opened.version())
        return read_batches(spark, lake, contract, opened.version(), _EVERY_DAY)
    if contract.layer == "quarantine":
        return read_batches(spark, lake, contract, None, None)
    by_then = f" before the night {night.last} had ended" if night is not None else ""
    raise InputMissing(
        f"{contract.table} holds nothing: it was never published{by_then}. "
        f"See why: lakesmith status --table {contract.table}"
    )


def read_staged(spark: SparkSession, lake: LakeLocation, contract: Contract, staged: Staged) -> DataFrame:
    """What a run staged: the contract's columns, `broken_rules`, the partition column and `_outcome`.

    Just the files that the staged log names are read, and as plain Parquet: the run has read that log
    already, and a file that a failed task left beside them is not in it.
    """
    ddl = f"{schema_ddl(contract)}, {BROKEN_RULES} array<string>, {OUTCOME} string"
    if not staged.files:
        return spark.createDataFrame([], ddl)
    table = lake.path(contract.table)
    paths = [f"{table}/{file.location}" for file in staged.files]
    return spark.read.schema(ddl).option("basePath", f"{table}/{staged.folder}").parquet(*paths)

"""Rows staged as a run stages them: files with statistics in their log, read again as the audit reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.lake.reading import read_staged
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged, stage
from lakesmith.lake.tables import BROKEN_RULES
from lakesmith.ledger.location import LakeLocation
from lakesmith.quality.gate import suite_columns
from lakesmith.quality.log_statistics import BatchStatistics, log_statistics

__all__ = ["stage_rows", "staged_rows"]


def stage_rows(
    rows: DataFrame,
    contract: Contract,
    lake: LakeLocation,
    days: Sequence[date],
    quarantined: DataFrame | None = None,
) -> Staged:
    """Several files for each batch."""

    def with_outcome(frame: DataFrame, outcome: RowOutcome) -> DataFrame:
        none = F.lit(None).cast("array<string>")
        return frame.select(
            *[c.name for c in contract.columns],
            none.alias(BROKEN_RULES),
            BATCH_DATE,
            F.lit(str(outcome)).alias(OUTCOME),
        )

    frame = with_outcome(rows, RowOutcome.PUBLISHED)
    if quarantined is not None:
        frame = frame.unionByName(with_outcome(quarantined, RowOutcome.QUARANTINED))
    return stage(frame, contract, lake, "run", days, expected_rows=dict.fromkeys(days, 3), rows_per_file=1)


def staged_rows(
    spark: SparkSession,
    rows: DataFrame,
    contract: Contract,
    folder: Path,
    days: Sequence[date],
    *,
    quarantined: DataFrame | None = None,
) -> tuple[DataFrame, Mapping[date, BatchStatistics]]:
    """The published rows as they are read again, and what the log says of them."""
    lake = LakeLocation(str(folder))
    staged = stage_rows(rows, contract, lake, days, quarantined)
    found = read_staged(spark, lake, contract, staged).where(F.col(OUTCOME) == str(RowOutcome.PUBLISHED))
    files = [(f.part, f.stats) for f in staged.of(RowOutcome.PUBLISHED) if isinstance(f.part, date)]
    return found.select(*suite_columns(contract)), log_statistics(files, suite_columns(contract))

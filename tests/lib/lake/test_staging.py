"""The one write of a run: which files it makes, and how often rows are moved for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Column, Contract, Suite
from lakesmith.contracts.types import parse_type
from lakesmith.lake.reading import read_staged
from lakesmith.lake.spark_work import SparkWork, counted
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged, stage
from lakesmith.lake.tables import BROKEN_RULES
from lakesmith.ledger.location import LakeLocation

D1, D2 = date(2024, 1, 1), date(2024, 1, 2)
CONTRACT = Contract(
    table="gold.numbers",
    description="",
    owner="",
    job="",
    inputs=(),
    key=(),
    columns=(Column("n", parse_type("bigint")),),
    suite=Suite("gold.numbers"),
)


def numbers(spark: SparkSession, rows: int, tasks: int) -> DataFrame:
    """Rows of D1, spread over some tasks."""
    return spark.range(0, rows, 1, tasks).select(
        F.col("id").alias("n"),
        F.lit(None).cast("array<string>").alias(BROKEN_RULES),
        F.lit(D1).alias(BATCH_DATE),
        F.lit(str(RowOutcome.PUBLISHED)).alias(OUTCOME),
    )


def staged(
    frame: DataFrame, folder: Path, run_id: str, computed_from: int | None, days: tuple[date, ...] = (D1,)
) -> tuple[Staged, SparkWork]:
    with counted(frame.sparkSession) as work:
        found = stage(
            frame,
            CONTRACT,
            LakeLocation(str(folder)),
            run_id,
            days,
            expected_rows={day: 400 // len(days) for day in days},
            rows_per_file=100,
            computed_from=computed_from,
        )
    return found, work


@pytest.mark.parametrize(
    ("tasks", "computed_from", "days", "files", "moved"),
    [
        pytest.param(
            8, 1_000_000, (D1,), 4, False, id="as many files as cores: tasks write what they computed"
        ),
        pytest.param(8, 300, (D1,), 4, False, id="few rows: as they are"),
        pytest.param(
            1, 300, (D1,), 4, False, id="few rows in one task: it writes as many files as they need"
        ),
        pytest.param(1, None, (D1,), 3, True, id="nobody knows how rows are spread: they are moved"),
        pytest.param(
            8, 1_000_000, (D1, D2), 2, True, id="several batches: each task would write some of all"
        ),
    ],
)
def test_rows_are_moved_only_where_that_makes_better_files(
    spark_session: SparkSession,
    tmp_path: Path,
    tasks: int,
    computed_from: int | None,
    days: tuple[date, ...],
    files: int,
    moved: bool,
) -> None:
    found, work = staged(numbers(spark_session, 400, tasks), tmp_path, "run", computed_from, days)

    assert bool(work.shuffle_bytes) == moved
    assert len(found.of(RowOutcome.PUBLISHED)) == files
    assert found.rows(RowOutcome.PUBLISHED) == {D1: 400}
    again = read_staged(spark_session, LakeLocation(str(tmp_path)), CONTRACT, found)
    assert sorted(row["n"] for row in again.collect()) == list(range(400))


def test_a_contract_says_how_many_rows_its_files_have(spark_session: SparkSession, tmp_path: Path) -> None:
    found = stage(
        numbers(spark_session, 400, 2),
        replace(CONTRACT, rows_per_file=100),
        LakeLocation(str(tmp_path)),
        "run",
        [D1],
        expected_rows={D1: 400},
        rows_per_file=1_000_000,
        computed_from=400,
    )
    assert sorted(file.rows for file in found.files) == [100] * 4

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakesmith.contracts.model import Column, Contract, Suite
from lakesmith.contracts.types import parse_type
from lakesmith.engine.audit import BatchAudit, audit
from lakesmith.errors import LakesmithError
from lakesmith.lake.staging import Staged, StagedFile
from lakesmith.ledger.location import LakeLocation
from lakesmith.quality.gate import Gate
from staged_rows import stage_rows

MON, TUE, WED = date(2011, 3, 7), date(2011, 3, 8), date(2011, 3, 9)
DAYS = [MON, TUE, WED]
CONTRACT = Contract(
    table="gold.t",
    description="",
    owner="",
    job="",
    inputs=(),
    key=("a",),
    columns=(Column("a", parse_type("bigint"), nullable=False),),
    suite=Suite("gold.t"),
)
Tamper = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LakeLocation:
    return LakeLocation(str(tmp_path_factory.mktemp("lake")))


@pytest.fixture(scope="module")
def staged(spark_session: SparkSession, lake: LakeLocation) -> Staged:
    rows = spark_session.createDataFrame(
        [(1, MON), (2, MON), (3, MON), (4, TUE)], "a bigint, batch_date date"
    )
    return stage_rows(rows, CONTRACT, lake, DAYS)


def audited(spark: SparkSession, lake: LakeLocation, staged: Staged) -> dict[date, BatchAudit]:
    read = {MON: 3, TUE: 1, WED: 0}
    return audit(spark, lake, CONTRACT, Gate.compile(CONTRACT), staged, DAYS, {}, read, ())


def with_log(staged: Staged, tamper: Tamper) -> Staged:
    """What was staged, with another log of its first file."""

    def changed(file: StagedFile) -> StagedFile:
        stats = json.loads(file.stats)
        tamper(stats)
        return replace(file, rows=stats["numRecords"], stats=json.dumps(stats))

    first, *others = sorted(staged.files, key=lambda file: (str(file.part), file.path))
    return replace(staged, files=(changed(first), *others))


def test_batches_are_judged_by_the_log_and_the_rows(
    spark_session: SparkSession, lake: LakeLocation, staged: Staged
) -> None:
    found = audited(spark_session, lake, staged)

    assert {day: (a.rows, a.refusals) for day, a in found.items()} == {
        MON: (3, ()),
        TUE: (1, ()),
        WED: (0, ()),
    }


def test_what_the_log_tells_is_not_asked_of_the_rows(
    spark_session: SparkSession, lake: LakeLocation, staged: Staged
) -> None:
    told = with_log(staged, lambda stats: stats["nullCount"].update(a=1))

    assert audited(spark_session, lake, told)[MON].refusals == ("contract_not_null_a: 1 of 3 rows",)


def test_a_log_of_other_rows_is_found(
    spark_session: SparkSession, lake: LakeLocation, staged: Staged
) -> None:
    told = with_log(staged, lambda stats: stats.update(numRecords=stats["numRecords"] + 1))

    with pytest.raises(
        LakesmithError, match=f"{MON}: the scan found 3 rows, the staged files' statistics say 4"
    ):
        audited(spark_session, lake, told)

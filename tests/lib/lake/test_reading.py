"""A table as a night left it, as Spark's DataFrame: the same versions and the same words as in SQL."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

import lakesmith
from lakes import record_night, write_batch
from lakesmith.contracts.days import BatchRange
from lakesmith.errors import InputMissing, UsageError
from lakesmith.lake.reading import read_batches
from lakesmith.lake.spark_work import counted
from lakesmith.ledger.nights import NightGone
from workspaces import METERS, Workspace, day

USAGE = "gold.usage"


def test_a_night_is_read_with_spark_as_it_was(
    tmp_path: Path, spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(METERS, tmp_path / "meters")
    meters = Workspace(tmp_path / "meters")
    monkeypatch.chdir(meters.root)
    write_batch(meters, USAGE, 1, [{"meter": "m1", "kwh": 10}])
    record_night(meters, 1, minutes=-2)
    write_batch(meters, USAGE, 1, [{"meter": "m1", "kwh": 11}])
    record_night(meters, 2, minutes=-1)
    write_batch(meters, USAGE, 3, [{"meter": "m1", "kwh": 12}])

    def read(as_of: object) -> list[tuple[object, ...]]:
        found = lakesmith.table(USAGE, as_of=as_of).orderBy("batch_date").collect()
        return [(row["batch_date"], row["kwh"]) for row in found]

    assert read("2024-01-01") == read(day(1)) == [(day(1), 10)]
    assert read(None) == read("2024-01-02") == [(day(1), 11)]
    assert read("latest") == [(day(1), 11), (day(3), 12)]
    assert lakesmith.table("quarantine.gold_usage", as_of="latest").count() == 0
    with pytest.raises(
        InputMissing, match=r"gold\.running holds nothing.*before the night 2024-01-02 had ended"
    ):
        lakesmith.table("gold.running")
    with pytest.raises(UsageError, match="usge"):
        lakesmith.table("gold.usge")
    old = meters.table(USAGE)
    old.load_as_version(1)
    for file in old.file_uris():
        Path(file.removeprefix("file://")).unlink()
    with pytest.raises(NightGone, match=r"as of the night 2024-01-01: 1 of its 1 files are gone"):
        lakesmith.table(USAGE, as_of="2024-01-01")


def test_only_the_files_of_the_batches_that_a_window_names_are_read(
    tmp_path: Path, spark_session: SparkSession
) -> None:
    shutil.copytree(METERS, tmp_path / "meters")
    meters = Workspace(tmp_path / "meters")
    for number in range(1, 8):
        write_batch(meters, USAGE, number, [{"meter": "m1", "kwh": number}])
    context = meters.context()
    found = read_batches(
        spark_session,
        context.lake,
        context.project.graph.contracts[USAGE],
        meters.table(USAGE).version(),
        BatchRange(day(3), day(4)),
    )
    with counted(spark_session) as work:
        rows = sorted(row["kwh"] for row in found.collect())

    assert rows == [3, 4]
    assert [scan.files for scan in work.scans] == [2]
    plan = found._jdf.queryExecution().executedPlan().toString()
    filters = re.search(r"PartitionFilters: \[([^\]]*)\]", plan)
    assert filters is not None
    assert "batch_date" in filters.group(1)

"""Tables by name in Spark's catalog in memory. A metastore, and a process that did not register them: tests/e2e."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from lakes import write_batch
from lakesmith.config.load import load_settings
from lakesmith.config.settings import Settings
from lakesmith.lake import catalog
from lakesmith.lake.catalog import Entry, EntryState, catalog_names, register, sync
from lakesmith.lake.session import session
from workspaces import METERS, Workspace, day


@pytest.fixture
def spark(spark_session: SparkSession) -> Iterator[SparkSession]:
    """The session, with the databases that a test made dropped after it."""
    before = {found.name for found in spark_session.catalog.listDatabases()}
    yield spark_session
    for found in spark_session.catalog.listDatabases():
        if found.name not in before:
            spark_session.sql(f"DROP DATABASE {found.name} CASCADE")


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    """Two versions of gold.usage, and a quarantine table."""
    return _lake(tmp_path / "meters", 10)


def _lake(root: Path, kwh: int) -> Workspace:
    shutil.copytree(METERS, root)
    workspace = Workspace(root)
    write_batch(workspace, "gold.usage", 1, [{"meter": "m1", "kwh": kwh}])
    write_batch(workspace, "gold.usage", 2, [{"meter": "m2", "kwh": 7}])
    write_batch(workspace, "quarantine.silver_readings", 1, [{"broken_rules": ["kwh_parses"]}])
    return workspace


def _settings(workspace: Workspace) -> Settings:
    return load_settings("dev", workspace.root, environ={})


def _rows(spark: SparkSession, sql: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in spark.sql(sql).collect())


def _states(entries: list[Entry]) -> dict[str, EntryState]:
    return {entry.table: entry.state for entry in entries if entry.state is not EntryState.ABSENT}


def test_a_session_finds_every_table_by_its_name(spark: SparkSession, meters: Workspace) -> None:
    version = meters.table("gold.usage").version()
    session(_settings(meters))
    assert _rows(spark, "SELECT batch_date, meter, kwh FROM gold.usage") == [
        (day(1), "m1", 10),
        (day(2), "m2", 7),
    ]
    assert _rows(spark, "SELECT meter FROM gold.usage VERSION AS OF 1") == [("m1",)]
    described = {row["col_name"]: row["comment"] for row in spark.sql("DESCRIBE gold.usage").collect()}
    assert described["cost"] == "Energy at the tariff in settings."
    assert described["batch_date"] == "The batch that the row belongs to."
    assert [found.name for found in spark.catalog.listTables("quarantine")] == ["silver_readings"]
    assert meters.table("gold.usage").version() == version


def test_a_run_does_without(spark: SparkSession, meters: Workspace) -> None:
    assert meters.context().spark is spark
    assert "gold" not in {found.name for found in spark.catalog.listDatabases()}


def test_tables_that_are_not_there_yet_are_told(spark: SparkSession, meters: Workspace) -> None:
    lake = meters.context().lake
    found = register(spark, lake, catalog_names(meters.root))
    assert _states(found) == {"gold.usage": EntryState.ADDED, "quarantine.silver_readings": EntryState.ADDED}
    absent = {entry.table for entry in found if entry.state is EntryState.ABSENT}
    assert {"bronze.readings", "ops.runs"} <= absent
    assert "quarantine.gold_usage" not in absent
    write_batch(meters, "bronze.readings", 1, [])
    assert _states(sync(spark, lake, catalog_names(meters.root))) == {
        "bronze.readings": EntryState.ADDED,
        "gold.usage": EntryState.KEPT,
        "quarantine.silver_readings": EntryState.KEPT,
    }


def test_a_name_without_contract_or_table_is_removed_and_no_file(
    spark: SparkSession, meters: Workspace
) -> None:
    lake = meters.context().lake
    sync(spark, lake, catalog_names(meters.root))
    (meters.root / "conf" / "tables" / "gold.usage.yml").unlink()
    shutil.rmtree(meters.root / "lake" / "quarantine")
    assert _states(sync(spark, lake, catalog_names(meters.root))) == {
        "gold.usage": EntryState.REMOVED,
        "quarantine.silver_readings": EntryState.REMOVED,
    }
    assert spark.catalog.listTables("gold") == []
    assert len(DeltaTable(lake.path("gold.usage")).file_uris()) == 2


def test_somebody_elses_table_is_left_alone(
    spark: SparkSession, meters: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spark.sql(f"CREATE DATABASE gold LOCATION '{tmp_path}/warehouse'")
    spark.sql("CREATE TABLE gold.usage AS SELECT 'mine' AS meter")
    spark.sql("CREATE TABLE gold.mine AS SELECT 1 AS one")
    assert (
        _states(sync(spark, meters.context().lake, catalog_names(meters.root)))["gold.usage"]
        is EntryState.TAKEN
    )
    assert _rows(spark, "SELECT meter FROM gold.usage") == [("mine",)]
    assert _rows(spark, "SELECT one FROM gold.mine") == [(1,)]
    with caplog.at_level(logging.WARNING):
        session(_settings(meters))
    assert "gold.usage in Spark's catalog is another table, at " in caplog.text


def test_another_lake_takes_the_names_of_the_one_before_in_memory(
    spark: SparkSession, meters: Workspace, tmp_path: Path
) -> None:
    other = _lake(tmp_path / "an other's", 99)
    session(_settings(meters))
    session(_settings(other))
    assert _rows(spark, "SELECT max(kwh) FROM gold.usage") == [(99,)]
    session(_settings(meters))
    assert _rows(spark, "SELECT max(kwh) FROM gold.usage") == [(10,)]


def test_a_catalog_that_refuses_is_a_warning(
    spark: SparkSession,
    meters: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise Py4JError("no rights\nat org.apache.hadoop")

    monkeypatch.setattr(catalog.CatalogEntries, "add", refuse)
    with caplog.at_level(logging.WARNING):
        session(_settings(meters))
    assert "cannot be registered by name (no rights); read them by their paths" in caplog.text


def test_dropping_a_name_drops_no_file(spark: SparkSession, meters: Workspace) -> None:
    session(_settings(meters))
    spark.sql("DROP TABLE gold.usage")
    spark.sql("DROP DATABASE quarantine CASCADE")
    assert len(meters.rows("gold.usage")) == 2
    assert len(meters.rows("quarantine.silver_readings")) == 1

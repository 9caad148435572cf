"""Compaction by deltalake leaves every value of every type as Spark wrote it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from every_type import EVERY_TYPE
from lakesmith.contracts.model import Column, Contract, Suite
from lakesmith.contracts.types import parse_type
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.maintenance import compact, worth_compacting
from lakesmith.lake.tables import ensure_table, statistics_columns
from lakesmith.ledger.live import LiveBatch, LiveTable
from lakesmith.ledger.location import LakeLocation

DAY = date(2024, 1, 1)
COLUMNS = tuple(Column(name, parse_type(kind)) for name, (kind, _) in EVERY_TYPE.items())


def test_a_compacted_batch_has_the_digest_that_it_had(spark_session: SparkSession, tmp_path: Path) -> None:
    lake = LakeLocation(str(tmp_path))
    contract = Contract("gold.t", "", "", "jobs/gold/t.py", (), (), COLUMNS, Suite("gold.t"))
    ensure_table(lake, contract)
    for at in range(4):
        values = ", ".join(
            f"CAST({values[at]} AS {kind}) AS {name}" for name, (kind, values) in EVERY_TYPE.items()
        )
        row = spark_session.sql(f"SELECT {values}").withColumn("batch_date", F.lit(DAY))
        row.write.format("delta").mode("append").save(lake.path("gold.t"))

    def digest() -> tuple[str, int]:
        rows = spark_session.read.format("delta").load(lake.path("gold.t"))
        aggregates = [column.alias(name) for name, column in digest_aggregates(COLUMNS).items()]
        return digest_of(COLUMNS, rows.agg(*aggregates).collect()[0].asDict())

    before = digest()
    opened = lake.open("gold.t")
    assert opened is not None
    live = LiveTable.of(opened)
    assert (before[1], len(live.batches[DAY].paths)) == (4, 4)

    version = compact(
        lake, "gold.t", live, [DAY], file_size=1 << 20, statistics=statistics_columns(contract), metadata="{}"
    )

    opened = lake.open("gold.t")
    assert opened is not None
    assert version == opened.version()
    assert len(LiveTable.of(opened).batches[DAY].paths) == 1
    assert digest() == before


def test_batches_are_worth_it_when_fewer_files_would_hold_them() -> None:
    def batch(files: int, size: int) -> LiveBatch:
        return LiveBatch(tuple(f"{n}.parquet" for n in range(files)), None, size)

    days = [date(2024, 1, n) for n in range(1, 6)]
    live = LiveTable(
        1,
        dict(
            zip(days, [batch(1, 10), batch(2, 10), batch(3, 250), batch(4, 250), batch(2, 10)], strict=True)
        ),
    )
    assert worth_compacting(live, days[:4], 100) == (days[1], days[3])

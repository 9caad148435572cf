"""Days that calendars disagree about, from a landing file through a job to the published table."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakesmith.errors import ExitCode
from lakesmith.lake.digest import digest_aggregates, digest_of
from workspaces import Workspace, day

TABLE = "silver.readings"
OLD_DAYS = ["0001-01-01", "1582-10-04", "1582-10-05", "1582-10-15", "9999-12-31"]


def test_old_days_are_published_as_they_were_written(meters: Workspace, spark_session: SparkSession) -> None:
    """Spark stages them, deltalake lifts them, every reader sees them, and a second run finds them equal."""
    meters.edit(
        "conf/tables/silver.readings.yml",
        "  street:",
        "  read_on: {type: date}\n  read_at: {type: timestamp}\n  street:",
    )
    meters.edit(
        "jobs/silver/readings.py",
        '        "street",',
        '        F.col("street").try_cast("date").alias("read_on"),\n'
        '        F.concat("street", F.lit(" 23:59:59.999999")).try_cast("timestamp").alias("read_at"),\n'
        '        "street",',
    )
    meters.land(1, *[(f"m{n}", n, text) for n, text in enumerate(OLD_DAYS)])

    assert meters.run(1, tables=["bronze.readings", TABLE]).exit_code is ExitCode.DONE

    last_moment = time(23, 59, 59, 999_999, tzinfo=UTC)
    days = [date.fromisoformat(text) for text in OLD_DAYS]
    assert meters.rows(TABLE, "meter", "read_on", "read_at") == [
        (f"m{n}", old, datetime.combine(old, last_moment)) for n, old in enumerate(days)
    ]
    seen = spark_session.read.format("delta").load(meters.table(TABLE).table_uri)
    # Files are skipped by statistics, which are cut to milliseconds.
    assert seen.where("read_at < TIMESTAMP'1582-10-05 00:00:00'").count() == 2
    assert seen.where("read_at > TIMESTAMP'9999-12-31 23:59:59.999'").count() == 1
    columns = meters.context().project.graph.contracts[TABLE].columns
    [read_back] = seen.groupBy(F.col("batch_date")).agg(
        *[column.alias(name) for name, column in digest_aggregates(columns).items()]
    ).collect()  # fmt: skip
    assert {day(1).day: digest_of(columns, read_back.asDict())[0]} == meters.digests(TABLE)

    again = meters.run(1, tables=[TABLE], force=True)
    assert again.tables[TABLE].unchanged == 1
    assert meters.versions()[TABLE] == 1

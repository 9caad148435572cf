"""Somebody else writes to a table: just the batches that were touched are foreign, in words, and the next run repairs them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.errors import ExitCode, InputMissing, UnsupportedTable
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.ledger.records import BatchOutcome
from lakesmith.ledger.state import BatchState
from workspaces import Workspace, day

ALL = ["bronze.readings", "silver.readings", "gold.usage", "gold.next_day", "gold.running", "gold.usage_3d"]
UP_TO_USAGE = ALL[:3]
NOT_OURS = re.compile(r"its live files are not those that run \d{8}T\d{6}-[0-9a-f]{8} published")

Sql = Callable[[str, str], None]


@pytest.fixture
def sql(spark_session: SparkSession, built: Workspace) -> Sql:
    """Spark, used by somebody who knows nothing of Lakesmith; `{table}` stands for the table."""

    def run(table: str, statement: str) -> None:
        spark_session.sql(statement.format(table=f"delta.`{built.table(table).table_uri}`"))

    return run


def judged(meters: Workspace, table: str, first: int = 1, last: int = 3) -> list[BatchState]:
    return list(meters.context().judge.judge(BatchRange(day(first), day(last)))[table].values())


def published(meters: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {table: meters.rows(table) for table in ALL}


def append(meters: Workspace, table: str, batch: date | None = None) -> None:
    """Appends a table's rows to itself as deltalake does it, as rows of another batch if need be."""
    rows = meters.table(table).to_pyarrow_table()
    if batch is not None:
        days = pa.array([batch] * rows.num_rows, pa.date32())
        rows = rows.set_column(rows.column_names.index("batch_date"), "batch_date", days)
    write_deltalake(meters.table(table), rows, mode="append")


@pytest.mark.parametrize(
    ("statement", "touched"),
    [
        ("DELETE FROM {table} WHERE meter = 'm1' AND batch_date = DATE'2024-01-02'", {2}),
        ("DELETE FROM {table} WHERE batch_date = DATE'2024-01-02'", {2}),
        ("DELETE FROM {table}", {1, 2, 3}),
        ("UPDATE {table} SET kwh = kwh + 1 WHERE meter = 'm2'", {1, 2}),
        ("INSERT INTO {table} SELECT * FROM {table} WHERE batch_date = DATE'2024-01-03'", {3}),
        ("RESTORE TABLE {table} TO VERSION AS OF 0", {1, 2, 3}),
    ],
    ids=["some rows", "a whole batch", "everything", "update", "append", "restore"],
)
def test_what_spark_changes_is_foreign_and_repaired(
    built: Workspace, sql: Sql, statement: str, touched: set[int]
) -> None:
    before, versions = published(built), built.versions()
    entries = {table: len(built.records(table)) for table in ALL}

    sql("gold.usage", statement)

    states = judged(built, "gold.usage")
    assert {s.batch_date.day for s in states if s.state == "foreign"} == touched
    assert all(NOT_OURS.fullmatch(s.reason) for s in states if s.state == "foreign")
    assert {s.state for s in states if s.batch_date.day not in touched} <= {"fresh"}
    # Whatever reads a foreign batch is stale until it is known what stands there.
    first = min(touched)
    assert built.states(1, 3) == {
        "bronze.readings": "fresh fresh fresh",
        "silver.readings": "fresh fresh fresh",
        "gold.usage": " ".join("foreign" if n in touched else "fresh" for n in (1, 2, 3)),
        "gold.next_day": " ".join("stale" if {n, n + 1} & touched else "fresh" for n in (1, 2)),
        "gold.running": " ".join("stale" if n >= first else "fresh" for n in (1, 2, 3)),
        "gold.usage_3d": " ".join("stale" if n >= first else "fresh" for n in (1, 2, 3)),
    }
    assert judged(built, "gold.usage_3d")[-1].reason.endswith("is itself foreign")

    night = built.run(1, 3)

    assert night.exit_code is ExitCode.DONE
    assert published(built) == before
    assert set(" ".join(built.states(1, 3).values()).split()) == {"fresh"}
    # One commit repairs, and says so; nothing downstream was computed again.
    assert built.versions() == versions | {"gold.usage": versions["gold.usage"] + 2}
    repaired = built.records("gold.usage")[entries["gold.usage"] :]
    assert [(r.batch_date.day, r.outcome) for r in repaired] == [
        (n, BatchOutcome.PUBLISHED) for n in sorted(touched)
    ]
    assert {table: len(built.records(table)) for table in ALL if table != "gold.usage"} == {
        table: count for table, count in entries.items() if table != "gold.usage"
    }


def test_a_restore_takes_back_what_was_published_since_and_no_more(built: Workspace, sql: Sql) -> None:
    built.edit("conf/base.yml", "tariff: 2", "tariff: 3")
    built.run(1, tables=["gold.usage"])
    dearer = built.rows("gold.usage", "batch_date", "meter", "cost")
    assert dearer[:3] == [(day(1), "m1", 30), (day(1), "m2", 15), (day(2), "m1", 14)]

    sql("gold.usage", "RESTORE TABLE {table} TO VERSION AS OF 1")

    assert built.rows("gold.usage", "batch_date", "meter", "cost")[0] == (day(1), "m1", 20)
    assert built.states(1, 3)["gold.usage"] == "foreign stale stale"
    assert built.run(1, tables=["gold.usage"]).exit_code is ExitCode.DONE
    assert built.rows("gold.usage", "batch_date", "meter", "cost") == dearer
    assert built.states(1, 3)["gold.usage"] == "fresh stale stale"


def test_a_run_does_not_read_what_somebody_else_wrote(built: Workspace, sql: Sql) -> None:
    before = published(built)
    sql("gold.usage", "DELETE FROM {table} WHERE meter = 'm1' AND batch_date = DATE'2024-01-02'")

    # On its own there is nothing that a run could do: what it reads has to be put right first.
    behind = built.run(3, tables=["gold.usage_3d"])
    assert (behind.exit_code, behind.spark_jobs) == (ExitCode.DONE, 0)
    night = built.run(3, tables=["gold.usage_3d"], force=True)

    assert night.exit_code is ExitCode.MISSING
    error = night.tables["gold.usage_3d"].error
    assert isinstance(error, InputMissing)
    assert str(error) == (
        "gold.usage 2024-01-02 holds files that no record of Lakesmith names: somebody else wrote them. "
        "Put it right first: lakesmith run --date 2024-01-02 --table gold.usage"
    )
    assert built.rows("gold.usage_3d") == before["gold.usage_3d"]
    assert built.run(2, tables=["gold.usage"]).exit_code is ExitCode.DONE
    assert built.run(3, tables=["gold.usage_3d"]).exit_code is ExitCode.DONE
    assert published(built) == before


@pytest.mark.parametrize("by", ["deltalake", "spark"])
def test_compaction_is_foreign_where_it_replaced_files_and_changes_no_row(
    built: Workspace, spark_session: SparkSession, by: str
) -> None:
    """That no row changed is the claim of whoever compacted; the run that computes them again finds it true."""
    built.edit("conf/base.yml", "parameters:", "staging: {rows_per_file: 1}\nparameters:")
    built.land(2, *[(f"m{n}", n, "High St") for n in range(8)])
    built.run(2, tables=UP_TO_USAGE)
    before, digests, versions = built.rows("gold.usage"), built.digests("gold.usage"), built.versions()
    live = built.context().ledger.live("gold.usage")
    assert live is not None
    assert [len(live.batches[day(n)].paths) > 1 for n in (1, 2, 3)] == [False, True, False]

    if by == "deltalake":
        built.table("gold.usage").optimize.compact()
    else:
        spark_session.sql(f"OPTIMIZE delta.`{built.table('gold.usage').table_uri}`")

    assert built.rows("gold.usage") == before
    assert built.states(1, 3)["gold.usage"] == "fresh foreign fresh"
    assert built.run(2, tables=UP_TO_USAGE).exit_code is ExitCode.DONE
    assert (built.rows("gold.usage"), built.digests("gold.usage")) == (before, digests)
    assert built.versions() == versions | {"gold.usage": versions["gold.usage"] + 2}
    assert built.states(1, 3)["gold.usage"] == "fresh fresh fresh"


def test_rows_for_a_batch_before_its_first_run_are_replaced(built: Workspace) -> None:
    append(built, "gold.usage", day(4))
    assert judged(built, "gold.usage", 4, 4)[0].state == "blocked"
    built.land(4, ("m1", 4, "High St"))

    night = built.run(4, tables=UP_TO_USAGE)

    assert night.exit_code is ExitCode.DONE
    assert [
        row[1:] for row in built.rows("gold.usage", "batch_date", "meter", "kwh") if row[0] == day(4)
    ] == [("m1", 4)]
    assert built.states(1, 4)["gold.usage"] == "fresh fresh fresh fresh"


def test_rows_on_a_closed_day_are_foreign_and_removed(built: Workspace) -> None:
    both = ["bronze.readings", "silver.readings"]
    built.run(7, tables=both)
    before = built.rows("bronze.readings")
    append(built, "bronze.readings", day(7))

    state = judged(built, "bronze.readings", 7, 7)[0]
    assert (str(state.state), state.reason) == ("foreign", "its live files were written by somebody else")
    assert built.states(7, 7)["silver.readings"] == "blocked"
    assert built.run(7, tables=both).exit_code is ExitCode.DONE
    assert built.rows("bronze.readings") == before
    assert [built.states(7, 7)[table] for table in both] == ["closed", "fresh"]


def test_a_quarantine_that_somebody_emptied_is_filled_again(built: Workspace, sql: Sql) -> None:
    both = ["bronze.readings", "silver.readings"]
    built.land(2, *[(f"m{n}", n - 1, "High St") for n in range(8)])
    built.run(2, tables=both)
    before, versions = published(built), built.versions()
    quarantined = built.rows("quarantine.silver_readings")
    assert [row[2:4] for row in quarantined] == [("m0", -1)]

    sql("quarantine.silver_readings", "DELETE FROM {table}")

    state = judged(built, "silver.readings")[1]
    assert str(state.state) == "foreign"
    assert re.fullmatch(
        r"the live files of quarantine\.silver_readings are not those that run \S+ published", state.reason
    )
    assert built.states(1, 3)["silver.readings"] == "fresh foreign fresh"
    assert built.run(2, tables=both).exit_code is ExitCode.DONE
    assert built.rows("quarantine.silver_readings") == quarantined
    assert built.states(1, 3)["silver.readings"] == "fresh fresh fresh"
    # Nobody had touched the table itself.
    assert (published(built), built.versions()) == (before, versions)


def test_a_failed_batch_that_somebody_touched_is_repaired_by_the_run_that_succeeds(
    built: Workspace, sql: Sql
) -> None:
    before = published(built)
    built.land(2, ("m1", 7, "High St"), ("m2", 2000, "Low St"))
    built.run(2, tables=UP_TO_USAGE)
    sql("silver.readings", "DELETE FROM {table} WHERE meter = 'm1' AND batch_date = DATE'2024-01-02'")
    assert built.states(1, 3)["silver.readings"] == "fresh failed fresh"
    built.land(2, ("m1", 7, "High St"), ("m2", 6, "Low St"), ("m2", 9, "Low St"))

    assert built.run(1, 3).exit_code is ExitCode.DONE

    assert published(built) == before
    assert set(" ".join(built.states(1, 3).values()).split()) == {"fresh"}


def test_somebody_who_writes_during_a_run_loses_what_the_run_replaces(built: Workspace) -> None:
    rows = built.rows("gold.usage", "batch_date", "meter", "kwh")
    built.edit("conf/base.yml", "tariff: 2", "tariff: 3")
    written: list[FaultPoint] = []

    def write_once(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.PUT, "gold.usage") and not written:
            written.append(point)
            append(built, "gold.usage")

    with armed(write_once):
        night = built.run(1, tables=["gold.usage"])

    assert written
    assert night.exit_code is ExitCode.DONE
    # The run owned the 1st; of the others it knows nothing.
    assert built.states(1, 3)["gold.usage"] == "fresh foreign foreign"
    assert built.run(1, 3, ["gold.usage"]).exit_code is ExitCode.DONE
    assert built.rows("gold.usage", "batch_date", "meter", "kwh", "cost") == [
        (batch, meter, kwh, 3 * kwh) for batch, meter, kwh in rows
    ]


def test_deletion_vectors_are_refused_by_name(built: Workspace, sql: Sql) -> None:
    sql("gold.usage", "ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    sql("gold.usage", "DELETE FROM {table} WHERE meter = 'm1' AND batch_date = DATE'2024-01-02'")

    for ask in (lambda: built.states(1, 3), lambda: built.run(1, 3)):
        with pytest.raises(UnsupportedTable) as caught:
            ask()
        assert caught.value.exit_code is ExitCode.USAGE
        assert str(caught.value) == (
            "gold.usage: its protocol is reader 3, writer 7 with the features appendOnly, deletionVectors, invariants; "
            "supported is reader 1, writer 2 or 4. Somebody switched a Delta feature on at "
            f"{built.context().lake.path('gold.usage')}; copy the rows to a table without it."
        )

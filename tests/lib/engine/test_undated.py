"""A source that is one file, replaced in place: each state of it is the batch of the day on which it was written."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.errors import ExitCode
from stock import Stock
from workspaces import Workspace, day

TABLES = ["bronze.readings", "silver.readings"]


@pytest.fixture
def replaced(meters: Workspace) -> Workspace:
    """The readings of a file that is always called the same."""
    meters.edit(
        "conf/sources/readings.yml", 'patterns: ["{batch_date}.csv", "{batch_date}-*.csv"]', "file: now.csv"
    )
    meters.edit("conf/sources/readings.yml", "closed: {weekdays: [sunday]}\n", "")
    return meters


def _write(workspace: Workspace, number: int, *readings: str, hour: int = 7) -> None:
    _replace(workspace, "readings", number, hour, "Meter,kWh", *readings)


def _replace(workspace: Workspace, source: str, number: int, hour: int, *lines: str) -> None:
    file = workspace.root / "landing" / source / "now.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([*lines, ""]))
    written = datetime(2024, 1, number, hour, tzinfo=UTC).timestamp()
    os.utime(file, (written, written))


def test_every_state_that_a_night_saw_is_kept(replaced: Workspace) -> None:
    _write(replaced, 1, "m1,3", "m2,4")
    assert replaced.run(1, tables=TABLES).exit_code is ExitCode.DONE
    assert replaced.run(2, tables=TABLES).exit_code is ExitCode.DONE
    assert replaced.states(1, 2)["bronze.readings"] == "fresh closed"
    _write(replaced, 3, "m2,5")

    assert replaced.run(3, tables=TABLES).exit_code is ExitCode.DONE

    assert replaced.rows("silver.readings", "batch_date", "meter", "kwh") == [
        (day(1), "m1", 3),
        (day(1), "m2", 4),
        (day(3), "m2", 5),
    ]
    assert replaced.states(1, 3)["bronze.readings"] == "fresh closed fresh"
    # The first state is nowhere but in the table: neither a run that is forced nor another transform may lose it.
    versions = replaced.versions()
    replaced.edit("jobs/bronze/readings.py", "return files", "return files.where('meter is not null')")
    assert replaced.run(1, 2, tables=TABLES, force=True).exit_code is ExitCode.DONE
    assert replaced.versions() == versions
    assert replaced.states(1, 3)["bronze.readings"] == "fresh closed stale"


def test_a_file_that_changes_again_on_its_day_is_read_again(replaced: Workspace) -> None:
    _write(replaced, 2, "m1,3")
    assert replaced.run(1, 2, tables=TABLES).exit_code is ExitCode.DONE
    _write(replaced, 2, "m1,4", hour=19)
    assert replaced.states(1, 2)["bronze.readings"] == "closed stale"
    assert replaced.run(2, tables=TABLES).exit_code is ExitCode.DONE
    assert replaced.rows("silver.readings", "batch_date", "meter", "kwh") == [(day(2), "m1", 4)]


def test_what_was_before_history_belongs_to_its_first_day(replaced: Workspace) -> None:
    replaced.edit("conf/sources/readings.yml", "start: 2024-01-01", "start: 2024-01-05")
    _write(replaced, 2, "m1,3")
    assert replaced.run(5, 6, tables=TABLES).exit_code is ExitCode.DONE
    assert replaced.rows("silver.readings", "batch_date", "meter") == [(day(5), "m1")]


def test_without_the_file_the_night_says_so_and_keeps_what_was_read(replaced: Workspace) -> None:
    _write(replaced, 1, "m1,3")
    assert replaced.run(1, tables=TABLES).exit_code is ExitCode.DONE
    (replaced.root / "landing" / "readings" / "now.csv").unlink()

    night = replaced.run(2, tables=TABLES)

    assert night.exit_code is ExitCode.MISSING
    assert replaced.states(1, 2)["bronze.readings"] == "fresh missing"
    judged = replaced.context().judge.judge(night.nights)["bronze.readings"][day(2)]
    assert judged.reason.startswith("readings: no file now.csv in ")


def test_what_a_new_state_does_not_list_is_deleted_from_a_keyed_table(
    tmp_path: Path, spark_session: SparkSession
) -> None:
    stock = Stock.made_in(tmp_path / "stock")
    stock.edit("conf/sources/edits.yml", 'patterns: ["{batch_date}.csv"]', "file: now.csv")
    tables = ["bronze.edits", "silver.shelf"]
    header = "Sku,Position,Name,Price,Operation"
    _replace(stock, "edits", 1, 7, header, "a,1,ale,,", "b,2,bread,,")
    assert stock.run(1, 2, tables=tables).exit_code is ExitCode.DONE
    _replace(stock, "edits", 3, 7, header, "a,1,ale,,", "c,2,cake,,")

    assert stock.run(3, 4, tables=tables).exit_code is ExitCode.DONE

    assert stock.rows("silver.shelf", "sku", "name", "valid_from", "valid_to") == [
        ("a", "ale", day(1), None),
        ("b", "bread", day(1), day(3)),
        ("c", "cake", day(3), None),
    ]
    assert stock.run(1, 4, tables=tables).spark_jobs == 0

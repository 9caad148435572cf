"""Whole nights of the reference pipeline, from landing files to tables: every row, every count, every word, every exit code.

All cases share one lake and one backfill, each on a day of its own; law 3 says that a night of that day alone does the same,
and for some of them that is tried from the command line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakesmith.cli.main import main
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.engine.submit import open_context
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.ledger.state import BatchState
from scenarios.night_cases import BRONZE, CASES, SILVER, TABLES, Accounted, NightCase, Row

ROOT = Path(__file__).parents[3]
QUARANTINE = "quarantine.silver_sales_lines"
TOGETHER = [case for case in CASES if not case.runs_alone]
BY_NAME = {case.name: case for case in CASES}
# The hash has tests of its own, and no published row has anything unparsed.
NOT_COMPARED = {QUARANTINE: {"line_hash"}, SILVER: {"line_hash", "unparsed"}}

EACH = pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case.name)


@contextmanager
def places(folder: Path) -> Iterator[None]:
    """The reference project with landing files and a lake in a folder."""
    os.environ["LAKESMITH__LANDING_ROOT"] = str(folder / "landing")
    os.environ["LAKESMITH__LAKE_ROOT"] = str(folder / "lake")
    try:
        yield
    finally:
        del os.environ["LAKESMITH__LANDING_ROOT"], os.environ["LAKESMITH__LAKE_ROOT"]


def opened(folder: Path) -> Context:
    with places(folder):
        return open_context("dev", ROOT)


def run(context: Context, first: date, last: date) -> NightResult:
    return execute(context, plan_nights(context, BatchRange(first, last), TABLES))


@dataclass(frozen=True)
class Lake:
    """What one run left behind."""

    folder: Path
    night: NightResult
    states: Mapping[str, Mapping[date, BatchState]]
    rows: Mapping[str, Mapping[date, list[Row]]]
    accounted: Mapping[date, Accounted]

    @classmethod
    def after(cls, folder: Path, night: NightResult) -> Lake:
        context = opened(folder)
        history = context.ledger.history(SILVER)
        last = {day: entries[-1] for day, entries in history.records.items()}
        return cls(
            folder,
            night,
            context.judge.judge(night.nights, TABLES),
            {table: rows_by_day(context, table) for table in (SILVER, QUARANTINE)},
            {
                day: Accounted(record.read or 0, record.rows, record.quarantined, dict(record.dropped))
                for day, record in last.items()
            },
        )


def rows_by_day(context: Context, table: str) -> dict[date, list[Row]]:
    """A table's rows as the scenarios write them, in the order of their files."""
    found: dict[date, list[Row]] = defaultdict(list)
    live = context.lake.open(table)
    for row in live.to_pyarrow_table().to_pylist() if live is not None else ():
        day = row.pop("batch_date")
        found[day].append(
            {name: as_text(value) for name, value in row.items() if name not in NOT_COMPARED[table]}
        )
    return {day: in_order(rows) for day, rows in found.items()}


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["source_file"] or "", int(row["record_no"] or 0)))


def as_text(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case list():
            return " ".join(value)
        case str() | int() | Decimal():
            return str(value)
    raise AssertionError(f"no column is a {type(value)}")


def alone(night: NightResult, day: date) -> NightResult:
    """What a night would have been of this day only."""
    assert all(result.error is None for result in night.tables.values())
    tables = {
        table: TableResult(
            table,
            batches={d: outcome for d, outcome in result.batches.items() if d == day},
            reasons={d: reason for d, reason in result.reasons.items() if d == day},
            waiting=[state for state in result.waiting if state.batch_date == day],
            warnings={d: found for d, found in result.warnings.items() if d == day},
        )
        for table, result in night.tables.items()
    }
    return NightResult(BatchRange(day, day), tables, night.seconds)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Lake:
    """The lake after one backfill over the days of all cases; on the days between them no file ever came."""
    folder = tmp_path_factory.mktemp("nights")
    for case in TOGETHER:
        case.land(folder / "landing")
    days = [case.day for case in TOGETHER]
    return Lake.after(folder, run(opened(folder), min(days), max(days)))


@EACH
def test_the_rows_published_and_quarantined(lake: Lake, case: NightCase) -> None:
    assert lake.rows[SILVER].get(case.day, []) == in_order(case.published)
    assert lake.rows[QUARANTINE].get(case.day, []) == in_order(case.quarantined)
    assert lake.accounted.get(case.day) == case.accounted


@EACH
def test_the_exit_code_and_what_is_said(lake: Lake, case: NightCase) -> None:
    night = alone(lake.night, case.day)
    assert night.exit_code == case.exit_code
    assert messages(night, lake.folder) == case.messages
    assert tuple(str(lake.states[table][case.day].state) for table in TABLES) == case.states
    assert remarks(night, lake.night) == case.warnings


def messages(night: NightResult, folder: Path) -> dict[str, str]:
    """Why each table's batch was not published, with the landing root as the scenarios write it."""
    found: dict[str, str] = {}
    for table, result in night.tables.items():
        for reason in [*result.reasons.values(), *(state.reason for state in result.waiting)]:
            found[table] = reason
        if result.error is not None:
            found[table] = str(result.error)
    root = str(folder / "landing")
    return {table: message.replace(root, "{landing_root}") for table, message in found.items()}


def remarks(night: NightResult, of: NightResult) -> dict[str, list[str]]:
    """What a day's batches were published in spite of, and what the runs remarked on its files."""
    found: dict[str, list[str]] = {}
    for table, result in night.tables.items():
        said = [remark for entry in of.tables[table].runs for remark in entry.warnings]
        of_its_files = dict.fromkeys(r for r in said if f"/{night.nights.first}" in r)
        listed = [*(w for warnings in result.warnings.values() for w in warnings), *of_its_files]
        if listed:
            found[table] = listed
    return found


def test_every_column_is_compared() -> None:
    """A contract that gains a column gains it here."""
    columns = open_context("dev", ROOT).project.graph.contracts[SILVER].columns
    for case in CASES:
        for rows, table, more in (
            (case.published, SILVER, []),
            (case.quarantined, QUARANTINE, ["broken_rules"]),
        ):
            wanted = [c.name for c in columns if c.name not in NOT_COMPARED[table]] + more
            assert all(list(row) == wanted for row in rows), case.name


@pytest.mark.parametrize(
    "name",
    ["clean_day", "cancellation_with_positive_quantity", "three_of_fifty_broken", "missing_column"],
)
def test_the_command_says_the_same_of_that_night_alone(
    name: str, tmp_path: Path, spark_session: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    case = BY_NAME[name]
    case.land(tmp_path / "landing")
    with places(tmp_path):
        code = main(arguments(case))
    assert code == case.exit_code
    said = " ".join(capsys.readouterr().out.split())
    assert f"(exit code {case.exit_code})" in said
    for line in as_said(case, tmp_path):
        assert line in said
    context = opened(tmp_path)
    assert rows_by_day(context, SILVER).get(case.day, []) == in_order(case.published)


def test_the_process_ends_with_that_exit_code(tmp_path: Path) -> None:
    """Without a file there is nothing to start Spark for."""
    case = BY_NAME["missing_file_on_an_open_day"]
    with places(tmp_path):
        done = subprocess.run(
            [Path(sys.executable).parent / "lakesmith", *arguments(case)],
            cwd=tmp_path,
            env=os.environ.copy(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (case.exit_code, "")
    said = " ".join(done.stdout.split())
    for line in as_said(case, tmp_path):
        assert line in said


def test_files_replaced_while_they_are_read_are_not_published(
    tmp_path: Path, spark_session: SparkSession
) -> None:
    """The night that met the new files publishes nothing and can be tried again; then the new ones are read."""
    [case] = [case for case in CASES if case.runs_alone]
    case.land(tmp_path / "landing")

    def replace(point: FaultPoint) -> None:
        if point == FaultPoint(Side.BEFORE, Step.STAGE, BRONZE):
            case.replace_files(tmp_path / "landing")

    with armed(replace):
        night = run(opened(tmp_path), case.day, case.day)

    assert (night.exit_code, night.retryable) == (case.exit_code, True)
    assert messages(night, tmp_path) == case.messages
    lake = Lake.after(tmp_path, night)
    assert tuple(str(lake.states[table][case.day].state) for table in TABLES) == case.states
    assert (dict(lake.rows[SILVER]), dict(lake.accounted)) == ({}, {})

    assert run(opened(tmp_path), case.day, case.day).exit_code == 0
    assert [
        (row["invoice_no"], row["quantity"]) for row in rows_by_day(opened(tmp_path), SILVER)[case.day]
    ] == [("540270", "2")]


def arguments(case: NightCase) -> list[str]:
    only = [argument for table in TABLES for argument in ("--table", table)]
    return ["run", "--date", str(case.day), *only, "--env", "dev", "--project", str(ROOT)]


def as_said(case: NightCase, folder: Path) -> list[str]:
    """What the summary says of the batches that were not published."""
    states = dict(zip(TABLES, case.states, strict=True))
    lines = []
    for table, message in case.messages.items():
        # An audit rejects a batch; its state is failed from then on.
        label = "rejected" if table == SILVER and states[table] == "failed" else states[table]
        lines.append(
            f"{table} {label} {case.day}: {message.replace('{landing_root}', str(folder / 'landing'))}"
        )
    return lines

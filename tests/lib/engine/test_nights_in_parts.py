"""A night whose tables were run in parts: the run that finds nothing left to do puts it on record, once. No Spark."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_lines import publish
from lakesmith.ledger.nights import night_records
from workspaces import METERS, Workspace, day


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    """A day landed and every table of it published, each by a process of its own."""
    workspace = Workspace(Path(shutil.copytree(METERS, tmp_path / "meters")))
    workspace.land(1, ("m1", 5, "High St"))
    tables = workspace.context().project.graph.order
    publish(workspace, [1], [table for table in tables if table != "gold.next_day"])
    return workspace


def recorded(workspace: Workspace) -> list[tuple[str, bool]]:
    return [(str(record.last), record.complete) for record in night_records(workspace.context().ledger.ops)]


def test_it_is_recorded_once(meters: Workspace) -> None:
    assert recorded(meters) == []

    for _ in range(2):
        night = meters.run(1)
        assert (night.exit_code, night.spark_jobs) == (0, 0)

    assert recorded(meters) == [(str(day(1)), True)]


def test_a_run_of_some_tables_records_nothing(meters: Workspace) -> None:
    meters.run(1, tables=["bronze.readings", "silver.readings"])

    assert recorded(meters) == []

"""Two nights of the meters project, and a question to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakes import Asked, record_night, write_batch
from lakesmith.query.reader import Question
from lakesmith.query.tables import Tables
from workspaces import METERS, Workspace


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    """Nights 1 and 2 are complete; then day 2 was corrected and day 3 came, and night 3 was not whole."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    write_batch(workspace, "gold.usage", 1, [{"meter": "m1", "kwh": 10, "cost": 20}])
    record_night(workspace, 1, minutes=-30)
    write_batch(
        workspace, "gold.usage", 2, [{"meter": "m1", "kwh": 7, "cost": 14}, {"meter": "m2", "kwh": 6}]
    )
    record_night(workspace, 2, minutes=-20)
    write_batch(workspace, "gold.usage", 2, [{"meter": "m1", "kwh": 8, "cost": 16}])
    write_batch(workspace, "gold.usage", 3, [{"meter": "m3", "kwh": 1, "cost": 2}])
    record_night(workspace, 3, troubles={"gold.running": "1 rejected"}, minutes=-10)
    return workspace


@pytest.fixture
def tables(meters: Workspace) -> Callable[[str | None], Tables]:
    """The tables as of a night."""

    def opened(as_of: str | None = None) -> Tables:
        context = meters.context()
        return Tables.as_of(context.project.graph, context.lake, context.ledger.ops, as_of)

    return opened


@pytest.fixture
def ask(tables: Callable[[str | None], Tables]) -> Asked:
    """The rows of an answer."""

    def asked(sql: str, as_of: str | None = "latest") -> list[tuple[Any, ...]]:
        found = Question(tables(as_of), sql).table()
        return [tuple(row.values()) for row in found.to_pylist()]

    return asked

"""Lakes and files for benchmarks: the reference project over a lake of the benchmark's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from unittest import mock

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult
from lakesmith.engine.submit import open_context
from lakesmith.simulate import SimulationSpec, simulate

__all__ = ["ROOT", "SOURCE", "START", "lake_in", "land", "run"]

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "online-retail"
START = date(2010, 12, 1)
"""The first day of the source."""


def lake_in(folder: Path, landing: Path | None = None) -> Context:
    """The reference project with its lake, and its landing files, below a folder.

    Args:
        landing: of another lake, whose files this one is to read, too.
    """
    places = {
        "LAKESMITH__LAKE_ROOT": str(folder / "lake"),
        "LAKESMITH__LANDING_ROOT": str(landing or folder / "landing"),
    }
    with mock.patch.dict(os.environ, places):
        return open_context("dev", ROOT)


def land(landing: Path, first: date, days: int, lines_per_day: int, seed: int = 7) -> int:
    """Simulated files; gives the number of their lines."""
    spec = SimulationSpec(first=first, days=days, lines_per_day=lines_per_day, seed=seed)
    return simulate(spec, landing / SOURCE).rows


def run(context: Context, first: date, last: date, tables: Sequence[str]) -> NightResult:
    """Runs tables for a range of nights.

    Raises:
        AssertionError: not all of it was published: there is nothing to measure then.
    """
    result = execute(context, plan_nights(context, BatchRange(first, last), tables))
    for table, found in result.tables.items():
        if not found.is_whole:
            raise AssertionError(
                f"{table} {first} .. {last}: {found.error or found.reasons or found.waiting}"
            )
    return result

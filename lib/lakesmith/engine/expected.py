"""What a plan will likely take, from what the ledger says of earlier runs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lakesmith.ledger.expected import Expected, PastRun, expected
from lakesmith.ledger.records import RunRecord

if TYPE_CHECKING:
    from lakesmith.engine.context import Context
    from lakesmith.ledger.plan import Plan

__all__ = ["expected_work"]

_COLUMNS = ("table", "started_at", "finished_at", "batches_published", "rows_published")


def expected_work(context: Context, plan: Plan) -> dict[str, Expected]:
    """Rows and seconds for each table of a plan that was run before; a table never run is left out."""
    if not plan.steps:
        return {}
    past: dict[str, list[PastRun]] = {}
    for row in _rows(context):
        run = PastRun(row["batches_published"], row["rows_published"], row["seconds"])
        past.setdefault(row["table"], []).append(run)
    found = {
        step.table: expected(past.get(step.table, ()), len(step.batches))
        for step in plan.steps
        if step.batches
    }
    return {table: work for table, work in found.items() if work is not None}


def _rows(context: Context) -> list[dict[str, Any]]:
    """The runs, oldest first, with the seconds that each took."""
    found = context.ledger.ops.read(RunRecord, columns=_COLUMNS)
    # Moments as numbers: pyarrow imports pandas to make and to sort them.
    began = found["started_at"].cast(pa.int64()).to_pylist()
    ended = found["finished_at"].cast(pa.int64()).to_pylist()
    rows = found.drop_columns(["started_at", "finished_at"]).to_pylist()
    timed = sorted(zip(began, ended, rows, strict=True), key=lambda entry: entry[0])
    return [{**row, "seconds": timedelta(microseconds=b - a).total_seconds()} for a, b, row in timed]

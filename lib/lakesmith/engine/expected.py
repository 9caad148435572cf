"""What a plan will likely take, from what the ledger says of earlier runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith.ledger.expected import Expected, PastRun, expected
from lakesmith.ledger.ops import in_order
from lakesmith.ledger.records import RunOutcome, RunRecord

if TYPE_CHECKING:
    from lakesmith.engine.context import Context
    from lakesmith.ledger.plan import Plan

__all__ = ["expected_work"]

_COLUMNS = ("table", "outcome", "started_at", "finished_at", "batches_published", "rows_published")


def expected_work(context: Context, plan: Plan) -> dict[str, Expected]:
    """Rows and seconds for each table of a plan that was run before; a table never run is left out."""
    if not plan.steps:
        return {}
    past: dict[str, list[PastRun]] = {}
    for row in in_order(context.ledger.ops.read(RunRecord, columns=_COLUMNS), by="started_at"):
        if row["outcome"] == RunOutcome.BILLED:
            continue
        seconds = (row["finished_at"] - row["started_at"]).total_seconds()
        run = PastRun(row["batches_published"], row["rows_published"], seconds)
        past.setdefault(row["table"], []).append(run)
    found = {
        step.table: expected(past.get(step.table, ()), len(step.batches))
        for step in plan.steps
        if step.batches
    }
    return {table: work for table, work in found.items() if work is not None}

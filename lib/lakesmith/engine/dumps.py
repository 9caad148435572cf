"""Full dumps as changes: one that is empty, or much smaller than the one before it, would delete what is still there.

Owns that refusal. It compares a dump with the last one before its day that stands, or passed in the same run, so that a range
comes to the same as its nights.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date

from lakesmith.contracts.model import FullDump
from lakesmith.engine.audit import BatchAudit
from lakesmith.ledger.history import TableHistory

__all__ = ["with_small_dumps_refused"]


def with_small_dumps_refused(
    limit: FullDump, audits: Mapping[date, BatchAudit], history: TableHistory, idle: Collection[date]
) -> dict[date, BatchAudit]:
    """The audits, with a reason to refuse each dump that is too small.

    Args:
        audits: of the run's batches.
        history: of the table's changes, before this run.
        idle: batches without a dump, as on a day on which the source is closed.
    """
    standing = {day: history.standing(day) for day in history.records}
    sizes = {day: record.rows for day, record in standing.items() if record is not None}
    judged: dict[date, BatchAudit] = {}
    for day, audit in sorted(audits.items()):
        before = max((other for other, rows in sizes.items() if rows and other < day), default=None)
        reason = "" if day in idle else _too_small(limit, audit.rows, before, sizes)
        judged[day] = replace(audit, refusals=(*audit.refusals, reason)) if reason else audit
        if judged[day].passed:
            sizes[day] = audit.rows
    return judged


def _too_small(limit: FullDump, rows: int, before: date | None, sizes: Mapping[date, int]) -> str:
    if not rows:
        return "the dump is empty: it would delete every key there is"
    if before is None or rows >= limit.least_share * sizes[before]:
        return ""
    return (
        f"the dump has {rows:,} rows, fewer than {limit.least_share:.0%} of the {sizes[before]:,} of {before}: "
        f"it would delete every key that it does not list"
    )

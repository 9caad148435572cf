"""Forced runs in the audit trail: who had fresh batches computed anew, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from lakesmith.contracts.model import Contract
from lakesmith.engine.context import Context
from lakesmith.engine.outcome import TableResult
from lakesmith.ledger.audit_trail import Action, AuditRecord, actor
from lakesmith.ledger.ops import now

__all__ = ["record_forced"]


def record_forced(context: Context, contract: Contract, wanted: Sequence[date], result: TableResult) -> None:
    """Writes down that a table was run by force; nothing where nothing was run.

    Args:
        wanted: the batches that were asked for.
    """
    if not result.runs:
        return
    outcomes = Counter(str(outcome) for outcome in result.batches.values())
    details = {"batches": len(wanted), "unchanged": result.unchanged, **dict(sorted(outcomes.items()))}
    context.ledger.ops.append(
        [
            AuditRecord(
                recorded_at=now(),
                who=actor(),
                action=Action.FORCE,
                table=contract.table,
                first=min(wanted),
                last=max(wanted),
                why=context.why,
                run_ids=tuple(run.run_id for run in result.runs),
                details=details,
            )
        ]
    )

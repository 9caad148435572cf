"""Noting where the columns of a table come from, the first time that a code computes it.

Owns that this costs a run next to nothing and never fails one: a code that was noted before is passed over, and whatever goes
wrong is a warning.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lakesmith.lake.plan_columns import analyzed_plan, columns_of
from lakesmith.ledger.columns import ColumnsRecord
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.ops import now

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakesmith.engine.context import Context
    from lakesmith.engine.recording import RunIdentity

__all__ = ["note_columns"]

log = logging.getLogger(__name__)


def note_columns(context: Context, run: RunIdentity, frame: DataFrame) -> str | None:
    """Writes down where the columns of a run's result come from, unless its code was noted before.

    Args:
        frame: what the transform returned, of inputs that were marked.

    Returns:
        A warning, when it could not be told; the run goes on.
    """
    table = run.contract.table
    try:
        fingerprint = context.fingerprints(table, SCHEME).data
        if (table, fingerprint) in context.columns_noted:
            return None
        noted = context.ledger.ops.records(ColumnsRecord, tables=[table])
        if ColumnsRecord.newest(noted, fingerprint) is None:
            targets = {entry.name: entry.target for entry in run.contract.inputs}
            found = columns_of(analyzed_plan(frame), targets)
            context.ledger.ops.append([ColumnsRecord(table, fingerprint, now(), run.run_id, found.to_json())])
        context.columns_noted.add((table, fingerprint))
    except Exception as error:
        # Told once in a process; a plan may quote values, so only the kind of the error is kept.
        context.columns_noted.add((table, context.fingerprints(table, SCHEME).data))
        log.debug("%s: the plan could not be read", table, exc_info=True)
        warning = f"{table}: where its columns come from could not be told from Spark's plan ({type(error).__name__})"
        log.warning(warning)
        return warning
    return None

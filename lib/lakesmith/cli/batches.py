"""Which batch a night named on the command line means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith.contracts.days import BatchRange
from lakesmith.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context

__all__ = ["batch_of_rows", "owned_batch"]


def owned_batch(context: Context, contract: Contract, night: date) -> date:
    """The batch of a table that a night owns; with a lag it is an earlier day's.

    Raises:
        UsageError: history starts later.
    """
    due = context.project.graph.due(contract.table, BatchRange(night, night))
    if due is None:
        start = context.project.graph.starts[contract.table]
        owner = BatchRange(start, start).shifted(contract.lag_days).first
        raise UsageError(
            f"{contract.table} has no batch for the night of {night}: its first batch is {start}, "
            f"which the night of {owner} owns. Look at that one: --date {owner}"
        )
    return due.first


def batch_of_rows(context: Context, contract: Contract, night: date) -> date:
    """The same, of a table in which a batch is rows: a keyed one holds what follows from all of its batches.

    Raises:
        UsageError: history starts later, or the table is keyed.
    """
    if contract.keyed is not None:
        log = next(entry.target for entry in contract.inputs)
        raise UsageError(
            f"{contract.table} is a keyed table: no rows of it are those of one batch, they follow from all changes. "
            f"Compare or restore the batch of the table that the changes come from: {log}"
        )
    return owned_batch(context, contract, night)

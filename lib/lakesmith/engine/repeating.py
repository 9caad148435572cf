"""The last scores once more: what a batch of a table of scores holds when nothing can score it.

Owns which earlier batch stands in, how its rows become the batch's, and that the record says that nothing was read: as soon as
the model or its features are there again the batch is stale.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.expectations import GROUP_TOTALS
from lakesmith.contracts.model import BATCH_DATE, SERVED_BY, Contract, Input
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, PinnedModel, PinnedTable
from lakesmith.errors import DataRejected
from lakesmith.lake.reading import read_batches
from lakesmith.ledger.arms import ServedBy, repeated, repeated_read
from lakesmith.ledger.records import EMPTY_DIGEST, BatchRecord, InputRead

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["NothingToRepeat", "last_scores", "pin_nothing", "repeated_scores", "without_input_rules"]


class NothingToRepeat(DataRejected):
    """A batch cannot be scored, and there are no scores shortly before it that could stand in."""

    def __init__(self, table: str, batch_date: date, reason: str) -> None:
        self.table = table
        self.batch_date = batch_date
        super().__init__(f"{reason} No scores of the days before stand in (serving.oldest_scores_days).")


def last_scores(context: Context, contract: Contract, day: date) -> date | None:
    """The newest batch before a day that holds scores of its own; None when there is none that is young enough."""
    history = context.ledger.history(contract.table)
    oldest = context.settings.serving.oldest_scores_days
    for age in range(1, oldest + 1):
        earlier = day - timedelta(age)
        standing = history.standing(earlier)
        if standing is not None and standing.rows and not _repeats(standing):
            return earlier
    return None


def repeated_scores(
    context: Context, contract: Contract, version: int | None, source: date, day: date
) -> DataFrame:
    """The rows of an earlier batch as those of a day, marked as such."""
    rows = read_batches(context.spark, context.lake, contract, version, BatchRange(source, source))
    return rows.withColumns({SERVED_BY: F.lit(str(ServedBy.DEGRADED)), BATCH_DATE: F.lit(day).cast("date")})


def pin_nothing(contract: Contract, day: date, source: date, reason: str) -> PinnedInputs:
    """The inputs of a batch that repeats an earlier one: none of what its contract names was read."""
    tables = [entry for entry in contract.inputs if entry.table]
    models = [entry for entry in contract.inputs if entry.model]
    return PinnedInputs(
        tables=tuple(
            PinnedTable(entry, contract, None, None, {day: None}, {day: _unread(entry)}) for entry in tables
        ),
        sources=(),
        models=tuple(PinnedModel(entry, {}, {day: repeated_read(entry, source, reason)}) for entry in models),
    )


def _unread(entry: Input) -> InputRead:
    return InputRead(entry.name, entry.target, None, EMPTY_DIGEST)


def without_input_rules(contract: Contract) -> Contract:
    """The contract without the rules that compare the batch with what it was made from."""
    kept = tuple(e for e in contract.suite.expectations if e.type != GROUP_TOTALS)
    return replace(contract, suite=replace(contract.suite, expectations=kept))


def _repeats(record: BatchRecord) -> bool:
    return any(repeated(read) is not None for read in record.inputs)

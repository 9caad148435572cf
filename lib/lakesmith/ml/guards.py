"""What is checked before anything is trained, since no metric sees a one-day peek.

Owns the exact detectors of look-ahead. The declaration's own (a gap as long as the horizon, no window ahead under the
features) are checked when it loads; these look at the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pyspark.sql import functions as F

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.errors import DataRejected
from lakesmith.ml.split import AsOfDates

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = [
    "LookAhead",
    "check_ages",
    "check_delete_the_future",
    "check_files",
    "check_gaps",
    "days_to_check",
]


class LookAhead(DataRejected):
    """The rows to train on know something that was not known on their day; nothing was trained."""

    def __init__(self, model: str, found: str, remedy: str) -> None:
        self.model = model
        self.found = found
        super().__init__(f"{model}: {found}. Nothing was trained. {remedy}")


def check_gaps(declaration: ModelDeclaration, dates: AsOfDates) -> None:
    """Every label that is trained on must be decided before the first day that it is judged on.

    Raises:
        LookAhead: one is not.
    """
    horizon = timedelta(declaration.label.horizon_days)
    pairs = [(fold.train, fold.validate) for fold in dates.folds] + [(dates.train, dates.test)]
    for train, judged in pairs:
        decided = max(train) + horizon
        if decided > min(judged):
            raise LookAhead(
                declaration.name,
                f"the label of {max(train)} is decided on {decided}, after {min(judged)}, on which the model is judged",
                f"Let split.gap in {declaration.file} be {declaration.label.horizon_days}d at least.",
            )


def check_ages(declaration: ModelDeclaration, contract: Contract, rows: DataFrame) -> None:
    """No age may be negative: a day below zero is a day after the batch.

    Args:
        contract: of the features table; what it measures in days counts from the batch back.
        rows: the training frame.

    Raises:
        LookAhead: one is.
    """
    ages = [name for name in declaration.features if contract.column(name).unit == "days"]
    if not ages:
        return
    counted = [F.count(F.when(F.col(name) < 0, 1)).alias(name) for name in ages]
    negative = {name: count for name, count in rows.agg(*counted).collect()[0].asDict().items() if count}
    if negative:
        name, count = next(iter(negative.items()))
        raise LookAhead(
            declaration.name,
            f"{declaration.features_table}.{name} is below 0 in {count} rows: days after the batch were read",
            f"Look at {contract.job}; a transform reads days only through its windows.",
        )


def check_delete_the_future(
    declaration: ModelDeclaration,
    contract: Contract,
    published: Callable[[date], str],
    alone: Callable[[date], str],
    days: Iterable[date],
) -> None:
    """A batch computed by itself, from inputs cut off after its day, must have the digest of the one that was published.

    What differs had seen a later day, or rows of other batches: totals over the whole table, a shifted date. What reads the
    future by a path of its own does so each time, and comes out the same: `check_files` finds it.

    Args:
        published: the recorded digest of a batch of the features.
        alone: the digest of the batch computed now, with nothing later than its day to read.
        days: the batches looked at.

    Raises:
        LookAhead: digests differ.
    """
    for day in days:
        if alone(day) != published(day):
            raise LookAhead(
                declaration.name,
                f"{declaration.features_table} {day} comes out differently without the days after it",
                f"Look at {contract.job}: does every grouping and window name {BATCH_DATE}?",
            )


def check_files(
    declaration: ModelDeclaration,
    contract: Contract,
    day: date,
    read: Iterable[str],
    allowed: Collection[str],
) -> None:
    """The files that a batch is computed from must be those that its windows allow.

    Args:
        read: the addresses of the files that Spark would read.
        allowed: the names of files of the batch's inputs, within its windows.

    Raises:
        LookAhead: there are others.
    """
    names = {unquote(address).rpartition("/")[2] for address in read}
    others = sorted(names - set(allowed))
    if others:
        raise LookAhead(
            declaration.name,
            f"{declaration.features_table} {day} is computed from files that its windows do not allow "
            f"({len(others)}, {others[0]} among them)",
            f"Look at {contract.job}: a transform reads its inputs and nothing by a path of its own.",
        )


def days_to_check(dates: AsOfDates, open_days: Sequence[date]) -> tuple[date, ...]:
    """One training date and one test date whose next day has trade: on the others a peek of a day finds nothing.

    Args:
        open_days: days with rows in the source of the features.
    """
    traded = set(open_days)
    chosen = []
    for group in (dates.train, dates.test):
        with_trade = [day for day in group if day + timedelta(1) in traded]
        if with_trade:
            chosen.append(with_trade[len(with_trade) // 2])
    return tuple(chosen)

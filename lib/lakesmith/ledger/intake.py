"""What a keyed table has to take in: which batches of its changes, into which buckets, on top of what.

A keyed table is what follows from its changes, which are a batch table of their own (`changes.<layer>_<name>`), audited and
published like any other. Owns the comparison of the two: the records of the changes say what there is to take in, those of the
table what it has taken in. Pure; the rows are `lakesmith.lake.keyed`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.records import BatchRecord, InputRead

__all__ = ["Intake", "changes_read", "intake"]

_NAME, _BUCKETS = "_changes", "buckets"


@dataclass(frozen=True)
class Intake:
    """What one run takes in.

    Args:
        pending: batches whose changes are not those that the table has taken in, with the changes' own records; where somebody
            else wrote, those of the run in any case.
        taken: all batches with changes, those that are pending included, in order.
        buckets: the buckets that have to be made anew.
        in_order: the pending batches are later than all that was taken in, so that what the table holds can be built upon; else
            the buckets are made from all changes.
        seen: the last batch with changes that the table has taken in; None when there was none.
    """

    pending: Mapping[date, BatchRecord]
    taken: tuple[date, ...]
    buckets: frozenset[int]
    in_order: bool
    seen: date | None


def intake(
    all_buckets: int,
    history: TableHistory,
    changes: TableHistory,
    touched: Mapping[date, Collection[int]],
    *,
    foreign: bool,
    whole: bool,
) -> Intake:
    """What a keyed table has to take in now.

    Args:
        all_buckets: how many there are.
        history: what the table has taken in.
        changes: what there is to take in.
        touched: the buckets that the changes of the batches of this run are in, as far as they passed their audit; of other
            batches all are assumed.
        foreign: somebody else wrote to the table, so that nothing that it holds can be built upon.
        whole: every batch touches every bucket, since it lists all keys.
    """
    there = {day: found for day in changes.records if (found := changes.standing(day)) is not None}
    before = {day: found for day in history.records if (found := history.standing(day)) is not None}
    pending = {
        day: found
        for day, found in sorted(there.items())
        if day not in before or before[day].digest != found.digest or (foreign and day in touched)
    }
    seen = max((day for day, found in before.items() if found.rows), default=None)
    every = frozenset(range(all_buckets))
    buckets: set[int] = set(every) if foreign and pending else set()
    moved = False
    for day, found in pending.items():
        had = before[day] if day in before and before[day].rows else None
        moved |= had is not None or (found.rows > 0 and seen is not None and day <= seen)
        if had is not None:
            buckets |= _buckets(had, every)
        if found.rows:
            buckets |= set(touched.get(day, every))
        if whole and (had is not None or found.rows):
            buckets |= every
    taken = sorted(day for day, found in there.items() if found.rows)
    return Intake(pending, tuple(taken), frozenset(buckets), not (moved or foreign), seen)


def changes_read(table: str, version: int | None, digest: str, buckets: Collection[int]) -> InputRead:
    """What a record of a keyed table says of the changes that it stands for.

    Args:
        table: the table of the changes.
        version: the version of it that was read.
        digest: of the batch's changes.
        buckets: those that they are in.
    """
    listed = {_BUCKETS: sorted(buckets)}
    return InputRead(_NAME, table, version, digest, files=(listed,))


def _buckets(record: BatchRecord, every: frozenset[int]) -> frozenset[int]:
    """The buckets that a batch touched when it was taken in."""
    read = next((read for read in record.inputs if read.name == _NAME), None)
    return frozenset(read.files[0][_BUCKETS]) if read is not None and read.files else every

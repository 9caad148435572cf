"""Which night a reader reads: the records of `ops.nights`, and with them the version of every table.

Owns what `as of` means. A night is a set of versions, not a filter: the tables as they were when that night had ended, so
that features, labels and scores fit together.
"""

from __future__ import annotations

from lakesmith.contracts.days import parse_night
from lakesmith.errors import UsageError
from lakesmith.ledger.ops import Ops, in_order
from lakesmith.ledger.records import NightRecord

__all__ = ["LATEST", "choose_night"]

LATEST = "latest"
"""Stands for the newest version of every table, whatever night made it."""

_SHOWN = 3


def choose_night(ops: Ops, as_of: str | None) -> NightRecord | None:
    """The record whose versions are read; None for the newest version of every table.

    Args:
        as_of: a night, `YYYY-MM-DD`, of which the newest record counts, a complete one first; `latest`; or None for the
            last complete night.

    Raises:
        UsageError: no record ends with that night.
    """
    if as_of == LATEST:
        return None
    night = parse_night(as_of) if as_of is not None else None
    records = sorted(_records(ops), key=lambda record: record.recorded_at, reverse=True)
    complete = [record for record in records if record.complete]
    if night is None:
        return complete[0] if complete else None
    found = next((r for r in [*complete, *records] if r.last == night), None)
    if found is None:
        raise UsageError(f"no record ends with the night {night}. {_instead(records)}")
    return found


def _records(ops: Ops) -> list[NightRecord]:
    return [NightRecord.from_row(row) for row in in_order(ops.read(NightRecord))]


def _instead(records: list[NightRecord]) -> str:
    if not records:
        return "None was made yet: that takes a run of all tables. Read the newest versions: --as-of latest"
    nights = sorted({record.last for record in records}, reverse=True)
    listed = ", ".join(str(night) for night in nights[:_SHOWN])
    more = f" and {len(nights) - _SHOWN} earlier" if len(nights) > _SHOWN else ""
    return f"On record: {listed}{more}. Choose one, or the newest versions: --as-of latest"

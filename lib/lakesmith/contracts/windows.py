"""Windows: which batches of an input one batch of the output may read.

A window is a pair of day offsets from the batch. Both questions that the platform asks are answered here: what does
this batch read, and which batches read this day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from lakesmith.contracts.days import BatchRange

__all__ = ["Window", "WindowKind", "parse_days"]


class WindowKind(StrEnum):
    """The spellings a contract may use."""

    SAME_DAY = "same_day"
    LAST = "last"
    AHEAD = "ahead"
    PREVIOUS = "previous"
    AS_OF = "as_of"
    PERIOD = "period"
    """Not for contracts: the batches of a baseline."""


# Longer than any history, and short enough that no day leaves the calendar.
_ALL_DAYS = 100_000


@dataclass(frozen=True)
class Window:
    """The batches D + `first_offset` .. D + `last_offset` (in days) of an input, read by batch D.

    Of a period the same days for every batch: all of them once they are past, none before.
    """

    kind: WindowKind
    first_offset: int
    last_offset: int
    days: BatchRange | None = None

    @classmethod
    def same_day(cls) -> Window:
        """Only the batch's own day."""
        return cls(WindowKind.SAME_DAY, 0, 0)

    @classmethod
    def last(cls, days: int) -> Window:
        """The `days` days that end with the batch's own: D-days+1 .. D."""
        return cls(WindowKind.LAST, 1 - days, 0)

    @classmethod
    def ahead(cls, days: int) -> Window:
        """The `days` days after the batch's own: D+1 .. D+days."""
        return cls(WindowKind.AHEAD, 1, days)

    @classmethod
    def previous(cls, days: int) -> Window:
        """The `days` days before the batch's own: D-days .. D-1."""
        return cls(WindowKind.PREVIOUS, -days, -1)

    @classmethod
    def as_of(cls) -> Window:
        """All days up to the batch's own: what a keyed table knew then."""
        return cls(WindowKind.AS_OF, -_ALL_DAYS, 0)

    @classmethod
    def period(cls, days: BatchRange) -> Window:
        """The same days for every later batch."""
        return cls(WindowKind.PERIOD, -_ALL_DAYS, -1, days)

    def reads(self, batch: date, start: date) -> BatchRange | None:
        """The days that `batch` reads, cut at the first day of history; None when nothing is left."""
        if self.days is not None:
            past = self.days.last < batch and start <= self.days.last
            return BatchRange(max(self.days.first, start), self.days.last) if past else None
        first = max(batch + timedelta(self.first_offset), start)
        last = batch + timedelta(self.last_offset)
        return BatchRange(first, last) if first <= last else None

    def reach(self, batches: BatchRange) -> BatchRange:
        """All days that any batch of a range reads, whatever the start of history."""
        if self.days is not None:
            # Before it is past nobody reads it; their own day stands for nothing at all.
            return self.days if self.days.last < batches.last else BatchRange(batches.last, batches.last)
        return BatchRange(
            batches.first + timedelta(self.first_offset), batches.last + timedelta(self.last_offset)
        )

    def read_by(self, day: date) -> BatchRange:
        """The batches whose window holds `day`."""
        if self.days is not None:
            last = self.days.last if day in self.days else date.max - timedelta(1)
            return BatchRange(last + timedelta(1), date.max)
        return BatchRange(day - timedelta(self.last_offset), day - timedelta(self.first_offset))

    @property
    def is_same_day(self) -> bool:
        """True when every batch reads its own day only, so that no pairing is needed."""
        return self.first_offset == 0 and self.last_offset == 0

    def __str__(self) -> str:
        match self.kind:
            case WindowKind.SAME_DAY:
                return "same_day"
            case WindowKind.LAST:
                return f"last: {1 - self.first_offset}d"
            case WindowKind.AHEAD:
                return f"ahead: {self.last_offset}d"
            case WindowKind.PREVIOUS:
                return f"previous: {-self.first_offset}d"
            case WindowKind.AS_OF:
                return "as_of"
            case WindowKind.PERIOD:
                assert self.days is not None
                return f"from {self.days.first} to {self.days.last}"


def parse_days(text: str) -> int:
    """A number of days written like `90d`.

    Raises:
        ValueError: any other text, or fewer than one day.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})d", text)
    if not match:
        raise ValueError(f"{text!r} is not a number of days; write it like 90d")
    return int(match.group(1))

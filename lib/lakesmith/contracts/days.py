"""Calendar days: the one unit of time, as ranges that include both ends.

Owns `BatchRange` and the merging of days into ranges. Nothing here asks for today's date; the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.errors import UsageError

__all__ = ["BatchRange", "merge_days", "parse_day", "parse_night"]

_FIRST_YEAR, _LAST_YEAR = 1000, 2199


@dataclass(frozen=True, order=True)
class BatchRange:
    """Calendar days from `first` to `last`, both included.

    Raises:
        UsageError: `last` lies before `first`.
    """

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise UsageError(
                f"the range {self.first} .. {self.last} ends before it starts. "
                f"Give the earlier day first: --from {self.last} --to {self.first}"
            )

    def days(self) -> list[date]:
        """Every day of the range, in order."""
        return [self.first + timedelta(n) for n in range(len(self))]

    def shifted(self, days: int) -> BatchRange:
        """The same length, `days` later (earlier when negative)."""
        return BatchRange(self.first + timedelta(days), self.last + timedelta(days))

    def intersection(self, other: BatchRange) -> BatchRange | None:
        """The days that both hold; None when they share none."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return BatchRange(first, last) if first <= last else None

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def __iter__(self) -> Iterator[date]:
        return iter(self.days())

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} .. {self.last}"


def merge_days(days: Iterable[date]) -> list[BatchRange]:
    """Days, in any order and with repeats, as the fewest ranges that hold just them."""
    merged: list[BatchRange] = []
    for day in sorted(set(days)):
        if merged and merged[-1].last + timedelta(1) == day:
            merged[-1] = BatchRange(merged[-1].first, day)
        else:
            merged.append(BatchRange(day, day))
    return merged


def parse_day(text: str) -> date:
    """A day written `YYYY-MM-DD`.

    Raises:
        UsageError: any other text, or a day that no calendar has.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also takes 20110301 and 2011-W09-2; one day, one spelling.
    if day is None or day.isoformat() != text:
        raise UsageError(f"{text!r} is not a day. Write it as YYYY-MM-DD, for example 2011-03-01.") from None
    return day


def parse_night(text: str) -> date:
    """A night written `YYYY-MM-DD`.

    Raises:
        UsageError: any other text, or a year so far away that it was mistyped.
    """
    night = parse_day(text)
    if not _FIRST_YEAR <= night.year <= _LAST_YEAR:
        raise UsageError(
            f"{text} is too far away: a night is a day from {_FIRST_YEAR}-01-01 to {_LAST_YEAR}-12-31. "
            "Check the year."
        )
    return night

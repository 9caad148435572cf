"""What changes in the trade, and when: the events that a simulation plants for monitoring to find.

Owns the kinds of events, how one is written on a command line, and which of them last on a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from lakesmith.errors import UsageError

__all__ = ["Event", "EventKind", "Events", "parse_event"]


class EventKind(StrEnum):
    """What is otherwise while an event lasts."""

    MIX = "mix"
    """Other products sell, and customers leave their favourites for them."""

    PRICES = "prices"
    """What is new on an invoice costs 12 % more."""

    REPURCHASES = "repurchases"
    """Customers come back less often; passers-by take their place, so that the volume stays."""

    ANONYMOUS = "anonymous"
    """One in four sales to known customers lacks the customer's number."""

    VOLUME = "volume"
    """Three in ten of the usual invoices."""

    COLUMNS = "columns"
    """The files call the price `Price`, as nobody was told."""


@dataclass(frozen=True)
class Event:
    """An event and its days, both inclusive; `last` None is for good."""

    kind: EventKind
    first: date
    last: date | None = None

    def mistake(self) -> str | None:
        """What is wrong with it, in words; None when nothing is."""
        kind: object = self.kind
        if not isinstance(kind, EventKind):
            return f"an event must be one of {', '.join(EventKind)}, not {kind!r}"
        days: tuple[object, ...] = (self.first,) if self.last is None else (self.first, self.last)
        for day in days:
            if not isinstance(day, date) or isinstance(day, datetime):
                return f"the event {self.kind} must have calendar days, not {day!r}"
        if self.last is not None and self.last < self.first:
            return f"the event {self.kind} ends on {self.last}, before it begins on {self.first}"
        return None


class Events:
    """The events of a simulation, asked by day."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._days: dict[EventKind, list[tuple[int, int]]] = {}
        for event in events:
            last = (event.last or date.max).toordinal()
            self._days.setdefault(event.kind, []).append((event.first.toordinal(), last))

    def on(self, kind: EventKind, ordinal: int) -> bool:
        """True while an event of this kind lasts, on the day with this ordinal."""
        return any(first <= ordinal <= last for first, last in self._days.get(kind, ()))


def parse_event(text: str) -> Event:
    """An event as it is written: `mix@2011-06-01` is for good, `volume@2011-06-01..2011-06-03` has an end.

    Raises:
        UsageError: it is written otherwise.
    """
    kind, _, days = text.partition("@")
    first, dots, last = days.partition("..")
    try:
        return Event(EventKind(kind), date.fromisoformat(first), date.fromisoformat(last) if dots else None)
    except ValueError:
        raise UsageError(
            f"{text!r} is no event. Write KIND@DAY or KIND@DAY..DAY, the kind one of {', '.join(EventKind)}, "
            f"for example {EventKind.MIX}@2011-06-01..2011-06-30."
        ) from None

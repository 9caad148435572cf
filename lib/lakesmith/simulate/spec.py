"""What to simulate: one frozen value, checked when it is made.

Owns the limits of a simulation and the words that explain them. Knows nothing of how lines are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from lakesmith.errors import ConfigurationError
from lakesmith.simulate.events import Event

__all__ = ["SimulationSpec"]

MIN_LINES_PER_DAY = 10
MAX_LINES_PER_DAY = 150_000_000
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class SimulationSpec:
    """Which batches to simulate, how large, and what is wrong with them.

    Args:
        first: the first calendar day.
        days: how many calendar days, closed ones included.
        lines_per_day: lines of an open day, the mean over a year; weekday, month and chance vary around it.
        seed: the same seed gives the same bytes.
        defects: share of the lines that are made defective, from 0 to 1.
        events: what changes in the trade, and when.

    Raises:
        ConfigurationError: a value is outside its limits; every one that is, is named.
    """

    first: date
    days: int
    lines_per_day: int
    seed: int
    defects: float = 0.0
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        wrong = list(self._mistakes())
        if not wrong and self.days > (date.max - self.first).days + 1:
            wrong = [f"{self.days} days from {self.first} go beyond {date.max}"]
        if wrong:
            listed = "; ".join(wrong)
            raise ConfigurationError(f"this cannot be simulated: {listed}. Mend it and simulate again.")

    def calendar_days(self) -> Iterator[date]:
        """Every day of the range in order, closed ones included."""
        return (self.first + timedelta(n) for n in range(self.days))

    def _mistakes(self) -> Iterator[str]:
        yield from _not_a_day("first", self.first)
        yield from _not_whole("days", self.days, 1, date.max.toordinal())
        yield from _not_whole("lines_per_day", self.lines_per_day, MIN_LINES_PER_DAY, MAX_LINES_PER_DAY)
        yield from _not_whole("seed", self.seed, 0, MAX_SEED)
        share: object = self.defects
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            yield f"defects must be a share from 0 to 1, not {share!r}"
        yield from (wrong for event in self.events if (wrong := event.mistake()) is not None)


def _not_a_day(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, date) or isinstance(value, datetime):
        yield f"{name} must be a calendar day, not {value!r}"


def _not_whole(name: str, value: object, low: int, high: int) -> Iterator[str]:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        yield f"{name} must be a whole number from {low} to {high}, not {value!r}"

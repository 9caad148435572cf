"""Whether a figure of a night is unlike those of the same weekday before it.

Owns the bounds: median and median absolute deviation, which a few odd days do not bend. Pure; what is counted is the caller's.
Days on which a source is closed are the caller's to leave out, on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import median

__all__ = ["Bounds", "bounds_of"]

_TO_SIGMA = 1.4826
"""A median absolute deviation is that much smaller than the standard deviation of a normal distribution."""


@dataclass(frozen=True)
class Bounds:
    """Between what a figure should be.

    Args:
        middle: the median of the days that were looked at.
        low, high: included.
        days: how many days that were.
    """

    middle: float
    low: float
    high: float
    days: int

    def holds(self, value: float) -> bool:
        """True when a figure is as it was before."""
        return self.low <= value <= self.high


def bounds_of(
    past: Mapping[date, float],
    day: date,
    *,
    weeks: int,
    least: int,
    factor: float,
    floor: float,
    relative_floor: float = 0.1,
    counts: bool = False,
    error: float = 0.0,
) -> Bounds | None:
    """The bounds of a day by the same weekday of the weeks before it; None with too few of them.

    Args:
        past: figures by day; those from the day on are not looked at.
        weeks: how far back.
        least: days that are needed.
        factor: deviations on either side of the median.
        floor: the least that counts as a deviation: a figure that never varied may vary a little.
        relative_floor: the same, as a part of the median.
        counts: the figures count something, which varies by its root even when nothing has changed.
        error: the standard error of the day's own figure: one that hangs on a few rows says little.
    """
    values = [
        value
        for before, value in past.items()
        if before < day and before.weekday() == day.weekday() and (day - before).days <= 7 * weeks
    ]
    if len(values) < least:
        return None
    middle = median(values)
    scatter = _TO_SIGMA * median(abs(value - middle) for value in values)
    chance = sqrt(abs(middle)) if counts else 0.0
    room = factor * max(scatter, floor, relative_floor * abs(middle), chance, error)
    return Bounds(middle, middle - room, middle + room, len(values))

"""What measured nights say of a promise: the share that kept it, the error budget that is left, how fast it is spent.

Owns that arithmetic. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.service_levels import ServiceLevel

__all__ = ["BURN_DAYS", "Attainment", "Measured", "Week", "attainment"]

BURN_DAYS = 7
"""Over how many days the present speed is taken."""

_BROKEN_SHOWN = 10
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Measured:
    """One night, or one incident.

    Args:
        day: the night; of an incident, the day on which it began.
        kept: whether the promise was.
    """

    day: date
    kept: bool


@dataclass(frozen=True)
class Week:
    """Seven days of a window.

    Args:
        days: the last week ends with the window.
        kept, measured: how many nights, and how many there were.
    """

    days: BatchRange
    kept: int
    measured: int

    @property
    def share(self) -> float | None:
        """The part that kept the promise; None without any."""
        return self.kept / self.measured if self.measured else None


@dataclass(frozen=True)
class Attainment:
    """How a promise was kept over its window.

    Args:
        until: the last day of the window.
        broken: the last days on which it was not kept, newest first.
        recent_kept, recent_measured: of the last seven days.
        weeks: oldest first.
    """

    level: ServiceLevel
    until: date
    kept: int
    measured: int
    broken: tuple[date, ...]
    recent_kept: int
    recent_measured: int
    weeks: tuple[Week, ...]

    @property
    def share(self) -> float | None:
        """The part of the nights that kept the promise; None without any."""
        return self.kept / self.measured if self.measured else None

    @property
    def is_met(self) -> bool | None:
        """Whether that is as much as was promised; None without any night."""
        return None if self.share is None else self.share >= self.level.target

    @property
    def trend(self) -> str:
        """A bar a week, as high as the share that kept the promise; a dot where nothing was measured."""
        shares = (week.share for week in self.weeks)
        return "".join("." if s is None else _BARS[round(s * (len(_BARS) - 1))] for s in shares)

    @property
    def allowed(self) -> float:
        """How many nights of the window may break the promise."""
        return (1 - self.level.target) * self.measured

    @property
    def budget_left(self) -> float | None:
        """The part of the error budget that is left, below 0 when it is overspent; None without any night."""
        if not self.measured:
            return None
        broken = self.measured - self.kept
        if not broken:
            return 1.0
        # A promise without exceptions has no budget: one broken night overspends it by all that was measured.
        return 1 - broken / self.allowed if self.allowed > 1e-9 else -float(broken)

    @property
    def burn_rate(self) -> float | None:
        """How many times faster than allowed the last seven days spent the budget; None without any night in them."""
        if not self.recent_measured:
            return None
        share = 1 - self.recent_kept / self.recent_measured
        if not share:
            return 0.0
        allowed = 1 - self.level.target
        return share / allowed if allowed > 1e-9 else float(self.recent_measured)

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        level = self.level
        return {
            "name": level.name,
            "promise": level.promise,
            "measure": str(level.measure),
            "target": level.target,
            "window_days": level.window_days,
            "until": self.until.isoformat(),
            "measured": self.measured,
            "kept": self.kept,
            "share": self.share,
            "met": self.is_met,
            "budget_left": self.budget_left,
            "burn_rate": self.burn_rate,
            "broken": [day.isoformat() for day in self.broken],
            "weeks": [
                {
                    "from": week.days.first.isoformat(),
                    "to": week.days.last.isoformat(),
                    "kept": week.kept,
                    "measured": week.measured,
                }
                for week in self.weeks
            ],
        }


def attainment(level: ServiceLevel, measured: Iterable[Measured], until: date) -> Attainment:
    """How a promise was kept over the window that ends with a day.

    Args:
        measured: nights or incidents of any days; those outside the window are left out.
    """
    window = BatchRange(until - timedelta(level.window_days - 1), until)
    inside = sorted((m for m in measured if m.day in window), key=lambda m: m.day)
    recent = [m for m in inside if m.day > until - timedelta(BURN_DAYS)]
    weeks = []
    last = until
    while last >= window.first:
        days = BatchRange(max(window.first, last - timedelta(6)), last)
        found = [m for m in inside if m.day in days]
        weeks.append(Week(days, sum(m.kept for m in found), len(found)))
        last = days.first - timedelta(1)
    broken = sorted({m.day for m in inside if not m.kept}, reverse=True)
    return Attainment(
        level=level,
        until=until,
        kept=sum(m.kept for m in inside),
        measured=len(inside),
        broken=tuple(broken[:_BROKEN_SHOWN]),
        recent_kept=sum(m.kept for m in recent),
        recent_measured=len(recent),
        weeks=tuple(reversed(weeks)),
    )

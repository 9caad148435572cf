"""When trade happens: open days, the weight of a day, and the minutes of a day.

The source is closed on Saturdays. Weekday weights and opening hours follow the real files; month weights
follow a gift trade with its peak before Christmas. A day's weight is 1 on the mean of a year's open days.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from lakesmith.simulate.draws import apportion

__all__ = ["day_weight", "is_open", "minute_of_day"]

CLOSED_WEEKDAY: Final = 5
_WEEKDAY_PERMILLE: Final = (1193, 1123, 966, 1095, 960, 0, 663)
_MONTH_PERMILLE: Final = (880, 830, 910, 920, 960, 930, 920, 920, 1080, 1170, 1300, 1180)
_HOUR_WEIGHTS: Final = {
    7: 1, 8: 25, 9: 60, 10: 101, 11: 135, 12: 176, 13: 160, 14: 129, 15: 105, 16: 58, 17: 27, 18: 9, 19: 11,
    20: 3,
}  # fmt: skip
_SUNDAY_HOURS: Final = range(10, 17)
_POSITIONS: Final = 4096


def is_open(day: date) -> bool:
    """Whether the source trades on this day."""
    return day.weekday() != CLOSED_WEEKDAY


def day_weight(day: date) -> float:
    """How much busier than the mean open day a day of this weekday and month is; 0 when closed."""
    return _WEEKDAY_PERMILLE[day.weekday()] * _MONTH_PERMILLE[day.month - 1] / 1_000_000


def minute_of_day(day: date, position: float) -> int:
    """The minute (since midnight) by which the share `position`, in 0..1, of the day's trade has happened."""
    table = _SUNDAY if day.weekday() == 6 else _WEEKDAY
    return table[int(position * _POSITIONS)]


def _minutes(hours: dict[int, int]) -> tuple[int, ...]:
    weights = [hours.get(minute // 60, 0) for minute in range(24 * 60)]
    return tuple(apportion(weights, _POSITIONS))


_WEEKDAY: Final = _minutes(_HOUR_WEIGHTS)
_SUNDAY: Final = _minutes({hour: weight for hour, weight in _HOUR_WEIGHTS.items() if hour in _SUNDAY_HOURS})

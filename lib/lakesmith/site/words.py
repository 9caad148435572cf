"""How numbers, moments and durations are written on pages. Pure."""

from __future__ import annotations

import math
from datetime import date, datetime

__all__ = ["amount", "day_words", "duration", "moment", "share", "whole"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def whole(value: float | None) -> str:
    """A count with its thousands apart; a dash when there is none."""
    return "–" if value is None else f"{value:,.0f}"


def amount(value: float | None, digits: int = 4) -> str:
    """A number with as many digits as tell something; a dash where it is undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:f}"


def share(value: float | None) -> str:
    """A share from 0 to 1 in percent."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{100 * value:.1f} %" if 0 < abs(value) < 0.1 else f"{100 * value:.0f} %"


def moment(value: datetime | None) -> str:
    """A time to the minute, in UTC."""
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def day_words(day: date) -> str:
    """A day with its weekday, for people."""
    return f"{day:%A}, {day.day} {_MONTHS[day.month - 1]} {day.year}"


def duration(seconds: float) -> str:
    """Wall time in its own unit."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

"""Numbers in words of plots and model cards: as many digits as mean something, intervals in one form."""

from __future__ import annotations

import math

from lakesmith.ml.evaluation_values import Interval

__all__ = ["counted", "interval_text", "number_text", "percent", "size", "thousands"]

_NOTHING, _SMALL = 1e-9, 1e-2


def number_text(value: float, *, beside: float = 0.0) -> str:
    """A number with three significant digits or decimals, two digits where it is tiny; `undefined` for NaN.

    Args:
        beside: a number next to which it stands: both then have the decimals of the larger one.
    """
    if math.isnan(value):
        return "undefined"
    largest = max(abs(value), abs(beside))
    return _minus(f"{value:,.{_decimals(largest)}f}") if largest else "0"


def _decimals(largest: float) -> int:
    if _NOTHING <= largest < _SMALL:
        return 1 - math.floor(math.log10(largest))
    return 0 if largest >= 100 else 1 if largest >= 10 else 2 if largest >= 2 else 3


def interval_text(interval: Interval, *, beside: float = 0.0) -> str:
    """`0.751 (0.730 to 0.771)`, without the bracket where there are no bounds.

    Args:
        beside: a number next to which it stands: all have the decimals of the largest one.
    """
    if math.isnan(interval.low):
        return number_text(interval.value, beside=beside)
    largest = max(size(interval), abs(beside))
    value, low, high = (
        number_text(each, beside=largest) for each in (interval.value, interval.low, interval.high)
    )
    return f"{value} ({low} to {high})"


def size(interval: Interval) -> float:
    """The largest of an interval's numbers, signs aside; 0 where all are undefined."""
    numbers = (abs(each) for each in (interval.value, interval.low, interval.high) if not math.isnan(each))
    return max(numbers, default=0.0)


def thousands(count: float) -> str:
    """A whole number with its thousands apart."""
    return _minus(f"{count:,.0f}")


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """`1 row`, `2,000 rows`.

    Args:
        plural: where it is not the noun with an s.
    """
    return f"{thousands(count)} {noun if count == 1 else plural or f'{noun}s'}"


def percent(share: float) -> str:
    """A share from 0 to 1 as `32.2 %`; `undefined` for NaN."""
    return "undefined" if math.isnan(share) else f"{100 * share:.1f} %"


def _minus(text: str) -> str:
    """A proper minus, and none before a zero."""
    return text.removeprefix("-") if not text.strip("-0.,") else text.replace("-", "\N{MINUS SIGN}")

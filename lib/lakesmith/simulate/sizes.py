"""How much is bought: lines per invoice and units per line, as tables to draw from.

Owns the distributions and how they shrink for small simulations, so that a day of ten lines still has several
invoices. Real files: invoices of known customers have close to exponentially many lines (mean 19.6),
anonymous ones are tills and web shops summed up (mean 78.5, many of one to four lines).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lakesmith.simulate.draws import apportion, exponential_quantiles, mean

__all__ = ["CANCELLED_LINES", "RETAIL_UNITS", "WHOLESALE_UNITS", "BasketSizes", "basket_sizes"]

_POSITIONS: Final = 256
_HABITS: Final = (0.55, 0.7, 0.85, 0.95, 1.05, 1.15, 1.3, 1.45)  # mean 1
_KNOWN_MEAN: Final = 19.2
_ANONYMOUS_MEAN: Final = 110.0
_SMALL_ANONYMOUS_SHARE: Final = 0.3

# Units of a line for customers who buy small, medium and large packs; each table is drawn from evenly.
WHOLESALE_UNITS: Final = (
    (1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 6, 12),
    (1, 2, 2, 3, 4, 4, 6, 6, 6, 8, 10, 12, 12, 12, 12, 24),
    (2, 4, 6, 6, 8, 10, 12, 12, 12, 12, 16, 24, 24, 24, 36, 48),
    (6, 12, 12, 12, 20, 24, 24, 24, 36, 48, 48, 48, 72, 96, 144, 240),
)
RETAIL_UNITS: Final = (
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    2,
    2,
    2,
    3,
    4,
    6,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    1,
    2,
    2,
    2,
    3,
    5,
    6,
    12,
    24,
)
# Lines that one cancellation takes back, drawn from evenly.
CANCELLED_LINES: Final = tuple(lines + 1 for lines in apportion((50, 17, 10, 7, 5, 4, 3, 2, 1, 1), 64))


@dataclass(frozen=True)
class BasketSizes:
    """Lines per invoice: one table for each habit of a known customer, one for anonymous invoices."""

    known: tuple[list[int], ...]
    anonymous: list[int]

    @property
    def known_mean(self) -> float:
        """Mean lines of a known customer's invoice, habits being equally common."""
        return mean([mean(table) for table in self.known])

    @property
    def anonymous_mean(self) -> float:
        """Mean lines of an anonymous invoice."""
        return mean(self.anonymous)


def basket_sizes(lines_per_day: int) -> BasketSizes:
    """Tables for this size of simulation: real sizes from 1,320 lines a day on, smaller ones below."""
    known = min(_KNOWN_MEAN, lines_per_day / 18)
    anonymous = min(_ANONYMOUS_MEAN, lines_per_day / 12)
    curve = exponential_quantiles(_POSITIONS)
    small = int(_POSITIONS * _SMALL_ANONYMOUS_SHARE)
    large = exponential_quantiles(_POSITIONS - small)
    return BasketSizes(
        known=tuple([1 + int(known * habit * x) for x in curve] for habit in _HABITS),
        anonymous=[1 + index * 4 // small for index in range(small)]
        + [1 + int(anonymous * x) for x in large],
    )

"""One digest for all batches in a window, as running sums: a year's window costs as much as a day's.

The digest of a window is the sum, modulo 2^128, of a hash of each batch's day and digest. A batch that is not there adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date

from lakesmith.contracts.days import BatchRange

__all__ = ["WindowDigests"]

_MODULUS = 1 << 128


class WindowDigests:
    """Digests of consecutive days, from `first` on, summed as they come.

    Args:
        first: the day of the first digest that will be added.
    """

    def __init__(self, first: date) -> None:
        self.first = first
        self._sums = [0]

    @classmethod
    def over(cls, span: BatchRange, digests: Mapping[date, str]) -> WindowDigests:
        """The sums over a span of days; a day without a digest adds nothing."""
        sums = cls(span.first)
        for day in span:
            sums.append(day, digests.get(day))
        return sums

    def append(self, day: date, digest: str | None) -> None:
        """Adds the next day; None for a batch that is not there."""
        number = 0
        if digest is not None:
            number = int.from_bytes(hashlib.sha256(f"{day}:{digest}".encode()).digest()[:16], "big")
        self._sums.append(self._sums[-1] + number)

    def of(self, window: BatchRange | None) -> str:
        """The digest of a window; days outside what was added add nothing, and so does no window at all."""
        if window is None:
            return f"{0:032x}"
        limit = len(self._sums) - 1
        low = min(max((window.first - self.first).days, 0), limit)
        high = min(max((window.last - self.first).days + 1, low), limit)
        return f"{(self._sums[high] - self._sums[low]) % _MODULUS:032x}"

"""How much happens on a day: invoices of each sort, as a function of (seed, day).

Owns the shares of the line sorts (those of the real files) and the day's chance. Every count is bounded,
which lets invoice numbers of a day be computed without counting the invoices of the days before.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from lakesmith.simulate.draws import Stream, reseed, rounded, total
from lakesmith.simulate.events import EventKind, Events
from lakesmith.simulate.invoices import CARRIAGE_PER_ANONYMOUS, CARRIAGE_PER_KNOWN
from lakesmith.simulate.seasons import day_weight, is_open
from lakesmith.simulate.sizes import BasketSizes

__all__ = ["DUPLICATE_SHARE", "DayVolume", "Volumes"]

DUPLICATE_SHARE: Final = 2_012 / 243_891
_ANONYMOUS_SHARE: Final = 0.2737
_CANCELLED_SHARE: Final = 0.0172
_WRITE_OFF_SHARE: Final = 0.0060
_FEE_SHARE: Final = 0.0011
_ADJUSTMENT_SHARE: Final = 0.00005
_DAY_NOISE: Final = 0.2
_LOW_VOLUME: Final = 0.3


@dataclass(frozen=True)
class DayVolume:
    """Invoices of a day by sort; cancellations follow from the sales of earlier days."""

    known: int
    anonymous: int
    write_offs: int
    fees: int
    adjustments: int


CLOSED: Final = DayVolume(0, 0, 0, 0, 0)


class Volumes:
    """The invoices of each day, and their means."""

    def __init__(self, seed: int, lines_per_day: int, sizes: BasketSizes, events: Events) -> None:
        self._events = events
        lines = lines_per_day / (1.0 + DUPLICATE_SHARE)
        rest = total([_ANONYMOUS_SHARE, _CANCELLED_SHARE, _WRITE_OFF_SHARE, _FEE_SHARE, _ADJUSTMENT_SHARE])
        self._seed = seed
        self._generator = random.Random()
        self.known_mean = lines * (1.0 - rest) / (sizes.known_mean + CARRIAGE_PER_KNOWN)
        self.cancelled_lines_mean = lines * _CANCELLED_SHARE
        self._means = (
            self.known_mean,
            lines * _ANONYMOUS_SHARE / (sizes.anonymous_mean + CARRIAGE_PER_ANONYMOUS),
            lines * _WRITE_OFF_SHARE,
            lines * _FEE_SHARE,
            lines * _ADJUSTMENT_SHARE,
        )
        # No day has twice the mean of the sales, nor more cancellations than sales: see _DAY_NOISE and
        # `seasons`.
        self.most_invoices = int(2.0 * (total(self._means) + self.known_mean)) + 64
        self.of = lru_cache(maxsize=64)(self._of)

    def _of(self, ordinal: int) -> DayVolume:
        day = date.fromordinal(ordinal)
        if not is_open(day):
            return CLOSED
        reseed(self._generator, self._seed, Stream.VOLUME, ordinal)
        draw = self._generator.random
        weight = day_weight(day) * (1.0 + _DAY_NOISE * (2.0 * draw() - 1.0))
        if self._events.on(EventKind.VOLUME, ordinal):
            weight *= _LOW_VOLUME
        return DayVolume(*(rounded(mean * weight, draw()) for mean in self._means))

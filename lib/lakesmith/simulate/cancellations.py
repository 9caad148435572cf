"""Which sales are taken back, and when: cancellations of earlier invoices.

The sales of a day are dealt to the following weeks by their index, so that each is cancelled at most once and
every day knows what it cancels without remembering a sale. What precedes the first simulated day can be
cancelled too: as in any extract of real data, the first weeks hold cancellations whose invoice is not in the
files.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from itertools import accumulate
from typing import Final, NamedTuple

from lakesmith.simulate.draws import Stream, apportion, mean, reseed, shuffle, step_through
from lakesmith.simulate.invoices import Invoice, InvoiceKind, Sales
from lakesmith.simulate.sizes import CANCELLED_LINES, BasketSizes
from lakesmith.simulate.volumes import Volumes

__all__ = ["LONGEST_DELAY", "Cancellations"]

LONGEST_DELAY: Final = 28
_DEAL: Final = 1024  # a sale's index modulo this decides after how many days it is cancelled, if ever
_ROTATION: Final = 577
_SKIPPED_LINES: Final = 4
_PART_ONLY: Final = 0.25


class _Sold(NamedTuple):
    """The sales of one day that a later day cancels: index `first` and every _DEAL-th after it."""

    ordinal: int
    first: int


class Cancellations:
    """The cancellations of each day."""

    def __init__(self, seed: int, sales: Sales, volumes: Volumes, sizes: BasketSizes) -> None:
        self._seed = seed
        self._sales = sales
        self._volumes = volumes
        self._generator = random.Random()
        lines = [
            mean([min(most, size) for most in CANCELLED_LINES for size in table]) for table in sizes.known
        ]
        # One day in seven is closed: what was dealt to it is kept.
        share = volumes.cancelled_lines_mean / (volumes.known_mean * mean(lines)) * 7 / 6
        dealt = apportion([1.0 / (delay + 3) for delay in range(LONGEST_DELAY)], round(_DEAL * share))
        deal = [delay + 1 for delay in dealt] + [0] * (_DEAL - len(dealt))
        reseed(self._generator, seed, Stream.CANCELLATIONS)
        shuffle(deal, self._generator)
        self._residues = [
            [residue for residue, dealt_delay in enumerate(deal) if dealt_delay == delay]
            for delay in range(LONGEST_DELAY + 1)
        ]

    def of(self, ordinal: int) -> DayCancellations:
        """What is cancelled on this day."""
        sold: list[_Sold] = []
        counts: list[int] = []
        for delay in range(1, min(LONGEST_DELAY, ordinal - 1) + 1):
            before = ordinal - delay
            invoices = self._volumes.of(before).known
            for residue in self._residues[delay]:
                first = (residue - before * _ROTATION) % _DEAL
                if first < invoices:
                    sold.append(_Sold(before, first))
                    counts.append((invoices - first - 1) // _DEAL + 1)
        return DayCancellations(self, ordinal, sold, counts)

    def cancel(self, sold_ordinal: int, sold_index: int, ordinal: int, index: int) -> Invoice:
        """The cancellation with this index on this day: some lines of the sale, whole or in part."""
        reseed(self._generator, self._seed, Stream.CANCELLATIONS, ordinal, index)
        draw = self._generator.random
        lines = CANCELLED_LINES[int(draw() * len(CANCELLED_LINES))]
        sale = self._sales.known(sold_ordinal, sold_index, most=lines + int(draw() * _SKIPPED_LINES))
        items = [
            (product, -(1 + int(draw() * quantity) if draw() < _PART_ONLY else quantity), price)
            for product, quantity, price in sale.items[-lines:]
        ]
        return Invoice(InvoiceKind.CANCELLATION, sale.customer, sale.country, items, len(items))


class DayCancellations:
    """The cancellations of one day, in an order that has nothing to do with how old the sales are."""

    def __init__(self, source: Cancellations, ordinal: int, sold: list[_Sold], counts: list[int]) -> None:
        self._source = source
        self._ordinal = ordinal
        self._sold = sold
        self._ends = list(accumulate(counts))
        self._step = step_through(max(1, len(self)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def invoice(self, index: int) -> Invoice:
        """The cancellation with this index, from 0 to the count less one."""
        place = index * self._step % len(self)
        group = bisect_right(self._ends, place)
        sold = self._sold[group]
        position = self._ends[group] - 1 - place
        return self._source.cancel(sold.ordinal, sold.first + position * _DEAL, self._ordinal, index)

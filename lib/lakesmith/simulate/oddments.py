"""What is neither sold nor taken back: write-offs, fees, adjustments. All of it rare, a line an invoice."""

from __future__ import annotations

import random
from typing import Final

from lakesmith.simulate.catalogue import Catalogue, price_text
from lakesmith.simulate.customers import HOME, Population
from lakesmith.simulate.draws import Stream, reseed
from lakesmith.simulate.invoices import Invoice, InvoiceKind

__all__ = ["Oddments"]

_SORTS: Final = 4  # how many sorts share the indexes of a day
_FOUND_AGAIN: Final = 0.4
_SILENT: Final = 0.62
_NOTES: Final = (
    "?",
    "damaged",
    "Damaged",
    "damages",
    "thrown away",
    "wet, mouldy",
    "sold as set on dotcom",
    "check",
)
_FEES: Final = (
    ("S,SAMPLES", 100, 6_000),
    ("D,Discount", 50, 15_000),
    ("BANK CHARGES,Bank Charges", 1_500, 20_000),
    ("S,SAMPLES", 100, 6_000),
    ("D,Discount", 50, 15_000),
    ("AMAZONFEE,AMAZON FEE", 100_000, 900_000),
)


class Oddments:
    """The invoices of a day that no customer asked for, each found by day and index."""

    def __init__(self, seed: int, catalogue: Catalogue, population: Population) -> None:
        self._seed = seed
        self._items = catalogue.items
        self._population = population
        self._generator = random.Random()

    def write_off(self, ordinal: int, index: int) -> Invoice:
        """Stock that is gone (or found again): price 0, no customer, seldom a description."""
        draw = self._start(ordinal, index, 0)
        item = self._items[int(draw.random() * len(self._items))]
        if draw.random() < _SILENT:
            item = f"{item.partition(',')[0]},"
        elif draw.random() < 0.5:
            note = _NOTES[int(draw.random() * len(_NOTES))]
            item = f"{item.partition(',')[0]}," + (f'"{note}"' if "," in note else note)
        lost = draw.random() >= _FOUND_AGAIN
        size = draw.random()
        quantity = -(1 + int(400 * size * size * size)) if lost else 1 + int(60 * size * size)
        return Invoice(InvoiceKind.WRITE_OFF, "", HOME, [(item, quantity, "0.0")], 1)

    def fee(self, ordinal: int, index: int) -> Invoice:
        """A discount, a sample or a bank's charge: written like a cancellation, of no product."""
        draw = self._start(ordinal, index, 1)
        item, low, high = _FEES[int(draw.random() * len(_FEES))]
        price = price_text(low + int(draw.random() * (high - low)))
        if not item.startswith("D,"):
            return Invoice(InvoiceKind.CANCELLATION, "", HOME, [(item, -1, price)], 0)
        customer = self._population.buyer(draw.random(), ordinal)
        return Invoice(InvoiceKind.CANCELLATION, customer.text, customer.country, [(item, -1, price)], 0)

    def adjustment(self, ordinal: int, index: int) -> Invoice:
        """A correction of the books, the one sort of line whose price may be below 0."""
        draw = self._start(ordinal, index, 2)
        sign = "-" if draw.random() < 0.5 else ""
        price = price_text(10_000 + int(draw.random() * 1_500_000))
        return Invoice(InvoiceKind.ADJUSTMENT, "", HOME, [("B,Adjust bad debt", 1, sign + price)], 0)

    def _start(self, ordinal: int, index: int, sort: int) -> random.Random:
        reseed(self._generator, self._seed, Stream.ODDMENTS, ordinal, index * _SORTS + sort)
        return self._generator

"""The lines of one batch, in the order of time: what to invoice when, and which lines are spoiled or doubled.

A batch is a function of the specification's size, seed, defects and events, and of its day; no batch needs
another. Defects and duplicates draw from a stream of their own, one draw a line: they never change the lines
they leave.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from typing import Final

from lakesmith.simulate.cancellations import Cancellations
from lakesmith.simulate.catalogue import build_catalogue
from lakesmith.simulate.customers import HOME, Population
from lakesmith.simulate.defects import Line, defect_for, spoil
from lakesmith.simulate.draws import Stream, reseed
from lakesmith.simulate.events import EventKind, Events
from lakesmith.simulate.invoices import Invoice, InvoiceKind, Sales
from lakesmith.simulate.oddments import Oddments
from lakesmith.simulate.seasons import minute_of_day
from lakesmith.simulate.sizes import basket_sizes
from lakesmith.simulate.spec import SimulationSpec
from lakesmith.simulate.summary import Planted, Tally
from lakesmith.simulate.volumes import DUPLICATE_SHARE, Volumes

__all__ = ["Batches"]

_HEADER: Final = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
_OTHER_HEADER: Final = _HEADER.replace("UnitPrice", "Price")
_FIRST_INVOICE: Final = 100_000
_EPOCH: Final = 733_000  # a day in 2007: keeps invoice numbers short for the years that people simulate
_CENTURY: Final = 36_525
_PREFIX: Final = {
    InvoiceKind.SALE: "",
    InvoiceKind.CANCELLATION: "C",
    InvoiceKind.WRITE_OFF: "",
    InvoiceKind.ADJUSTMENT: "A",
}


class Batches:
    """Every batch of a specification."""

    def __init__(self, spec: SimulationSpec) -> None:
        sizes = basket_sizes(spec.lines_per_day)
        catalogue = build_catalogue(spec.seed)
        events = Events(spec.events)
        self._spec = spec
        self._events = events
        self._volumes = Volumes(spec.seed, spec.lines_per_day, sizes, events)
        population = Population(spec.seed, self._volumes.known_mean, events)
        self._sales = Sales(spec.seed, catalogue, population, sizes, events)
        self._cancellations = Cancellations(spec.seed, self._sales, self._volumes, sizes)
        self._oddments = Oddments(spec.seed, catalogue, population)
        self._timeline = random.Random()
        self._spoiling = random.Random()

    def texts(self, day: date, tally: Tally) -> Iterator[str]:
        """The header and the lines of a day's batch, an invoice at a time, counted in `tally` as they are made."""
        ordinal = day.toordinal()
        yield _OTHER_HEADER if self._events.on(EventKind.COLUMNS, ordinal) else _HEADER
        reseed(self._spoiling, self._spec.seed, Stream.SPOILING, ordinal)
        number = _FIRST_INVOICE + (ordinal - _EPOCH) % _CENTURY * self._volumes.most_invoices
        stamps: dict[int, str] = {}
        for position, invoice in self._invoices(day):
            minute = minute_of_day(day, position)
            if minute not in stamps:
                stamps[minute] = f"{day.isoformat()} {minute // 60:02d}:{minute % 60:02d}:00"
            yield self._text(invoice, f"{_PREFIX[invoice.kind]}{number}", stamps[minute], tally)
            number += 1

    def _invoices(self, day: date) -> Iterator[tuple[float, Invoice]]:
        """The invoices of a day, each with its place in the day's trade: the sorts mixed, places rising."""
        ordinal = day.toordinal()
        volume = self._volumes.of(ordinal)
        cancelled = self._cancellations.of(ordinal)
        known = anonymous = cancellations = write_offs = fees = adjustments = 0
        invoices = (
            volume.known
            + volume.anonymous
            + len(cancelled)
            + volume.write_offs
            + volume.fees
            + volume.adjustments
        )
        reseed(self._timeline, self._spec.seed, Stream.TIMELINE, ordinal)
        draw = self._timeline.random
        for made in range(invoices):
            position = (made + draw()) / invoices
            # Each sort as likely as its share of what is still to come: all come, evenly mixed.
            choice = draw() * (invoices - made)
            if (choice := choice - (volume.known - known)) < 0:
                yield position, self._sales.known(ordinal, known)
                known += 1
            elif (choice := choice - (volume.anonymous - anonymous)) < 0:
                yield position, self._sales.anonymous(ordinal, anonymous)
                anonymous += 1
            elif (choice := choice - (len(cancelled) - cancellations)) < 0:
                yield position, cancelled.invoice(cancellations)
                cancellations += 1
            elif (choice := choice - (volume.write_offs - write_offs)) < 0:
                yield position, self._oddments.write_off(ordinal, write_offs)
                write_offs += 1
            elif (choice := choice - (volume.fees - fees)) < 0:
                yield position, self._oddments.fee(ordinal, fees)
                fees += 1
            else:
                yield position, self._oddments.adjustment(ordinal, adjustments)
                adjustments += 1

    def _text(self, invoice: Invoice, number: str, stamp: str, tally: Tally) -> str:
        head, middle, tail = f"{number},", f",{stamp},", f",{invoice.customer},{invoice.country}\n"
        lines = [f"{head}{product},{units}{middle}{price}{tail}" for product, units, price in invoice.items]
        draw = self._spoiling.random
        rolls = [draw() for _ in lines]
        spoiled: list[int] = []
        defects = self._spec.defects
        doubles_from = 1.0 - DUPLICATE_SHARE
        if min(rolls) < defects or max(rolls) >= doubles_from:
            copies = []
            for position, roll in enumerate(rolls):
                if roll < defects and invoice.kind is not InvoiceKind.ADJUSTMENT:
                    product, units, price = invoice.items[position]
                    line = Line(number, product, str(units), stamp, price, invoice.customer, invoice.country)
                    defect, form = defect_for(roll / defects)
                    lines[position] = spoil(line, defect, form)
                    tally.defects[defect] += 1
                    spoiled.append(position)
                elif roll >= doubles_from:
                    copies.append(lines[position])
            lines += copies
            tally.planted[Planted.DUPLICATES] += len(copies)
        tally.rows += len(lines)
        tally.sound(invoice, HOME, spoiled)
        return "".join(lines)

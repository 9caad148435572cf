"""What an invoice holds: customer, products, units, prices.

Every invoice is a function of (seed, day, its index on that day). So a cancellation can look up the invoice
that it cancels, weeks later, without any memory of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from lakesmith.simulate.catalogue import POPULARITY_POSITIONS, Assortment, Catalogue, price_text
from lakesmith.simulate.customers import HOME, Customer, Population
from lakesmith.simulate.draws import Stream, reseed
from lakesmith.simulate.events import EventKind, Events
from lakesmith.simulate.sizes import RETAIL_UNITS, BasketSizes

__all__ = ["CARRIAGE_PER_ANONYMOUS", "CARRIAGE_PER_KNOWN", "Invoice", "InvoiceKind", "Item", "Sales"]

_BULK_UNITS: Final = 36
_GOLDEN: Final = 0.6180339887498949
_LOYALTY_IN_ANOTHER_MIX: Final = 0.4  # customers leave their favourites for what sells now
_NUMBER_LOST_ONE_IN: Final = 4
# Shares of invoices with a line that is no product.
_POSTAGE_ABROAD: Final = 0.5
_MANUAL: Final = 0.02
_PADS: Final = 0.0005
_DOTCOM: Final = 0.5
_VOUCHER: Final = 0.03
# Expected number of such lines per invoice (known: about 8 % of the customers live abroad).
CARRIAGE_PER_KNOWN: Final = 0.08 * _POSTAGE_ABROAD + _MANUAL + _PADS
CARRIAGE_PER_ANONYMOUS: Final = _DOTCOM + _VOUCHER
_ANONYMOUS_ABROAD: Final = 0.03
_ANONYMOUS_COUNTRIES: Final = (
    "EIRE",
    "Hong Kong",
    "EIRE",
    "Unspecified",
    "Israel",
    "EIRE",
    "France",
    "Bahrain",
)


class InvoiceKind(Enum):
    """What the lines of an invoice are."""

    SALE = "sale"
    CANCELLATION = "cancellation"
    WRITE_OFF = "write_off"
    ADJUSTMENT = "adjustment"


# One line: stock code and description as two rendered fields, units, price as written. A bare tuple: a busy
# day makes millions.
Item: TypeAlias = tuple[str, int, str]


@dataclass(slots=True)
class Invoice:
    """An invoice without number and time. Its first `goods` lines are products, the rest are not."""

    kind: InvoiceKind
    customer: str
    country: str
    items: list[Item]
    goods: int


class Sales:
    """Sales to known customers and to anonymous ones, each found again by day and index."""

    def __init__(
        self,
        seed: int,
        catalogue: Catalogue,
        population: Population,
        sizes: BasketSizes,
        events: Events,
    ) -> None:
        self._seed = seed
        self._catalogue = catalogue
        self._population = population
        self._sizes = sizes
        self._events = events
        self._generator = random.Random()

    def assortment(self, ordinal: int) -> Assortment:
        """What sells on this day."""
        mix, prices = (self._events.on(kind, ordinal) for kind in (EventKind.MIX, EventKind.PRICES))
        return self._catalogue.assortments[mix, prices]

    def known(self, ordinal: int, index: int, most: int | None = None) -> Invoice:
        """The invoice of a known customer; with `most`, only its first lines."""
        reseed(self._generator, self._seed, Stream.SALES, ordinal, index)
        draw = self._generator.random
        customer = self._population.buyer(draw(), ordinal)
        size = self._sizes.known[customer.size_habit][int(draw() * 256)]
        carriage = _carriage(customer.country, draw)
        goods = size if most is None else min(size, most)
        items = self._wholesale(draw, customer, goods, ordinal)
        if most is None:
            items += carriage
        # By the index, which has nothing to do with who buys what: a cancellation finds the same.
        lost = index % _NUMBER_LOST_ONE_IN == 0 and self._events.on(EventKind.ANONYMOUS, ordinal)
        return Invoice(InvoiceKind.SALE, "" if lost else customer.text, customer.country, items, goods)

    def anonymous(self, ordinal: int, index: int) -> Invoice:
        """An invoice without customer: many products, few units, retail prices."""
        reseed(self._generator, self._seed, Stream.ANONYMOUS, ordinal, index)
        draw = self._generator.random
        abroad = draw() / _ANONYMOUS_ABROAD
        country = _ANONYMOUS_COUNTRIES[int(abroad * len(_ANONYMOUS_COUNTRIES))] if abroad < 1 else HOME
        size = self._sizes.anonymous[int(draw() * 256)]
        items = self._retail(draw, size, self.assortment(ordinal))
        items += _web_shop(draw)
        return Invoice(InvoiceKind.SALE, "", country, items, size)

    def _wholesale(
        self, draw: Callable[[], float], customer: Customer, size: int, ordinal: int
    ) -> list[Item]:
        products = self._catalogue.items
        count = len(products)
        now = self.assortment(ordinal)
        favoured, popular = self._catalogue.assortments[False, False].popular, now.popular
        price, bulk_price = now.price, now.bulk_price
        units, taste = customer.units, customer.taste
        loyalty = customer.loyalty
        if self._events.on(EventKind.MIX, ordinal):
            loyalty *= _LOYALTY_IN_ANOTHER_MIX
        favourite = customer.favourites / loyalty
        novelty = POPULARITY_POSITIONS / (1.0 - loyalty)
        choices = len(units)
        taken: set[int] = set()
        items: list[Item] = []
        for _ in range(size):
            choice = draw()
            if choice < loyalty:
                product = favoured[
                    int((taste + int(choice * favourite) * _GOLDEN) % 1.0 * POPULARITY_POSITIONS)
                ]
            else:
                product = popular[int((choice - loyalty) * novelty)]
            while product in taken:  # an exact duplicate must be a planted one
                product = (product + 1) % count
            taken.add(product)
            quantity = units[int(draw() * choices)]
            prices = price if quantity < _BULK_UNITS else bulk_price
            items.append((products[product], quantity, prices[product]))
        return items

    def _retail(self, draw: Callable[[], float], size: int, now: Assortment) -> list[Item]:
        products = self._catalogue.items
        count = len(products)
        popular, price = now.popular, now.retail_price
        choices = len(RETAIL_UNITS)
        taken: set[int] = set()
        items: list[Item] = []
        for _ in range(size):
            product = popular[int(draw() * POPULARITY_POSITIONS)]
            while product in taken:
                product = (product + 1) % count
            taken.add(product)
            items.append((products[product], RETAIL_UNITS[int(draw() * choices)], price[product]))
        return items


def _carriage(country: str, draw: Callable[[], float]) -> list[Item]:
    """Lines of a known customer's invoice that are no products."""
    items = []
    if country != HOME and draw() < _POSTAGE_ABROAD:
        if country == "EIRE":
            items.append(("C2,CARRIAGE", 1, "50.0"))
        else:
            items.append(("POST,POSTAGE", 1 + int(draw() * 4), "18.0"))
    odd = draw()
    if odd < _MANUAL:
        items.append(("M,Manual", 1 + int(draw() * 3), price_text(10 + int(odd / _MANUAL * 9_900))))
    elif odd > 1.0 - _PADS:
        items.append(("PADS,PADS TO MATCH ALL CUSHIONS", 1, "0.001"))
    return items


def _web_shop(draw: Callable[[], float]) -> list[Item]:
    """Lines of an anonymous invoice that are no products."""
    items = []
    if draw() < _DOTCOM:
        items.append(("DOT,DOTCOM POSTAGE", 1, price_text(1_000 + int(draw() * 32_000))))
    if draw() < _VOUCHER:
        pounds = 10 * (1 + int(draw() * 5))
        items.append(
            (
                f"gift_0001_{pounds},Dotcomgiftshop Gift Voucher £{pounds}.00",
                1,
                price_text(pounds * 1000 // 12),
            )
        )
    return items

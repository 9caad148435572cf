"""Who buys: a population of returning customers, computed and never stored.

The population is a fixed number of places in classes of equal purchase rate. Each place is held by one
customer after another; who holds it on a day, and all the habits of that customer, follow by hashing from
(seed, place, day). So millions of customers cost no memory, and any day can be computed without the days
before it.

An invoice of a class goes to a place drawn evenly, hence each customer buys at the rate of their class:
frequency tells the rate, and recency tells who has left. While the event `repurchases` lasts customers come back
less often, and the invoices that they leave go to passers-by, who hardly ever return: the volume stays, the
repurchase rate falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from lakesmith.simulate.draws import Stream, apportion, mix, step_through
from lakesmith.simulate.events import EventKind, Events
from lakesmith.simulate.sizes import WHOLESALE_UNITS

__all__ = ["HOME", "Customer", "Population"]

HOME: Final = "United Kingdom"
_FIRST_NUMBER: Final = 12_346
_EPOCH: Final = 734_000  # a day in 2010: keeps customer numbers short for the years that people simulate
_HOLDERS: Final = 64  # after so many holders a place gives out its first customer number again, decades later


class _RateClass(NamedTuple):
    """Customers of one purchase rate: invoices per open day, shares of all invoices, days they stay."""

    rate: float
    share: float
    rare_share: float
    stay: int


_PASSERS_BY: Final = _RateClass(0.002, 0.01, 0.28, 200)
_CLASSES: Final = (
    _RateClass(0.004, 0.09, 0.080, 900),
    _RateClass(0.009, 0.18, 0.130, 700),
    _RateClass(0.018, 0.21, 0.150, 600),
    _RateClass(0.036, 0.19, 0.135, 500),
    _RateClass(0.070, 0.15, 0.105, 500),
    _RateClass(0.160, 0.11, 0.075, 600),
    _RateClass(0.500, 0.06, 0.045, 800),
    _PASSERS_BY,
)
_SHARE_POSITIONS: Final = 1000
_MOVER_ONE_IN: Final = 120

# Known customers by country; their lines in the real files.
_COUNTRIES: Final = {
    HOME: 157_000, "Germany": 4271, "France": 3661, "EIRE": 2800, "Netherlands": 1245, "Spain": 1147,
    "Belgium": 944, "Switzerland": 735, "Australia": 672, "Portugal": 624, "Norway": 378,
    "Channel Islands": 368, "Cyprus": 353, "Italy": 312, "Finland": 312, "Japan": 251, "Sweden": 200,
    "Poland": 187, "Denmark": 184, "Austria": 127, "Singapore": 118, "Iceland": 102, "Greece": 85,
    "Unspecified": 83, "Canada": 68, "Malta": 47, "Lebanon": 45, "Israel": 38, "Lithuania": 35, "Brazil": 32,
    "European Community": 32, "United Arab Emirates": 30, "USA": 22, "Bahrain": 19, "Czech Republic": 17,
    "Saudi Arabia": 10,
}  # fmt: skip
_COUNTRY_NAMES: Final = tuple(_COUNTRIES)
_COUNTRY_OF: Final = tuple(apportion(tuple(_COUNTRIES.values()), 1 << 15))


@dataclass(frozen=True, slots=True)
class Customer:
    """A known customer on a day, with habits that last as long as the customer does.

    Args:
        text: the customer number as the source writes it, `17850.0`.
        country: where the customer lives on that day; a few move.
        size_habit: which table of basket sizes is theirs.
        units: the table of units per line that they draw from.
        loyalty: share of their lines that go to their favourite products.
        favourites: how many favourites they have.
        taste: a place in 0..1 from which the favourites follow.
    """

    text: str
    country: str
    size_habit: int
    units: tuple[int, ...]
    loyalty: float
    favourites: int
    taste: float


class Population:
    """All the customers who write `invoices_per_day` invoices on a mean open day."""

    def __init__(self, seed: int, invoices_per_day: float, events: Events) -> None:
        self._events = events
        shares = [group.rare_share if group is _PASSERS_BY else group.share for group in _CLASSES]
        sizes = [
            max(1, round(invoices_per_day * share / group.rate))
            for group, share in zip(_CLASSES, shares, strict=True)
        ]
        self._sizes = sizes
        self._starts = list(accumulate(sizes, initial=0))
        self._places = self._starts[-1]
        self._stride = step_through(self._places)
        self._holder_key = mix(mix(seed) ^ Stream.CUSTOMERS)
        self._habit_key = mix(self._holder_key)
        self._usual = apportion([group.share for group in _CLASSES], _SHARE_POSITIONS)
        self._rare = apportion([group.rare_share for group in _CLASSES], _SHARE_POSITIONS)

    def buyer(self, draw: float, ordinal: int) -> Customer:
        """The customer to whom the draw, in 0..1, gives an invoice of the day with this ordinal."""
        position = draw * _SHARE_POSITIONS
        group = (self._rare if self._events.on(EventKind.REPURCHASES, ordinal) else self._usual)[
            int(position)
        ]
        place = self._starts[group] + int((position - int(position)) * self._sizes[group])
        stay_hash = mix(self._holder_key ^ place)
        stay = _CLASSES[group].stay // 2 + (stay_hash & 0xFFFF) * _CLASSES[group].stay // 0xFFFF
        holder = (ordinal - _EPOCH + (stay_hash >> 16) % stay) // stay % _HOLDERS
        return self._customer(holder * self._places + place * self._stride % self._places, ordinal)

    def _customer(self, number: int, ordinal: int) -> Customer:
        bits = mix(self._habit_key ^ number)
        country = _COUNTRY_NAMES[_COUNTRY_OF[bits & 0x7FFF]]
        bits >>= 15
        if bits % _MOVER_ONE_IN == 0 and (ordinal + number) // 150 % 2:
            country = _COUNTRY_NAMES[1 + number % (len(_COUNTRY_NAMES) - 1)]
        return Customer(
            text=f"{_FIRST_NUMBER + number}.0",
            country=country,
            size_habit=bits >> 9 & 7,
            units=WHOLESALE_UNITS[(0, 0, 0, 1, 1, 1, 2, 3)[bits >> 12 & 7]],
            loyalty=0.42 + (bits >> 15 & 0xFF) / 768,
            favourites=16 + (bits >> 23 & 0x1F),
            taste=(bits >> 29 & 0xFFFF) / 0x10000,
        )

"""What is sold: stock codes, descriptions and prices, as texts that are ready to be written.

Owns the catalogue of a seed and its assortments: which products sell at what prices, usually and while events
last. Texts are rendered once here, since a busy day writes millions of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

from lakesmith.simulate.draws import Stream, apportion, reseed, shuffle

__all__ = ["POPULARITY_POSITIONS", "Assortment", "Catalogue", "build_catalogue", "price_text", "quoted"]

POPULARITY_POSITIONS: Final = 32_768
_PRODUCTS: Final = 3_300
_HEAD_OF_POPULARITY: Final = 90  # the real files: 100 products make 22 % of the lines, 500 make 59 %
_FIRST_CODE: Final = 15_030
_MAX_DESCRIPTION: Final = 35
_DEARER_PERCENT: Final = 112
# Weight of a product's category in another mix: some fade, some take their place.
_OTHER_MIX: Final = (3.0, 0.25, 1.0, 0.4, 2.5, 1.0, 0.25, 0.6)

_STYLES: Final = (
    "RED", "PINK", "BLUE", "IVORY", "GREEN", "BLACK", "WHITE", "SILVER", "GOLD", "VINTAGE", "RETRO",
    "ANTIQUE", "SMALL", "LARGE", "MINI", "JUMBO", "RUSTIC", "FRENCH", "ENGLISH", "SWEDISH", "WOODLAND",
    "SEASIDE", "COUNTRY", "CIRCUS", "STARRY", "STRIPED", "SPOTTY", "PAISLEY", "FLORAL", "GINGHAM",
)  # fmt: skip
_MATERIALS: Final = (
    "GLASS", "CERAMIC", "METAL", "WOODEN", "PAPER", "COTTON", "WICKER", "ENAMEL", "FELT", "TIN", "ZINC",
    "LACE", "LINEN", "BAMBOO", "PORCELAIN", "SLATE", "WOOL", "CARD", "CRYSTAL", "RATTAN",
)  # fmt: skip
_THINGS: Final = (
    "LANTERN", "MUG", "BUNTING", "CAKE STAND", "PHOTO FRAME", "DOORSTOP", "LUNCH BOX", "TEA TOWEL", "APRON",
    "COASTER", "CANDLE HOLDER", "JAM JAR", "WALL CLOCK", "COAT HOOK", "NIGHT LIGHT", "CUSHION COVER",
    "GIFT BAG", "NAPKINS", "BISCUIT TIN", "TRINKET BOX", "HAND WARMER", "EGG CUP", "MILK JUG", "SUGAR BOWL",
    "PLANT POT", "BIRD HOUSE", "WATERING CAN", "GARDEN SIGN", "KEY RING", "PENCIL CASE", "NOTEBOOK",
    "STICKERS", "WRAPPING PAPER", "RIBBON", "CHRISTMAS STAR", "HEART DECORATION", "MONEY BANK",
    "SKIPPING ROPE", "JIGSAW", "PLAYING CARDS",
)  # fmt: skip
_ENDINGS: Final = (
    "",
    "",
    "",
    " DESIGN",
    " SET OF 6",
    " PACK OF 12",
    " IN BOX",
    " ASSORTED",
    " WITH LID",
    " 2",
)
# Wholesale prices in pence, as often as they stand here.
_PENCE: Final = (
    19, 29, 36, 39, 42, 42, 42, 55, 55, 55, 65, 65, 72, 85, 85, 85, 85, 85, 106, 125, 125, 125, 125, 125,
    125, 125, 145, 145, 149, 165, 165, 165, 165, 165, 165, 195, 195, 195, 208, 208, 210, 249, 255, 255, 255,
    295, 295, 295, 325, 375, 375, 375, 415, 425, 465, 495, 495, 495, 595, 675, 765, 795, 850, 995, 1275,
    1695,
)  # fmt: skip


@dataclass(frozen=True)
class Assortment:
    """What sells at a time: `popular` maps a place to a product, the others a product to its price."""

    popular: list[int]
    price: list[str]
    bulk_price: list[str]
    retail_price: list[str]


@dataclass(frozen=True)
class Catalogue:
    """The products of a seed.

    Args:
        items: stock code and description of each, as two CSV fields.
        assortments: what sells, by whether the mix is another and whether prices are up.
    """

    items: list[str]
    assortments: Mapping[tuple[bool, bool], Assortment]


def build_catalogue(seed: int) -> Catalogue:
    """The products of this seed; some codes stand twice, in lower case or with a second description."""
    generator = random.Random()
    reseed(generator, seed, Stream.CATALOGUE)
    items: list[str] = []
    pence: list[int] = []
    for code, description in _products(generator):
        cost = _PENCE[int(generator.random() * len(_PENCE))]
        for item in _spellings(len(items), code, description):
            items.append(item)
            pence.append(cost)
    ranks = list(range(len(items)))
    shuffle(ranks, generator)
    weights = [(len(ranks) - rank) / (rank + _HEAD_OF_POPULARITY) for rank in ranks]
    other = [weight * _OTHER_MIX[at % len(_OTHER_MIX)] for at, weight in enumerate(weights)]
    dearer = [(cost * _DEARER_PERCENT + 50) // 100 for cost in pence]
    popular = {False: _positions(weights), True: _positions(other)}
    costs = {False: pence, True: dearer}
    return Catalogue(
        items,
        {
            (mix, prices): _assortment(popular[mix], costs[prices])
            for mix, prices in product((False, True), repeat=2)
        },
    )


def price_text(pence: int) -> str:
    """A price as the source writes it: `2.55`, `2.1`, `18.0`."""
    pounds, rest = divmod(pence, 100)
    return f"{pounds}.{rest // 10}" if rest % 10 == 0 else f"{pounds}.{rest:02d}"


def quoted(text: str) -> str:
    """A CSV field by RFC 4180: in quotes only where it must be."""
    if '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return f'"{text}"' if "," in text else text


def _positions(weights: list[float]) -> list[int]:
    popular = apportion(weights, POPULARITY_POSITIONS)
    popular.append(popular[-1])  # the place 1.0, which rounding can give
    return popular


def _assortment(popular: list[int], pence: list[int]) -> Assortment:
    return Assortment(
        popular=popular,
        price=[price_text(cost) for cost in pence],
        bulk_price=[price_text((cost * 83 + 50) // 100) for cost in pence],
        retail_price=[price_text((cost * 196 + 50) // 100) for cost in pence],
    )


def _products(generator: random.Random) -> Iterator[tuple[str, str]]:
    """Families of stock codes: five digits, some with a letter for each colour."""
    number = _FIRST_CODE
    made = 0
    while made < _PRODUCTS:
        number += 1 + int(generator.random() * 24)
        letters = "ABCDEFG"[: 2 + int(generator.random() * 5)] if generator.random() < 0.08 else ""
        for letter in letters or ("",):
            yield f"{number}{letter}", _description(made, generator)
            made += 1


def _description(index: int, generator: random.Random) -> str:
    style, material, thing, ending = (
        words[int(generator.random() * len(words))] for words in (_STYLES, _MATERIALS, _THINGS, _ENDINGS)
    )
    if index % 250 == 11:
        text = f'{thing} 7" {style} ' if index % 2 else f'{style} "{material}" {thing}'
    elif index % 92 == 7:
        text = f"{thing}, {style} {material}" if index % 4 else f"{style} {thing},{material} SIGN"
    else:
        text = f"{style} {material} {thing}{ending}"
    if index % 5 == 0:
        text += " "
    elif index % 23 == 0:
        text = text.replace(" ", "  ", 1)
    return text[:_MAX_DESCRIPTION]


def _spellings(index: int, code: str, description: str) -> Iterator[str]:
    yield f"{code},{quoted(description)}"
    if code[-1].isalpha() and index % 3 == 0:
        yield f"{code.lower()},{quoted(description)}"
    elif index % 31 == 0:
        yield f"{code},{quoted('NEW ' + description[: _MAX_DESCRIPTION - 4])}"

"""Frames of every column type, drawn to hit what engines disagree on.

Owns the columns, the rows of one batch and the values that kwargs are drawn from. Few distinct values on
purpose: duplicates, equal pairs and bounds that are met exactly must be common.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

from lakesmith.contracts.model import BATCH_DATE
from parity.patterns import words

__all__ = ["COLUMNS", "DAYS", "POOLS", "Row", "columns_of", "rows"]

Row = tuple[Any, ...]
DAYS = (date(2011, 3, 1), date(2011, 3, 2))
"""The batches of every frame; one or both may be empty."""

# Two of most types, for pairs; names that the gate uses inside, `counts` and `gate_0`, must not be in its way.
COLUMNS: Mapping[str, str] = {
    "name": "string",
    "note": "string",
    "tiny": "tinyint",
    "small": "smallint",
    "units": "int",
    "lines": "int",
    "counts": "bigint",
    "gate_0": "bigint",
    "ratio": "float",
    "weight": "double",
    "height": "double",
    "price": "decimal(12,3)",
    "cost": "decimal(38,18)",
    "big": "decimal(38,0)",
    "day": "date",
    "due": "date",
    "at": "timestamp",
    "until": "timestamp",
    "paid": "boolean",
    "sent": "boolean",
    "blob": "binary",
    "seal": "binary",
    "tags": "array<string>",
    "marks": "array<double>",
    "facts": "map<string,int>",
    "notes": "map<string,int>",
    "place": "struct<x:int,y:string>",
    "target": "struct<x:int,y:string>",
}


_TEXTS = ["", *words("a A b bb ab 1 1.0 -0 1e3 NaN 2011-03-01 true null 100% a_b it's")]
_TEXTS += [" a", "a ", 'say "a"', "back\\slash", "a\\", "a\u0085", "a\u2028", "\u00a0"]
_TEXTS += ["a\n", "a\r", "a\r\n", "\na", "a\nb", "\t", "\x0b", "\x00"]
_TEXTS += words("Ünï ß İ ı ٣ ١٢ １ Σς 日本 𝔘 \u212a u\u0308 e\u0301 a\u200d \ufeff")
_WHOLE = [0, 1, -1, 2, 3, 7, 127, -128]
_DOUBLES = [0.0, -0.0, 1.0, -1.0, 1.5, 2.0, 0.1, 0.2, 0.3, 0.1 + 0.2, math.nan, math.inf, -math.inf]
_DOUBLES += [5e-324, sys.float_info.max, -sys.float_info.max, 2.0**53, 2.0**53 + 2, 1e16, 2.0**24]
# 0.1 as a float is not the double 0.1: a bound of 0.1 tells them apart.
_FLOATS = [0.0, -0.0, 1.0, -1.0, 1.5, 0.5, 2.0**24, math.nan, math.inf, -math.inf, 0.10000000149011612]
_FLOATS += [3.4028234663852886e38, 1.401298464324817e-45]
# The first ones are drawn more often than the others.
_DAYS = words("""
    1970-01-01 2011-02-28 2011-03-01 2011-03-02 2012-02-29 9999-12-31
    0001-01-01 1582-10-04 1582-10-15 1900-02-28 1969-12-31
""")
_TIMES = words("""
    2011-03-01T00:00:00 2011-03-01T10:00:00 2011-03-01T10:00:00.000001 2011-03-01T10:30:15.500000
    2011-03-27T01:30:00 2011-10-30T00:59:59.999999 9999-12-30T23:59:59.999999
    0001-01-02T00:00:00 1582-10-10T00:00:00 1969-12-31T23:59:59
""")
_WIDE = Context(prec=38)


def _mixed(edges: Sequence[Any], others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(edges[:4]), st.sampled_from(edges), others)


def _decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = Decimal(10**digits - 1).scaleb(-scale, context=_WIDE)
    edges = [Decimal(text) for text in words("0 1 -1 1.5 0.1 0.3" if scale else "0 1 -1 2")]
    edges += [most, most.copy_negate()]
    return _mixed(edges, st.decimals(-1000, 1000, places=min(scale, 3)))


def _whole(bits: int) -> st.SearchStrategy[int]:
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    edges = [*_WHOLE, lowest, highest, *([2**53, 2**53 + 1, -(2**53) - 1] if bits == 64 else [])]
    return _mixed(edges, st.integers(lowest, highest))


_TEXT = _mixed(_TEXTS, st.text(st.characters(codec="utf-8"), max_size=5))
_SMALL = st.one_of(st.none(), st.sampled_from([0, 1, 2]))
_SHORT = st.one_of(st.none(), st.sampled_from(["a", "b", "Ü", ""]))
_PLACES = st.tuples(_SMALL, _SHORT)
_FACTS = st.dictionaries(st.sampled_from(["a", "b", "Ü"]), _SMALL, max_size=2)


def _pools() -> dict[str, st.SearchStrategy[Any]]:
    kinds = {
        "string": _TEXT,
        "tinyint": _whole(8),
        "smallint": _whole(16),
        "int": _whole(32),
        "bigint": _whole(64),
        "float": _mixed(_FLOATS, st.floats(width=32)),
        "double": _mixed(_DOUBLES, st.floats()),
        "decimal(12,3)": _decimals(12, 3),
        "decimal(38,18)": _decimals(38, 18),
        "decimal(38,0)": _decimals(38, 0),
        "date": _mixed([date.fromisoformat(text) for text in _DAYS], st.dates()),
        "timestamp": _mixed(
            [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in _TIMES],
            st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
        ),
        "boolean": st.booleans(),
        "binary": st.sampled_from([b"", b"a", b"b", b"\x00", b"\xff\xfe"]),
        "array<string>": st.lists(_SHORT, max_size=2),
        "array<double>": st.lists(st.sampled_from([0.0, -0.0, 1.0, math.nan, None]), max_size=2),
        "map<string,int>": _FACTS,
        "struct<x:int,y:string>": _PLACES,
    }
    return {name: kinds[kind] for name, kind in {**COLUMNS, BATCH_DATE: "date"}.items()}


POOLS: Mapping[str, st.SearchStrategy[Any]] = _pools()
"""Values of each column, without null; `batch_date` included."""


@st.composite
def rows(draw: st.DrawFn) -> list[Row]:
    """The rows of all batches, never many; the last value of each is its batch."""
    count = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
    columns = [_column(draw, name, count) for name in COLUMNS]
    days = st.sampled_from(draw(st.sampled_from([DAYS, DAYS, DAYS[:1], DAYS[1:]])))
    batches = draw(st.lists(days, min_size=count, max_size=count))
    return [(*values, batch) for *values, batch in zip(*columns, batches, strict=True)]


def _column(draw: st.DrawFn, name: str, count: int) -> list[Any]:
    """The values of one column: some columns are all null, some without one, most hold some."""
    nulls = draw(st.sampled_from(["none", "some", "some", "some", "all"]))
    if nulls == "all" or not count:
        return [None] * count
    values = draw(st.lists(POOLS[name], min_size=1, max_size=3))
    chosen = st.sampled_from([*values, *([None] if nulls == "some" else [])])
    return draw(st.lists(chosen, min_size=count, max_size=count))


def columns_of(*kinds: str) -> list[str]:
    """The columns of these types, `batch_date` among the dates."""
    return [name for name, kind in {**COLUMNS, BATCH_DATE: "date"}.items() if kind in kinds]

"""Expectations of every compiled type, drawn for the rows of one frame.

Owns the strategies of kwargs: bounds that are met exactly or by a hair, shares that the frame can reach,
value sets, row conditions. Most are meant to be taken by the loader; a few are not, since whatever it lets
through must mean the same to the gate and to Great Expectations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from lakesmith.contracts.expectations import ROW_RULE_TYPES
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.quality.grouped import GROUPED_TYPES
from lakesmith.quality.questions import AGGREGATE_TYPES
from lakesmith.quality.structure import STRUCTURE_TYPES
from parity.frames import COLUMNS, DAYS, POOLS, Row, columns_of
from parity.patterns import patterns, words

__all__ = ["COMPILED", "kwargs_of", "row_conditions"]

COMPILED: Mapping[str, str] = {
    **dict.fromkeys(sorted(ROW_RULE_TYPES), "row rule"),
    **dict.fromkeys(sorted(GROUPED_TYPES), "grouped"),
    **dict.fromkeys(sorted(AGGREGATE_TYPES), "aggregate"),
    **dict.fromkeys(sorted(STRUCTURE_TYPES), "structure"),
}
"""Every compiled type and how it is answered."""

_WHOLE = ("tinyint", "smallint", "int", "bigint")
_NUMBERS = (*_WHOLE, "float", "double", "decimal(12,3)", "decimal(38,18)", "decimal(38,0)")
_TIMES = ("date", "timestamp")
_NESTED = ("binary", "array<string>", "array<double>", "map<string,int>", "struct<x:int,y:string>")
_ALL = (*_NUMBERS, *_TIMES, "string", "boolean", *_NESTED)
_KINDS: Mapping[str, str] = {**COLUMNS, BATCH_DATE: "date"}
_ORDER: Sequence[str] = list(_KINDS)

Kwargs = dict[str, Any]
Build = Callable[[st.DrawFn, Sequence[Row]], Kwargs]


@st.composite
def kwargs_of(draw: st.DrawFn, kind: str, rows: Sequence[Row], condition: Kwargs) -> Kwargs:
    """The kwargs of one expectation.

    Args:
        kind: one of `COMPILED`.
        rows: what it will judge.
        condition: from `row_conditions`: a few are shared by the expectations of a frame, for speed.
    """
    kwargs = _KWARGS[kind](draw, rows)
    # Those that look at the type of a column's values take one that changes nothing.
    structure = COMPILED[kind] == "structure" and (
        not kind.startswith("expect_column_values") or draw(st.integers(0, 9)) < 9
    )
    takes_condition = not structure and (
        kind != "expect_column_pair_values_to_be_in_set" or draw(st.integers(0, 24)) == 24
    )
    return {**kwargs, **condition} if takes_condition else kwargs


@st.composite
def row_conditions(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    """`row_condition`, in each of its spellings."""
    match draw(st.sampled_from(["object", "object", "object", "group", "sql", "text"])):
        case "object":
            return {"row_condition": _condition(draw, rows)}
        case "group":
            kind = draw(st.sampled_from(["and", "or"]))
            parts = [_condition(draw, rows) for _ in range(draw(st.integers(1, 3)))]
            if kind == "or" and draw(st.booleans()):
                parts.append({"type": "and", "conditions": [_condition(draw, rows), _condition(draw, rows)]})
            return {"row_condition": {"type": kind, "conditions": parts}}
        case "sql":
            return {"row_condition": {"type": "pass_through", "pass_through_filter": _sql(draw)}}
        case _:
            parser = draw(st.sampled_from([{"condition_parser": "spark"}, {"condition_parser": "spark"}, {}]))
            return {"row_condition": _sql(draw), **parser}


def _sql(draw: st.DrawFn) -> str:
    return draw(
        st.sampled_from(
            [
                "units > 1",
                "units > 1 OR name IS NULL",
                "NOT isnan(weight) AND name LIKE 'a%'",
                "day >= '1970-01-01'",
                "true",
                "name = 'it''s' OR false",
                "weight > 0 AND NOT paid",
                "length(name) > 1",
                "units IN (1, NULL)",
            ]
        )
    )


def _condition(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = draw(
        st.sampled_from(["name", "name", "note", "units", "counts", "weight", "price", "day", "at", "paid"])
    )
    column = {"name": name}
    if draw(st.integers(0, 3)) == 3:
        return {"type": "nullity", "column": column, "is_null": draw(st.booleans())}
    operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN"]))
    parameter = (
        draw(st.lists(_member(name, rows), min_size=1, max_size=3))
        if operator.endswith("IN")
        else draw(_member(name, rows))
    )
    return {"type": "comparison", "column": column, "operator": operator, "parameter": parameter}


# --- values --------------------------------------------------------------------------------------------------


def _batch(draw: st.DrawFn, rows: Sequence[Row]) -> list[Row]:
    """The rows of one batch, for what must fit just them."""
    day = draw(st.sampled_from(DAYS))
    return [row for row in rows if row[-1] == day]


def _found(name: str, rows: Sequence[Row]) -> list[Any]:
    at = _ORDER.index(name)
    return [row[at] for row in rows if row[at] is not None]


def _near(name: str, rows: Sequence[Row]) -> st.SearchStrategy[Any]:
    """A value of the column, or one that could be."""
    found = _found(name, rows)
    return st.one_of(st.sampled_from(found), st.sampled_from(found), POOLS[name]) if found else POOLS[name]


def _member(name: str, rows: Sequence[Row]) -> st.SearchStrategy[Any]:
    """A value as a suite writes it."""
    return _near(name, rows).flatmap(_written)


def _written(value: Any) -> st.SearchStrategy[Any]:
    """The ways in which JSON can write a value."""
    match value:
        case bool() | str():
            return st.just(value)
        case int():
            return st.sampled_from([value, value, float(value)])
        case float():
            near = [value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf)]
            finite = [x for x in near if math.isfinite(x)] or [0.0]
            return st.sampled_from([finite[0], *finite, round(finite[0])])
        case Decimal():
            whole = [int(value)] if value == int(value) else []
            return st.sampled_from([float(value), *whole])
        case datetime():
            return st.sampled_from(_times(value))
        case date():
            return st.sampled_from([value.isoformat(), value.isoformat(), f"{value}T00:00:00"])
        case bytes():
            return st.just(value.decode("latin-1"))
        case tuple():
            return st.just(list(value))
        case _:
            return st.just(value)


def _times(value: datetime) -> list[str]:
    naive = value.astimezone(UTC).replace(tzinfo=None)
    second = naive.replace(microsecond=0)
    return [
        naive.isoformat(),
        naive.isoformat(),
        naive.isoformat(sep=" "),
        second.isoformat(),
        second.isoformat(timespec="milliseconds"),
        second.isoformat(timespec="minutes"),
        naive.date().isoformat(),
        f"{second.isoformat()}Z",
        f"{second.isoformat()}+00:00",
        _shifted(value).isoformat(),
    ]


def _shifted(value: datetime) -> datetime:
    return value.astimezone(timezone(timedelta(hours=-5))) if value.year > 1 else value


# Rarely drawn; each is something that a suite can hold and an engine can read in its own way.
_ODD_NUMBERS = [0, -0.0, 0.1, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**40, 10**400, 1e308, 1e-320]
_ODD_TIMES = words("""
    2011-W09-2 2011-060 20110301 2011-03-01T10 2011-03-01T24:00 2011-03-01T10:00:00.123456789
    2011-03-01T10:00:00,5 2011-03-01x10:00 2011-03-01T10:00:00+14:30 9999-12-31T23:59:59-12:00
""")
_ODD = st.sampled_from(
    [*_ODD_NUMBERS, *_ODD_TIMES, True, None, "1", "a", "", "\x00", "\ud83d", "March 1, 2011"]
)


def _odd_at_times(draw: st.DrawFn, usual: st.SearchStrategy[Any]) -> Any:
    return draw(_ODD if draw(st.integers(0, 24)) == 24 else usual)


def _column(draw: st.DrawFn, *fitting: str) -> str:
    """A column of a fitting type; at times of any."""
    return draw(st.sampled_from(columns_of(*(_ALL if draw(st.integers(0, 19)) == 19 else fitting))))


def _bounds(draw: st.DrawFn, usual: st.SearchStrategy[Any], *, strict: bool = True) -> Kwargs:
    sides = draw(st.sampled_from([("min_value",), ("max_value",), ("min_value", "max_value")]))
    kwargs = {side: _odd_at_times(draw, usual) for side in sides}
    if len(kwargs) == 2 and draw(st.integers(0, 9)) and _above(*kwargs.values()):
        kwargs = dict(zip(kwargs, reversed(kwargs.values()), strict=True))
    if draw(st.integers(0, 9)) == 9:
        kwargs.setdefault("max_value", None)
    if strict:
        flags = draw(st.sets(st.sampled_from(["strict_min", "strict_max"])))
        kwargs |= {flag: draw(st.sampled_from([True, True, False])) for flag in sorted(flags)}
    return kwargs


def _above(lowest: Any, highest: Any) -> bool:
    try:
        return bool(lowest > highest)
    except TypeError:
        return False


def _share(draw: st.DrawFn, rows: Sequence[Row]) -> float | int:
    """A share that a batch can reach, or one next to it."""
    size = len(_batch(draw, rows)) or 1
    count = draw(st.sampled_from([size, size, *range(1, 8)]))
    share = draw(st.integers(0, count)) / count
    near = [share, share, math.nextafter(share, 2), math.nextafter(share, -1), round(share, 4), round(share)]
    return draw(st.sampled_from(near))


def _mostly(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"mostly": _odd_at_times(draw, st.just(_share(draw, rows)))} if draw(st.booleans()) else {}


def _ignored(draw: st.DrawFn, *rules: str) -> Kwargs:
    return {"ignore_row_if": draw(st.sampled_from(rules))} if draw(st.integers(0, 3)) else {}


def _set(draw: st.DrawFn, rows: Sequence[Row], name: str) -> list[Any]:
    found = _found(name, _batch(draw, rows))
    members = draw(st.lists(_member(name, rows), max_size=4))
    if found and draw(st.booleans()):
        # All that is there, so that sets are equal at times.
        members += [draw(_written(value)) for value in found]
    if draw(st.integers(0, 24)) == 24:
        members.append(draw(_ODD))
    return members


# --- the kwargs of each type ---------------------------------------------------------------------------------


def _nullity(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column": _column(draw, *_ALL), **_mostly(draw, rows)}


def _values_between(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_NUMBERS, *_TIMES)
    return {"column": name, **_bounds(draw, _member(name, rows)), **_mostly(draw, rows)}


def _in_set(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_NUMBERS, *_TIMES, "string", "boolean")
    return {"column": name, "value_set": _set(draw, rows, name), **_mostly(draw, rows)}


def _regex(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column": _column(draw, "string"), "regex": draw(patterns()), **_mostly(draw, rows)}


def _regexes(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    listed = draw(st.lists(patterns(), min_size=1, max_size=3))
    return {"column": _column(draw, "string"), "regex_list": listed, **_mostly(draw, rows)}


def _any_regex(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    kwargs = _regexes(draw, rows)
    return {**kwargs, "match_on": draw(st.sampled_from(["any", "all"]))} if draw(st.booleans()) else kwargs


def _length(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    value = _odd_at_times(draw, st.sampled_from([0, 1, 2, 3, 2.0, 1.5, -1]))
    return {"column": _column(draw, "string"), "value": value, **_mostly(draw, rows)}


def _lengths(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    bounds = _bounds(draw, st.sampled_from([0, 1, 2, 3, 2.0, -1]))
    return {"column": _column(draw, "string"), **bounds, **_mostly(draw, rows)}


_PAIRS = [
    *[(kind,) for kind in ("string", "int", "bigint", "double", "date", "timestamp", "boolean", *_NESTED)],
    *[_NUMBERS, _NUMBERS, _NUMBERS, _WHOLE, _TIMES, _ALL],
]


def _pair(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    kinds = draw(st.sampled_from(_PAIRS))
    names = [draw(st.sampled_from(columns_of(*kinds))) for _ in range(2)]
    rule = _ignored(draw, "both_values_are_missing", "either_value_is_missing", "neither")
    return {"column_A": names[0], "column_B": names[1], **rule, **_mostly(draw, rows)}


def _greater(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {**_pair(draw, rows), **({"or_equal": draw(st.booleans())} if draw(st.booleans()) else {})}


def _pair_in_set(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    kwargs = _pair(draw, rows)
    sides = (
        st.one_of(st.none(), _member(kwargs[key], rows), _member(kwargs[key], rows))
        for key in ("column_A", "column_B")
    )
    pairs = [list(pair) for pair in draw(st.lists(st.tuples(*sides), max_size=3))]
    a, b = (_ORDER.index(kwargs[key]) for key in ("column_A", "column_B"))
    if rows and draw(st.booleans()):
        row = draw(st.sampled_from(rows))
        pairs.append([None if row[at] is None else draw(_written(row[at])) for at in (a, b)])
    return {**kwargs, "value_pairs_set": pairs}


def _several(draw: st.DrawFn, *groups: tuple[str, ...]) -> list[str]:
    columns = columns_of(*draw(st.sampled_from(groups)))
    return draw(st.lists(st.sampled_from(columns), min_size=min(2, len(columns)), max_size=3, unique=True))


_RULES = ("all_values_are_missing", "any_value_is_missing", "never")
_GROUPS = [
    ("string",),
    ("int", "bigint"),
    ("double",),
    ("date",),
    ("timestamp",),
    ("boolean",),
    _NUMBERS,
    _ALL,
]
_GROUPS += [(kind,) for kind in _NESTED]


def _sum(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    names = _several(
        draw, _WHOLE, _NUMBERS, _NUMBERS, ("double", "float"), ("decimal(12,3)", "decimal(38,18)", "bigint")
    )
    at = [_ORDER.index(name) for name in names]
    sums = [float(sum(Decimal(row[i] or 0) if _is_finite(row[i]) else 0 for i in at)) for row in rows]
    total = _odd_at_times(draw, st.sampled_from([*sums, *sums, 0, 0.3, 1.5, 2]))
    return {"column_list": names, "sum_total": total, **_ignored(draw, *_RULES), **_mostly(draw, rows)}


def _is_finite(value: Any) -> bool:
    return value is None or not isinstance(value, float) or math.isfinite(value)


def _row_of_columns(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column_list": _several(draw, *_GROUPS), **_ignored(draw, *_RULES), **_mostly(draw, rows)}


def _compound(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    names = draw(st.lists(st.sampled_from(columns_of(*_ALL)), min_size=2, max_size=3, unique=True))
    return {"column_list": names, **_ignored(draw, *_RULES), **_mostly(draw, rows)}


def _unique(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column": _column(draw, *_ALL), **_mostly(draw, rows)}


def _distinct(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_NUMBERS, *_TIMES, "string", "boolean", *_NESTED)
    return {"column": name, "value_set": _set(draw, rows, name)}


def _distinct_count(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column": _column(draw, *_ALL), **_bounds(draw, st.integers(0, 5))}


def _shares(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column": _column(draw, *_ALL), **_bounds(draw, st.just(_share(draw, rows)))}


def _extreme(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_NUMBERS, *_TIMES)
    return {"column": name, **_bounds(draw, _member(name, rows))}


def _measured(measure: Callable[[list[float]], float]) -> Build:
    def build(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
        name = _column(draw, *_NUMBERS)
        found = [
            float(value)
            for value in _found(name, _batch(draw, rows))
            if isinstance(value, int | float | Decimal)
        ]
        usual = [0, 1, 1.5, -1]
        if found and all(math.isfinite(value) for value in found):
            usual += [value for value in [measure(found)] * 4 if math.isfinite(value)]
        return {"column": name, **_bounds(draw, st.sampled_from(usual).flatmap(_written))}

    return build


def _median(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_NUMBERS)
    found = _doubles(name, _batch(draw, rows))
    pairs = [(a + b) / 2 for a in found for b in found if math.isfinite(a + b)]
    return {"column": name, **_bounds(draw, st.sampled_from([0, 1, 1.5, -1, *pairs]).flatmap(_written))}


def _doubles(name: str, rows: Sequence[Row]) -> list[float]:
    return [float(value) for value in _found(name, rows) if isinstance(value, int | float | Decimal)]


def _quantiles(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_NUMBERS)
    batch = _batch(draw, rows)
    size = len(batch) or 1
    # Shares at which the rank is a whole number, and a bit beside them.
    edges = [at / size for at in range(size + 1)]
    beside = [math.nextafter(edge, side) for edge in edges for side in (0, 1)]
    shares = draw(st.lists(st.sampled_from([0.25, 0.5, 0.75, *edges, *beside]), min_size=1, max_size=4))
    found = [value for value in _doubles(name, batch) if math.isfinite(value)]
    near = [
        value * off for value in found for off in (1, 1.0001, 0.9999, 1.00011) if math.isfinite(value * off)
    ]
    limits = st.one_of(st.none(), st.sampled_from([0, 1.5, -1, *near]))
    ranges = [draw(st.lists(limits, min_size=2, max_size=2)) for _ in shares]
    if draw(st.integers(0, 9)):
        ranges = [r if None in r else sorted(r) for r in ranges]
        shares = [float(share) for share in shares]
    odd = {"allow_relative_error": draw(st.sampled_from([False, 0.0, 0.1, None]))}
    asked = {"column": name, "quantile_ranges": {"quantiles": shares, "value_ranges": ranges}}
    return asked | (odd if draw(st.integers(0, 4)) == 4 else {})


def _most_common(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    ties = {"ties_okay": draw(st.booleans())} if draw(st.booleans()) else {}
    return {**_distinct(draw, rows), **ties}


_TYPE_NAMES = words("""
    ByteType ShortType IntegerType LongType FloatType DoubleType DecimalType StringType BooleanType BinaryType
    DateType TimestampType ArrayType MapType StructType
""")
_ODD_TYPE_NAMES = words(
    "DataType AtomicType NumericType IntegralType VarcharType Row Decimal datetime re string LongType() Any"
)
_CLASSES = {
    **dict(
        zip(("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"), _TYPE_NAMES, strict=False)
    ),
    **dict(zip(("string", "boolean", "binary", "date", "timestamp"), _TYPE_NAMES[7:], strict=False)),
    **dict(zip(("array", "map", "struct"), _TYPE_NAMES[12:], strict=True)),
}


def _type_name(draw: st.DrawFn, name: str) -> Any:
    """Most are the column's, or one of other columns."""
    own = _CLASSES[_KINDS[name].split("(")[0].split("<")[0]]
    return _odd_at_times(draw, st.sampled_from([own, own, *_TYPE_NAMES, *_ODD_TYPE_NAMES]))


def _type(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_ALL)
    return {"column": name, "type_": _type_name(draw, name)}


def _values_of_type(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {**_type(draw, rows), **_mostly(draw, rows)}


def _types(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = _column(draw, *_ALL)
    listed = [_type_name(draw, name) for _ in range(draw(st.integers(0, 3)))]
    return {
        "column": name,
        **({"type_list": listed} if draw(st.integers(0, 9)) else {}),
        **_mostly(draw, rows),
    }


def _row_count(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    size = len(_batch(draw, rows))
    return {"value": _odd_at_times(draw, st.sampled_from([size, float(size), size + 1, 0]))}


def _row_counts(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    size = len(_batch(draw, rows))
    return _bounds(draw, st.sampled_from([size, size, float(size), size + 1, 0, -1]))


_NAMES = st.sampled_from([*_ORDER, "missing"])


def _exists(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    name = draw(_NAMES)
    at = st.sampled_from([0, 1, -1, 99, _ORDER.index(name) if name in _ORDER else 0])
    return {"column": name, **({"column_index": _odd_at_times(draw, at)} if draw(st.booleans()) else {})}


def _column_count(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"value": _odd_at_times(draw, st.sampled_from([len(_ORDER), float(len(_ORDER)), len(COLUMNS), 0]))}


def _column_counts(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return _bounds(draw, st.sampled_from([len(_ORDER), len(_ORDER) + 1, len(COLUMNS), 0, 1e9]), strict=False)


def _ordered(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    return {"column_list": _some_columns(draw)} if draw(st.integers(0, 9)) else {}


def _as_set(draw: st.DrawFn, rows: Sequence[Row]) -> Kwargs:
    exact = {"exact_match": draw(st.booleans())} if draw(st.booleans()) else {}
    return {**({"column_set": _some_columns(draw)} if draw(st.integers(0, 9)) else {}), **exact}


def _some_columns(draw: st.DrawFn) -> list[str]:
    if draw(st.booleans()):
        return draw(st.lists(_NAMES, max_size=4, unique=draw(st.integers(0, 3)) > 0))
    listed = list(_ORDER)
    match draw(st.sampled_from(["whole", "short", "swapped"])):
        case "short":
            listed.pop(draw(st.integers(0, len(listed) - 1)))
        case "swapped":
            listed[0], listed[1] = listed[1], listed[0]
    return listed


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: list[float]) -> float:
    mean = _mean(values)
    return (
        math.sqrt(sum((v - mean) * (v - mean) for v in values) / (len(values) - 1))
        if len(values) > 1
        else math.nan
    )


_KWARGS: Mapping[str, Build] = {
    "expect_column_distinct_values_to_be_in_set": _distinct,
    "expect_column_distinct_values_to_contain_set": _distinct,
    "expect_column_distinct_values_to_equal_set": _distinct,
    "expect_column_max_to_be_between": _extreme,
    "expect_column_mean_to_be_between": _measured(_mean),
    "expect_column_median_to_be_between": _median,
    "expect_column_min_to_be_between": _extreme,
    "expect_column_most_common_value_to_be_in_set": _most_common,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _pair,
    "expect_column_pair_values_to_be_in_set": _pair_in_set,
    "expect_column_proportion_of_non_null_values_to_be_between": _shares,
    "expect_column_proportion_of_unique_values_to_be_between": _shares,
    "expect_column_quantile_values_to_be_between": _quantiles,
    "expect_column_stdev_to_be_between": _measured(_deviation),
    "expect_column_sum_to_be_between": _measured(sum),
    "expect_column_to_exist": _exists,
    "expect_column_type_to_be": _type,
    "expect_column_unique_value_count_to_be_between": _distinct_count,
    "expect_column_value_lengths_to_be_between": _lengths,
    "expect_column_value_lengths_to_equal": _length,
    "expect_column_values_to_be_between": _values_between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_be_in_type_list": _types,
    "expect_column_values_to_be_null": _nullity,
    "expect_column_values_to_be_of_type": _values_of_type,
    "expect_column_values_to_be_unique": _unique,
    "expect_column_values_to_match_regex": _regex,
    "expect_column_values_to_match_regex_list": _any_regex,
    "expect_column_values_to_not_be_in_set": _in_set,
    "expect_column_values_to_not_be_null": _nullity,
    "expect_column_values_to_not_match_regex": _regex,
    "expect_column_values_to_not_match_regex_list": _regexes,
    "expect_compound_columns_to_be_unique": _compound,
    "expect_multicolumn_sum_to_equal": _sum,
    "expect_multicolumn_values_to_be_equal": _row_of_columns,
    "expect_select_column_values_to_be_unique_within_record": _row_of_columns,
    "expect_table_column_count_to_be_between": _column_counts,
    "expect_table_column_count_to_equal": _column_count,
    "expect_table_columns_to_match_ordered_list": _ordered,
    "expect_table_columns_to_match_set": _as_set,
    "expect_table_row_count_to_be_between": _row_counts,
    "expect_table_row_count_to_equal": _row_count,
}

"""The profile of a column over some batches: what is kept of it, so that no batch is scanned twice.

Owns the values, their sums over batches and their JSON. Everything but `distinct` and the last digits of moments is exact
under `merged`; the order in which profiles are added up does not matter. Holds nothing of a row: which columns give
counts only (people, nested values) is said by their layout. No Spark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import reduce
from typing import Any, TypeVar

from lakesmith.monitoring.categories import CategoryCounts
from lakesmith.monitoring.distinct import DistinctSketch
from lakesmith.monitoring.moments import Moments
from lakesmith.monitoring.numbers import NumberCounts
from lakesmith.monitoring.problems import ProfilesDiffer, ProfileUnreadable

__all__ = ["ColumnLayout", "ColumnProfile", "Lengths", "Measure", "merge_profiles"]

_FORMAT = 1
T = TypeVar("T")


class Measure(StrEnum):
    """What is measured of a column."""

    NUMBER = "number"
    """Everything that numbers have: bins, moments, least and greatest."""
    CATEGORY = "category"
    """The rows of each value; lengths."""
    TEXT = "text"
    """Lengths, distinct values and the rows by group of values, no value itself."""
    COUNTS = "counts"
    """Rows and nulls: nested values, bytes, days, and whatever is about a person."""


@dataclass(frozen=True)
class ColumnLayout:
    """How a column is measured, so that its profiles add up and compare.

    Args:
        column: its name.
        data_type: by Spark's name.
        measure: what is measured.
        edges: of the bins of a number.
        categories: the values of a category that the baseline knows.
        pivot: a number amid the others, from which distances are summed.
    """

    column: str
    data_type: str
    measure: Measure
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    pivot: float = 0.0


@dataclass(frozen=True)
class Lengths:
    """Lengths of texts, in characters.

    Args:
        count: how many texts.
        least: the shortest; 0 without texts.
        greatest: the longest.
        total: of all together.
    """

    count: int = 0
    least: int = 0
    greatest: int = 0
    total: int = 0

    @property
    def mean(self) -> float:
        """The mean length; NaN without texts."""
        return self.total / self.count if self.count else math.nan

    def merged(self, other: Lengths) -> Lengths:
        """The lengths of both samples together."""
        if not self.count or not other.count:
            return self if self.count else other
        return Lengths(
            self.count + other.count,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
            self.total + other.total,
        )


@dataclass(frozen=True)
class ColumnProfile:
    """What is known of a column over some batches.

    Args:
        column: its name.
        data_type: by Spark's name.
        measure: what was measured; what was not is None.
        batches: how many batches were added up.
        count: rows, nulls among them.
        nulls: rows without a value.
        nans: rows with NaN; neither null nor number.
        zeros: rows with the number 0 (and -0.0).
        minimum: the least number, -inf included; None without numbers.
        maximum: the greatest one.
        moments: of the finite numbers.
        numbers: all numbers on the baseline's bins.
        categories: rows by value.
        lengths: of texts.
        distinct: a sketch of the distinct values.
        hashed: rows by the first bits of the value's hash, of a text with too many values to count each: what share falls into
            which group tells another mix of values from the same one.
    """

    column: str
    data_type: str
    measure: Measure
    batches: int = 1
    count: int = 0
    nulls: int = 0
    nans: int = 0
    zeros: int = 0
    minimum: float | None = None
    maximum: float | None = None
    moments: Moments | None = None
    numbers: NumberCounts | None = None
    categories: CategoryCounts | None = None
    lengths: Lengths | None = None
    distinct: DistinctSketch | None = None
    hashed: tuple[int, ...] | None = None

    @property
    def values(self) -> int:
        """Rows with a value: neither null nor NaN."""
        return self.count - self.nulls - self.nans

    @property
    def distinct_count(self) -> int | None:
        """How many distinct values, NaN not counted: exact for a category, else an estimate; None where not measured."""
        if self.categories is not None:
            return self.categories.distinct
        return None if self.distinct is None else min(self.distinct.estimate(), self.values)

    def quantiles(self, levels: Iterable[float]) -> list[float] | None:
        """Quantiles of the numbers; None without any."""
        if self.numbers is None or self.minimum is None or self.maximum is None:
            return None
        return self.numbers.quantiles(list(levels), self.minimum, self.maximum)

    def layout(self) -> ColumnLayout:
        """How later batches are measured to go with this profile: what makes it their baseline."""
        named = () if self.categories is None else (*self.categories.known, *self.categories.new)
        return ColumnLayout(
            self.column,
            self.data_type,
            self.measure,
            edges=() if self.numbers is None else self.numbers.edges,
            categories=tuple(sorted(value for value, rows in named if rows)),
            pivot=0.0 if self.moments is None else self.moments.mean,
        )

    def merged(self, other: ColumnProfile) -> ColumnProfile:
        """The profile of the batches of both.

        Raises:
            ProfilesDiffer: another column, type or measure, other bins or categories.
        """
        mine, theirs = ((p.column, p.data_type, p.measure) for p in (self, other))
        if mine != theirs:
            raise ProfilesDiffer(f"one is of {_said(mine)}, the other of {_said(theirs)}")
        return ColumnProfile(
            self.column,
            self.data_type,
            self.measure,
            batches=self.batches + other.batches,
            count=self.count + other.count,
            nulls=self.nulls + other.nulls,
            nans=self.nans + other.nans,
            zeros=self.zeros + other.zeros,
            minimum=min(_there(self.minimum, other.minimum), default=None),
            maximum=max(_there(self.maximum, other.maximum), default=None),
            moments=_both(self.moments, other.moments, Moments.merged),
            numbers=_both(self.numbers, other.numbers, NumberCounts.merged),
            categories=_both(self.categories, other.categories, CategoryCounts.merged),
            lengths=_both(self.lengths, other.lengths, Lengths.merged),
            distinct=_both(self.distinct, other.distinct, DistinctSketch.merged),
            hashed=_sums(self.hashed, other.hashed),
        )

    def to_dict(self) -> dict[str, Any]:
        """The profile in JSON's types, always in the same form; infinities as text, since JSON has none."""
        written: dict[str, Any] = {"format": _FORMAT}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, DistinctSketch):
                written[name] = value.to_json()
            elif isinstance(value, Moments | NumberCounts | CategoryCounts | Lengths):
                written[name] = _plain(asdict(value))
            else:
                written[name] = _plain(value)
        return written

    @staticmethod
    def from_dict(stored: Mapping[str, Any]) -> ColumnProfile:
        """The profile that `to_dict` gave, or JSON made of it.

        Raises:
            ProfileUnreadable: when it was written in another form, or is none.
        """
        if stored.get("format") != _FORMAT:
            raise ProfileUnreadable(f"its format is {stored.get('format')!r}, not {_FORMAT}")
        fields = {name: stored[name] for name in ColumnProfile.__dataclass_fields__ if name in stored}
        try:
            return ColumnProfile(**{name: _read(name, value) for name, value in fields.items()})
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileUnreadable(f"{type(error).__name__}: {error}") from error


def merge_profiles(profiles: Iterable[ColumnProfile]) -> ColumnProfile:
    """The profile of all batches together.

    Args:
        profiles: of one column, at least one.

    Raises:
        ProfilesDiffer: they don't go together.
    """
    return reduce(ColumnProfile.merged, profiles)


def _said(what: tuple[str, str, Measure]) -> str:
    column, data_type, measure = what
    return f"{column} ({data_type}, as {measure})"


def _there(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _both(mine: T | None, theirs: T | None, merge: Callable[[T, T], T]) -> T | None:
    if mine is None or theirs is None:
        return mine if theirs is None else theirs
    return merge(mine, theirs)


def _sums(mine: tuple[int, ...] | None, theirs: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """None where a side was profiled before there were groups: what is not known of some rows is not known of all."""
    if mine is None or theirs is None:
        return None
    return tuple(a + b for a, b in zip(mine, theirs, strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def _read(name: str, value: Any) -> Any:
    match name:
        case "measure":
            return Measure(value)
        case "minimum" | "maximum":
            return float(value)
        case "moments":
            return Moments(value["count"], *(float(value[power]) for power in ("mean", "m2", "m3", "m4")))
        case "numbers":
            return NumberCounts(tuple(float(edge) for edge in value["edges"]), tuple(value["counts"]))
        case "categories":
            known, new = (tuple((text, rows) for text, rows in value[kind]) for kind in ("known", "new"))
            return CategoryCounts(known, new, value["unnamed"])
        case "lengths":
            return Lengths(**value)
        case "distinct":
            return DistinctSketch.from_json(value)
        case "hashed":
            return tuple(value)
        case _:
            return value

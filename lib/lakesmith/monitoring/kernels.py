"""What a scan measures of the rows that one task holds, by numpy over Arrow's batches.

Owns the arithmetic of one pass: cells, moments, registers and values of every column, by batch and slice. What is left of a
task's
rows is a `Partial` for each column and group; partials of all tasks add up. No Spark: tasks and tests call the same functions.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakesmith.monitoring.distinct import GREATEST_RANK, LG_REGISTERS
from lakesmith.monitoring.profile import ColumnLayout, Measure

__all__ = ["MOST_NAMED", "Partial", "Plan", "measured"]

MOST_NAMED = 10_000
"""A batch with more new values of a category than that names none of them: so it does not hang on how rows were spread."""

_ROWS = 1 << 16
"""Rows that are measured at once: their columns fit a processor's cache."""

_GROUP_BITS = 9
"""The first bits of a hash, which the sketch of distinct values hardly looks at: 512 groups of values."""

_RANKS = 64
_M2, _M3, _M4 = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9), np.uint64(0x85EBCA77C2B2AE63)
_M1 = np.uint64(0x9E3779B185EBCA87)
_SEED = np.uint64(42 + 0x27D4EB2F165667C5 + 8)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """What a task must know; column n is in `c<n>`, of a text its hash is in `h<n>` and `c<n>` its length.

    Args:
        layouts: how the columns are measured.
        slices: how many slicing expressions there are, in `s0`, `s1` ...; without any all rows are one group.
        day: the column with the batch.
    """

    layouts: tuple[ColumnLayout, ...]
    slices: int
    day: str


@dataclass
class Partial:
    """What is known of a column's rows, in a form that adds up.

    Args:
        cells: rows by cell, then NaN, then null; of a column that is no number values, then null.
        sums: of the powers of the distances from the pivot, first to fourth.
        finite: how many numbers these are of.
        registers: greatest ranks.
        values: rows by value, of a category.
        unnamed: rows with new values, once they are too many to name.
        wild: they were.
        hashed: rows by group of values, of a text.
    """

    cells: IntArray
    finite: int = 0
    zeros: int = 0
    least: float = math.inf
    greatest: float = -math.inf
    sums: FloatArray = field(default_factory=lambda: np.zeros(4))
    registers: npt.NDArray[np.uint8] | None = None
    values: dict[str, int] = field(default_factory=dict)
    unnamed: int = 0
    wild: bool = False
    shortest: int | None = None
    longest: int = 0
    characters: int = 0
    hashed: IntArray | None = None

    @staticmethod
    def of(layout: ColumnLayout) -> Partial:
        """Of no row."""
        numbers = layout.measure is Measure.NUMBER
        sketched = numbers or layout.measure is Measure.TEXT
        return Partial(
            np.zeros(len(layout.edges) + 3 if numbers else 2, np.int64),
            registers=np.zeros(1 << LG_REGISTERS, np.uint8) if sketched else None,
            hashed=np.zeros(1 << _GROUP_BITS, np.int64) if layout.measure is Measure.TEXT else None,
        )

    def add(self, other: Partial, known: frozenset[str]) -> None:
        """Takes in what is known of other rows of the column.

        Args:
            known: the values that the baseline has.
        """
        self.cells += other.cells
        self.finite += other.finite
        self.zeros += other.zeros
        self.least, self.greatest = min(self.least, other.least), max(self.greatest, other.greatest)
        self.sums += other.sums
        if self.registers is not None and other.registers is not None:
            np.maximum(self.registers, other.registers, out=self.registers)
        if self.hashed is not None and other.hashed is not None:
            self.hashed += other.hashed
        self.unnamed += other.unnamed
        self.wild |= other.wild
        for value, rows in other.values.items():
            self.values[value] = self.values.get(value, 0) + rows
        self.bound(known)
        if other.shortest is not None:
            self.texts(other.shortest, other.longest, other.characters)

    def bound(self, known: frozenset[str]) -> None:
        """Drops the names of new values where there are too many of them."""
        if len(self.values) <= MOST_NAMED and not self.wild:
            return
        new = [value for value in self.values if value not in known]
        if self.wild or len(new) > MOST_NAMED:
            self.wild = True
            self.unnamed += sum(self.values.pop(value) for value in new)

    def texts(self, shortest: int, longest: int, characters: int) -> None:
        """Takes in the lengths of texts."""
        self.shortest = shortest if self.shortest is None else min(self.shortest, shortest)
        self.longest = max(self.longest, longest)
        self.characters += characters


def measured(plan: Plan, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What a task's rows come to, a row a batch and slice: `day`, `slice`, `value`, the pickled partials of all columns."""
    found: dict[tuple[Any, int, str | None], list[Partial]] = {}
    for rows in _of_size(batches):
        _Rows(plan, rows).into(found)
    yield pa.RecordBatch.from_pydict(
        {
            "day": pa.array([key[0] for key in found], pa.date32()),
            "slice": pa.array([key[1] for key in found], pa.int32()),
            "value": pa.array([key[2] for key in found], pa.string()),
            "partials": pa.array(
                [pickle.dumps(partials, protocol=5) for partials in found.values()], pa.binary()
            ),
        }
    )


def _of_size(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows in pieces of a good size, whatever sizes they come in."""
    kept: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            part = batch.slice(start, _ROWS)
            kept.append(part)
            held += part.num_rows
            if held >= _ROWS:
                yield pa.concat_batches(kept)
                kept, held = [], 0
    if held:
        yield pa.concat_batches(kept)


@dataclass
class _Groups:
    """Which group each row is of.

    Args:
        keys: of each group: day, slicing expression, value.
        of: group of each row; None where there is one group.
    """

    keys: list[tuple[Any, int, str | None]]
    of: IntArray | None

    def counts(self, cells: IntArray, width: int) -> IntArray:
        """Rows by group and cell."""
        if self.of is None:
            return np.bincount(cells, minlength=width).reshape(1, width)
        return np.bincount(self.of * width + cells, minlength=width * len(self.keys)).reshape(-1, width)


_Measured = Callable[[_Groups], Iterator[Partial]]


class _Rows:
    """Some rows, measured column by column."""

    def __init__(self, plan: Plan, rows: pa.RecordBatch) -> None:
        self._plan = plan
        self._rows = rows
        days, codes = _codes(rows.column(plan.day))
        self._sides: list[_Groups] = []
        for at in range(plan.slices):
            values, of = _codes(rows.column(f"s{at}"))
            keys = [(day, at, value) for day in days for value in values]
            self._sides.append(_used(keys, codes * len(values) + of))
        if not plan.slices:
            keys = [(day, -1, None) for day in days]
            self._sides.append(_Groups(keys, codes if len(keys) > 1 else None))

    def into(self, found: dict[tuple[Any, int, str | None], list[Partial]]) -> None:
        """Adds what the rows come to."""
        for at, layout in enumerate(self._plan.layouts):
            match layout.measure:
                case Measure.NUMBER:
                    measure = self._numbers(at, layout)
                case Measure.CATEGORY:
                    measure = self._categories(at, layout)
                case Measure.TEXT:
                    measure = self._texts(at, layout)
                case _:
                    measure = self._counts(at, layout)
            known = frozenset(layout.categories)
            for groups in self._sides:
                for key, partial in zip(groups.keys, measure(groups), strict=True):
                    if key not in found:
                        found[key] = [Partial.of(each) for each in self._plan.layouts]
                    found[key][at].add(partial, known)

    def _counts(self, at: int, layout: ColumnLayout) -> _Measured:
        nulls = self._rows.column(f"c{at}").to_numpy(zero_copy_only=False).astype(np.int64)

        def measure(groups: _Groups) -> Iterator[Partial]:
            for cells in groups.counts(nulls, 2):
                yield Partial(cells)

        return measure

    def _numbers(self, at: int, layout: ColumnLayout) -> _Measured:
        array = self._rows.column(f"c{at}")
        x, there = _numbers(array)
        edges = np.asarray(layout.edges[1:], np.float64)
        width = len(layout.edges) + 3
        if len(edges):
            cells = np.searchsorted(edges, x, side="left") + 1
            cells[x < layout.edges[0]] = 0
        else:
            cells = np.zeros(len(x), np.int64)
        nan = np.isnan(x)
        has_nan = bool(nan.any())
        if has_nan:
            cells[nan] = width - 2
        if there is not None:
            cells[~there] = width - 1
        zero = x == 0
        numbers = None if there is None and not has_nan else ~nan if there is None else there & ~nan
        if numbers is not None:
            zero &= numbers
        hashes = _hashes(x if not zero.any() else x + 0.0)
        d = x - layout.pivot
        finite = None
        if numbers is not None or not np.isfinite(d.sum()):
            finite = np.isfinite(x) if numbers is None else numbers & np.isfinite(x)
            d = np.where(finite, d, 0.0)
        d2 = d * d
        low = x if numbers is None else np.where(numbers, x, math.inf)
        high = x if numbers is None else np.where(numbers, x, -math.inf)

        def measure(groups: _Groups) -> Iterator[Partial]:
            counted = groups.counts(cells, width)
            for group, own in enumerate(counted):
                mask = None if groups.of is None else groups.of == group
                own_d, own_d2 = (d, d2) if mask is None else (d[mask], d2[mask])
                own_low, own_high = (low, high) if mask is None else (low[mask], high[mask])
                seen = numbers if mask is None else mask if numbers is None else mask & numbers
                whole = finite if mask is None else mask if finite is None else mask & finite
                yield Partial(
                    own,
                    finite=len(x) if whole is None else int(whole.sum()),
                    zeros=int(zero.sum() if mask is None else (zero & mask).sum()),
                    least=float(own_low.min(initial=math.inf)),
                    greatest=float(own_high.max(initial=-math.inf)),
                    # Not by dot products: a library of linear algebra would start threads of its own in every task.
                    sums=np.array(
                        [own_d.sum(), own_d2.sum(), (own_d * own_d2).sum(), (own_d2 * own_d2).sum()]
                    ),
                    registers=_registers(hashes if seen is None else hashes[seen]),
                )

        return measure

    def _texts(self, at: int, layout: ColumnLayout) -> _Measured:
        array = self._rows.column(f"c{at}")
        lengths = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        nulls = array.is_null().to_numpy(zero_copy_only=False).astype(np.int64)
        hashes = self._rows.column(f"h{at}").fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)

        def measure(groups: _Groups) -> Iterator[Partial]:
            for group, own in enumerate(groups.counts(nulls, 2)):
                mask = nulls == 0 if groups.of is None else (groups.of == group) & (nulls == 0)
                seen = hashes[mask]
                partial = Partial(own, registers=_registers(seen), hashed=_hashed(seen))
                if own[0]:
                    chosen = lengths[mask]
                    partial.texts(int(chosen.min()), int(chosen.max()), int(chosen.sum()))
                yield partial

        return measure

    def _categories(self, at: int, layout: ColumnLayout) -> _Measured:
        values, codes = _codes(self._rows.column(f"c{at}"))
        lengths = [len(value) if value is not None else 0 for value in values]

        def measure(groups: _Groups) -> Iterator[Partial]:
            for counted in groups.counts(codes, len(values)):
                partial = Partial(np.zeros(2, np.int64))
                for value, length, rows in zip(values, lengths, counted.tolist(), strict=True):
                    if value is None:
                        partial.cells[1] += rows
                    elif rows:
                        partial.cells[0] += rows
                        partial.values[value] = rows
                        partial.texts(length, length, length * rows)
                yield partial

        return measure


def _codes(array: pa.Array) -> tuple[list[Any], IntArray]:
    """The distinct values of an array, null among them, and for each row which of them it has."""
    encoded = array.dictionary_encode()
    values = encoded.dictionary.to_pylist()
    codes = encoded.indices
    if codes.null_count:
        codes = codes.fill_null(len(values))
        values.append(None)
    return values, codes.to_numpy(zero_copy_only=False).astype(np.int64)


def _used(keys: list[tuple[Any, int, str | None]], of: IntArray) -> _Groups:
    """Without the groups that have no row."""
    used, codes = np.unique(of, return_inverse=True)
    return _Groups([keys[at] for at in used], codes.astype(np.int64) if len(used) > 1 else None)


def _numbers(array: pa.Array) -> tuple[FloatArray, npt.NDArray[np.bool_] | None]:
    """The numbers, 0 where there is none; and where there is one, None where everywhere."""
    if not array.null_count:
        return np.asarray(array.to_numpy(zero_copy_only=False), np.float64), None
    there = pc.is_valid(array).to_numpy(zero_copy_only=False)
    return np.asarray(array.fill_null(0).to_numpy(zero_copy_only=False), np.float64), there


def _hashes(x: FloatArray) -> npt.NDArray[np.uint64]:
    """Spark's `xxhash64` of doubles: of eight bytes with the seed 42."""
    k = np.ascontiguousarray(x).view(np.uint64) * _M2
    k = _turned(k, 31)
    k *= _M1
    k ^= _SEED
    k = _turned(k, 27)
    k *= _M1
    k += _M4
    k ^= k >> np.uint64(33)
    k *= _M2
    k ^= k >> np.uint64(29)
    k *= _M3
    k ^= k >> np.uint64(32)
    return k


def _turned(k: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.uint64]:
    turned = k >> np.uint64(64 - bits)
    k <<= np.uint64(bits)
    turned |= k
    return turned


def _hashed(hashes: npt.NDArray[np.uint64]) -> IntArray:
    """Rows by group of values."""
    groups = (hashes >> np.uint64(64 - _GROUP_BITS)).view(np.int64)
    return np.bincount(groups, minlength=1 << _GROUP_BITS)


def _registers(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """The greatest rank of each register."""
    rest = (hashes >> np.uint64(LG_REGISTERS)).view(np.int64)
    # The lowest bit that is set, as a double: its exponent is how many zeros lie below.
    lowest = (rest & -rest).astype(np.float64).view(np.int64)
    lowest >>= 52
    lowest -= 1022
    lowest[lowest < 0] = GREATEST_RANK
    places = (hashes & np.uint64((1 << LG_REGISTERS) - 1)).view(np.int64)
    places <<= 6
    places |= lowest
    seen = np.zeros(_RANKS << LG_REGISTERS, np.bool_)
    seen[places] = True
    found = np.flatnonzero(seen)
    registers = np.zeros(1 << LG_REGISTERS, np.uint8)
    # In order, so that of one register the greatest rank is written last.
    registers[found >> 6] = found & (_RANKS - 1)
    return registers

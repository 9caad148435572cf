"""Two profiles as counts over the same cells: what every distance of distributions is computed from.

Owns the cells. A number's are groups of neighbouring bins that hold about a tenth of the baseline's values each, and one
each for below, above, NaN and null. A category's are the values that at least one row in a hundred of the baseline has, one
for all rarer ones, one for all new ones, and null. A text's are groups of values by their hash, as many as the rows fill, and
null. Whatever else has two: a value, null. No Spark.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lakesmith.monitoring.problems import ProfilesDiffer
from lakesmith.monitoring.profile import ColumnProfile

__all__ = ["Cells", "cells_of", "missing_cells", "new_categories", "vanished_categories"]

FloatArray = npt.NDArray[np.float64]

_LEAST_PART_OF_NUMBERS = 0.1
_LEAST_PART_OF_CATEGORIES = 0.01
_EXPECTED_OF_VANISHED = 5
_LEAST_OF_GROUP = 10
"""Rows of the smaller sample in a group of values, on average. With fewer, empty groups make the index larger than it is."""


@dataclass(frozen=True)
class Cells:
    """Rows of two samples over the same cells.

    Args:
        names: of the cells, for people.
        baseline: float64 (cells,): rows of the baseline.
        current: rows of what is compared with it.
    """

    names: tuple[str, ...]
    baseline: FloatArray
    current: FloatArray

    def thinned(self, baseline: float, current: float) -> Cells:
        """The same shares of fewer rows.

        Args:
            baseline: by how much its rows are divided; at least 1.
            current: the same of the other sample.
        """
        return Cells(self.names, self.baseline / baseline, self.current / current)


def cells_of(baseline: ColumnProfile, current: ColumnProfile) -> Cells:
    """The cells of a column's two profiles.

    Raises:
        ProfilesDiffer: they were measured in different ways.
    """
    if (baseline.column, baseline.measure) != (current.column, current.measure):
        raise ProfilesDiffer(
            f"one is of {baseline.column} as {baseline.measure}, the other of {current.column} as {current.measure}"
        )
    if baseline.numbers is not None and current.numbers is not None:
        if baseline.numbers.edges != current.numbers.edges:
            raise ProfilesDiffer(f"{baseline.column} was counted on other bins")
        counts, others = (np.asarray(p.numbers.counts, np.float64) for p in (baseline, current) if p.numbers)
        groups = _groups(counts, bool(baseline.numbers.edges))
        names = [_name(group, baseline.numbers.edges) for group in groups]
        pairs = [(counts[group].sum(), others[group].sum()) for group in groups]
        pairs += [(baseline.nans, current.nans), (baseline.nulls, current.nulls)]
        return _cells([*names, "NaN", "null"], pairs)
    if baseline.categories is not None and current.categories is not None:
        known, others_known = dict(baseline.categories.known), dict(current.categories.known)
        if known.keys() != others_known.keys():
            raise ProfilesDiffer(f"{baseline.column} was counted on other categories")
        least = _LEAST_PART_OF_CATEGORIES * baseline.categories.total
        frequent = [value for value, rows in known.items() if rows >= least and rows]
        rare = [value for value in known if value not in set(frequent)]
        pairs = [(float(known[value]), float(others_known[value])) for value in frequent]
        pairs += [
            (sum(known[value] for value in rare), sum(others_known[value] for value in rare)),
            (baseline.categories.unknown, current.categories.unknown),
            (baseline.nulls, current.nulls),
        ]
        return _cells([*(f"= {value}" for value in frequent), "rarer", "new", "null"], pairs)
    if baseline.hashed is not None and current.hashed is not None:
        fewest = min(sum(baseline.hashed), sum(current.hashed))
        folded = [_folded(each.hashed, fewest) for each in (baseline, current) if each.hashed]
        pairs = [*zip(*folded, strict=True), (baseline.nulls, current.nulls)]
        return _cells([*(f"values, group {at}" for at in range(len(folded[0]))), "null"], pairs)
    return missing_cells(baseline, current)


def missing_cells(baseline: ColumnProfile, current: ColumnProfile) -> Cells:
    """The cells that say only whether there is a value: value, NaN, null."""
    pairs = [(p.values, p.nans, p.nulls) for p in (baseline, current)]
    return _cells(["value", "NaN", "null"], list(zip(*pairs, strict=True)))


def new_categories(baseline: ColumnProfile, current: ColumnProfile) -> list[str]:
    """The values that the baseline does not have, by name as far as they were kept."""
    if baseline.categories is None or current.categories is None:
        return []
    had = {value for value, rows in (*baseline.categories.known, *baseline.categories.new) if rows}
    values = (*current.categories.known, *current.categories.new)
    return sorted(value for value, rows in values if rows and value not in had)


def vanished_categories(baseline: ColumnProfile, current: ColumnProfile) -> list[str]:
    """The values that are gone, of those of which five rows or more were to be expected among as many rows."""
    if baseline.categories is None or current.categories is None or not baseline.categories.total:
        return []
    part = current.categories.total / baseline.categories.total
    has = {value for value, rows in (*current.categories.known, *current.categories.new) if rows}
    return sorted(
        value
        for value, rows in baseline.categories.known
        if rows * part >= _EXPECTED_OF_VANISHED and value not in has
    )


def _cells(names: list[str], pairs: list[tuple[float, float]]) -> Cells:
    table = np.array(pairs, np.float64).reshape(-1, 2)
    return Cells(tuple(names), table[:, 0], table[:, 1])


def _folded(hashed: tuple[int, ...], rows: int) -> list[float]:
    """Neighbouring groups in pairs, again and again, until so many rows fill them. Any power of two of groups is one or more."""
    counts = np.asarray(hashed, np.float64)
    while len(counts) > 1 and rows < _LEAST_OF_GROUP * len(counts):
        counts = counts.reshape(-1, 2).sum(axis=1)
    return [float(count) for count in counts]


def _groups(counts: FloatArray, has_edges: bool) -> list[slice]:
    """Neighbouring bins, from the least up, until each group holds its part.

    A bin that holds its part alone stays alone, and what lies before it or at the end is a group of its own where it is
    a hundredth of the values: the share of a value that repeats, such as 0, is not mixed with its neighbours'.
    """
    if not has_edges:
        return [slice(0, 1)]
    last = len(counts) - 1
    values = counts[1:last].sum()
    # A hair less than a tenth counts as one: forty bins of equal parts make ten groups, not nine.
    part, rest = 0.98 * _LEAST_PART_OF_NUMBERS * values, _LEAST_PART_OF_CATEGORIES * values
    bounds = [1]
    held = 0.0
    for at in range(1, last):
        alone = counts[at] >= part > 0
        if alone and bounds[-1] < at and held >= rest:
            bounds.append(at)
            held = 0.0
        held += counts[at]
        if held >= part > 0:
            bounds.append(at + 1)
            held = 0.0
    if bounds[-1] != last:
        if len(bounds) > 1 and held < rest:
            bounds.pop()
        bounds.append(last)
    inner = [slice(start, stop) for start, stop in pairwise(bounds)]
    return [slice(0, 1), *inner, slice(last, last + 1)]


def _name(group: slice, edges: tuple[float, ...]) -> str:
    if not edges:
        return "any number"
    if group.start == 0:
        return f"below {edges[0]:g}"
    if group.stop == len(edges) + 1:
        return f"above {edges[-1]:g}"
    return f"to {edges[group.stop - 1]:g}"

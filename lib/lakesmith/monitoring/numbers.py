"""Counts of numbers on given bins: the histogram that distances and quantiles are made of.

Owns the bins. With edges e0 <= e1 < e2 < ... < en a number falls below (x < e0), into the first bin [e0, e1], into a later one
(e1, e2] ... (en-1, en], or above (x > en). e0 = e1 gives the least value a bin of its own, as a column needs in which it
repeats; a constant c has the edges (c, c). Without edges there is one cell, for any number. Both infinities are numbers;
NaN is none. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lakesmith.monitoring.problems import ProfilesDiffer

__all__ = ["BINS", "NumberCounts", "edges_of_quantiles", "edges_of_sample", "quantile_levels"]

FloatArray = npt.NDArray[np.float64]

BINS = 40
"""So many bins hold equal parts of a baseline, where its values do not repeat."""


@dataclass(frozen=True)
class NumberCounts:
    """How many numbers fell into each cell.

    Args:
        edges: of the bins; none, or at least two.
        counts: one more than there are edges: below, each bin, above.

    Raises:
        ValueError: edges that do not ascend, or another number of counts.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in pairwise(self.edges[1:]))
        if len(self.edges) == 1 or not rising or (self.edges and self.edges[0] > self.edges[1]):
            raise ValueError(f"the edges of bins must ascend; they are {self.edges}")
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(
                f"{len(self.edges)} edges need {len(self.edges) + 1} counts, not {len(self.counts)}"
            )

    @staticmethod
    def of(edges: Sequence[float], values: FloatArray) -> NumberCounts:
        """The counts of a sample without NaN."""
        cells = cell_of(edges, values)
        counted = np.bincount(cells, minlength=len(edges) + 1)
        return NumberCounts(tuple(edges), tuple(int(count) for count in counted))

    @property
    def total(self) -> int:
        """All numbers."""
        return sum(self.counts)

    @property
    def below(self) -> int:
        """Numbers under the least edge; without edges all of them are above."""
        return self.counts[0] if self.edges else 0

    @property
    def above(self) -> int:
        """Numbers over the greatest edge."""
        return self.counts[-1]

    def merged(self, other: NumberCounts) -> NumberCounts:
        """The counts of both samples together.

        Raises:
            ProfilesDiffer: the bins are not the same.
        """
        if self.edges != other.edges:
            raise ProfilesDiffer("their bins are not the same")
        return NumberCounts(self.edges, tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    def places(self, minimum: float, maximum: float) -> FloatArray:
        """Where the cells begin and end, one more than there are cells; outer cells reach to the least and greatest number.

        Args:
            minimum: the least number that was counted; -inf stands for the least edge.
            maximum: the greatest one.
        """
        if not self.edges:
            return np.array([minimum, maximum])
        low = min(minimum, self.edges[0]) if np.isfinite(minimum) else self.edges[0]
        high = max(maximum, self.edges[-1]) if np.isfinite(maximum) else self.edges[-1]
        return np.array([low, *self.edges, high])

    def quantiles(self, levels: Sequence[float], minimum: float, maximum: float) -> list[float]:
        """Quantiles, as if the numbers of a cell were spread evenly over it.

        The rank of what is returned is off by at most the share of one cell: 1 / 40 on a baseline's own bins.

        Args:
            levels: from 0 to 1.
            minimum: the least number that was counted.
            maximum: the greatest one.
        """
        if not self.total:
            return [float("nan")] * len(levels)
        reached = np.concatenate(([0.0], np.cumsum(self.counts))) / self.total
        found = np.interp(levels, *_rising(reached, self.places(minimum, maximum)))
        return [float(value) for value in np.clip(found, minimum, maximum)]


def _rising(reached: FloatArray, places: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Without the cells that hold nothing, whose two ends would share one level."""
    holds = np.diff(reached) > 0
    starts, ends = places[:-1][holds], places[1:][holds]
    levels_before, levels_after = reached[:-1][holds], reached[1:][holds]
    # A step between two cells that do not touch is at one level; interp takes the later of two equal levels.
    x = np.column_stack((levels_before, levels_after)).ravel()
    return x, np.column_stack((starts, ends)).ravel()


def cell_of(edges: Sequence[float], values: FloatArray) -> npt.NDArray[np.int64]:
    """The cell of each number: 0 is below, the number of edges is above."""
    if not edges:
        return np.zeros(len(values), np.int64)
    bins = np.searchsorted(np.asarray(edges[1:], np.float64), values, side="left") + 1
    return np.where(values < edges[0], 0, bins).astype(np.int64)


def quantile_levels(bins: int = BINS) -> list[float]:
    """The levels of the quantiles that `edges_of_quantiles` takes: 1 / bins ... (bins - 1) / bins."""
    return [step / bins for step in range(1, bins)]


def edges_of_quantiles(minimum: float, quantiles: Sequence[float], maximum: float) -> tuple[float, ...]:
    """The edges of bins that hold equal parts of a sample, fewer where quantiles coincide.

    Args:
        minimum: the least finite number.
        quantiles: at `quantile_levels`, ascending.
        maximum: the greatest finite number.
    """
    inner = sorted({float(value) for value in (*quantiles, maximum) if np.isfinite(value)})
    return (float(minimum), *inner)


def edges_of_sample(values: FloatArray, bins: int = BINS) -> tuple[float, ...]:
    """The edges for a sample; none when it has no finite number."""
    finite = np.sort(values[np.isfinite(values)])
    if not len(finite):
        return ()
    quantiles = np.quantile(finite, quantile_levels(bins), method="inverted_cdf")
    return edges_of_quantiles(finite[0], [float(value) for value in quantiles], finite[-1])

"""How far apart two samples are: distances of their counts over the same cells, and the tests that go with some.

Owns the formulas; p-values and the transport distance are scipy's. What is returned where a figure is undefined is said at
each: None where a sample is empty, never NaN. No Spark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lakesmith.extras import needs_extra
from lakesmith.monitoring.numbers import NumberCounts

with needs_extra("monitoring"):
    from scipy import stats
    from scipy.spatial import distance

__all__ = [
    "LEAST_EXPECTED",
    "LEAST_SHARE",
    "Test",
    "chi_squared",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "l_infinity",
    "more_of_the_rare",
    "population_stability",
    "stability_of_chance",
    "total_variation",
    "wasserstein",
]

FloatArray = npt.NDArray[np.float64]

LEAST_SHARE = 1e-4
"""A cell that one side leaves empty would make the population stability index infinite."""

LEAST_EXPECTED = 5.0
"""Rows that must be expected in a cell for the chi-squared approximation (Cochran 1954)."""


@dataclass(frozen=True)
class Test:
    """A statistic and the probability of one at least as large when both samples are drawn from one distribution."""

    __test__ = False  # no class of tests, says pytest

    statistic: float
    pvalue: float


def _shares(baseline: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    if baseline.sum() <= 0 or current.sum() <= 0:
        return None
    return baseline / baseline.sum(), current / current.sum()


def population_stability(baseline: FloatArray, current: FloatArray) -> float | None:
    """The population stability index, the sum of (q - p) ln(q / p): Jeffreys' divergence (Jeffreys 1946).

    A share below 0.0001 counts as that; a cell that is empty on both sides adds nothing.

    Args:
        baseline: rows by cell; gives the shares p.
        current: rows by cell; gives the shares q.

    Returns:
        At least 0; None where a side has no row.
    """
    if (shares := _shares(baseline, current)) is None:
        return None
    p, q = (np.maximum(share, LEAST_SHARE) for share in shares)
    return float(np.sum((q - p) * np.log(q / p)))


def stability_of_chance(baseline: FloatArray, current: FloatArray) -> float:
    """The index that chance alone gives on average: (cells - 1) (1/n + 1/m) (Yurdakul and Naranjo 2020).

    Cells that are empty on both sides don't count.
    """
    cells = int(((baseline > 0) | (current > 0)).sum())
    n, m = baseline.sum(), current.sum()
    return float((cells - 1) * (1 / n + 1 / m)) if n > 0 and m > 0 else 0.0


def jensen_shannon(baseline: FloatArray, current: FloatArray) -> float | None:
    """The Jensen-Shannon distance, the root of the divergence with logarithms to the base 2 (Endres and Schindelin 2003).

    Returns:
        From 0 (equal) to 1 (nothing in common); None where a side has no row.
    """
    if (shares := _shares(baseline, current)) is None:
        return None
    found = float(distance.jensenshannon(*shares, base=2))
    return 0.0 if math.isnan(found) else found  # the root of a divergence of -1e-17


def total_variation(baseline: FloatArray, current: FloatArray) -> float | None:
    """Half the sum of |p - q|: the part of the rows that would have to change cells; None where a side has no row."""
    if (shares := _shares(baseline, current)) is None:
        return None
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def l_infinity(baseline: FloatArray, current: FloatArray) -> float | None:
    """The greatest |p - q| of a cell; None where a side has no row."""
    if (shares := _shares(baseline, current)) is None:
        return None
    return float(np.abs(shares[0] - shares[1]).max())


def chi_squared(baseline: FloatArray, current: FloatArray) -> Test | None:
    """Pearson's test that both samples are drawn from one distribution.

    Cells in which fewer than five rows are expected of the smaller sample are put together; where even together fewer are
    expected, they are left out (and `more_of_the_rare` looks at them).

    Returns:
        Statistic 0 and p-value 1 where one cell holds everything; None where a side has no row.
    """
    if _shares(baseline, current) is None:
        return None
    common = _common(baseline, current)
    table = np.array([baseline, current])
    kept, rare = table[:, common], table[:, ~common].sum(axis=1, keepdims=True)
    if _expected(rare[0, 0], rare[1, 0], baseline.sum(), current.sum()) >= LEAST_EXPECTED:
        kept = np.hstack((kept, rare))
    if kept.shape[1] < 2 or not kept.sum(axis=1).all():
        return Test(0.0, 1.0)
    expected = kept.sum(axis=1, keepdims=True) * kept.sum(axis=0, keepdims=True) / kept.sum()
    statistic = float(((kept - expected) ** 2 / expected).sum())
    return Test(statistic, float(stats.chi2.sf(statistic, kept.shape[1] - 1)))


def more_of_the_rare(baseline: FloatArray, current: FloatArray) -> float | None:
    """The p-value of Fisher's exact test, one-sided, that what chi-squared leaves out became more frequent.

    New categories, numbers outside of the baseline's and first nulls are such cells: too rare over both samples for an
    approximation, and telling all the same.

    Returns:
        None where chi-squared looks at all cells.
    """
    if _shares(baseline, current) is None:
        return None
    common = _common(baseline, current)
    before, now = float(baseline[~common].sum()), float(current[~common].sum())
    n, m = float(baseline.sum()), float(current.sum())
    if before + now == 0 or _expected(before, now, n, m) >= LEAST_EXPECTED:
        return None
    everything, rare, drawn = round(n + m), round(before + now), round(m)
    return float(stats.hypergeom.sf(round(now) - 1, everything, rare, drawn))


def _expected(before: float, now: float, n: float, m: float) -> float:
    return (before + now) * min(n, m) / (n + m)


def _common(baseline: FloatArray, current: FloatArray) -> npt.NDArray[np.bool_]:
    n, m = baseline.sum(), current.sum()
    found: npt.NDArray[np.bool_] = (baseline + current) * min(n, m) / (n + m) >= LEAST_EXPECTED
    return found


def kolmogorov_smirnov(
    baseline: NumberCounts, current: NumberCounts, *, thin: tuple[float, float] = (1.0, 1.0)
) -> Test | None:
    """The two-sample test of Kolmogorov and Smirnov on the edges of the bins.

    The statistic is exact at each edge, and so at most the one of the raw samples: by at most the share of one bin less,
    equal where every value is an edge. The p-value is the asymptotic one of scipy's `ks_2samp` for this statistic; less
    distance makes it greater, never smaller, than that of the raw samples.

    Args:
        baseline: its counts.
        current: counts on the same bins.
        thin: by how much the rows of each are divided for the p-value.

    Returns:
        None where a side has no number.
    """
    if not baseline.total or not current.total:
        return None
    # Whole numbers are added up and then divided: the last share is 1, not a digit beside it.
    reached = [np.cumsum(counts.counts) / counts.total for counts in (baseline, current)]
    statistic = float(np.abs(reached[0] - reached[1]).max())
    n, m = baseline.total / thin[0], current.total / thin[1]
    rows = max(1, round(n * m / (n + m)))
    return Test(statistic, float(np.clip(stats.kstwo.sf(statistic, rows), 0, 1)))


def wasserstein(
    baseline: NumberCounts,
    current: NumberCounts,
    *,
    baseline_range: tuple[float, float],
    current_range: tuple[float, float],
) -> float | None:
    """The first Wasserstein distance, in the column's unit: how far the numbers of a row move on average.

    Computed by scipy with each cell's rows at its middle; off from that of the raw samples by at most the mean width of
    the cells. Infinities count at the outermost edge.

    Args:
        baseline: its counts.
        current: counts on the same bins.
        baseline_range: the least and the greatest number of the baseline.
        current_range: those of the other sample.

    Returns:
        None where a side has no number.
    """
    if not baseline.total or not current.total:
        return None
    sides = []
    for counts, (least, greatest) in ((baseline, baseline_range), (current, current_range)):
        places = counts.places(least, greatest)
        sides.append((places[:-1] + places[1:]) / 2)
    if not all(np.isfinite(side).all() for side in sides):
        return None
    return float(stats.wasserstein_distance(*sides, baseline.counts, current.counts))

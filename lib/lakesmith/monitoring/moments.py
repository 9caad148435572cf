"""Moments of a sample that add up: count, mean and the sums of the second to fourth powers of the deviations.

Owns their arithmetic. Two sets of moments give those of the union (Chan, Golub and LeVeque 1979, "Updating formulae and a
pairwise algorithm for computing sample variances"; third and fourth power: Pebay 2008, "Formulas for robust, one-pass
parallel computation of covariances and arbitrary-order statistical moments", Sandia report SAND2008-6212). No Spark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Moments", "round_significantly"]

_DIGITS = 10


@dataclass(frozen=True)
class Moments:
    """The moments of finite numbers.

    Args:
        count: how many numbers.
        mean: 0 when there are none.
        m2: sum of the squares of the deviations from the mean; m3 and m4 of their third and fourth powers.
    """

    count: int = 0
    mean: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0

    @staticmethod
    def about(pivot: float, count: int, s1: float, s2: float, s3: float, s4: float) -> Moments:
        """The moments from sums of powers of the distances from a pivot, which should lie near the mean.

        A pivot far from the mean, beyond a thousand standard deviations, costs digits of m3 and m4.

        Args:
            pivot: what the distances are from.
            count: how many numbers.
            s1: sum of the distances; s2, s3 and s4 of their squares, third and fourth powers.
        """
        if count == 0:
            return Moments()
        d = s1 / count
        m2 = s2 - count * d * d
        m3 = s3 - 3 * d * s2 + 2 * count * d**3
        m4 = s4 - 4 * d * s3 + 6 * d * d * s2 - 3 * count * d**4
        # Rounding may leave a constant column a tiny spread, even a negative one.
        if m2 <= _noise(s2, count * d * d):
            return Moments(count, pivot + d)
        return Moments(count, pivot + d, m2, m3, max(m4, m2 * m2 / count))

    def merged(self, other: Moments) -> Moments:
        """The moments of both samples together."""
        if not self.count or not other.count:
            return self if self.count else other
        na, nb = self.count, other.count
        n = na + nb
        d = other.mean - self.mean
        step = d / n
        m2 = self.m2 + other.m2 + d * step * na * nb
        m3 = (
            self.m3
            + other.m3
            + d * step * step * na * nb * (na - nb)
            + 3 * step * (na * other.m2 - nb * self.m2)
        )
        m4 = (
            self.m4
            + other.m4
            + d * step**3 * na * nb * (na * na - na * nb + nb * nb)
            + 6 * step * step * (na * na * other.m2 + nb * nb * self.m2)
            + 4 * step * (na * other.m3 - nb * self.m3)
        )
        return Moments(n, self.mean + step * nb, m2, m3, m4)

    @property
    def variance(self) -> float:
        """The variance of the numbers themselves (divided by the count); NaN without any."""
        return self.m2 / self.count if self.count else math.nan

    @property
    def stddev(self) -> float:
        """The sample's standard deviation (divided by the count less 1), as Spark's `stddev`; NaN below two numbers."""
        return math.sqrt(self.m2 / (self.count - 1)) if self.count > 1 else math.nan

    @property
    def skewness(self) -> float:
        """As Spark's `skewness`; NaN of a constant and without numbers."""
        return math.sqrt(self.count) * self.m3 / self.m2**1.5 if self.m2 > 0 else math.nan

    @property
    def kurtosis(self) -> float:
        """Above that of a normal distribution, as Spark's `kurtosis`; NaN of a constant and without numbers."""
        return self.count * self.m4 / self.m2**2 - 3 if self.m2 > 0 else math.nan

    def rounded(self) -> Moments:
        """The moments to ten digits, each of the size that its sum of absolute values has.

        Spark adds doubles up in the order in which tasks end; the last digits differ from run to run.
        """
        if not self.count:
            return self
        spread = math.sqrt(self.m2 / self.count)
        return Moments(
            self.count,
            round_significantly(self.mean, max(abs(self.mean), spread)),
            round_significantly(self.m2, self.m2),
            round_significantly(self.m3, self.count * spread**3),
            round_significantly(self.m4, self.m4),
        )


def round_significantly(value: float, size: float) -> float:
    """A number to ten digits of another one's size: with size 1234.5 to six decimals."""
    if not math.isfinite(value) or not math.isfinite(size) or size <= 0:
        return value
    return round(value, _DIGITS - 1 - math.floor(math.log10(size)))


def _noise(*sizes: float) -> float:
    return 1e-13 * max(sizes)

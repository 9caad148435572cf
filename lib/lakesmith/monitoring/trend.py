"""The trend of a column that drifts by construction, and how far a batch is off it.

History only grows: what lasts since a customer's first purchase gets longer each night, and no distance from a baseline can
tell that from drift. Such a column is judged by what is left when the trend of its mean is taken away.

Owns the fit and the forecast: a Theil-Sen line (Sen 1968; scipy's `theilslopes`), which up to 29 % of days that are off do not
bend; the scatter about it as 1.4826 times the median absolute deviation; and the usual formula of a forecast from a line, in
which the number of days counts less the more alike neighbouring days are (first-order autocorrelation). No Spark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from lakesmith.extras import needs_extra
from lakesmith.monitoring.distances import Test

with needs_extra("monitoring"):
    from scipy import stats

__all__ = ["LEAST_DAYS", "Trend"]

LEAST_DAYS = 14
"""Fewer days than two weeks tell a trend from a week's rhythm badly."""

_TO_SIGMA = 1.4826
_MOST_ALIKE = 0.9
# A scatter of nothing, as of a column that gains 1 a day, must not call the last digit drift.
_LEAST_SCATTER = 1e-6


@dataclass(frozen=True)
class Trend:
    """A line through the means of some days.

    Args:
        first: the first day of the line; days are counted from it.
        level: the mean on the first day.
        slope: what is added each day.
        scatter: how far the mean of a day usually is off the line, as a standard deviation.
        days: how many days it was fitted to.
        independent: how many independent days they are worth.
        centre: the mean of the days' numbers; spread: the sum of the squares of the distances from it.
        spread: see centre.
    """

    first: date
    level: float
    slope: float
    scatter: float
    days: int
    independent: float
    centre: float
    spread: float

    @staticmethod
    def fit(means: Mapping[date, float]) -> Trend | None:
        """The trend of the means of some days.

        Args:
            means: by day, none after the day that is judged; a missing day is a gap, not a zero; NaN is left out.

        Returns:
            None with fewer than `LEAST_DAYS` days.
        """
        known = sorted((day, mean) for day, mean in means.items() if math.isfinite(mean))
        if len(known) < LEAST_DAYS:
            return None
        first = known[0][0]
        x = np.array([(day - first).days for day, _ in known], np.float64)
        y = np.array([mean for _, mean in known], np.float64)
        slope = float(stats.theilslopes(y, x).slope)
        level = float(np.median(y - slope * x))
        rest = y - level - slope * x
        scatter = _TO_SIGMA * float(np.median(np.abs(rest)))
        least = _LEAST_SCATTER * max(float(np.abs(y).max()), abs(slope))
        alike = _autocorrelation(rest)
        independent = len(known) * (1 - alike) / (1 + alike)
        spread = float(((x - x.mean()) ** 2).sum())
        return Trend(
            first, level, slope, max(scatter, least), len(known), independent, float(x.mean()), spread
        )

    def forecast(self, day: date) -> float:
        """The mean that the line gives for a day."""
        return self.level + self.slope * (day - self.first).days

    def off(self, day: date, mean: float) -> Test:
        """How far the mean of a day is off the line.

        Args:
            day: usually after the days that the line was fitted to: the further away, the less is known.
            mean: of that day.

        Returns:
            The residual in standard errors of the forecast, and its two-sided p-value by Student's t.
        """
        x = (day - self.first).days
        worth = self.independent / self.days
        wider = 1 + 1 / self.independent + (x - self.centre) ** 2 / (self.spread * worth)
        statistic = (mean - self.forecast(day)) / (self.scatter * math.sqrt(wider))
        freedom = max(self.independent - 2, 1.0)
        return Test(statistic, float(2 * stats.t.sf(abs(statistic), freedom)))


def _autocorrelation(rest: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Of neighbouring days, from 0 to 0.9; outliers are drawn in first, or one of them would hide it."""
    bound = 3 * _TO_SIGMA * np.median(np.abs(rest))
    drawn_in = np.clip(rest, -bound, bound)
    drawn_in = drawn_in - drawn_in.mean()
    whole = float((drawn_in**2).sum())
    if whole == 0:
        return 0.0
    return min(max(float((drawn_in[1:] * drawn_in[:-1]).sum()) / whole, 0.0), _MOST_ALIKE)

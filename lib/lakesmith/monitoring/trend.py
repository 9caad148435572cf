"""The trend of a column that drifts by construction, and how far a day is off it.

History only grows: what lasts since a customer's first purchase gets longer each night, and no distance from a baseline can
tell that from drift. Such a column is judged by what is left when the trend of its mean is taken away.

Owns the fit and the forecast. The trend is a Theil-Sen line (Sen 1968; scipy's `theilslopes`), which up to 29 % of days that
are off do not bend. What is left of a day is much like what is left of the day before, as most customers are the same: it is
taken for an autoregression of the first order, so that a forecast starts from where the last day was, and goes back to the
line the further it looks ahead (Box and Jenkins 1970, chapter 5). Scatter is 1.4826 times a median absolute deviation. No Spark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from lakesmith.extras import needs_extra
from lakesmith.monitoring.distances import Test

with needs_extra("monitoring"):
    from scipy import stats

__all__ = ["LEAST_DAYS", "Trend"]

LEAST_DAYS = 14
"""Fewer days than two weeks tell a trend from a week's rhythm badly."""

_TO_SIGMA = 1.4826
_MOST_ALIKE = 0.98
_FAR = 3.0
# A scatter of nothing, as of a column that gains 1 a day, must not call the last digit drift.
_LEAST_SCATTER = 1e-6

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trend:
    """A line through the means of some days, and how days lie about it.

    Args:
        first: the first day of the line; days are counted from it.
        last: the last day that is known.
        level: the line on the first day.
        slope: what it gains a day.
        scatter: how far a day usually is off the line, as a standard deviation.
        alike: the correlation of what is left of a day with what was left of the day before, from 0 to 0.98.
        step: how far a day usually is off what the day before said, as a standard deviation.
        rest: what is left of the last day, at most three times the scatter: one day that was off is not continued.
        days: how many days there are.
        centre: the mean of the days' numbers.
        spread: the sum of the squares of their distances from the centre.
    """

    first: date
    last: date
    level: float
    slope: float
    scatter: float
    alike: float
    step: float
    rest: float
    days: int
    centre: float
    spread: float

    @staticmethod
    def fit(means: Mapping[date, float]) -> Trend | None:
        """The trend of the means of some days.

        Args:
            means: by day, none of or after the day that is judged; a missing day is a gap, not a zero; NaN is left out.

        Returns:
            None with fewer than `LEAST_DAYS` days.
        """
        known = sorted((day, mean) for day, mean in means.items() if math.isfinite(mean))
        if len(known) < LEAST_DAYS:
            return None
        first, last = known[0][0], known[-1][0]
        x = np.array([(day - first).days for day, _ in known], np.float64)
        y = np.array([mean for _, mean in known], np.float64)
        slope = float(stats.theilslopes(y, x).slope)
        level = float(np.median(y - slope * x))
        rest = y - level - slope * x
        least = _LEAST_SCATTER * max(float(np.abs(y).max()), abs(slope))
        scatter = max(_deviation(rest), least)
        rest = np.clip(rest, -_FAR * scatter, _FAR * scatter)
        whole = float((rest[:-1] ** 2).sum())
        alike = float((rest[1:] * rest[:-1]).sum()) / whole if whole else 0.0
        alike = min(max(alike, 0.0), _MOST_ALIKE)
        step = max(_deviation(rest[1:] - alike * rest[:-1]), least)
        spread = float(((x - x.mean()) ** 2).sum())
        return Trend(
            first,
            last,
            level,
            slope,
            scatter,
            alike,
            step,
            float(rest[-1]),
            len(known),
            float(x.mean()),
            spread,
        )

    def forecast(self, day: date) -> float:
        """The mean that is to be expected on a day after the last one."""
        ahead = (day - self.last).days
        return self.level + self.slope * (day - self.first).days + self.alike**ahead * self.rest

    def off(self, day: date, mean: float) -> Test:
        """How far the mean of a day is off its forecast.

        Args:
            day: after the last one that is known: the further away, the less is known.
            mean: of that day.

        Returns:
            The distance in standard errors of the forecast, and its two-sided p-value by Student's t.
        """
        ahead, x = (day - self.last).days, (day - self.first).days
        goes = self.alike**ahead
        steps = self.step**2 * (1 - goes**2) / (1 - self.alike**2)
        worth = (1 - self.alike) / (1 + self.alike)
        line = (1 / self.days + (x - self.centre) ** 2 / self.spread) / worth * self.scatter**2
        statistic = (mean - self.forecast(day)) / math.sqrt(steps + (1 - goes) ** 2 * line)
        # A median absolute deviation tells about as much as a standard deviation of half as many days.
        freedom = max(self.days / 2 - 2, 1.0)
        return Test(statistic, float(2 * stats.t.sf(abs(statistic), freedom)))


def _deviation(rest: FloatArray) -> float:
    return _TO_SIGMA * float(np.median(np.abs(rest - np.median(rest))))

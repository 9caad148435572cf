"""Trends: the line, what outliers and gaps do to it, and how often a quiet column is called off it."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest

from lakesmith.monitoring.trend import LEAST_DAYS, Trend

FIRST = date(2024, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(number)


def line(days: int, scatter: float, seed: int = 1, *, alike: float = 0.0) -> dict[date, float]:
    draw = np.random.default_rng(seed)
    noise, off = [], 0.0
    for _ in range(days):
        off = alike * off + draw.normal(0, scatter) * math.sqrt(1 - alike**2)
        noise.append(off)
    return {day(n): 100 + 0.5 * n + noise[n] for n in range(days)}


def test_a_line_is_found_and_continued() -> None:
    trend = Trend.fit(line(56, 0.2))

    assert trend is not None
    assert trend.slope == pytest.approx(0.5, abs=0.01)
    assert trend.forecast(day(60)) == pytest.approx(130, abs=0.3)
    assert trend.scatter == pytest.approx(0.2, rel=0.5)
    assert trend.off(day(60), trend.forecast(day(60))).pvalue == pytest.approx(1)


def test_days_that_are_off_and_days_that_are_missing_do_not_bend_it() -> None:
    means = line(56, 0.2)
    for number in range(10, 24):
        means[day(number)] += 40
    for number in (3, 30, 31, 32):
        del means[day(number)]
    means[day(50)] = math.nan

    trend = Trend.fit(means)

    assert trend is not None
    assert trend.days == 51
    assert trend.slope == pytest.approx(0.5, abs=0.06)
    assert trend.forecast(day(57)) == pytest.approx(128.5, abs=1.5)


def test_a_step_is_off_and_the_next_day_of_the_line_is_not() -> None:
    trend = Trend.fit(line(56, 0.2))

    assert trend is not None
    assert trend.off(day(56), 128.0).pvalue > 0.05
    assert trend.off(day(56), 130.0).pvalue < 1e-4
    assert trend.off(day(56), 126.0).statistic < -5


def test_the_further_away_the_less_is_known() -> None:
    trend = Trend.fit(line(28, 0.2))

    assert trend is not None
    pvalues = [trend.off(day(n), trend.forecast(day(n)) + 0.6).pvalue for n in (28, 60, 120)]
    assert pvalues == sorted(pvalues)
    assert pvalues[2] > 10 * pvalues[0]


def test_too_few_days_are_no_trend() -> None:
    assert Trend.fit(line(LEAST_DAYS - 1, 0.1)) is None
    assert Trend.fit({day(n): math.nan for n in range(50)}) is None
    assert Trend.fit(line(LEAST_DAYS, 0.1)) is not None


def test_a_line_without_scatter_does_not_call_a_digit_off() -> None:
    trend = Trend.fit({day(n): 30.0 + n for n in range(40)})

    assert trend is not None
    assert trend.off(day(40), 70.0 + 1e-9).pvalue > 0.9
    assert trend.off(day(40), 71.0).pvalue < 1e-6
    constant = Trend.fit({day(n): 7.0 for n in range(40)})
    assert constant is not None
    assert constant.off(day(40), 7.0).statistic == 0


@pytest.mark.parametrize(("alike", "most"), [(0.0, 0.03), (0.8, 0.06)])
def test_a_quiet_column_is_seldom_off(alike: float, most: float) -> None:
    """At p <= 0.01, also where each day is much like the day before."""
    off = 0
    for seed in range(300):
        means = line(60, 0.5, seed, alike=alike)
        trend = Trend.fit({when: mean for when, mean in means.items() if when < day(56)})
        assert trend is not None
        off += trend.off(day(59), means[day(59)]).pvalue <= 0.01

    assert off / 300 <= most

"""Shares, error budgets and weeks out of measured nights."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.service_levels import Measure, ServiceLevel
from lakesmith.service_levels.attainment import Measured, Week, attainment

UNTIL = date(2024, 3, 31)


def level(target: float = 0.9, window: int = 20) -> ServiceLevel:
    return ServiceLevel("on_time", "", Measure.NIGHTS_ON_TIME, target, window)


def nights(number: int, *broken: int) -> list[Measured]:
    """So many nights until the last, those broken by how long ago they were."""
    return [Measured(UNTIL - timedelta(n), n not in broken) for n in range(number)]


def test_half_of_the_budget_is_spent() -> None:
    found = attainment(level(), nights(20, 3), UNTIL)

    assert (found.kept, found.measured, found.share, found.is_met) == (19, 20, 0.95, True)
    assert (found.allowed, found.budget_left) == (pytest.approx(2), pytest.approx(0.5))
    assert found.burn_rate == pytest.approx((1 / 7) / 0.1)
    assert found.broken == (date(2024, 3, 28),)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    found = attainment(level(), nights(40, 20, 21, 39), UNTIL)

    assert (found.kept, found.measured, found.budget_left, found.burn_rate) == (20, 20, 1, 0)
    assert attainment(level(), nights(40, 19), UNTIL).kept == 19


def test_an_overspent_budget_is_below_nothing() -> None:
    found = attainment(level(), nights(20, 8, 9, 10, 11), UNTIL)

    assert (found.is_met, found.budget_left, found.burn_rate) == (False, pytest.approx(-1), 0)


def test_a_promise_without_exceptions_has_no_budget() -> None:
    assert attainment(level(1.0), nights(20), UNTIL).budget_left == 1
    found = attainment(level(1.0), nights(20, 1, 2), UNTIL)
    assert (found.is_met, found.budget_left, found.burn_rate) == (False, -2, 7)


def test_without_a_night_nothing_is_said() -> None:
    found = attainment(level(), [], UNTIL)

    assert (found.share, found.is_met, found.budget_left, found.burn_rate) == (None, None, None, None)


def test_weeks_end_with_the_window_and_cover_it() -> None:
    found = attainment(level(window=16), nights(30, 0, 7, 8, 15), UNTIL)

    assert found.weeks == (
        Week(BatchRange(date(2024, 3, 16), date(2024, 3, 17)), 1, 2),
        Week(BatchRange(date(2024, 3, 18), date(2024, 3, 24)), 5, 7),
        Week(BatchRange(date(2024, 3, 25), date(2024, 3, 31)), 6, 7),
    )
    assert sum(week.measured for week in found.weeks) == found.measured == 16

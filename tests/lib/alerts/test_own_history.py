"""Whether a night is unlike those of its weekday."""

from __future__ import annotations

import random
from datetime import date, timedelta
from statistics import median

import pytest

from lakesmith.alerts.own_history import Bounds, bounds_of

DAY = date(2024, 6, 3)  # a Monday


def weekly(*values: float) -> dict[date, float]:
    """The Mondays before, the last first."""
    return {DAY - timedelta(weeks=n): value for n, value in enumerate(values, start=1)}


def bounds(past: dict[date, float], **changes: float) -> Bounds | None:
    how = {"weeks": 13, "least": 4, "factor": 5, "floor": 1.0, **changes}
    return bounds_of(past, DAY, **how)  # type: ignore[arg-type]


def test_the_bounds_are_median_and_median_absolute_deviation() -> None:
    values = [100.0, 110.0, 90.0, 120.0, 80.0]
    scatter = 1.4826 * median(abs(v - 100) for v in values)

    assert bounds(weekly(*values)) == Bounds(100, 100 - 5 * scatter, 100 + 5 * scatter, 5)


def test_a_few_wild_days_do_not_widen_them() -> None:
    calm = bounds(weekly(*[100.0, 110.0, 90.0, 105.0, 95.0] * 2))
    wild = bounds(weekly(*[100.0, 110.0, 90.0, 105.0, 95.0] * 2, 90_000.0, 0.0))

    assert calm is not None
    assert wild is not None
    assert wild.high < 1.6 * calm.high
    assert not wild.holds(400)


def test_only_the_same_weekday_of_the_weeks_before_counts() -> None:
    past = weekly(*[100.0] * 5)
    others = {DAY - timedelta(days=n): 5_000.0 for n in range(1, 90) if n % 7}
    older = {DAY - timedelta(weeks=n): 5_000.0 for n in range(14, 30)}
    later = {DAY + timedelta(weeks=n): 5_000.0 for n in range(20)}

    found = bounds({**past, **others, **older, **later})
    assert found == Bounds(100, 50, 150, 5)


@pytest.mark.parametrize("days", [0, 3])
def test_a_short_history_says_nothing(days: int) -> None:
    assert bounds(weekly(*[100.0] * days)) is None


def test_what_never_varied_may_vary_a_little() -> None:
    assert bounds(weekly(*[0.0] * 8)) == Bounds(0, -5, 5, 8)
    assert bounds(weekly(*[1_000.0] * 8), floor=1) == Bounds(1000, 500, 1500, 8)


def test_counts_vary_by_their_root() -> None:
    found = bounds_of(weekly(*[25.0] * 8), DAY, weeks=13, least=4, factor=6, floor=1, counts=True)

    assert found == Bounds(25, -5, 55, 8)


def test_a_figure_that_hangs_on_a_few_rows_says_little() -> None:
    """One entry of the books a hundred times as large as all sales of the day: its own error is as large."""
    past = weekly(*[4_000.0] * 8)
    assert bounds(past) == Bounds(4_000, 2_000, 6_000, 8)
    assert bounds(past, error=10_000.0) == Bounds(4_000, -46_000, 54_000, 8)


def test_a_calm_year_raises_next_to_nothing_and_a_tenth_of_a_day_is_noticed() -> None:
    """Weekdays that differ, a slow trend, the scatter of counts: 200 nights after a quarter."""
    draw = random.Random(7)
    start = date(2024, 1, 1)
    rows: dict[date, float] = {}
    usual: dict[date, float] = {}
    for n in range(300):
        day = start + timedelta(days=n)
        level = (900, 1000, 1100, 1000, 1400, 0, 300)[day.weekday()] * (1 + n / 1000)
        usual[day] = level
        rows[day] = round(draw.gauss(level, level * 0.08)) if level else 0
    how = {"weeks": 13, "least": 6, "factor": 5.0, "floor": 1.0, "counts": True}
    nights = [start + timedelta(days=n) for n in range(100, 300)]

    def odd(day: date, value: float) -> bool:
        found = bounds_of(rows, day, **how)  # type: ignore[arg-type]
        assert found is not None
        return not found.holds(value)

    # One of 200, as it is: a figure in a hundred nights may.
    assert len([day for day in nights if odd(day, rows[day])]) <= 2
    assert [day for day in nights if rows[day] and not odd(day, usual[day] * 0.1)] == []
    assert [day for day in nights if rows[day] and not odd(day, usual[day] * 2)] == []

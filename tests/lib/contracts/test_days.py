"""Ranges of days: what holds for every range, and the sentences of the refusals."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.days import BatchRange, merge_days, parse_day
from lakesmith.errors import UsageError

DAYS = st.dates(date(2010, 1, 1), date(2012, 12, 31))
RANGES = st.builds(lambda first, more: BatchRange(first, first + timedelta(more)), DAYS, st.integers(0, 60))


@given(RANGES)
def test_a_range_holds_its_days_and_no_others(days: BatchRange) -> None:
    listed = days.days()
    assert listed[0] == days.first
    assert listed[-1] == days.last
    assert len(listed) == len(days) == len(set(listed))
    assert listed == sorted(listed) == list(days)
    assert all(day in days for day in listed)
    assert days.first - timedelta(1) not in days
    assert days.last + timedelta(1) not in days
    assert "2011-03-01" not in days


@given(RANGES, RANGES)
def test_an_intersection_holds_the_days_of_both(one: BatchRange, other: BatchRange) -> None:
    shared = one.intersection(other)
    assert (shared.days() if shared else []) == sorted(set(one) & set(other))
    assert shared == other.intersection(one)


@given(RANGES, st.integers(-100, 100))
def test_shifting_moves_every_day(days: BatchRange, by: int) -> None:
    assert days.shifted(by).days() == [day + timedelta(by) for day in days]
    assert days.shifted(by).shifted(-by) == days


@given(st.lists(DAYS))
def test_merged_days_are_the_same_days_in_the_fewest_ranges(days: list[date]) -> None:
    merged = merge_days(days)
    assert [day for piece in merged for day in piece] == sorted(set(days))
    for before, after in pairwise(merged):
        assert before.last + timedelta(1) < after.first


@given(DAYS)
def test_a_day_is_read_as_it_is_written(day: date) -> None:
    assert parse_day(day.isoformat()) == day


def test_a_range_is_shown_as_people_write_it() -> None:
    first, last = date(2011, 3, 1), date(2011, 3, 4)
    assert str(BatchRange(first, last)) == "2011-03-01 .. 2011-03-04"
    assert str(BatchRange(first, first)) == "2011-03-01"


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        BatchRange(date(2011, 3, 2), date(2011, 3, 1))
    assert str(caught.value) == (
        "the range 2011-03-02 .. 2011-03-01 ends before it starts. "
        "Give the earlier day first: --from 2011-03-01 --to 2011-03-02"
    )


@pytest.mark.parametrize(
    "text",
    [
        "20110301",
        "2011-W09-2",
        "2011-3-1",
        "2011-02-29",
        "2011-13-01",
        "01.03.2011",
        "today",
        "",
        " 2011-03-01",
    ],
)
def test_any_other_spelling_of_a_day_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_day(text)
    assert str(caught.value) == f"{text!r} is not a day. Write it as YYYY-MM-DD, for example 2011-03-01."

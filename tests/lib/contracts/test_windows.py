"""Windows: what a batch reads and who reads a day are one relation, seen from both ends."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.windows import Window, WindowKind, parse_days

DAYS = st.dates(date(2010, 1, 1), date(2012, 12, 31))
LENGTHS = st.integers(1, 120)
WINDOWS = st.one_of(
    st.just(Window.same_day()),
    st.builds(Window.last, LENGTHS),
    st.builds(Window.ahead, LENGTHS),
    st.builds(Window.previous, LENGTHS),
)
LONG_AGO = date(1990, 1, 1)


@given(WINDOWS, DAYS)
def test_reads_and_read_by_are_inverse(window: Window, day: date) -> None:
    read = window.reads(day, LONG_AGO)
    assert read is not None
    assert all(day in window.read_by(other) for other in read)
    readers = window.read_by(day)
    assert all(day in (window.reads(batch, LONG_AGO) or ()) for batch in readers)
    # And no others: the days around each end are outside on both sides.
    assert day not in window.read_by(read.first - timedelta(1))
    assert day not in window.read_by(read.last + timedelta(1))


@given(WINDOWS, DAYS, DAYS)
def test_a_window_is_cut_at_the_first_day_of_history(window: Window, batch: date, start: date) -> None:
    whole = window.reads(batch, LONG_AGO)
    assert whole is not None
    cut = window.reads(batch, start)
    assert cut == whole.intersection(BatchRange(start, date.max))


@given(DAYS, LENGTHS)
def test_only_ahead_sees_later_days(batch: date, days: int) -> None:
    for window in (Window.same_day(), Window.last(days)):
        read = window.reads(batch, LONG_AGO)
        assert read is not None
        assert read.last == batch
    before = Window.previous(days).reads(batch, LONG_AGO)
    after = Window.ahead(days).reads(batch, LONG_AGO)
    assert before is not None
    assert after is not None
    assert (before.last, len(before)) == (batch - timedelta(1), days)
    assert (after.first, len(after)) == (batch + timedelta(1), days)


@pytest.mark.parametrize(
    ("window", "first", "last", "shown"),
    [
        (Window.same_day(), date(2011, 4, 13), date(2011, 4, 13), "same_day"),
        (Window.last(90), date(2011, 1, 14), date(2011, 4, 13), "last: 90d"),
        (Window.ahead(30), date(2011, 4, 14), date(2011, 5, 13), "ahead: 30d"),
        (Window.previous(1), date(2011, 4, 12), date(2011, 4, 12), "previous: 1d"),
        (Window.as_of(), LONG_AGO, date(2011, 4, 13), "as_of"),
        (
            Window.period(BatchRange(date(2011, 3, 1), date(2011, 3, 31))),
            date(2011, 3, 1),
            date(2011, 3, 31),
            "from 2011-03-01 to 2011-03-31",
        ),
    ],
    ids=list(WindowKind),
)
def test_the_windows_of_the_design(window: Window, first: date, last: date, shown: str) -> None:
    assert window.reads(date(2011, 4, 13), LONG_AGO) == BatchRange(first, last)
    assert str(window) == shown


@given(DAYS, st.dates(date(2011, 2, 1), date(2011, 5, 1)))
def test_a_period_is_read_once_it_is_past(batch: date, day: date) -> None:
    days = BatchRange(date(2011, 3, 1), date(2011, 3, 31))
    window = Window.period(days)

    read = window.reads(batch, LONG_AGO)

    assert read == (days if batch > days.last else None)
    assert (read is not None and day in read) == (batch in window.read_by(day))
    assert window.reads(date(2011, 4, 13), date(2011, 3, 15)) == BatchRange(date(2011, 3, 15), days.last)
    assert not window.is_same_day


@pytest.mark.parametrize("window", [Window.same_day(), Window.last(1)])
def test_one_day_is_the_same_day_however_it_is_written(window: Window) -> None:
    assert window.is_same_day


@given(LENGTHS)
def test_other_windows_are_not_the_same_day(days: int) -> None:
    assert not Window.last(days + 1).is_same_day
    assert not Window.ahead(days).is_same_day
    assert not Window.previous(days).is_same_day


@given(st.integers(1, 99_999))
def test_a_number_of_days_is_read_as_it_is_written(days: int) -> None:
    assert parse_days(f"{days}d") == days


@pytest.mark.parametrize("text", ["0d", "-1d", "7", "7 d", "1w", "d", "07d", "", "100000d", "7d ", "٧d"])
def test_any_other_number_of_days_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of days; write it like 90d") as caught:
        parse_days(text)
    assert str(caught.value).startswith(repr(text))

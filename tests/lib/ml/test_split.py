"""As-of dates: far enough apart, and the same whatever night asks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.declaration import Split
from lakesmith.ml.split import HistoryTooShort, as_of_dates

START = date(2010, 12, 1)
REFERENCE = Split(
    warm_up_days=45,
    step_days=7,
    gap_days=30,
    cutoffs=3,
    dates_per_cutoff=2,
    test_days=17,
    test_step_days=1,
)


def test_the_reference_split_on_the_real_history() -> None:
    dates = as_of_dates("repurchase", REFERENCE, START, date(2011, 6, 30), 30)

    assert dates.test == tuple(date(2011, 5, 15) + timedelta(n) for n in range(17))
    assert dates.train == tuple(date(2011, 1, 15) + timedelta(7 * n) for n in range(13))
    assert [(fold.train[-1], fold.validate) for fold in dates.folds] == [
        (date(2011, 1, 29), (date(2011, 3, 5), date(2011, 3, 12))),
        (date(2011, 2, 12), (date(2011, 3, 19), date(2011, 3, 26))),
        (date(2011, 2, 26), (date(2011, 4, 2), date(2011, 4, 9))),
    ]


def test_only_the_latest_dates_where_there_are_more_than_allowed() -> None:
    few = Split(**{**vars(REFERENCE), "at_most": 11})
    dates = as_of_dates("repurchase", few, START, date(2011, 6, 30), 30)
    assert dates.train == tuple(date(2011, 1, 29) + timedelta(7 * n) for n in range(11))


def first_night(split: Split, lag: int) -> date:
    """By trying every night."""
    for nights in range(1000):
        try:
            as_of_dates("m", split, START, START + timedelta(nights), lag)
        except HistoryTooShort:
            continue
        return START + timedelta(nights)
    raise AssertionError("no night of three years can be trained on")


@given(
    warm_up=st.integers(0, 60),
    step=st.integers(1, 9),
    gap=st.integers(1, 40),
    cutoffs=st.integers(1, 4),
    per_cutoff=st.integers(1, 3),
    test_days=st.integers(1, 20),
    test_step=st.integers(1, 5),
    lag=st.integers(1, 35),
    nights=st.integers(0, 400),
)
def test_no_label_is_trained_on_that_was_not_decided_before_the_judged_days(
    warm_up: int,
    step: int,
    gap: int,
    cutoffs: int,
    per_cutoff: int,
    test_days: int,
    test_step: int,
    lag: int,
    nights: int,
) -> None:
    split = Split(warm_up, step, gap, cutoffs, per_cutoff, test_days, test_step)
    night = START + timedelta(nights)
    earliest = first_night(split, lag)
    if night < earliest:
        with pytest.raises(HistoryTooShort) as caught:
            as_of_dates("m", split, START, night, lag)
        assert caught.value.earliest == earliest
        return
    dates = as_of_dates("m", split, START, night, lag)
    assert max(dates.test) == night - timedelta(lag)
    beyond_warm_up = (min(dates.train) - START).days - warm_up
    assert beyond_warm_up % step == 0
    assert beyond_warm_up == 0 or len(dates.train) == split.at_most
    assert len(dates.folds) == cutoffs
    pairs = [(fold.train, fold.validate) for fold in dates.folds] + [(dates.train, dates.test)]
    for train, judged in pairs:
        assert max(train) + timedelta(gap) <= min(judged)
    assert [day for fold in dates.folds for day in fold.validate] == list(
        dates.train[-cutoffs * per_cutoff :]
    )


def test_a_short_history_names_the_first_night_that_will_do() -> None:
    with pytest.raises(HistoryTooShort) as caught:
        as_of_dates("repurchase", REFERENCE, START, date(2011, 3, 1), 30)
    assert str(caught.value) == (
        "repurchase: as of the night 2011-03-01 there are 0 training dates, of which 11 are needed. The first night that this "
        "split can be trained on is 2011-06-10. Wait for it, or shorten the split: models.repurchase.split in settings"
    )

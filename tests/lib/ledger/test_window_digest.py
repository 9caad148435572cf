from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.window_digest import WindowDigests

FIRST = date(2024, 1, 1)
LENGTH = 20
digests = st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=LENGTH, max_size=LENGTH)
offsets = st.tuples(st.integers(-5, LENGTH + 5), st.integers(0, LENGTH))


def sums_of(values: list[str | None]) -> WindowDigests:
    days = {FIRST + timedelta(n): value for n, value in enumerate(values) if value is not None}
    return WindowDigests.over(BatchRange(FIRST, FIRST + timedelta(LENGTH - 1)), days)


@given(digests, digests, offsets)
def test_windows_are_equal_exactly_when_their_batches_are(
    left: list[str | None], right: list[str | None], window: tuple[int, int]
) -> None:
    low, length = window
    span = BatchRange(FIRST + timedelta(low), FIRST + timedelta(low + length))
    inside = slice(max(low, 0), max(low + length + 1, 0))
    equal = sums_of(left).of(span) == sums_of(right).of(span)
    assert equal == (left[inside] == right[inside])


def test_the_same_digest_on_another_day_counts_as_another() -> None:
    span = BatchRange(FIRST, FIRST + timedelta(1))
    assert WindowDigests.over(span, {FIRST: "a"}).of(span) != WindowDigests.over(span, {span.last: "a"}).of(
        span
    )


def test_no_window_is_the_same_as_an_empty_one() -> None:
    nothing = WindowDigests(FIRST)
    assert nothing.of(None) == nothing.of(BatchRange(FIRST, FIRST)) == "0" * 32

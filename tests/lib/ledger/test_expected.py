"""What a step will take: the straight line through earlier runs."""

from __future__ import annotations

import pytest

from lakesmith.ledger.expected import Expected, PastRun, expected


def test_the_start_is_told_from_the_batches() -> None:
    runs = [PastRun(1, 100, 6.0), PastRun(10, 1000, 15.0), PastRun(4, 400, 9.0)]
    assert expected(runs, 30) == Expected(3000, pytest.approx(35.0))


def test_runs_of_one_size_say_nothing_of_more_batches() -> None:
    assert expected([PastRun(1, 90, 4.0), PastRun(1, 110, 8.0), PastRun(1, 100, 5.0)], 3) == Expected(
        300, 5.0
    )


def test_time_neither_starts_nor_falls_below_nothing() -> None:
    falling = expected([PastRun(1, 10, 9.0), PastRun(10, 100, 3.0)], 100)
    assert falling == Expected(1000, pytest.approx(6.0))
    steep = expected([PastRun(5, 50, 1.0), PastRun(10, 100, 10.0)], 1)
    assert steep == Expected(10, pytest.approx(105 / 125))


def test_only_the_last_fifty_that_published_count() -> None:
    old = [PastRun(1, 10_000, 1000.0)] * 10
    empty = [PastRun(0, 0, 500.0), PastRun(3, 0, 500.0)]
    assert expected([*old, *[PastRun(1, 10, 2.0)] * 50, *empty], 2) == Expected(20, 2.0)


def test_a_table_that_never_ran_is_not_guessed_at() -> None:
    assert expected([], 3) is None
    assert expected([PastRun(0, 0, 1.0)], 3) is None

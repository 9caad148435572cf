"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from lakesmith.ml.evaluation_values import Interval
from lakesmith.ml.wording import counted, interval_text, number_text, percent, thousands


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7514, "0.751"),
        (1.0, "1.000"),
        (2.178, "2.18"),
        (24.51, "24.5"),
        (1234.5, "1,234"),
        (0.0021, "0.0021"),
        (-0.00012, "\N{MINUS SIGN}0.00012"),
        (-1e-17, "0.000"),
        (0.0, "0"),
        (-3.0, "\N{MINUS SIGN}3.00"),
        (math.nan, "undefined"),
    ],
)
def test_a_number_has_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.751, 0.73, 0.771), "0.751 (0.730 to 0.771)"),
        (Interval(1.96, 1.8, 2.1), "1.96 (1.80 to 2.10)"),
        (Interval(-0.0021, -0.0065, 0.0023), "\N{MINUS SIGN}0.0021 (\N{MINUS SIGN}0.0065 to 0.0023)"),
        (Interval(0.5, math.nan, math.nan), "0.500"),
        (Interval(math.nan, math.nan, math.nan), "undefined"),
    ],
)
def test_the_numbers_of_an_interval_have_the_same_decimals(interval: Interval, text: str) -> None:
    assert interval_text(interval) == text


def test_numbers_side_by_side_have_the_decimals_of_the_largest() -> None:
    assert number_text(0.034, beside=24.0) == "0.0"
    assert interval_text(Interval(1.5, 1.2, 1.9), beside=2.5) == "1.50 (1.20 to 1.90)"


def test_counts_and_shares() -> None:
    assert (counted(1, "row"), counted(2000, "row")) == ("1 row", "2,000 rows")
    assert counted(2, "entity", "entities") == "2 entities"
    assert (thousands(-1234.0), thousands(-0.2)) == ("\N{MINUS SIGN}1,234", "0")
    assert (percent(0.3217), percent(math.nan)) == ("32.2 %", "undefined")

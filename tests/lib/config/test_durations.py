"""Durations: one number, one unit."""

from __future__ import annotations

import pytest

from lakesmith.config.durations import parse_seconds


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("45s", 45), ("30m", 1800), ("2h", 7200)])
def test_a_duration_in_seconds(text: str, seconds: int) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "1d", "1.5h", "1h30m", "-1s", " 5s", "5S", "05m", "5 m"])
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write a whole number with s, m or h, like 30m"):
        parse_seconds(text)

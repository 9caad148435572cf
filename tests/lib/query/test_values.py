"""Values as text and as JSON."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from lakesmith.query.values import json_value, text_of, unique


@pytest.mark.parametrize(
    ("value", "text", "in_json"),
    [
        (None, "NULL", None),
        (True, "true", True),
        (3, "3", 3),
        (2**53 + 1, "9007199254740993", "9007199254740993"),
        (0.1, "0.1", 0.1),
        (math.nan, "nan", "nan"),
        (Decimal("1.20"), "1.20", 1.2),
        (Decimal("12345678901234567.123"), "12345678901234567.123", "12345678901234567.123"),
        (Decimal("1E+3"), "1000", 1000.0),
        ("a", "a", "a"),
        (date(2024, 1, 2), "2024-01-02", "2024-01-02"),
        (
            datetime(2024, 1, 2, 3, 4, 5, 6, UTC),
            "2024-01-02 03:04:05.000006",
            "2024-01-02T03:04:05.000006+00:00",
        ),
        (b"\x01\xff", "01ff", "01ff"),
        ([1, None], "[1, NULL]", [1, None]),
        ({"a": Decimal("0.5")}, "{a: 0.5}", {"a": 0.5}),
        ([("k", Decimal("0.5"))], "[[k, 0.5]]", [["k", 0.5]]),
    ],
)
def test_a_value_is_shown_and_is_exact_in_json(value: Any, text: str, in_json: Any) -> None:
    assert text_of(value) == text
    assert json_value(value) == in_json
    json.dumps(json_value(value), allow_nan=False)


def test_columns_of_one_name_are_told_apart() -> None:
    assert unique(["a", "a", "b", "a_2", "a"]) == ["a", "a_2", "b", "a_2_2", "a_3"]

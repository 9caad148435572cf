from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lakesmith.contracts.model import Expectation
from lakesmith.contracts.types import parse_type
from lakesmith.quality.grouped import grouped_question
from lakesmith.quality.questions import Aggregates


@pytest.mark.parametrize(
    ("kind", "value_set", "members"),
    [
        ("bigint", [-(2**63), 2**63 - 1, 2.0, 2.5, 1e300], [-(2**63), 2**63 - 1, 2]),
        ("tinyint", [300], [300]),
        ("double", [3, 2**53 + 1, 0.1], [3.0, 0.1]),
        # No decimal is the double 0.1, and none of twelve digits is 1e10.
        ("decimal(12,3)", [0.1, 1.5, -2, 1e10, 999999999], [Decimal("1.5"), Decimal(-2), Decimal(999999999)]),
        ("string", ["a", ""], ["a", ""]),
        ("boolean", [True], [True]),
    ],
)
def test_the_most_common_value_is_looked_for_among_what_python_finds_equal(
    kind: str, value_set: list[Any], members: list[Any]
) -> None:
    asked = grouped_question(_most_common(value_set), {"a": parse_type(kind)}, Aggregates())

    assert asked is not None
    (found,) = asked.members.values()
    assert [(value, type(value)) for value in found] == [(value, type(value)) for value in members]


@pytest.mark.parametrize("kind", ["date", "timestamp"])
def test_the_most_common_day_is_left_to_great_expectations(kind: str) -> None:
    assert grouped_question(_most_common(["2011-03-01"]), {"a": parse_type(kind)}, Aggregates()) is None


def _most_common(value_set: list[Any]) -> Expectation:
    kind = "expect_column_most_common_value_to_be_in_set"
    return Expectation(kind, {"column": "a", "value_set": value_set}, "asked")

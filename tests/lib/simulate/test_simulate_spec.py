from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

import lakesmith.simulate
from lakesmith.errors import ConfigurationError
from lakesmith.simulate import Event, EventKind, SimulationSpec

GOOD: dict[str, Any] = {"first": date(2011, 3, 1), "days": 1, "lines_per_day": 10, "seed": 0}


def test_the_public_names_are_these() -> None:
    assert lakesmith.simulate.__all__ == [
        "Defect",
        "Event",
        "EventKind",
        "Planted",
        "SimulationSpec",
        "SimulationSummary",
        "parse_event",
        "simulate",
    ]
    assert all(hasattr(lakesmith.simulate, name) for name in lakesmith.simulate.__all__)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"lines_per_day": 150_000_000},
        {"seed": 2**63 - 1},
        {"defects": 1},
        {"first": date.max},
        {"first": date.min, "days": date.max.toordinal()},
        {"events": (Event(EventKind.MIX, date(2000, 1, 1), date(2000, 1, 1)),)},
    ],
)
def test_values_at_their_limits_are_accepted(values: dict[str, Any]) -> None:
    SimulationSpec(**GOOD | values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"days": 0}, "days must be a whole number from 1"),
        ({"days": 1.0}, "days must be a whole number"),
        ({"days": True}, "days must be a whole number"),
        ({"lines_per_day": 9}, "lines_per_day must be a whole number from 10 to 150000000, not 9"),
        ({"lines_per_day": 150_000_001}, "lines_per_day"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"defects": -0.1}, "defects must be a share from 0 to 1, not -0.1"),
        ({"defects": 1.1}, "defects"),
        ({"defects": float("nan")}, "defects"),
        ({"defects": "0.1"}, "defects"),
        ({"first": "2011-03-01"}, "first must be a calendar day"),
        ({"first": datetime(2011, 3, 1)}, "first must be a calendar day"),  # noqa: DTZ001
        ({"events": (Event(EventKind.MIX, "later"),)}, "the event mix must have calendar days, not 'later'"),
        ({"events": (Event("sale", date(2011, 3, 1)),)}, "an event must be one of mix, .*, not 'sale'"),
        (
            {"events": (Event(EventKind.MIX, date(2011, 3, 2), date(2011, 3, 1)),)},
            "the event mix ends on 2011-03-01, before it begins on 2011-03-02",
        ),
        ({"first": date.max, "days": 2}, "2 days from 9999-12-31 go beyond 9999-12-31"),
    ],
)
def test_a_value_outside_its_limits_is_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        SimulationSpec(**GOOD | values)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"days .*; lines_per_day .*; seed .*; defects "):
        SimulationSpec(first=date(2011, 3, 1), days=0, lines_per_day=1, seed=-1, defects=2)

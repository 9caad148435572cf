from __future__ import annotations

import pytest

from lakesmith.faults import FaultPoint, Side, Step, armed, step


def test_a_step_has_a_point_on_either_side() -> None:
    points: list[FaultPoint] = []
    with armed(points.append), step(Step.STAGE, "gold.t"), step(Step.PUT, "gold.t"):
        pass
    assert [str(point) for point in points] == [
        "before stage of gold.t",
        "before put of gold.t",
        "after put of gold.t",
        "after stage of gold.t",
    ]


def test_what_a_hook_raises_the_run_meets_and_the_step_has_no_end() -> None:
    points: list[FaultPoint] = []

    def strike(point: FaultPoint) -> None:
        points.append(point)
        raise OSError("no space")

    with armed(strike), pytest.raises(OSError, match="no space"), step(Step.STAGE, "gold.t"):
        raise AssertionError("the step was begun")
    assert points == [FaultPoint(Side.BEFORE, Step.STAGE, "gold.t")]


def test_nothing_is_armed_afterwards() -> None:
    points: list[FaultPoint] = []
    with armed(points.append):
        pass
    with step(Step.STAGE, "gold.t"):
        pass
    assert points == []

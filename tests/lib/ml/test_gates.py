"""Each gate says no for its own reason, with both numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lakesmith.contracts.declaration import Gates, ModelDeclaration
from lakesmith.ml.gates import judge
from ml_cases import DECLARATION

GOOD = {"roc_auc": 0.75, "pr_auc": 0.65, "log_loss": 0.53, "ece": 0.02}
POOR = {"roc_auc": 0.70, "pr_auc": 0.60, "log_loss": 0.56, "ece": 0.07}


def declaration(**gates: Any) -> ModelDeclaration:
    plain = Gates(minimum={}, baselines=(), champion_metric="log_loss", champion_tolerance=0.002)
    return replace(DECLARATION, gates=replace(plain, **gates))


def verdicts(
    declared: ModelDeclaration, metrics: dict[str, float], **more: Any
) -> list[tuple[str, bool, str]]:
    given = {"baselines": {"rfm": POOR}, "champion": None, "not_fresh": [], **more}
    return [(v.gate, v.passed, v.text) for v in judge(declared, metrics, **given)]


@pytest.mark.parametrize(
    ("gates", "metrics", "more", "expected"),
    [
        (
            {"minimum": {"roc_auc": 0.76, "log_loss": 0.52}},
            GOOD,
            {},
            [
                ("minimum", False, "roc_auc 0.7500 should be at least 0.7600 (required)"),
                ("minimum", False, "log_loss 0.5300 should be at most 0.5200 (required)"),
            ],
        ),
        (
            {"baselines": ("roc_auc", "log_loss")},
            {**GOOD, "log_loss": 0.56},
            {},
            [
                ("baseline", True, "roc_auc 0.7500 is above 0.7000 (baseline rfm)"),
                ("baseline", False, "log_loss 0.5600 should be below 0.5600 (baseline rfm)"),
            ],
        ),
        (
            {},
            GOOD,
            {"champion": (3, {**GOOD, "log_loss": 0.527})},
            [
                (
                    "champion",
                    False,
                    "log_loss 0.5300 should be at most 0.5290 (champion, version 3, with its tolerance)",
                )
            ],
        ),
        (
            {"calibration": 0.015},
            GOOD,
            {},
            [("calibration", False, "ece 0.0200 should be at most 0.0150 (allowed)")],
        ),
        (
            {},
            GOOD,
            {"not_fresh": ["gold.f 2011-03-01 is stale: x", "b", "c", "d"]},
            [("fresh", False, "4 batches read are not fresh: gold.f 2011-03-01 is stale: x, b, c and more")],
        ),
    ],
    ids=["minimum", "baseline", "champion", "calibration", "stale data"],
)
def test_a_gate_refuses_with_its_numbers(
    gates: dict[str, Any],
    metrics: dict[str, float],
    more: dict[str, Any],
    expected: list[tuple[str, bool, str]],
) -> None:
    found = verdicts(declaration(**gates), metrics, **more)
    assert [v for v in found if v[0] != "fresh" or not v[1]] == expected


def test_a_good_model_passes_every_gate() -> None:
    declared = declaration(minimum={"roc_auc": 0.7}, baselines=("roc_auc", "log_loss"), calibration=0.05)
    found = verdicts(declared, GOOD, champion=(3, {**GOOD, "log_loss": 0.5285}))
    assert [(gate, passed) for gate, passed, _ in found] == [
        ("minimum", True),
        ("baseline", True),
        ("baseline", True),
        ("champion", True),
        ("calibration", True),
        ("fresh", True),
    ]


def test_an_undefined_metric_passes_no_gate() -> None:
    nan = float("nan")
    declared = declaration(minimum={"roc_auc": 0.7}, baselines=("roc_auc",), calibration=0.05)
    found = verdicts(declared, {**GOOD, "roc_auc": nan, "ece": nan})
    assert [(gate, passed) for gate, passed, _ in found if gate != "fresh"] == [
        ("minimum", False),
        ("baseline", False),
        ("calibration", False),
    ]

"""The arithmetic of docs/aws.md: what stands before each equals sign is what stands behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "aws.md").read_text(encoding="utf-8")
NUMBER = r"[0-9]+(?:\.[0-9]+)?"
SUMS = re.findall(rf"({NUMBER}(?: [×+] {NUMBER})+) = ({NUMBER})", TEXT)


def value(text: str) -> float:
    """Of sums of products."""
    total = 0.0
    for summand in text.split(" + "):
        product = 1.0
        for factor in summand.split(" × "):
            product *= float(factor)
        total += product
    return total


@pytest.mark.parametrize(("text", "result"), SUMS)
def test_it_adds_up(text: str, result: str) -> None:
    decimals = len(result.partition(".")[2])
    assert f"{value(text):.{decimals}f}" == result


def test_there_is_something_to_add_up() -> None:
    assert len(SUMS) == 30

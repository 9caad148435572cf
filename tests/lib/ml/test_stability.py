"""How far apart two sets of scores are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lakesmith.ml.stability import mean_shift, population_stability


def test_the_shift_is_in_deviations_of_the_reference() -> None:
    reference = np.array([0.1, 0.3])
    assert mean_shift(reference, np.array([0.5])) == pytest.approx(3.0)
    assert mean_shift(reference, np.array([0.2, 0.2])) == pytest.approx(0.0)


def test_a_constant_reference_is_left_by_any_step() -> None:
    constant = np.full(3, 0.5)
    assert mean_shift(constant, constant) == 0
    assert mean_shift(constant, np.array([0.6])) == math.inf


def test_the_index_is_the_sum_over_tenths_of_the_reference() -> None:
    reference = np.arange(100) / 100
    # Twenty of a hundred move from the lowest tenth and the next to the highest.
    moved = np.concatenate([reference[20:], np.full(20, 0.95)])
    p = np.full(10, 0.1)
    q = np.array([1e-4, 1e-4, *[0.1] * 7, 0.3])
    assert population_stability(reference, moved) == pytest.approx(float(np.sum((q - p) * np.log(q / p))))
    assert population_stability(reference, reference) == 0


def test_equal_scores_and_few_values_have_an_index() -> None:
    assert population_stability(np.full(5, 0.3), np.full(7, 0.3)) == 0
    assert population_stability(np.array([0.2, 0.8]), np.array([0.8, 0.8])) > 1

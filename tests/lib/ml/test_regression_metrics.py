"""Metrics of a regression against scikit-learn and scipy, with ties and weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from lakesmith.contracts.declaration import METRICS, ProblemKind
from lakesmith.ml.bootstrap import FloatArray
from lakesmith.ml.regression_metrics import PredictedRows

NUMBERS = st.one_of(st.sampled_from([0.0, 1.5, -2.0, 10.0]), st.integers(-1000, 1000).map(lambda n: n / 8))
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 4)), min_size=1, max_size=40).filter(
    lambda rows: any(weight for *_, weight in rows)
)


def measured(
    labels: FloatArray, predictions: FloatArray, weights: FloatArray | None = None
) -> dict[str, float]:
    """The metrics of rows that are entities of their own, so that a row's weight is its entity's."""
    count = len(labels)
    sample = PredictedRows(labels, predictions, np.arange(count, dtype=np.int64))
    found = sample.measure(np.ones((1, count)) if weights is None else weights[None, :])
    return {name: float(value[0]) for name, value in found.items()}


def by_libraries(labels: FloatArray, predictions: FloatArray) -> dict[str, float]:
    """What scikit-learn and scipy say, NaN where Lakesmith calls a metric undefined."""
    varied = len(np.unique(labels)) > 1
    ranked = varied and len(np.unique(predictions)) > 1
    return {
        "rmse": metrics.root_mean_squared_error(labels, predictions),
        "mae": metrics.mean_absolute_error(labels, predictions),
        "r2": metrics.r2_score(labels, predictions) if varied else np.nan,
        "bias": float(np.mean(predictions - labels)),
        "spearman": stats.spearmanr(labels, predictions).statistic if ranked else np.nan,
    }


@settings(deadline=None)
@given(rows=ROWS)
def test_weighted_metrics_equal_those_of_the_repeated_rows_by_the_libraries(
    rows: Sequence[tuple[float, float, int]],
) -> None:
    labels, predictions, weights = (np.array(column) for column in zip(*rows, strict=True))

    found = measured(labels, predictions, weights.astype(np.float64))
    expected = by_libraries(np.repeat(labels, weights), np.repeat(predictions, weights))

    assert list(found) == list(METRICS[ProblemKind.REGRESSION])
    assert found == pytest.approx(expected, abs=1e-11, rel=1e-11, nan_ok=True)


def test_weights_need_not_be_whole() -> None:
    draw = np.random.default_rng(5)
    labels, weights = draw.normal(size=300), draw.random(300)
    predictions = labels + draw.normal(size=300)

    found = measured(labels, predictions, weights)

    for name, oracle in (
        ("rmse", "root_mean_squared_error"),
        ("mae", "mean_absolute_error"),
        ("r2", "r2_score"),
    ):
        assert found[name] == pytest.approx(
            getattr(metrics, oracle)(labels, predictions, sample_weight=weights), abs=1e-12
        )


def test_small_case_by_hand() -> None:
    found = measured(np.array([1.0, 2.0, 6.0]), np.array([2.0, 2.0, 3.0]))

    # Errors 1, 0, -3; the labels' squared deviations from 3 sum to 14; ranks 1, 2, 3 against 1.5, 1.5, 3.
    assert found == pytest.approx(
        {
            "rmse": (10 / 3) ** 0.5,
            "mae": 4 / 3,
            "r2": 1 - 10 / 14,
            "bias": -2 / 3,
            "spearman": 1.5 / (2 * 1.5) ** 0.5,
        }
    )


def test_small_deviations_of_large_numbers_are_not_lost() -> None:
    labels = 1e9 + np.array([0.0, 1.0, 2.0, 3.0])

    assert measured(labels, labels + np.array([0.5, -0.5, 0.5, -0.5]))["r2"] == pytest.approx(0.8, abs=1e-12)


@pytest.mark.parametrize("label", [0.1, 1e9 + 0.1, -3.0])
def test_equal_labels_leave_nothing_to_explain(label: float) -> None:
    found = measured(np.full(3, label), np.array([1.0, 2.0, 3.0]))

    assert np.isnan(found["r2"])
    assert np.isnan(found["spearman"])


def test_a_replicate_that_drew_equal_labels_only_leaves_r2_undefined() -> None:
    # The sums of these labels' squares leave -1.1e-16 where 0 is meant.
    labels = np.array([0.1, -1.25, -1.25, -1.25, -1.25, -1.25])
    sample = PredictedRows(labels, np.arange(6.0), np.array([0, 1, 1, 1, 1, 1], dtype=np.int64))

    found = sample.measure(np.array([[0.0, 3.0], [3.0, 0.0], [1.0, 2.0]]))["r2"]

    assert np.isnan(found).tolist() == [True, True, False]


def test_a_constant_prediction_ranks_nobody() -> None:
    assert np.isnan(measured(np.array([1.0, 2.0, 3.0]), np.full(3, 0.1))["spearman"])

"""The data of the plots: bounded, and in agreement with the metrics."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from lakesmith.contracts.declaration import Costs
from lakesmith.ml.bootstrap import BoolArray, FloatArray, IntArray
from lakesmith.ml.evaluation import Evaluation, best_threshold, classification, regression
from lakesmith.ml.evaluation_values import ClassificationCurves, RegressionCurves

COSTS = Costs(contact=1.0, gain=4.0)


def rows(count: int) -> tuple[BoolArray, FloatArray, IntArray]:
    draw = np.random.default_rng(8)
    probabilities = draw.beta(1, 2, count) * 0.85
    return draw.random(count) < probabilities, probabilities, np.arange(count)


def evaluated(count: int) -> tuple[Evaluation, ClassificationCurves]:
    labels, probabilities, entities = rows(count)
    threshold = best_threshold(labels, probabilities, COSTS)
    found = classification(
        labels, probabilities, entities, threshold=threshold, costs=COSTS, replicates=0, seed=1
    )
    assert isinstance(found.curves, ClassificationCurves)
    return found, found.curves


@pytest.mark.parametrize(("count", "points"), [(40_000, 500), (100, 100)])
def test_curves_are_thinned_to_500_points_and_keep_their_ends(count: int, points: int) -> None:
    found, curves = evaluated(count)

    for curve in (curves.roc, curves.pr, curves.profit):
        assert len(curve.x) == len(curve.y)
        assert points <= len(curve.x) <= min(points + 1, 500)
    assert (curves.roc.x[0], curves.roc.y[0], curves.roc.x[-1], curves.roc.y[-1]) == (0, 0, 1, 1)
    assert (curves.pr.x[-1], curves.pr.y[-1]) == (1, found.base_rate)
    assert curves.profit.y[-1] == pytest.approx(1000 * (4 * found.base_rate - 1))
    area = np.trapezoid(curves.roc.y, curves.roc.x)
    assert area == pytest.approx(found.metrics["roc_auc"].value, abs=1e-3)


def test_points_lie_on_scikit_learns_curves() -> None:
    labels, probabilities, _ = rows(300)
    _, curves = evaluated(300)

    fpr, tpr, _ = roc_curve(labels, probabilities, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(labels, probabilities)

    assert np.allclose(curves.roc.x, fpr)
    assert np.allclose(curves.roc.y, tpr)
    assert np.allclose(curves.pr.x, recall[-2::-1])
    assert np.allclose(curves.pr.y, precision[-2::-1])


def test_calibration_bins_add_up_to_the_calibration_error() -> None:
    labels, probabilities, _ = rows(3000)
    found, curves = evaluated(3000)
    observed, predicted = calibration_curve(labels, probabilities, n_bins=10)

    filled = [each for each in curves.calibration if each.count]
    assert [each.low for each in curves.calibration] == pytest.approx([at / 10 for at in range(10)])
    assert [each.predicted for each in filled] == pytest.approx(predicted)
    assert [each.observed for each in filled] == pytest.approx(observed)
    assert np.isnan(curves.calibration[-1].predicted)
    error = sum(each.count * abs(each.predicted - each.observed) for each in filled) / 3000
    assert found.metrics["ece"].value == pytest.approx(error)


@pytest.mark.parametrize("count", [3000, 37, 10])
def test_tenths_begin_with_the_lift_and_share_out_all_positives(count: int) -> None:
    found, curves = evaluated(count)
    sizes = np.diff(np.ceil(np.arange(11) * count / 10))

    assert curves.lift[0] == pytest.approx(found.metrics["lift_10"].value)
    assert np.dot(curves.lift, sizes) / count == pytest.approx(1)


def test_tenths_without_rows_have_no_lift() -> None:
    found = classification(
        np.array([True, False, False]),
        np.array([0.9, 0.5, 0.1]),
        np.arange(3),
        threshold=0.5,
        costs=COSTS,
        replicates=0,
        seed=1,
    )

    assert isinstance(found.curves, ClassificationCurves)
    lift = found.curves.lift
    assert [value for value in lift if not np.isnan(value)] == [3, 0, 0]


def test_the_histogram_counts_every_row_once() -> None:
    labels, probabilities, _ = rows(3000)
    _, curves = evaluated(3000)

    assert np.histogram(probabilities, curves.probabilities.edges)[0].tolist() == list(
        curves.probabilities.counts
    )
    assert np.histogram(probabilities[labels], curves.probabilities.edges)[0].tolist() == list(
        curves.probabilities.positives
    )


def test_the_most_profitable_threshold_is_the_top_of_the_profit_curve() -> None:
    found, curves = evaluated(300)

    top = int(np.argmax(curves.profit.y))

    assert curves.profit.x[top] == found.threshold
    assert curves.profit.y[top] == pytest.approx(found.metrics["profit"].value)


def regressed(predictions: FloatArray) -> RegressionCurves:
    labels = predictions + np.random.default_rng(2).normal(1, 1, len(predictions))
    labels[0] = predictions[0] + 1000
    curves = regression(labels, predictions, np.arange(len(labels)), replicates=0, seed=1).curves
    assert isinstance(curves, RegressionCurves)
    return curves


def test_tenths_of_the_predicted_numbers_show_what_was_observed() -> None:
    curves = regressed(np.arange(1, 2001) / 100)

    assert [each.count for each in curves.deciles] == [200] * 10
    assert [each.predicted for each in curves.deciles] == pytest.approx([2 * at + 1.005 for at in range(10)])
    for each in curves.deciles[1:]:
        assert each.observed == pytest.approx(each.predicted + 1, abs=0.3)
        assert (each.residual_low, each.residual_median, each.residual_high) == pytest.approx(
            (1 - 1.2816, 1, 1 + 1.2816), abs=0.45
        )


def test_equal_predictions_are_never_split() -> None:
    curves = regressed(np.array([0.0] * 70 + [5.0] * 29 + [6.0]))

    assert [(each.predicted, each.count) for each in curves.deciles] == [(0, 70), (5, 29), (6, 1)]


def test_residuals_far_out_are_counted_at_the_edge() -> None:
    histogram = regressed(np.arange(1, 2001) / 100).residuals

    assert (len(histogram.counts), len(histogram.edges), sum(histogram.counts)) == (30, 31, 2000)
    assert histogram.edges[-1] < 10
    assert histogram.positives == ()


def test_a_perfect_constant_has_curves_too() -> None:
    curves = regression(np.full(9, 2.0), np.full(9, 2.0), np.arange(9), replicates=0, seed=1).curves

    assert isinstance(curves, RegressionCurves)
    assert [(each.count, each.residual_median) for each in curves.deciles] == [(9, 0)]
    assert sum(curves.residuals.counts) == 9

"""The data behind the plots of an evaluation, small enough to be stored with it.

Owns how curves are thinned and rows are binned; the values that come out are `lakesmith.ml.evaluation_values`.
"""

from __future__ import annotations

import numpy as np

from lakesmith.contracts.declaration import Costs
from lakesmith.ml.bootstrap import FloatArray, ratio
from lakesmith.ml.classification_metrics import BINS, PER_ROWS, ClassifiedRows, bins_of, hits_within
from lakesmith.ml.evaluation_values import (
    CalibrationBin,
    ClassificationCurves,
    Curve,
    Histogram,
    PredictionBin,
    RegressionCurves,
)
from lakesmith.ml.regression_metrics import PredictedRows

__all__ = ["classification_curves", "regression_curves"]

_MOST_POINTS = 500
_DECILES = 10
_PROBABILITY_BINS = 20
_RESIDUAL_BINS = 30
_RESIDUALS_SHOWN = (0.5, 99.5)
_RESIDUAL_PERCENTILES = (10, 50, 90)


def classification_curves(sample: ClassifiedRows, costs: Costs) -> ClassificationCurves:
    """What plots of a classification show.

    Args:
        sample: the rows.
        costs: of a contact.
    """
    cumulated = sample.cumulated(np.ones((1, sample.entities)))
    above, hits = cumulated[0][0], cumulated[1][0]
    total, positives = above[-1], hits[-1]
    thresholds = sample.probabilities[sample.ends]
    profits = PER_ROWS * (costs.gain * hits - costs.contact * above) / total
    return ClassificationCurves(
        roc=_roc(above, hits) if 0 < positives < total else Curve((), ()),
        pr=_curve(hits / positives, hits / above) if positives else Curve((), ()),
        calibration=_calibration(sample),
        lift=_lift(above, hits),
        probabilities=_probabilities(sample),
        profit=_curve(thresholds, profits),
    )


def _curve(x: FloatArray, y: FloatArray) -> Curve:
    """The points, or 500 of them at even distances in the list; the first and the last stay."""
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(np.int64))
    return Curve(tuple(x[kept].tolist()), tuple(y[kept].tolist()))


def _roc(above: FloatArray, hits: FloatArray) -> Curve:
    misses = above - hits
    origin = np.zeros(1)
    return _curve(np.append(origin, misses / misses[-1]), np.append(origin, hits / hits[-1]))


def _calibration(sample: ClassifiedRows) -> tuple[CalibrationBin, ...]:
    bins = bins_of(sample.probabilities, BINS)
    counts, total, positive = (
        np.bincount(bins, column, BINS).astype(np.float64)
        for column in (np.ones(sample.rows), sample.probabilities, sample.labels.astype(np.float64))
    )
    predicted, observed = ratio(total, counts), ratio(positive, counts)
    return tuple(
        CalibrationBin(at / BINS, float(predicted[at]), float(observed[at]), int(counts[at]))
        for at in range(BINS)
    )


def _lift(above: FloatArray, hits: FloatArray) -> tuple[float, ...]:
    """Of each tenth, its observed rate over that of all; the tenths end where a rounded-up tenth does."""
    cuts = np.ceil(np.arange(1, _DECILES + 1) * above[-1] / _DECILES)
    within = hits_within(np.tile(above, (_DECILES, 1)), np.tile(hits, (_DECILES, 1)), cuts)
    rows, found = np.diff(cuts, prepend=0.0), np.diff(within, prepend=0.0)
    return tuple(ratio(ratio(found, rows), hits[-1] / above[-1]).tolist())


def _probabilities(sample: ClassifiedRows) -> Histogram:
    bins = bins_of(sample.probabilities, _PROBABILITY_BINS)
    counts = np.bincount(bins, minlength=_PROBABILITY_BINS)
    positives = np.bincount(bins[sample.labels], minlength=_PROBABILITY_BINS)
    edges = tuple(at / _PROBABILITY_BINS for at in range(_PROBABILITY_BINS + 1))
    return Histogram(edges, tuple(counts.tolist()), tuple(positives.tolist()))


def regression_curves(sample: PredictedRows) -> RegressionCurves:
    """What plots of a regression show.

    Args:
        sample: the rows.
    """
    residuals = sample.labels - sample.predictions
    cuts = np.percentile(sample.predictions, np.arange(1, _DECILES) * 100 / _DECILES)
    bins = np.searchsorted(np.unique(cuts), sample.predictions, side="left")
    deciles = []
    for at in np.unique(bins):
        inside = bins == at
        low, median, high = np.percentile(residuals[inside], _RESIDUAL_PERCENTILES)
        predicted, observed = sample.predictions[inside].mean(), sample.labels[inside].mean()
        deciles.append(
            PredictionBin(
                float(predicted), float(observed), int(inside.sum()), float(low), float(median), float(high)
            )
        )
    return RegressionCurves(tuple(deciles), _residuals(residuals))


def _residuals(residuals: FloatArray) -> Histogram:
    low, high = np.percentile(residuals, _RESIDUALS_SHOWN)
    # With equal residuals numpy widens the range to 1 around them.
    counts, edges = np.histogram(np.clip(residuals, low, high), _RESIDUAL_BINS, (low, high))
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()))

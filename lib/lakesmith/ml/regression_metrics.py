"""Metrics of predicted numbers against the true ones, under many weightings of the entities at once.

Owns the formulas of a regression's metrics. An entity's weight is how often its rows count: 1 for the rows as they
are, a whole number in a bootstrap's replicate.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from lakesmith.contracts.declaration import METRICS, ProblemKind
from lakesmith.ml.bootstrap import FloatArray, IntArray, ratio

__all__ = ["PredictedRows"]

# A sum of squares that is smaller than this part of what it was computed from is rounding: all values are equal.
_ROUNDING = 1e-12


class PredictedRows:
    """Predicted numbers with the true ones, ready to be measured under weights.

    Rows are kept by prediction, then label and entity, so that no number depends on the order in which they
    came.

    Args:
        labels: (n,), finite.
        predictions: (n,), finite, in the labels' unit.
        entities: (n,), the number of each row's entity, from 0 and without holes.
    """

    def __init__(self, labels: FloatArray, predictions: FloatArray, entities: IntArray) -> None:
        order = np.lexsort((entities, labels, predictions))
        self.labels = labels[order]
        self.predictions = predictions[order]
        self._entities = entities[order]
        self.rows = len(labels)
        self.entities = int(entities.max()) + 1
        self._by_label = np.argsort(self.labels, kind="stable")
        errors = self.predictions - self.labels
        centred = self.labels - self.labels.mean()
        columns = [np.ones_like(errors), errors, np.abs(errors), errors**2, centred, centred**2]
        sums = [np.bincount(self._entities, column, self.entities) for column in columns]
        self._sums = np.stack(sums, axis=1)

    def measure(self, weights: FloatArray, names: Collection[str] | None = None) -> dict[str, FloatArray]:
        """The metrics under each weighting.

        rmse, mae: of prediction - label. bias: its mean. r2: 1 - squared errors over squared deviations
        from the mean label of the same rows. spearman: Pearson's correlation of the ranks, ties sharing
        their mean rank.

        Args:
            weights: (r, entities), not negative.
            names: of the metrics that are needed; by default all.

        Returns:
            name -> (r,), in the order of `METRICS`; NaN where undefined: r2 of equal labels, spearman of
            equal labels or predictions.
        """
        wanted = set(METRICS[ProblemKind.REGRESSION] if names is None else names)
        total, errors, absolute, squares, centred, deviations = (weights @ self._sums).T
        spread = deviations - ratio(centred**2, total)
        found = {
            "rmse": np.sqrt(ratio(squares, total)),
            "mae": ratio(absolute, total),
            "r2": 1 - ratio(squares, np.where(spread > _ROUNDING * deviations, spread, 0.0)),
            "bias": ratio(errors, total),
        }
        if "spearman" in wanted:
            found["spearman"] = self._spearman(weights)
        return {name: found[name] for name in METRICS[ProblemKind.REGRESSION] if name in wanted}

    def _spearman(self, weights: FloatArray) -> FloatArray:
        by_row = weights[:, self._entities]
        half = by_row.sum(axis=1, keepdims=True) / 2
        predicted = _middle_ranks(by_row, self.predictions) - half
        observed = np.empty_like(predicted)
        labels = self.labels[self._by_label]
        observed[:, self._by_label] = _middle_ranks(by_row[:, self._by_label], labels) - half
        both = (by_row * predicted * observed).sum(axis=1)
        squares = (by_row * predicted**2).sum(axis=1) * (by_row * observed**2).sum(axis=1)
        return ratio(both, np.sqrt(squares))


def _middle_ranks(weights: FloatArray, values: FloatArray) -> FloatArray:
    """The middle of each value's ranks when every row counts as often as it weighs; (r, n), as the weights.

    Args:
        weights: (r, n).
        values: (n,), rising.
    """
    new = np.diff(values) != 0
    run = np.concatenate([[0], np.cumsum(new)])
    cumulative = np.cumsum(weights, axis=1)
    ends = cumulative[:, np.append(np.flatnonzero(new), len(values) - 1)]
    starts = np.zeros_like(ends)
    starts[:, 1:] = ends[:, :-1]
    return ((starts + ends) / 2)[:, run]

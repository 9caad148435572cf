"""Metrics of probabilities against what happened, under many weightings of the entities at once.

Owns the formulas of a classification's metrics. Rows are sorted once; the metrics that are sums of rows come from
sums by entity, the ones that need the ranking from cumulative sums along it. An entity's weight is how often its
rows count: 1 for the rows as they are, a whole number in a bootstrap's replicate.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from lakesmith.contracts.declaration import METRICS, Costs, ProblemKind
from lakesmith.ml.bootstrap import BoolArray, FloatArray, IntArray, ratio

__all__ = ["BINS", "CLIP", "PER_ROWS", "ClassifiedRows", "bins_of", "hits_within"]

BINS = 10
"""Bins of equal width from 0 to 1, in which calibration is measured."""

CLIP = 1e-6
"""Probabilities are at least this far from 0 and 1 in the log loss, which else would be infinite."""

PER_ROWS = 1000
"""Profit is counted for so many rows."""

_RANKED = frozenset({"roc_auc", "pr_auc", "lift_10"})


def bins_of(probabilities: FloatArray, bins: int) -> IntArray:
    """The bin of each probability, from 0; a bin holds its lower edge, the last one also 1.

    Args:
        probabilities: (n,), from 0 to 1.
        bins: how many bins of equal width there are.
    """
    return np.minimum((probabilities * bins).astype(np.int64), bins - 1)


class ClassifiedRows:
    """Probabilities with their labels, ready to be measured under weights.

    Rows are kept by falling probability, then label and entity, so that no number depends on the order in
    which they came.

    Args:
        labels: (n,), True where it happened.
        probabilities: (n,), from 0 to 1.
        entities: (n,), the number of each row's entity, from 0 and without holes.
        threshold: contacted is who has at least this probability.
        costs: of a contact.
    """

    def __init__(
        self,
        labels: BoolArray,
        probabilities: FloatArray,
        entities: IntArray,
        *,
        threshold: float,
        costs: Costs,
    ) -> None:
        order = np.lexsort((entities, labels, -probabilities))
        self.labels = labels[order]
        self.probabilities = probabilities[order]
        self._entities = entities[order]
        self._costs = costs
        self.rows = len(labels)
        self.entities = int(entities.max()) + 1
        # The last row of every run of equal probabilities.
        self.ends = np.flatnonzero(np.append(np.diff(self.probabilities) != 0, True))
        self._sums = self._sums_by_entity(threshold)

    def _sums_by_entity(self, threshold: float) -> FloatArray:
        """What is summed for the metrics that are sums: (entities, columns)."""
        labels, probabilities = self.labels.astype(np.float64), self.probabilities
        contacted = probabilities >= threshold
        clipped = np.clip(probabilities, CLIP, 1 - CLIP)
        gaps = probabilities - labels
        bins = bins_of(probabilities, BINS)
        columns = [
            np.ones_like(labels),
            labels,
            -np.log(np.where(self.labels, clipped, 1 - clipped)),
            gaps**2,
            contacted * 1.0,
            contacted * labels,
            *(np.where(bins == at, gaps, 0.0) for at in range(BINS)),
        ]
        sums = [np.bincount(self._entities, column, self.entities) for column in columns]
        return np.stack(sums, axis=1)

    def measure(self, weights: FloatArray, names: Collection[str] | None = None) -> dict[str, FloatArray]:
        """The metrics under each weighting.

        roc_auc: share of pairs of a positive and a negative row that are in the right order, ties by half
        (Mann-Whitney). pr_auc: average precision, the sum of precision times the step in recall over the
        distinct probabilities. log_loss: probabilities clipped to `CLIP` .. 1 - `CLIP`. brier: mean squared
        difference to the label. ece: mean absolute difference between mean probability and observed share
        in `BINS` bins of equal width, weighted by rows (Naeini et al. 2015). lift_10: observed share among
        the tenth (rounded up) of highest probability over that of all; rows tied at the cut count in
        proportion. profit: of contacting everybody from the threshold on, for `PER_ROWS` rows.

        Args:
            weights: (r, entities), not negative; for `lift_10` whole numbers.
            names: of the metrics that are needed; by default all.

        Returns:
            name -> (r,), in the order of `METRICS`; NaN where undefined: ROC AUC of one class, what needs a
            positive label without any, precision with nobody contacted.
        """
        wanted = set(METRICS[ProblemKind.CLASSIFICATION] if names is None else names)
        found = self._summed(weights)
        if wanted & _RANKED:
            found |= self._ranked(weights)
        return {name: found[name] for name in METRICS[ProblemKind.CLASSIFICATION] if name in wanted}

    def _summed(self, weights: FloatArray) -> dict[str, FloatArray]:
        total, positives, loss, squares, contacted, hits, *gaps = (weights @ self._sums).T
        wrong = (contacted - hits) + (positives - hits)
        return {
            "log_loss": ratio(loss, total),
            "brier": ratio(squares, total),
            "ece": ratio(np.abs(np.stack(gaps)).sum(axis=0), total),
            "profit": ratio(PER_ROWS * (self._costs.gain * hits - self._costs.contact * contacted), total),
            "accuracy": ratio(total - wrong, total),
            "precision": ratio(hits, contacted),
            "recall": ratio(hits, positives),
            "f1": ratio(2 * hits, contacted + positives),
        }

    def _ranked(self, weights: FloatArray) -> dict[str, FloatArray]:
        above, hits = self.cumulated(weights)
        total, positives = above[:, -1], hits[:, -1]
        misses = above - hits
        # Two-row differences of cumulative sums: what each run of equal probabilities holds.
        hits_before = _shifted(hits)
        concordant = ((misses - _shifted(misses)) * (hits_before + hits)).sum(axis=1) / 2
        precision = np.divide(hits, above, out=np.zeros_like(hits), where=above > 0)
        tenth = np.ceil(total / 10)
        return {
            "roc_auc": ratio(concordant, positives * misses[:, -1]),
            "pr_auc": ratio((precision * (hits - hits_before)).sum(axis=1), positives),
            "lift_10": ratio(hits_within(above, hits, tenth) / tenth, positives / total),
        }

    def cumulated(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rows and positive rows from the highest probability down to each distinct one.

        Args:
            weights: (r, entities).

        Returns:
            Two arrays (r, distinct probabilities), highest first.
        """
        by_row = weights[:, self._entities]
        above = np.cumsum(by_row, axis=1)
        by_row *= self.labels
        hits = np.cumsum(by_row, axis=1, out=by_row)
        if len(self.ends) == self.rows:
            return above, hits
        return above[:, self.ends], hits[:, self.ends]


def _shifted(cumulative: FloatArray) -> FloatArray:
    """Each run's sum before it: the same sums one place later, from 0."""
    before = np.empty_like(cumulative)
    before[:, 0] = 0
    before[:, 1:] = cumulative[:, :-1]
    return before


def hits_within(above: FloatArray, hits: FloatArray, wanted: FloatArray) -> FloatArray:
    """Positives among the first so many rows of each ranking; rows tied at the cut count in proportion.

    Args:
        above: (r, distinct), cumulative rows.
        hits: (r, distinct), cumulative positive rows.
        wanted: (r,), how many rows; at most all of them.
    """
    at = np.argmax(above >= wanted[:, None], axis=1)[:, None]

    def bounds(cumulative: FloatArray) -> tuple[FloatArray, FloatArray]:
        upper = np.take_along_axis(cumulative, at, axis=1)[:, 0]
        lower = np.take_along_axis(cumulative, np.maximum(at - 1, 0), axis=1)[:, 0]
        return np.where(at[:, 0] > 0, lower, 0.0), upper

    (rows_before, rows_after), (hits_before, hits_after) = bounds(above), bounds(hits)
    share = (wanted - rows_before) / (rows_after - rows_before)
    return hits_before + share * (hits_after - hits_before)

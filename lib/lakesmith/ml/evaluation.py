"""Evaluation: how good predictions were, how sure that is, and by how much one model beats another.

Owns the entry points: what is refused, which metrics come with which interval, the threshold that pays best, and
the paired difference. Formulas are in the modules of metrics, draws and percentiles in `lakesmith.ml.bootstrap`.
Numpy only; the same rows in any order and the same seed give the same numbers.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from lakesmith.contracts.declaration import METRICS, Costs, ProblemKind
from lakesmith.errors import DataRejected
from lakesmith.ml.bootstrap import BoolArray, FloatArray, IntArray, intervals
from lakesmith.ml.classification_metrics import ClassifiedRows
from lakesmith.ml.evaluation_curves import classification_curves, regression_curves
from lakesmith.ml.evaluation_values import Confusion, Evaluation, EvaluationUnreadable, Interval
from lakesmith.ml.regression_metrics import PredictedRows

__all__ = [
    "NOBODY",
    "Confusion",
    "Evaluation",
    "EvaluationUnreadable",
    "Interval",
    "NotEvaluable",
    "best_threshold",
    "classification",
    "difference",
    "regression",
]

NOBODY = float(np.nextafter(1.0, 2.0))
"""The threshold that no probability reaches: contacting anybody would lose money."""

# Profits closer than this part of what the contacts cost and bring are equal: sums of doubles are not exact.
_SAME_PROFIT = 1e-9


class NotEvaluable(DataRejected):
    """Predictions or labels that nothing can be measured on: none at all, or such as are no numbers."""

    def __init__(self, reason: str, next_step: str) -> None:
        self.reason = reason
        super().__init__(f"the predictions can't be evaluated: {reason}. {next_step}")


def classification(
    labels: BoolArray,
    probabilities: FloatArray,
    entities: IntArray,
    *,
    threshold: float,
    costs: Costs,
    replicates: int,
    seed: int,
) -> Evaluation:
    """How good probabilities were, with intervals from resampling the entities.

    The formulas are those of `ClassifiedRows.measure`. Of `ece` the interval lies high, since resampling adds noise to
    every bin.

    Args:
        labels: bool (n,), True where it happened.
        probabilities: float64 (n,), from 0 to 1.
        entities: int64 (n,); rows of one entity are drawn together.
        threshold: contacted is who has at least this probability.
        costs: of a contact.
        replicates: how often the entities are resampled; 0 gives values without bounds.
        seed: of the resampling.

    Raises:
        NotEvaluable: no rows, or probabilities that are NaN or outside 0 .. 1.
        ValueError: arrays of different lengths, or a threshold that is NaN.
    """
    sample = _classified(
        _checked_labels(labels), probabilities, _numbered(entities), threshold=threshold, costs=costs
    )
    metrics = intervals(sample.entities, sample.rows, sample.measure, replicates=replicates, seed=seed)
    return Evaluation(
        problem=ProblemKind.CLASSIFICATION,
        rows=sample.rows,
        entities=sample.entities,
        label_mean=float(sample.labels.mean()),
        metrics=MappingProxyType(metrics),
        replicates=replicates,
        seed=seed,
        curves=classification_curves(sample, costs),
        threshold=float(threshold),
        costs=costs,
        confusion=_confusion(sample, threshold),
    )


def regression(
    labels: FloatArray, predictions: FloatArray, entities: IntArray, *, replicates: int, seed: int
) -> Evaluation:
    """How good predicted numbers were, with intervals from resampling the entities.

    The formulas are those of `PredictedRows.measure`.

    Args:
        labels: float64 (n,), finite.
        predictions: float64 (n,), finite, in the labels' unit.
        entities: int64 (n,); rows of one entity are drawn together.
        replicates: how often the entities are resampled; 0 gives values without bounds.
        seed: of the resampling.

    Raises:
        NotEvaluable: no rows, or labels or predictions that are not finite.
        ValueError: arrays of different lengths.
    """
    sample = _predicted(_finite("labels", labels), predictions, _numbered(entities))
    metrics = intervals(sample.entities, sample.rows, sample.measure, replicates=replicates, seed=seed)
    return Evaluation(
        problem=ProblemKind.REGRESSION,
        rows=sample.rows,
        entities=sample.entities,
        label_mean=float(sample.labels.mean()),
        metrics=MappingProxyType(metrics),
        replicates=replicates,
        seed=seed,
        curves=regression_curves(sample),
    )


def best_threshold(labels: BoolArray, probabilities: FloatArray, costs: Costs) -> float:
    """The threshold with the highest profit on these rows; of equal profits the one that contacts fewest.

    Args:
        labels: bool (n,), True where it happened.
        probabilities: float64 (n,), from 0 to 1.
        costs: of a contact.

    Returns:
        The least probability that is contacted; `NOBODY` where no contact pays.

    Raises:
        NotEvaluable: no rows, or probabilities that are NaN or outside 0 .. 1.
    """
    one_each = np.arange(len(labels), dtype=np.int64)
    sample = _classified(_checked_labels(labels), probabilities, one_each, threshold=NOBODY, costs=costs)
    above, hits = sample.cumulated(np.ones((1, sample.rows)))
    profits = np.append(0.0, costs.gain * hits[0] - costs.contact * above[0])
    scale = (abs(costs.gain) + abs(costs.contact)) * sample.rows
    first = int(np.argmax(profits >= profits.max() - _SAME_PROFIT * scale))
    return NOBODY if first == 0 else float(sample.probabilities[sample.ends[first - 1]])


def difference(
    first: FloatArray,
    second: FloatArray,
    labels: npt.NDArray[np.bool_ | np.float64],
    entities: IntArray,
    metric: str,
    *,
    replicates: int,
    seed: int,
    thresholds: tuple[float, float] = (0.5, 0.5),
    costs: Costs | None = None,
) -> Interval:
    """By how much a metric of one model exceeds that of another on the same rows, entities resampled in pairs.

    The same draws weigh both models, so what makes rows hard for both cancels out.

    Args:
        first: float64 (n,), one model's probabilities or predicted numbers.
        second: float64 (n,), the other's.
        labels: (n,), bool for a classification, float64 for a regression.
        entities: int64 (n,); rows of one entity are drawn together.
        metric: one of `METRICS`, which also says which problem it is.
        replicates: how often the entities are resampled; 0 gives the value without bounds.
        seed: of the resampling.
        thresholds: of the first and the second model; only metrics at a threshold look at them.
        costs: of a contact; only `profit` needs them.

    Returns:
        metric(first) - metric(second); of `bias` the difference of the absolute values. Less than 0 is better for the
        metrics in `LESS_IS_BETTER`.

    Raises:
        NotEvaluable: as in `classification` and `regression`.
        ValueError: an unknown metric, `profit` without costs, or arrays of different lengths.
    """
    if metric == "profit" and costs is None:
        raise ValueError("the difference in profit needs costs")
    numbered = _numbered(entities)
    pair: tuple[ClassifiedRows | PredictedRows, ...]
    if metric in METRICS[ProblemKind.CLASSIFICATION]:
        happened, known = _checked_labels(labels), costs or Costs(0.0, 0.0)
        pair = tuple(
            _classified(happened, scores, numbered, threshold=threshold, costs=known)
            for scores, threshold in zip((first, second), thresholds, strict=True)
        )
    elif metric in METRICS[ProblemKind.REGRESSION]:
        numbers = _finite("labels", labels.astype(np.float64))
        pair = tuple(_predicted(numbers, scores, numbered) for scores in (first, second))
    else:
        raise ValueError(f"{metric!r} is no metric; there are {', '.join(sorted(sum(METRICS.values(), ())))}")

    def measure(weights: FloatArray) -> dict[str, FloatArray]:
        one, other = (sample.measure(weights, (metric,))[metric] for sample in pair)
        return {metric: np.abs(one) - np.abs(other) if metric == "bias" else one - other}

    found = intervals(pair[0].entities, pair[0].rows, measure, replicates=replicates, seed=seed)
    return found[metric]


def _classified(
    labels: BoolArray, probabilities: FloatArray, entities: IntArray, *, threshold: float, costs: Costs
) -> ClassifiedRows:
    _same_length(labels, probabilities, entities)
    if np.isnan(threshold):
        raise ValueError("the threshold is NaN")
    # NaN compares as false.
    wrong = ~((probabilities >= 0) & (probabilities <= 1))
    if wrong.any():
        raise NotEvaluable(
            f"{wrong.sum():,} of {len(wrong):,} probabilities are not from 0 to 1 "
            f"(NaN: {np.isnan(probabilities).sum():,})",
            "Look for features that are null or infinite and that the model's preparation does not fill.",
        )
    return ClassifiedRows(labels, probabilities, entities, threshold=threshold, costs=costs)


def _predicted(labels: FloatArray, predictions: FloatArray, entities: IntArray) -> PredictedRows:
    _same_length(labels, predictions, entities)
    return PredictedRows(labels, _finite("predictions", predictions), entities)


def _same_length(*arrays: npt.NDArray[np.generic]) -> None:
    if len({array.shape for array in arrays}) > 1:
        raise ValueError(f"the arrays differ in shape: {', '.join(str(array.shape) for array in arrays)}")


def _some(rows: int) -> None:
    if not rows:
        raise NotEvaluable("there are no rows", "Look at the dates of the split and at the label's table.")


def _checked_labels(labels: npt.NDArray[np.generic]) -> BoolArray:
    _some(len(labels))
    if labels.dtype != np.bool_:
        raise ValueError(f"the labels of a classification are bool, not {labels.dtype}")
    return labels.astype(np.bool_)


def _finite(what: str, numbers: FloatArray) -> FloatArray:
    _some(len(numbers))
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        raise NotEvaluable(
            f"{wrong.sum():,} of {len(wrong):,} {what} are not finite (NaN: {np.isnan(numbers).sum():,})",
            "Look for rows without a label, and for features that are null or infinite.",
        )
    return numbers


def _numbered(entities: IntArray) -> IntArray:
    """The entities as numbers from 0 without holes, in the order of their ids."""
    return np.unique(entities, return_inverse=True)[1].astype(np.int64)


def _confusion(sample: ClassifiedRows, threshold: float) -> Confusion:
    contacted = sample.probabilities >= threshold

    def rows(predicted: BoolArray, label: BoolArray) -> int:
        return int(np.count_nonzero(predicted & label))

    return Confusion(
        true_positives=rows(contacted, sample.labels),
        false_positives=rows(contacted, ~sample.labels),
        false_negatives=rows(~contacted, sample.labels),
        true_negatives=rows(~contacted, ~sample.labels),
    )

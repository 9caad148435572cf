"""What an evaluation says, as frozen values, and their JSON.

Owns the form in which evaluations are stored as artifacts and read back; how the numbers come about is
`lakesmith.ml.evaluation`. Undefined numbers are NaN here and null in JSON, which has no NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from lakesmith.contracts.declaration import METRICS, Costs, ProblemKind
from lakesmith.errors import LakesmithError

__all__ = [
    "CalibrationBin",
    "ClassificationCurves",
    "Confusion",
    "Curve",
    "Evaluation",
    "EvaluationUnreadable",
    "Histogram",
    "Interval",
    "PredictionBin",
    "RegressionCurves",
]

_FORMAT = 1


class EvaluationUnreadable(LakesmithError):
    """A stored evaluation is not in the form that this version reads."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"the stored evaluation can't be read: {reason}. Make it again: lakesmith models reproduce RUN"
        )


@dataclass(frozen=True)
class Interval:
    """A metric and its 95 % bootstrap interval; NaN where undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Confusion:
    """Rows by what was predicted at the threshold and what then happened."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


@dataclass(frozen=True)
class Curve:
    """Points of a line, at most 500, in drawing order.

    Args:
        x: the horizontal coordinates.
        y: the vertical ones, as many.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Histogram:
    """Rows by a number's size.

    Args:
        edges: of the bins, one more than there are bins; each bin but the last excludes its upper edge.
        counts: rows in each bin.
        positives: of them those with a positive label; empty for a regression.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    positives: tuple[int, ...] = ()


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of similar probability; both means are NaN for a bin without rows.

    Args:
        low: lower edge of the bin, of width 0.1.
        predicted: mean probability.
        observed: share of positive labels.
        count: rows.
    """

    low: float
    predicted: float
    observed: float
    count: int


@dataclass(frozen=True)
class PredictionBin:
    """Rows of a similar predicted number, in the label's unit.

    Args:
        predicted: mean prediction.
        observed: mean label.
        count: rows.
        residual_low: 10th percentile of label - prediction.
        residual_median: their median.
        residual_high: their 90th percentile.
    """

    predicted: float
    observed: float
    count: int
    residual_low: float
    residual_median: float
    residual_high: float


@dataclass(frozen=True)
class ClassificationCurves:
    """What plots of a classification show.

    Args:
        roc: false positive rate -> true positive rate, from (0, 0) to (1, 1); empty with one class only.
        pr: recall -> precision; empty without positive labels.
        calibration: ten bins of equal width.
        lift: observed rate over base rate in each tenth, highest probabilities first; NaN where undefined.
        probabilities: rows by probability, twenty bins from 0 to 1.
        profit: threshold -> profit per 1,000 rows, from the highest probability down.
    """

    roc: Curve
    pr: Curve
    calibration: tuple[CalibrationBin, ...]
    lift: tuple[float, ...]
    probabilities: Histogram
    profit: Curve


@dataclass(frozen=True)
class RegressionCurves:
    """What plots of a regression show.

    Args:
        deciles: at most ten bins by predicted number, lowest first; equal predictions share a bin.
        residuals: rows by label - prediction, thirty bins over the middle 99 %; the outer bins hold the rest.
    """

    deciles: tuple[PredictionBin, ...]
    residuals: Histogram


@dataclass(frozen=True)
class Evaluation:
    """How good predictions were on some rows.

    Args:
        rows: predictions that were compared with their labels: an entity at an as-of date each.
        entities: distinct entities among them.
        label_mean: mean of the labels; the base rate of a classification.
        metrics: by name, in the order of `METRICS`.
        replicates: how often the entities were resampled.
        seed: of the resampling.
        curves: what the plots show.
        threshold: contacted is who has at least this probability; None for a regression.
        costs: of a contact; None for a regression.
        confusion: at the threshold; None for a regression.
    """

    problem: ProblemKind
    rows: int
    entities: int
    label_mean: float
    metrics: Mapping[str, Interval]
    replicates: int
    seed: int
    curves: ClassificationCurves | RegressionCurves
    threshold: float | None = None
    costs: Costs | None = None
    confusion: Confusion | None = None

    @property
    def base_rate(self) -> float:
        """Share of positive labels; of a regression the mean label."""
        return self.label_mean

    def to_dict(self) -> dict[str, Any]:
        """The evaluation in JSON's types; NaN as null."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {name: asdict(value) if _is_record(value) else value for name, value in fields.items()}
        plain["problem"] = str(self.problem)
        plain["metrics"] = {name: asdict(interval) for name, interval in self.metrics.items()}
        jsonable: dict[str, Any] = _nulls({"format": _FORMAT, **plain})
        return jsonable

    @staticmethod
    def from_dict(stored: Mapping[str, Any]) -> Evaluation:
        """The evaluation that `to_dict` gave, or JSON made of it.

        Raises:
            EvaluationUnreadable: when it was written in another form, or is none.
        """
        if stored.get("format") != _FORMAT:
            raise EvaluationUnreadable(f"its format is {stored.get('format')!r}, not {_FORMAT}")
        try:
            return _evaluation(stored)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvaluationUnreadable(f"{type(error).__name__}: {error}") from error


def _is_record(value: object) -> bool:
    return isinstance(value, ClassificationCurves | RegressionCurves | Costs | Confusion)


def _nulls(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, Mapping):
        return {key: _nulls(inner) for key, inner in value.items()}
    return [_nulls(inner) for inner in value] if isinstance(value, tuple | list) else value


def _evaluation(stored: Mapping[str, Any]) -> Evaluation:
    problem = ProblemKind(stored["problem"])
    if set(stored["metrics"]) != set(METRICS[problem]):
        raise ValueError(f"its metrics are not those of a {problem}")
    classifies = problem is ProblemKind.CLASSIFICATION
    return Evaluation(
        problem=problem,
        rows=stored["rows"],
        entities=stored["entities"],
        label_mean=_number(stored["label_mean"]),
        metrics=MappingProxyType({name: _interval(stored["metrics"][name]) for name in METRICS[problem]}),
        replicates=stored["replicates"],
        seed=stored["seed"],
        curves=_classification(stored["curves"]) if classifies else _regression(stored["curves"]),
        threshold=stored["threshold"],
        costs=Costs(**stored["costs"]) if classifies else None,
        confusion=Confusion(**stored["confusion"]) if classifies else None,
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _numbers(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(_number(value) for value in values)


def _interval(stored: Mapping[str, Any]) -> Interval:
    return Interval(**{name: _number(value) for name, value in stored.items()})


def _curve(stored: Mapping[str, Any]) -> Curve:
    return Curve(_numbers(stored["x"]), _numbers(stored["y"]))


def _histogram(stored: Mapping[str, Any]) -> Histogram:
    return Histogram(_numbers(stored["edges"]), tuple(stored["counts"]), tuple(stored["positives"]))


def _bin(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if name == "count" else _number(value) for name, value in stored.items()}


def _classification(stored: Mapping[str, Any]) -> ClassificationCurves:
    return ClassificationCurves(
        roc=_curve(stored["roc"]),
        pr=_curve(stored["pr"]),
        calibration=tuple(CalibrationBin(**_bin(entry)) for entry in stored["calibration"]),
        lift=_numbers(stored["lift"]),
        probabilities=_histogram(stored["probabilities"]),
        profit=_curve(stored["profit"]),
    )


def _regression(stored: Mapping[str, Any]) -> RegressionCurves:
    return RegressionCurves(
        deciles=tuple(PredictionBin(**_bin(entry)) for entry in stored["deciles"]),
        residuals=_histogram(stored["residuals"]),
    )

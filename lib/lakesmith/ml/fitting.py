"""The search: every candidate tried on every fold, the best one refit on all that may be known.

Owns which combinations are tried, how they are compared and how the winner is calibrated. Test rows never come here.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from multiprocessing.pool import ThreadPool
from typing import TYPE_CHECKING, Any

import numpy as np
from py4j.protocol import Py4JJavaError
from pyspark import inheritable_thread_target
from pyspark.errors import PySparkException
from pyspark.ml import PipelineModel, Transformer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.declaration import (
    LESS_IS_BETTER,
    Algorithm,
    Baseline,
    Calibration,
    Candidate,
    ModelDeclaration,
    Preparation,
    Scalar,
)
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.errors import DataRejected, LakesmithError
from lakesmith.ml import pipelines
from lakesmith.ml.evaluation import (
    Evaluation,
    Interval,
    best_threshold,
    classification,
    difference,
    regression,
)
from lakesmith.ml.frames import (
    LABEL,
    SCORE,
    Predictions,
    collect_predictions,
    is_classification,
    of_dates,
)
from lakesmith.ml.split import Fold

if TYPE_CHECKING:
    from datetime import date

    from lakesmith.ml.split import AsOfDates

__all__ = [
    "FitFailed",
    "Fitted",
    "OneClass",
    "Trial",
    "combinations",
    "evaluate",
    "fit",
    "fit_baseline",
    "paired_difference",
]

_AT_ONCE = 2


class FitFailed(LakesmithError):
    """Spark could not fit a candidate."""

    def __init__(self, model: str, candidate: str, reason: str) -> None:
        self.model = model
        self.candidate = candidate
        super().__init__(
            f"{model}: the candidate {candidate} could not be fitted: {reason}. Look at its features and parameters in "
            f"conf/models/{model}.yml."
        )


class OneClass(DataRejected):
    """The labels that a classification is to learn from are all the same."""

    def __init__(self, declaration: ModelDeclaration, days: Sequence[date], label: int) -> None:
        self.model = declaration.name
        super().__init__(
            f"{declaration.name}: every label of {min(days)} .. {max(days)} is {label}, and a classification learns from both. "
            f"Look at {declaration.label.table}.{declaration.label.column}, or lengthen split.warm_up in {declaration.file}."
        )


@dataclass(frozen=True)
class Trial:
    """One candidate with one choice of parameters, as it did on the validation.

    Args:
        value: the declaration's metric over all folds, calibrated.
        seconds: wall time of its fits.
    """

    candidate: Candidate
    parameters: Mapping[str, Scalar]
    value: float
    seconds: float

    @property
    def name(self) -> str:
        """The candidate and its parameters, for people."""
        chosen = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.candidate.name}({chosen})"


@dataclass(frozen=True)
class Fitted:
    """The winner, refit.

    Args:
        trials: all, in the order in which they were tried.
        threshold: the score from which a contact pays, found on the validation; None for a number.
        validation: the winner's measurement on the folds, without intervals.
    """

    model: PipelineModel
    winner: Trial
    trials: tuple[Trial, ...]
    threshold: float | None
    validation: Evaluation


def combinations(declaration: ModelDeclaration) -> list[tuple[Candidate, dict[str, Scalar]]]:
    """What is tried: the whole space of every candidate, or of a space beyond the budget a sample drawn by the seed.

    Every candidate keeps at least one combination.
    """
    spaces = [
        [
            (candidate, dict(zip(candidate.search, values, strict=True)))
            for values in itertools.product(*candidate.search.values())
        ]
        for candidate in declaration.candidates
    ]
    if sum(len(space) for space in spaces) <= declaration.trials:
        return [entry for space in spaces for entry in space]
    draw = random.Random(declaration.seed)
    first = [space.pop(draw.randrange(len(space))) for space in spaces]
    rest = [entry for space in spaces for entry in space]
    return first + draw.sample(rest, declaration.trials - len(first))


def fit(
    declaration: ModelDeclaration,
    contract: Contract,
    rows: DataFrame,
    dates: AsOfDates,
    count: int,
    progress: Callable[[str, int, int], None],
) -> Fitted:
    """Tries every combination, chooses the best on the validation and refits it.

    Args:
        contract: of the features table.
        rows: the training frame of the training dates, in order and cached.
        count: how many rows that are.
        progress: told what was tried, how many are done and how many there are.

    Raises:
        OneClass: the labels of a classification are all the same.
        FitFailed: a candidate could not be fitted.
    """
    if is_classification(declaration):
        _check_classes(declaration, rows, dates)
    tried = combinations(declaration)
    done = itertools.count(1)

    def attempt(entry: tuple[Candidate, dict[str, Scalar]]) -> tuple[Trial, list[Transformer], Predictions]:
        found = _try(declaration, contract, rows, dates.folds, count, *entry)
        progress(found[0].name, next(done), len(tried))
        return found

    session = rows.sparkSession
    with ThreadPool(_AT_ONCE) as pool:
        # Two at once: while one waits for the driver, the other uses the executors.
        found = pool.map(inheritable_thread_target(session)(attempt), tried, chunksize=1)
    sign = 1 if declaration.metric in LESS_IS_BETTER else -1
    winner, calibration, predictions = min(
        found, key=lambda entry: sign * _comparable(declaration.metric, entry[0].value)
    )
    threshold = (
        best_threshold(predictions.labels.astype(bool), predictions.scores, declaration.costs)
        if declaration.costs is not None
        else None
    )
    refit = _fit(declaration, contract, winner.candidate, winner.parameters, rows)
    return Fitted(
        pipelines.join(refit, calibration),
        winner,
        tuple(trial for trial, _, _ in found),
        threshold,
        evaluate(declaration, predictions, threshold, replicates=0),
    )


def _check_classes(declaration: ModelDeclaration, rows: DataFrame, dates: AsOfDates) -> None:
    found = rows.groupBy(BATCH_DATE).agg(F.count(LABEL).alias("labels"), F.sum(LABEL).alias("ones")).collect()
    labels = {row[BATCH_DATE]: (row["labels"], row["ones"]) for row in found}
    for days in (
        *(fold.train for fold in dates.folds),
        *(fold.validate for fold in dates.folds),
        dates.train,
    ):
        count, ones = (sum(part) for part in zip(*(labels.get(day, (0, 0)) for day in days), strict=True))
        if ones in (0, count):
            raise OneClass(declaration, days, int(bool(ones)))


def _try(
    declaration: ModelDeclaration,
    contract: Contract,
    rows: DataFrame,
    folds: Sequence[Fold],
    count: int,
    candidate: Candidate,
    parameters: Mapping[str, Scalar],
) -> tuple[Trial, list[Transformer], Predictions]:
    began = time.monotonic()
    judged: list[DataFrame] = []
    for fold in folds:
        model = _fit(declaration, contract, candidate, parameters, of_dates(rows, fold.train))
        judged.append(model.transform(of_dates(rows, fold.validate)))
    kept = [declaration.entity, BATCH_DATE, LABEL]
    classifies = is_classification(declaration)
    kept += [pipelines.MARGIN, pipelines.UNCALIBRATED] if classifies else ["prediction"]
    unseen = reduce(DataFrame.unionByName, [frame.select(*kept) for frame in judged]).persist()
    try:
        stages = pipelines.calibrator(declaration.calibration, unseen) if classifies else []
        scored = pipelines.with_score(PipelineModel(list(stages)), unseen)
        predictions = collect_predictions(declaration, scored, count)
    finally:
        unseen.unpersist()
    value = evaluate(declaration, predictions, 0.5, replicates=0).metrics[declaration.metric].value
    return Trial(candidate, parameters, value, time.monotonic() - began), stages, predictions


def _fit(
    declaration: ModelDeclaration,
    contract: Contract,
    candidate: Candidate,
    parameters: Mapping[str, Scalar],
    rows: DataFrame,
    features: Sequence[str] | None = None,
) -> PipelineModel:
    try:
        return pipelines.pipeline(declaration, contract, candidate, parameters, features).fit(rows)
    except (PySparkException, Py4JJavaError) as error:
        # What Spark ML refuses comes as Java's own. Its messages of a fit speak of columns and parameters, not of rows.
        said = error.java_exception.getMessage() if isinstance(error, Py4JJavaError) else str(error)
        reason = said.strip().splitlines()[0] if said and said.strip() else type(error).__name__
        raise FitFailed(declaration.name, candidate.name, reason) from error


def fit_baseline(
    declaration: ModelDeclaration, contract: Contract, baseline: Baseline, rows: DataFrame
) -> Callable[[DataFrame], DataFrame]:
    """A fitted baseline: a function that adds `score` to rows.

    With features it is a linear model of their logarithms: amounts and counts of customers are skewed, and a baseline is only
    worth beating when it is given that.

    Args:
        rows: the training rows.
    """
    if not baseline.features:
        mean = rows.agg(F.avg(LABEL)).collect()[0][0]
        return lambda frame: frame.withColumn(SCORE, F.lit(float(mean)))
    classifies = is_classification(declaration)
    algorithm = Algorithm.LOGISTIC_REGRESSION if classifies else Algorithm.LINEAR_REGRESSION
    plain = Candidate(baseline.name, algorithm, Preparation(log=True, scale=True), {})
    model = _fit(declaration, contract, plain, {}, rows, baseline.features)
    stages = pipelines.calibrator(Calibration.NONE, rows) if classifies else []
    return lambda frame: pipelines.with_score(pipelines.join(model, stages), frame)


def evaluate(
    declaration: ModelDeclaration,
    predictions: Predictions,
    threshold: float | None,
    *,
    replicates: int | None = None,
) -> Evaluation:
    """All metrics of some predictions.

    Args:
        threshold: from which score an entity is contacted; not used for a number.
        replicates: of the bootstrap; None takes the declaration's, 0 gives no intervals.
    """
    count = declaration.bootstrap if replicates is None else replicates
    options: dict[str, Any] = {"replicates": count, "seed": declaration.seed}
    if declaration.costs is None:
        return regression(predictions.labels, predictions.scores, predictions.entities, **options)
    return classification(
        predictions.labels.astype(bool),
        predictions.scores,
        predictions.entities,
        threshold=_or_half(threshold),
        costs=declaration.costs,
        **options,
    )


def paired_difference(
    declaration: ModelDeclaration,
    first: Predictions,
    second: Predictions,
    metric: str,
    thresholds: tuple[float | None, float | None],
) -> Interval:
    """By how much a metric of one model exceeds that of another on the same rows, with its interval.

    Args:
        second: of the same rows in the same order.
        thresholds: of both models; None where it was not found or is not used.
    """
    labels = first.labels.astype(bool) if is_classification(declaration) else first.labels
    return difference(
        first.scores,
        second.scores,
        labels,
        first.entities,
        metric,
        replicates=declaration.bootstrap,
        seed=declaration.seed,
        thresholds=(_or_half(thresholds[0]), _or_half(thresholds[1])),
        costs=declaration.costs,
    )


def _or_half(threshold: float | None) -> float:
    return 0.5 if threshold is None else threshold


def _comparable(metric: str, value: float) -> float:
    """A value whose order is that of merit or its opposite: a bias counts by its size, an undefined value as worst."""
    if np.isnan(value):
        return float("inf") if metric in LESS_IS_BETTER else float("-inf")
    return abs(value) if metric == "bias" else value

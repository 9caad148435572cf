"""What a model's declaration says, as frozen values.

Owns the vocabulary of conf/models/<name>.yml: problems, algorithms, metrics, splits, candidates and gates. How it is
written in YAML, and every error message about that, is `lakesmith.contracts.models`; nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = [
    "LESS_IS_BETTER",
    "METRICS",
    "Algorithm",
    "Baseline",
    "Calibration",
    "Candidate",
    "Costs",
    "Floors",
    "Gates",
    "Label",
    "ModelDeclaration",
    "Preparation",
    "ProblemKind",
    "Rollout",
    "Scalar",
    "Split",
]

Scalar = str | int | float | bool
"""One value of a search parameter."""


class ProblemKind(StrEnum):
    """What is predicted: whether something happens, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Algorithm(StrEnum):
    """The estimators of Spark ML that a candidate may use."""

    LOGISTIC_REGRESSION = "logistic_regression"
    LINEAR_REGRESSION = "linear_regression"
    GRADIENT_BOOSTED_TREES = "gradient_boosted_trees"
    RANDOM_FOREST = "random_forest"


class Calibration(StrEnum):
    """How the winner's scores are turned into probabilities."""

    PLATT = "platt"
    ISOTONIC = "isotonic"
    NONE = "none"


METRICS: Mapping[ProblemKind, tuple[str, ...]] = MappingProxyType(
    {
        ProblemKind.CLASSIFICATION: (
            *("roc_auc", "pr_auc", "log_loss", "brier", "ece", "lift_10"),
            *("profit", "accuracy", "precision", "recall", "f1"),
        ),
        ProblemKind.REGRESSION: ("rmse", "mae", "r2", "bias", "spearman"),
    }
)
"""The metrics that a model of a problem is measured by."""

LESS_IS_BETTER = frozenset({"log_loss", "brier", "ece", "rmse", "mae", "bias"})
"""The metrics of which less is better; of `bias` it is the absolute value that counts."""


@dataclass(frozen=True)
class Label:
    """What is predicted.

    Args:
        table: `layer.name`.
        horizon_days: the label of D is decided by the days D+1 .. D+horizon_days.
    """

    table: str
    column: str
    horizon_days: int


@dataclass(frozen=True)
class Split:
    """Which as-of dates are trained on, validated and tested.

    Args:
        warm_up_days: days from the features table's first batch to the first as-of date.
        step_days: from one training date to the next.
        gap_days: from a fold's last training date to its first validation or test date.
        cutoffs: folds of validation; each is a block of the latest training dates.
        dates_per_cutoff: as-of dates in each of these blocks.
        test_days: the span of the test, whose end is the latest date with a known label.
        test_step_days: from one test date to the next.
        at_most: only so many of the training dates, the latest.
    """

    warm_up_days: int
    step_days: int
    gap_days: int
    cutoffs: int
    dates_per_cutoff: int
    test_days: int
    test_step_days: int
    at_most: int = 52


@dataclass(frozen=True)
class Preparation:
    """What is done to the features before an algorithm sees them.

    Args:
        log: amounts and counts as the logarithm of one more.
        scale: each to mean 0 and standard deviation 1 of the training rows.
        missing_flags: a further feature for each that may be null, telling where it was.
    """

    log: bool = False
    scale: bool = False
    missing_flags: bool = False


@dataclass(frozen=True)
class Candidate:
    """One algorithm that competes, with the parameters it is tried with.

    Args:
        search: parameter of the Spark ML estimator -> the values tried.
    """

    name: str
    algorithm: Algorithm
    preparation: Preparation
    search: Mapping[str, tuple[Scalar, ...]]


@dataclass(frozen=True)
class Baseline:
    """A model so simple that a candidate must beat it.

    Args:
        features: all that it looks at; without any, it is the mean of the training labels.
    """

    name: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Gates:
    """What a model must pass before it becomes the champion.

    Args:
        minimum: metric -> floor; a ceiling for the metrics of which less is better.
        baselines: metrics in each of which the model must be better than every baseline.
        champion_metric: in which the model is compared with the champion on the same rows.
        champion_tolerance: how much worse than the champion it may be.
        calibration: the most expected calibration error; None sets no such limit.
        fresh: every batch read must be fresh.
    """

    minimum: Mapping[str, float]
    baselines: tuple[str, ...]
    champion_metric: str
    champion_tolerance: float
    calibration: float | None = None
    fresh: bool = True


@dataclass(frozen=True)
class Rollout:
    """How a version comes into use, one step a night: in shadow first, then for growing shares of the entities.

    Args:
        shadow_nights: nights in shadow that pass the checks before the first share.
        shares: percent of the entities, growing, up to 100.
        mean_shift: the most by which the mean score may differ from the champion's on the same rows, in standard deviations of
            the champion's scores.
        psi: the most population stability index between both versions' scores, over ten bins of the champion's.
    """

    shadow_nights: int
    shares: tuple[int, ...]
    mean_shift: float
    psi: float


@dataclass(frozen=True)
class Floors:
    """What a champion in use must not fall below.

    Args:
        mean_score: between which the mean score of a night must lie; None sets no bounds.
        metrics: metric -> floor, by the newest labels, as the table that judges models has it; a ceiling where less is better.
        nights: with how many nights before it a night's scores are compared.
        psi: the most population stability index of a night's scores against those of these nights; only a warning.
        rollback: go back to the champion before it; else it is only said.
    """

    mean_score: tuple[float, float] | None
    metrics: Mapping[str, float]
    nights: int
    psi: float | None
    rollback: bool


@dataclass(frozen=True)
class Costs:
    """What a contact costs and what a contacted customer who does buy brings, in one currency."""

    contact: float
    gain: float


@dataclass(frozen=True)
class ModelDeclaration:
    """One model: what it predicts from what, how it is chosen and what it must pass.

    Args:
        name: also the file's name.
        entity: the column that says whom a row is about, in the features and in the label table.
        features: columns of the features table, those of the YAML or else all but the entity and subjects.
        categorical: of the features those that are one-hot encoded.
        trials: combinations tried over all candidates.
        metric: chooses the winner on validation.
        costs: None for a regression.
        segments: name -> Spark SQL expression over the features that gives a text.
        bootstrap: replicates of every interval.
        file: the declaration's own file, relative to the project.
        rollout: None puts a promoted version to use at once.
        floors: None watches nothing.
    """

    name: str
    description: str
    owner: str
    problem: ProblemKind
    entity: str
    features_table: str
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    label: Label
    split: Split
    candidates: tuple[Candidate, ...]
    trials: int
    metric: str
    calibration: Calibration
    baselines: tuple[Baseline, ...]
    gates: Gates
    costs: Costs | None
    segments: Mapping[str, str]
    bootstrap: int
    seed: int
    intended_use: str
    limits: tuple[str, ...]
    file: str
    rollout: Rollout | None = None
    floors: Floors | None = None

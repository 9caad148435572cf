"""What a model card tells, as frozen values that a training fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from lakesmith.contracts.declaration import Calibration, ProblemKind, Scalar
from lakesmith.ml.evaluation_values import Evaluation, Interval
from lakesmith.ml.gates import Verdict

__all__ = ["CardFacts", "ChampionFact", "SplitFact", "TableFact", "TrialFact"]


@dataclass(frozen=True)
class TableFact:
    """A table that the training read.

    Args:
        version: Delta's.
        first: first batch that was read.
        last: last batch that was read.
        rows: that were read.
    """

    name: str
    version: int
    first: date
    last: date
    rows: int


@dataclass(frozen=True)
class SplitFact:
    """The rows of one part of the split.

    Args:
        name: training, validation or test.
        first: first as-of date.
        last: last as-of date.
        dates: how many as-of dates there are.
        rows: an entity at an as-of date each.
        label_mean: the base rate of a classification.
    """

    name: str
    first: date
    last: date
    dates: int
    rows: int
    label_mean: float


@dataclass(frozen=True)
class TrialFact:
    """A candidate with one choice of parameters.

    Args:
        value: of the declaration's metric on validation.
        chosen: True for the winner.
    """

    candidate: str
    parameters: Mapping[str, Scalar]
    value: float
    chosen: bool = False


@dataclass(frozen=True)
class ChampionFact:
    """The model in use, measured on the same rows.

    Args:
        metric: in which the two were compared.
        difference: metric of this model - metric of the champion, rows paired.
    """

    version: int
    evaluation: Evaluation
    metric: str
    difference: Interval


@dataclass(frozen=True)
class CardFacts:
    """All that a model card says of one trained model.

    Args:
        version: in the registry; None before it is registered.
        night: the last night that was known to the training.
        trained_at: when it was trained, in UTC.
        features: how many columns of the features table are used.
        label: `layer.name.column`.
        horizon_days: the label of D is decided by the days D+1 .. D+horizon_days.
        metric: chose the winner on validation.
        algorithm: the winner's, as the declaration names it.
        test: the winner on the test rows.
        baselines: by name, on the same rows.
        champion: on the same rows; None when there is none.
        segments: name -> its texts -> the winner on these test rows.
        gates: the verdicts.
        importances: feature -> how much it matters.
        importance_measure: what these numbers are.
        currency: of costs and profit; empty where it is not known.
        limits: sentences.
        code_version: the commit, or whatever else names the code.
        environment: package -> version, Python and Java among them.
    """

    model: str
    version: int | None
    run_id: str
    owner: str
    description: str
    intended_use: str
    night: date
    trained_at: datetime
    entity: str
    features_table: str
    features: int
    label: str
    horizon_days: int
    tables: tuple[TableFact, ...]
    splits: tuple[SplitFact, ...]
    metric: str
    trials: tuple[TrialFact, ...]
    algorithm: str
    calibration: Calibration
    test: Evaluation
    baselines: Mapping[str, Evaluation]
    champion: ChampionFact | None
    segments: Mapping[str, Mapping[str, Evaluation]]
    gates: tuple[Verdict, ...]
    limits: tuple[str, ...]
    seed: int
    code_version: str
    environment: Mapping[str, str]
    importances: Mapping[str, float] = field(default_factory=dict)
    importance_measure: str = "importance"
    currency: str = ""

    @property
    def classifies(self) -> bool:
        """True when the score is a probability."""
        return self.test.problem is ProblemKind.CLASSIFICATION

    @property
    def title(self) -> str:
        """The model with its version, or its run before it has one."""
        return f"{self.model}, {'not registered' if self.version is None else f'version {self.version}'}"

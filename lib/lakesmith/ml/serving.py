"""A model at work: the versions that score a batch, loaded and checked, applied to features.

Owns what stands between a stored model and a score: its files are those that were registered, the features are those that
it was trained on, and none of them has gone missing altogether.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, SERVED_BY
from lakesmith.errors import DataRejected, LakesmithError
from lakesmith.ml import pipelines

if TYPE_CHECKING:
    from pyspark.sql import Column

    from lakesmith.ledger.arms import Arm

__all__ = [
    "FACTS_FILE",
    "FeatureMissing",
    "LoadedModel",
    "Model",
    "ModelFacts",
    "ModelUnusable",
    "folder_digest",
    "load_model",
]

FACTS_FILE = "lakesmith.json"
"""Beside MLflow's own files: what Lakesmith needs to know of a model before it scores."""

_SPARK_MODEL = "sparkml"
# MLflow puts it beside a model that somebody loads by its registered name; nothing of a score hangs on it.
_MLFLOWS_NOTE = "registered_model_meta"
_NEARLY_ALWAYS_MISSING = 0.95


class ModelUnusable(LakesmithError):
    """A version of a model cannot be loaded, or is not what was registered."""

    def __init__(self, model: str, version: int, reason: str) -> None:
        self.model = model
        self.version = version
        super().__init__(
            f"{model} version {version} cannot be used: {reason}. Take the champion before it: lakesmith models rollback {model}"
        )


class FeatureMissing(DataRejected):
    """The features of a batch lack something that the model was trained with."""

    def __init__(
        self, model: str, version: int, found: str, remedy: str, batch_date: date | None = None
    ) -> None:
        self.model = model
        self.version = version
        self.batch_date = batch_date
        super().__init__(f"{model} version {version} cannot score these rows: {found}. {remedy}")


@dataclass(frozen=True)
class ModelFacts:
    """What is stored with a model.

    Args:
        features: column -> type, as the features table had them.
        missing_shares: feature -> share of training rows in which it was null, where it may be.
        threshold: the score from which a contact pays; None for a number.
    """

    model: str
    problem: str
    entity: str
    features_table: str
    features: Mapping[str, str]
    missing_shares: Mapping[str, float]
    threshold: float | None

    def write(self, folder: Path) -> None:
        """Puts the facts beside the model's files."""
        text = json.dumps(asdict(self), indent=2, sort_keys=True)
        (folder / FACTS_FILE).write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The facts of a stored model."""
        return cls(**json.loads((folder / FACTS_FILE).read_text(encoding="utf-8")))


def folder_digest(folder: Path) -> str:
    """SHA-256 over the paths and contents of all files of a model's folder, as hexadecimal digits."""
    digest = hashlib.sha256()
    note = folder / _MLFLOWS_NOTE
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p != note):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class LoadedModel:
    """A version that was checked and loaded.

    Args:
        files: keeps what was downloaded for it from being removed. Spark reads the values of an imputer when it transforms, not
            when it loads.
    """

    version: int
    facts: ModelFacts
    pipeline: PipelineModel
    files: object = field(default=None, compare=False, repr=False)

    def score(self, features: DataFrame) -> DataFrame:
        """The rows of the features table with `score`.

        Raises:
            FeatureMissing: a column is gone or has another type.
        """
        self.check_columns(features)
        return pipelines.with_score(self.pipeline, features)

    def check_columns(self, features: DataFrame) -> None:
        """Looks whether the features are those that it was trained on.

        Raises:
            FeatureMissing: a column is gone or has another type.
        """
        kinds = dict(features.dtypes)
        wrong = [f"{name} ({kind})" for name, kind in self.facts.features.items() if name not in kinds]
        if wrong:
            raise FeatureMissing(
                self.facts.model,
                self.version,
                f"{self.facts.features_table} has no column {', '.join(wrong)}",
                f"Train the model on the table as it is: lakesmith train {self.facts.model}",
            )
        changed = [
            f"{name} is {kinds[name]}, was {kind}"
            for name, kind in self.facts.features.items()
            if kinds[name] != kind
        ]
        if changed:
            raise FeatureMissing(
                self.facts.model,
                self.version,
                f"types in {self.facts.features_table} changed: {', '.join(changed)}",
                f"Train the model on the table as it is: lakesmith train {self.facts.model}",
            )

    def without_a_feature(self, features: DataFrame) -> dict[date, FeatureMissing]:
        """The batches in which a feature is null in every row although in training it was not, each with its error."""
        expected = [n for n, share in self.facts.missing_shares.items() if share < _NEARLY_ALWAYS_MISSING]
        if not expected:
            return {}
        filled: list[Column] = [F.count(name).alias(name) for name in expected]
        found: dict[date, FeatureMissing] = {}
        for row in features.groupBy(BATCH_DATE).agg(*filled).collect():
            empty = [name for name in expected if not row[name]]
            if empty:
                found[row[BATCH_DATE]] = FeatureMissing(
                    self.facts.model,
                    self.version,
                    f"{', '.join(empty)} of {self.facts.features_table} {row[BATCH_DATE]} is null in every row "
                    f"(in training in {self.facts.missing_shares[empty[0]]:.0%})",
                    f"See what became of it: lakesmith quality {self.facts.features_table} --date {row[BATCH_DATE]}",
                    row[BATCH_DATE],
                )
        return found


def load_model(model: str, version: int, digest: str, folder: Path) -> LoadedModel:
    """A stored model, once its files are those that were registered.

    Args:
        digest: `folder_digest` as recorded at registration.
        folder: where the files are.

    Raises:
        ModelUnusable: files are gone or changed, or Spark cannot load them.
    """
    if not folder.is_dir():
        raise ModelUnusable(model, version, f"there is no folder {folder}")
    found = folder_digest(folder)
    if found != digest:
        raise ModelUnusable(
            model, version, f"its files have SHA-256 {found[:12]}..., registered was {digest[:12]}..."
        )
    try:
        pipeline = PipelineModel.load((folder / _SPARK_MODEL).as_uri())
        return LoadedModel(version, ModelFacts.read(folder), pipeline)
    except Exception as error:
        # py4j's and Spark's own: whatever they say, this version cannot serve.
        raise ModelUnusable(
            model, version, f"Spark cannot load {folder.name}: {type(error).__name__}"
        ) from error


class Model:
    """What a transform gets for the input `model`: scores each batch by what was pinned for it.

    Args:
        name: of the model.
        arms: batch -> the versions that score it; none where nobody holds the role.
        loaded: every version of these.
        tasks: over so many the rows are spread before they are scored; None leaves them to the tasks that have them.
    """

    def __init__(
        self,
        name: str,
        arms: Mapping[date, Sequence[Arm]],
        loaded: Mapping[int, LoadedModel],
        tasks: int | None = None,
    ) -> None:
        self.name = name
        self._arms = arms
        self._loaded = loaded
        self._tasks = tasks

    def score(self, features: DataFrame) -> DataFrame:
        """The rows of the features with `score`, `model_name`, `model_version` and `served_by`.

        Days on which nobody holds the role have no rows.

        Raises:
            FeatureMissing: the features are not those that a version was trained on.
        """
        if self._tasks is not None:
            entity = next(iter(self._loaded.values())).facts.entity
            # By the entity: without a column Spark would sort all rows first, so that a task run twice hands out the same.
            features = features.repartition(self._tasks, entity)
        alike: dict[tuple[tuple[int, str, int], ...], list[date]] = {}
        for day, arms in self._arms.items():
            alike.setdefault(tuple((a.version, a.served_by, a.share) for a in arms), []).append(day)
        scored = [
            self._scored(arm, self._arms[days[0]], features.where(F.col(BATCH_DATE).isin(days)))
            for days in alike.values()
            for arm in self._arms[days[0]]
        ]
        if not scored:
            nobody = features.where(F.lit(False)).withColumn("score", F.lit(None).cast("double"))
            scored = [_labelled(nobody, None, "")]
        return reduce(DataFrame.unionByName, scored).withColumn("model_name", F.lit(self.name))

    def _scored(self, arm: Arm, arms: Sequence[Arm], features: DataFrame) -> DataFrame:
        model = self._loaded[arm.version]
        if len(arms) > 1:
            is_second = _bucket(self.name, arms[1], model.facts.entity) < F.lit(arms[1].share)
            features = features.where(is_second if arm is arms[1] else ~is_second)
        return _labelled(model.score(features), arm.version, str(arm.served_by))


def _labelled(scored: DataFrame, version: int | None, served_by: str) -> DataFrame:
    return scored.withColumns({"model_version": F.lit(version).cast("int"), SERVED_BY: F.lit(served_by)})


def _bucket(model: str, arm: Arm, entity: str) -> Column:
    """An entity's place from 0 to 99 in the rollout of a version: the same on every night, another for each version.

    Shares only grow over it, so that whom a version scores at 5 % it goes on scoring at 25 %.
    """
    salt = F.lit(f"{model} {arm.version}")
    return F.pmod(F.xxhash64(salt, F.col(entity).cast("string")), F.lit(100))

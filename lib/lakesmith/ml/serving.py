"""A model at work: the version that scores a batch, loaded and checked, applied to features.

Owns what stands between a stored model and a score: its files are those that were registered, the features are those that
it was trained on, and none of them has gone missing altogether.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.errors import DataRejected, LakesmithError
from lakesmith.ml import pipelines

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = [
    "FACTS_FILE",
    "FeatureMissing",
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
    """A version that was checked and loaded."""

    version: int
    facts: ModelFacts
    pipeline: PipelineModel

    def score(self, features: DataFrame) -> DataFrame:
        """The rows of the features table with `score`.

        Raises:
            FeatureMissing: a column is gone, has another type, or is null everywhere although it was not in training.
        """
        self._check_columns(features)
        self._check_filled(features)
        return pipelines.with_score(self.pipeline, features)

    def _check_columns(self, features: DataFrame) -> None:
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

    def _check_filled(self, features: DataFrame) -> None:
        expected = [n for n, share in self.facts.missing_shares.items() if share < _NEARLY_ALWAYS_MISSING]
        if not expected:
            return
        filled: list[Column] = [F.count(name).alias(name) for name in expected]
        for row in features.groupBy(BATCH_DATE).agg(*filled).collect():
            empty = [name for name in expected if not row[name]]
            if empty:
                raise FeatureMissing(
                    self.facts.model,
                    self.version,
                    f"{', '.join(empty)} of {self.facts.features_table} {row[BATCH_DATE]} is null in every row "
                    f"(in training in {self.facts.missing_shares[empty[0]]:.0%})",
                    f"See what became of it: lakesmith quality {self.facts.features_table} --date {row[BATCH_DATE]}",
                    row[BATCH_DATE],
                )


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
    """What a transform gets for the input `model`: scores each batch by the version that is pinned for it.

    Args:
        name: of the model.
        versions: batch -> version.
        load: loads a version.
    """

    def __init__(self, name: str, versions: Mapping[date, int], load: Callable[[int], LoadedModel]) -> None:
        self.name = name
        self._versions = versions
        self._load = load

    def score(self, features: DataFrame) -> DataFrame:
        """The rows of the features with `score`, `model_name` and `model_version`.

        Raises:
            ModelUnusable: a version cannot be loaded.
            FeatureMissing: the features are not those that a version was trained on.
        """
        by_version: dict[int, list[date]] = {}
        for day, version in self._versions.items():
            by_version.setdefault(version, []).append(day)
        scored = [
            self._load(version)
            .score(features.where(F.col(BATCH_DATE).isin(days)))
            .withColumn("model_version", F.lit(version))
            for version, days in sorted(by_version.items())
        ]
        return reduce(DataFrame.unionByName, scored).withColumn("model_name", F.lit(self.name))

"""What a training leaves in MLflow: everything that a stranger needs to trust the model, and to make it again.

Owns the layout of a run: parameters, metrics with their intervals, inputs with table versions, and these artifacts:

    model/              the Spark model, with `lakesmith.json` beside MLflow's files
    training.json       the recipe: versions, as-of dates, seed, winner; what `reproduce` follows
    evaluation.json     test and validation of model, baselines and champion; the test by segment
    trials.json         everything that was tried
    baseline_profile.json   the training rows' distributions, for drift
    model_card.md  plots/*.png  declaration.yml
    code/               the wheel, the project and the locked requirements that trained it
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.model import Contract
from lakesmith.contracts.types import ColumnType
from lakesmith.ml.evaluation_values import Evaluation
from lakesmith.ml.serving import ModelFacts, folder_digest
from lakesmith.ml.store import BASELINE_FILE, MODEL_FOLDER, ModelStore

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from pyspark.ml import PipelineModel

__all__ = ["LoggedRun", "TrainingLog", "log_training"]


@dataclass(frozen=True)
class TrainingLog:
    """All that is to be kept of one training.

    Args:
        metrics: name -> value, as MLflow lists them; undefined ones are left out.
        inputs: (table, path, version, context), the context being `training` or `test`.
        documents: from the run's id, file name -> JSON value or text.
        pictures: file name -> PNG.
        code: files that go to code/.
    """

    declaration: ModelDeclaration
    contract: Contract
    model: PipelineModel
    facts: ModelFacts
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    inputs: Sequence[tuple[str, str, int, str]]
    documents: Callable[[str], Mapping[str, Any]]
    pictures: Mapping[str, bytes]
    code: Sequence[Path]
    requirements: Sequence[str]
    baseline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LoggedRun:
    """Where a training was kept.

    Args:
        digest: SHA-256 over the model's files.
    """

    run_id: str
    digest: str
    source: str


def log_training(store: ModelStore, log: TrainingLog) -> LoggedRun:
    """Keeps a training in MLflow as one finished run.

    Raises:
        StoreUnreachable: MLflow does not take it.
    """
    from mlflow.entities import Metric, Param, RunTag

    experiment = store.experiment(log.declaration.name)
    client = store.client
    with tempfile.TemporaryDirectory(prefix="lakesmith-training-") as folder, store.translating():
        root = Path(folder)
        digest = _save_model(root / MODEL_FOLDER, log)
        run = client.create_run(experiment, run_name=log.tags.get("lakesmith.as_of"), tags=dict(log.tags))
        run_id = run.info.run_id
        try:
            _write(root, log, run_id)
            moment = run.info.start_time
            metrics = [
                Metric(name, value, moment, 0) for name, value in log.metrics.items() if math.isfinite(value)
            ]
            params = [Param(name, str(value)[:6000]) for name, value in log.parameters.items()]
            client.log_batch(
                run_id, metrics=metrics[:1000], params=params, tags=[RunTag("mlflow.source.type", "JOB")]
            )
            client.log_inputs(run_id, _datasets(log.inputs))
            store.keep(log.declaration.name, run_id, root)
        except BaseException:
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
    return LoggedRun(run_id, digest, store.source(log.declaration.name, run_id, run.info.artifact_uri))


def _save_model(folder: Path, log: TrainingLog) -> str:
    import mlflow.spark

    # With a signature and requirements of its own MLflow need not load the model to find them out.
    mlflow.spark.save_model(
        log.model,
        str(folder),
        signature=_signature(log.facts.features, log.contract),
        pip_requirements=list(log.requirements),
        dfs_tmpdir=str(folder.parent / "tmp"),
    )
    shutil.rmtree(folder.parent / "tmp", ignore_errors=True)
    log.facts.write(folder)
    if log.baseline:
        text = json.dumps(log.baseline, sort_keys=True, allow_nan=False)
        (folder / BASELINE_FILE).write_text(f"{text}\n", encoding="utf-8")
    return folder_digest(folder)


def _write(root: Path, log: TrainingLog, run_id: str) -> None:
    for name, value in log.documents(run_id).items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True) + "\n"
        (root / name).write_text(text, encoding="utf-8")
    (root / "plots").mkdir()
    for name, picture in log.pictures.items():
        (root / "plots" / name).write_bytes(picture)
    (root / "code").mkdir()
    for path in log.code:
        shutil.copy(path, root / "code" / path.name)


def _datasets(inputs: Sequence[tuple[str, str, int, str]]) -> list[Any]:
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.entities import DatasetInput, InputTag

    found = []
    for table, path, version, context in inputs:
        source = DeltaDatasetSource(path=path, delta_table_version=version)
        # Of two datasets with one name and digest MLflow keeps one, and one context.
        digest = f"version-{version}-{context}"
        # MLflow's own class for a dataset that nobody loads leaves a method abstract that it inherits.
        dataset = MetaDataset(source, name=table, digest=digest)  # type: ignore[abstract]
        found.append(DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", context)]))
    return found


def _signature(features: Mapping[str, str], contract: Contract) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    columns: list[ColSpec | TensorSpec] = [
        ColSpec(_mlflow_type(contract.column(name).type), name, required=not contract.column(name).nullable)
        for name in features
    ]
    return ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("double", "prediction")]))


def _mlflow_type(kind: ColumnType) -> str:
    """MLflow's name of a column's type; it has no decimals."""
    text = str(kind)
    names = {"bigint": "long", "int": "integer", "smallint": "integer", "tinyint": "integer"}
    if text.startswith("decimal"):
        return "double"
    return names.get(text, text)


def flat_metrics(prefix: str, found: Evaluation, *, intervals: bool) -> dict[str, float]:
    """An evaluation as MLflow lists numbers: `test_roc_auc`, `test_roc_auc_low`, `test_roc_auc_high`.

    Args:
        prefix: `test`, `validation`, `baseline_rfm`.
        intervals: also their ends.
    """
    flat: dict[str, float] = {}
    for name, interval in found.metrics.items():
        flat[f"{prefix}_{name}"] = interval.value
        if intervals:
            flat[f"{prefix}_{name}_low"], flat[f"{prefix}_{name}_high"] = interval.low, interval.high
    if found.confusion is not None:
        for name, count in vars(found.confusion).items():
            flat[f"{prefix}_{name}"] = float(count)
    return flat

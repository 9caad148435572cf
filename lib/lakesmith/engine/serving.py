"""Which versions of a model really score a run's batches, and what stands in for those that cannot.

Owns the way from what was pinned to what a transform calls: a version is loaded and looked at before anything is computed, so
that what a record says was read is what scored. Where a table of scores declares fallbacks they are tried in their order; a
circuit breaker keeps a model that failed again and again from being tried more than once a night.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from lakesmith.contracts.model import Contract, Fallback
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, PinnedModel, PinnedTable
from lakesmith.errors import LakesmithError
from lakesmith.ledger.arms import Arm, ServedBy
from lakesmith.ledger.circuit import CircuitRecord
from lakesmith.ledger.live import LiveBatch
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.ops import now

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakesmith.ml.serving import LoadedModel, Model

__all__ = ["Served", "loaded_version", "scoring_tasks", "serve"]

log = logging.getLogger(__name__)

# A tree model scores so many in about half a second, and a task takes a hundredth of that to start.
_ROWS_A_TASK = 50_000


@dataclass(frozen=True)
class Served:
    """What scores the batches of a run.

    Args:
        pinned: the inputs, with the versions that really score.
        models: the transform's inputs that are models, by name.
        unserved: batches that nothing can score, with the reason; the table declares that they repeat the last scores.
        remarks: what stood in for what, in words.
    """

    pinned: PinnedInputs
    models: Mapping[str, Model] = field(default_factory=dict)
    unserved: Mapping[date, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def serve(
    context: Context, contract: Contract, pinned: PinnedInputs, inputs: Mapping[str, DataFrame], run_id: str
) -> Served:
    """Settles what scores each batch.

    Args:
        inputs: the run's DataFrames by the input's name, the features among them.

    Raises:
        ModelUnusable, StoreUnreachable, FeatureMissing: a version cannot score, and nothing that is declared can stand in for it.
    """
    if contract.model_input is None:
        return Served(pinned)
    # Not above: tables without a model do not wait for Spark's machine learning to be imported.
    from lakesmith.ml.serving import Model

    model = pinned.models[0]
    features = _features(context, model, pinned)
    rows = inputs[features.input.name]
    server = _Server(context, model, rows, run_id, max(model.arms) + timedelta(contract.lag_days))
    arms: dict[date, tuple[Arm, ...]] = {}
    unserved: dict[date, str] = {}
    remarks: dict[str, list[date]] = {}
    for day, wanted in model.arms.items():
        found, reason = server.settle(day, wanted)
        if found is None:
            unserved[day] = reason
            continue
        arms[day] = found
        if reason:
            remarks.setdefault(reason, []).append(day)
    served = replace(pinned, models=(model.served_by(arms),))
    said = tuple(f"{contract.table} {_span(days)}: {text}" for text, days in remarks.items())
    for text in said:
        log.warning(text)
    name = model.input.model or ""
    parts = [part for day in arms if (part := features.batch(day)) is not None]
    tasks = scoring_tasks(parts, context.spark.sparkContext.defaultParallelism) if server.loaded else None
    return Served(served, {model.input.name: Model(name, arms, server.loaded, tasks)}, unserved, said)


def loaded_version(context: Context, event: ModelEvent) -> LoadedModel:
    """The version that an event is about, checked and loaded.

    Raises:
        ModelUnusable: its files are gone or changed.
        StoreUnreachable: MLflow does not hand them out.
    """
    from lakesmith.ml.serving import ModelUnusable, load_model
    from lakesmith.ml.store import MODEL_FOLDER, ArtifactMissing, ModelStore

    # The session must be there before Spark's loader is.
    _ = context.spark
    store = ModelStore(context.settings)
    files = ExitStack()
    try:
        folder = files.enter_context(store.artifacts(event.model, event.run_id, MODEL_FOLDER))
        return replace(load_model(event.model, event.version, event.digest, folder), files=files)
    except ArtifactMissing as error:
        reason = f"its run {event.run_id} in {store.shown_uri} holds no {MODEL_FOLDER}"
        raise ModelUnusable(event.model, event.version, reason) from error


class _Server:
    """Tries versions for one run, each once."""

    def __init__(
        self, context: Context, model: PinnedModel, features: DataFrame, run_id: str, night: date
    ) -> None:
        from lakesmith.ml.store import ModelStore

        self._context = context
        self._model = model
        self._features = features
        self._run_id = run_id
        self._night = night
        self._uri = ModelStore(context.settings).shown_uri
        self._timeline = context.ledger.timeline(model.input.model or "")
        limit = context.settings.serving.failures_to_open
        self._circuit = context.ledger.circuit(self._timeline.model, self._uri, limit)
        self._failed: dict[int, LakesmithError] = {}
        self._empty: dict[int, Mapping[date, LakesmithError]] = {}
        self.loaded: dict[int, LoadedModel] = {}

    def settle(self, day: date, wanted: tuple[Arm, ...]) -> tuple[tuple[Arm, ...] | None, str]:
        """What scores a batch, and in words what it stands in for; None where only earlier scores are left."""
        fallbacks = () if self._model.asked else self._model.input.fallbacks
        errors: list[LakesmithError] = []
        closed = not fallbacks or self._circuit.lets_try(self._night)
        if closed:
            usable = [arm for arm in wanted if self._is_usable(arm, day, errors, counts=True)]
            if len(usable) == len(wanted):
                return wanted, ""
            if not fallbacks:
                raise errors[0]
            if usable and usable[0].served_by is ServedBy.CHAMPION:
                # Of a rollout the challenger is gone: its share goes back to the champion.
                return (replace(usable[0], share=100),), f"the champion scores alone: {_said(errors)}"
        else:
            errors = [LakesmithError(f"{self._timeline.model} is {self._circuit.reason}")]
        before = self._before(day, wanted) if Fallback.PREVIOUS_CHAMPION in fallbacks else None
        if before is not None and not self._server_is_gone(errors):
            arm = Arm(before, ServedBy.PREVIOUS_CHAMPION)
            if self._is_usable(arm, day, errors, counts=False):
                return (arm,), f"version {before.version}, the champion before, stood in: {_said(errors)}"
        if Fallback.LAST_SCORES in fallbacks:
            return None, _said(errors)
        raise errors[0]

    def _is_usable(self, arm: Arm, day: date, errors: list[LakesmithError], *, counts: bool) -> bool:
        version = arm.version
        if version not in self.loaded and version not in self._failed:
            self._try(arm, counts=counts)
        error = self._failed.get(version) or self._empty.get(version, {}).get(day)
        if error is not None:
            errors.append(error)
        return error is None

    def _try(self, arm: Arm, *, counts: bool) -> None:
        try:
            loaded = loaded_version(self._context, arm.event)
            loaded.check_columns(self._features)
            self._empty[arm.version] = loaded.without_a_feature(self._features)
            self.loaded[arm.version] = loaded
        except LakesmithError as error:
            self._failed[arm.version] = error
        failure = self._failed.get(arm.version)
        if counts and (failure is not None or self._circuit.failures):
            self._note(arm, failure)

    def _note(self, arm: Arm, failure: LakesmithError | None) -> None:
        record = CircuitRecord(
            model=self._timeline.model,
            server=self._uri,
            night=self._night,
            recorded_at=now(),
            failed=failure is not None,
            version=arm.version,
            run_id=self._run_id,
            reason=f"{type(failure).__name__}: {failure}" if failure is not None else "",
        )
        self._context.ledger.ops.append([record])

    def _before(self, day: date, wanted: Sequence[Arm]) -> ModelEvent | None:
        """The champion before the one that should score."""
        made = next(
            (e for e in reversed(self._timeline.events) if e.event.crowns and e.version == wanted[0].version),
            self._timeline.champion_on(day),
        )
        return self._timeline.registered(made.before) if made is not None and made.before else None

    def _server_is_gone(self, errors: Iterable[LakesmithError]) -> bool:
        """True when another version need not be asked of the same server."""
        from lakesmith.ml.store import StoreUnreachable

        if any(isinstance(error, StoreUnreachable) for error in errors):
            return True
        failures = self._circuit.failures
        return self._circuit.is_open and failures[-1].reason.startswith(StoreUnreachable.__name__)


def _features(context: Context, model: PinnedModel, pinned: PinnedInputs) -> PinnedTable:
    """The features that the model was declared for, which contracts make an input of every table that reads it."""
    table = context.project.models[model.input.model or ""].features_table
    return next(entry for entry in pinned.tables if entry.contract.table == table)


def scoring_tasks(parts: Sequence[LiveBatch], cores: int) -> int | None:
    """Over how many tasks rows are spread before they are scored; None leaves them to the tasks that read them.

    Spark reads a file of one row group, as a batch of up to a million rows is, in one task, and a model takes far longer for a
    row than reading and moving it. Files are of any size: fewer than two for each task may leave one task with most rows.

    Args:
        parts: the batches of features.
        cores: tasks that run at once.
    """
    tasks = min(cores, sum(part.rows or 0 for part in parts) // _ROWS_A_TASK)
    return tasks if tasks > 1 and sum(len(part.paths) for part in parts) < 2 * tasks else None


def _said(errors: Iterable[LakesmithError]) -> str:
    return "; ".join(dict.fromkeys(str(error) for error in errors))


def _span(days: Sequence[date]) -> str:
    return f"{days[0]}" if len(days) == 1 else f"{days[0]} .. {days[-1]}"

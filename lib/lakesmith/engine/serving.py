"""Models at hand for a run: versions that are pinned, fetched from their store and checked when they are needed.

Owns the way from a pinned version to what a transform calls. MLflow is not imported for a store of files.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, PinnedModel
from lakesmith.ledger.model_events import ModelEvent

if TYPE_CHECKING:
    from lakesmith.ml.serving import LoadedModel, Model

__all__ = ["loaded_version", "served_models"]


def served_models(context: Context, pinned: PinnedInputs) -> dict[str, Model]:
    """The model inputs of a transform, by name; a version is loaded when it first scores."""
    return {entry.input.name: _served(context, entry) for entry in pinned.models}


def loaded_version(context: Context, event: ModelEvent) -> LoadedModel:
    """The version that an event is about, checked and loaded.

    Raises:
        ModelUnusable: its files are gone or changed.
        StoreUnreachable: MLflow does not hand them out.
    """
    # Not above: tables without a model do not wait for Spark's machine learning to be imported.
    from lakesmith.ml.serving import ModelUnusable, load_model
    from lakesmith.ml.store import MODEL_FOLDER, ArtifactMissing, ModelStore

    # The session must be there before Spark's loader is.
    _ = context.spark
    store = ModelStore(context.settings)
    try:
        with store.artifacts(event.model, event.run_id, MODEL_FOLDER) as folder:
            return load_model(event.model, event.version, event.digest, folder)
    except ArtifactMissing as error:
        reason = f"its run {event.run_id} in {store.shown_uri} holds no {MODEL_FOLDER}"
        raise ModelUnusable(event.model, event.version, reason) from error


def _served(context: Context, pinned: PinnedModel) -> Model:
    from lakesmith.ml.serving import Model

    events = {event.version: event for event in pinned.events.values()}
    return Model(
        pinned.input.model or "",
        {day: event.version for day, event in pinned.events.items()},
        cache(lambda version: loaded_version(context, events[version])),
    )

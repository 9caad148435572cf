"""A champion without a training: fitted on rows that are made up, kept and registered like any other."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from lakesmith.contracts.declaration import Calibration, ModelDeclaration
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.engine.context import Context
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ml import pipelines
from lakesmith.ml.frames import LABEL
from lakesmith.ml.gates import Verdict
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.serving import ModelFacts
from lakesmith.ml.store import ModelStore
from lakesmith.ml.tracking import TrainingLog, log_training

__all__ = ["plant", "plant_champion", "plant_pair"]

_ROWS = 60


def plant_champion(context: Context, model: str, first: date, *, seed: int = 1) -> ModelEvent:
    """A new version of a model, promoted: it scores the batches from a day on."""
    event = plant(context, model, first, seed=seed)
    return ModelRegistry(ModelStore(context.settings), context.ledger).promote(model, event.version, first)


def plant_pair(context: Context, model: str, first: date) -> None:
    """A champion that scores the batches from a day on, and a challenger with other scores in its shadow."""
    plant_champion(context, model, first)
    plant(context, model, first, seed=2, first=first)


def plant(
    context: Context,
    model: str,
    as_of: date,
    *,
    seed: int = 1,
    verdicts: tuple[Verdict, ...] = (),
    facts: Mapping[str, Any] | None = None,
    first: date | None = None,
) -> ModelEvent:
    """A new version of a model, registered.

    Args:
        first: the first batch that it scores in shadow.
        seed: another seed gives a model with other scores.
        facts: changes of what is stored beside it.
    """
    declaration = context.project.model(model)
    contract = context.project.graph.contract(declaration.features_table)
    rows = _rows(declaration, contract, seed)
    ddl = ", ".join(
        [
            *(f"{name} {contract.column(name).type}" for name in declaration.features),
            f"{LABEL} double",
            f"{BATCH_DATE} date",
        ]
    )
    frame = context.spark.createDataFrame([(*row, as_of) for row in rows], ddl).coalesce(1)
    candidate = replace(declaration.candidates[0], search={})
    fitted = pipelines.pipeline(declaration, contract, candidate, {"regParam": 0.1, "maxIter": 5}).fit(frame)
    plain = pipelines.calibrator(Calibration.NONE, frame)
    stored = ModelFacts(
        model=model,
        problem=str(declaration.problem),
        entity=declaration.entity,
        features_table=declaration.features_table,
        features={name: str(contract.column(name).type) for name in declaration.features},
        # Of a few customers all may lack a feature.
        missing_shares={},
        threshold=0.5,
    )
    store = ModelStore(context.settings)
    run = log_training(
        store,
        TrainingLog(
            declaration=declaration,
            contract=contract,
            model=pipelines.join(fitted, plain),
            facts=replace(stored, **(facts or {})),
            parameters={"seed": seed},
            metrics={"test_roc_auc": 0.7},
            tags={"lakesmith.model": model, "lakesmith.as_of": as_of.isoformat()},
            inputs=[],
            documents=lambda run_id: {"model_card.md": f"# {model}, run {run_id}\n"},
            pictures={},
            code=[],
            requirements=["pyspark"],
        ),
    )
    return ModelRegistry(store, context.ledger).register(model, run, as_of, verdicts, "planted", first)


def _rows(declaration: ModelDeclaration, contract: Contract, seed: int) -> list[tuple[Any, ...]]:
    draw = random.Random(seed)
    kinds = [str(contract.column(name).type) for name in declaration.features]
    return [(*(_value(kind, draw) for kind in kinds), float(draw.random() < 0.4)) for _ in range(_ROWS)]


def _value(kind: str, draw: random.Random) -> Any:
    if kind == "boolean":
        return draw.random() < 0.5
    if kind in ("double", "float"):
        return draw.random() * 10
    if kind.startswith("decimal"):
        return Decimal(draw.randrange(100))
    return draw.randrange(1, 8) if kind != "string" else draw.choice("abc")

"""What a table of how models do reads in a run: scores, their labels, and what each version was found to be when it was trained.

Owns where the figures of a version's test come from: they are beside its run, and kept in `ops.baselines` under the digest of the
version, so that a night asks MLflow for nothing that an earlier one knew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from lakesmith.contracts.judged import DRIFT_INPUT
from lakesmith.contracts.model import Contract, Judged
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, PinnedTable
from lakesmith.lake.reading import read_batches
from lakesmith.ledger.baselines import BaselineRecord
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.ops import now

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakesmith.monitoring.performance import TestFigures
    from lakesmith.monitoring.performance_frame import JudgedModels, JudgedTable

__all__ = ["JUDGED", "judged_models"]

JUDGED = "judged"
"""The parameter of the transform of a table of how models do."""


def judged_models(
    context: Context, contract: Contract, pinned: PinnedInputs, batches: Sequence[date]
) -> JudgedModels:
    """What the transform of a table of how models do is given.

    Args:
        pinned: the run's inputs.
        batches: the run's batches.

    Raises:
        StoreUnreachable: in the transform, where a version's test is asked for the first time and MLflow does not hand it out.
    """
    from lakesmith.monitoring.performance_frame import JudgedModels

    tables = {table.input.name: table for table in pinned.tables}
    drift = tables.get(DRIFT_INPUT)
    return JudgedModels(
        context.spark,
        tuple(_table(context, judged, tables, batches) for judged in contract.judged),
        _read(context, drift) if drift is not None else None,
    )


def _table(
    context: Context, judged: Judged, tables: dict[str, PinnedTable], batches: Sequence[date]
) -> JudgedTable:
    from lakesmith.monitoring.performance_frame import JudgedTable

    scores = tables[judged.scores]
    return JudgedTable(
        judged,
        _read(context, scores),
        _read(context, tables[judged.labels]),
        _read(context, tables[judged.features]) if judged.features is not None else None,
        {day: scores.rows(day) for day in scores.days or ()},
        {day: tuple(scores.windows[day] or ()) for day in batches},
        lambda version: _test_of(context, judged.model.name, version),
    )


def _read(context: Context, table: PinnedTable) -> DataFrame:
    return read_batches(context.spark, context.lake, table.contract, table.version, table.days)


def _test_of(context: Context, model: str, version: int) -> TestFigures | None:
    from lakesmith.monitoring.performance import TestFigures

    event = context.ledger.timeline(model).registered(version)
    if event is None:
        return None
    table, key, ops = f"models.{model}", f"{event.digest} test", context.ledger.ops
    kept = next((r for r in ops.records(BaselineRecord, tables=[table]) if r.key == key), None)
    if kept is None:
        found = _stored(context, event)
        text = json.dumps(found.to_dict(), sort_keys=True, allow_nan=False) if found is not None else ""
        kept = BaselineRecord(table, key, now(), text)
        ops.append([kept])
    return TestFigures.from_dict(json.loads(kept.baseline)) if kept.baseline else None


def _stored(context: Context, event: ModelEvent) -> TestFigures | None:
    """None where the version's run holds no evaluation."""
    from lakesmith.ml.store import EVALUATION_FILE, ArtifactMissing, ModelStore
    from lakesmith.monitoring.performance import TestFigures

    try:
        with ModelStore(context.settings).artifacts(event.model, event.run_id, EVALUATION_FILE) as file:
            return TestFigures.of(json.loads(file.read_text(encoding="utf-8")))
    except ArtifactMissing:
        return None

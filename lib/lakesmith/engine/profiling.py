"""What a table of profiles reads in a run: batches of the watched tables, and the baselines that they are measured by.

Owns where a baseline comes from. Of a model it is beside the model's files; of batches it is made of their rows, as pinned.
Either is kept in `ops.baselines` under the digest of what it follows from, so that a night scans its own batches and nothing
else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from lakesmith.contracts.model import Contract, Input, Watched
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, PinnedModel, PinnedTable
from lakesmith.lake.reading import read_batches
from lakesmith.ledger.arms import Arm
from lakesmith.ledger.baselines import BaselineRecord
from lakesmith.ledger.ops import now
from lakesmith.ledger.window_digest import WindowDigests

if TYPE_CHECKING:
    from lakesmith.monitoring.baseline import TableBaseline
    from lakesmith.monitoring.tables import NamedBaseline, Profiled, ProfiledTable

__all__ = ["PROFILED", "profiled"]

PROFILED = "profiled"
"""The parameter of the transform of a table of profiles."""

_SCORE = "score"


def profiled(context: Context, contract: Contract, pinned: PinnedInputs, batches: Sequence[date]) -> Profiled:
    """What the transform of a table of profiles is given.

    Args:
        pinned: the run's inputs.
        batches: the run's batches.

    Raises:
        StoreUnreachable: a model's baseline is asked for the first time, and MLflow does not hand it out.
    """
    from lakesmith.monitoring.tables import Profiled

    baselines = _Baselines(context)
    tables = {table.input.name: table for table in pinned.tables}
    models = {model.input.name: model for model in pinned.models}
    return Profiled(
        context.spark,
        tuple(
            _table(
                context,
                watched,
                tables[watched.rows],
                tables.get(watched.past or ""),
                models.get(watched.model or ""),
                batches,
                baselines,
            )
            for watched in contract.watched
        ),
    )


def _table(
    context: Context,
    watched: Watched,
    rows: PinnedTable,
    past: PinnedTable | None,
    model: PinnedModel | None,
    batches: Sequence[date],
    baselines: _Baselines,
) -> ProfiledTable:
    from lakesmith.monitoring.tables import ProfiledTable

    nothing = WindowDigests(batches[0]).of(None)
    there = tuple(day for day in batches if rows.reads[day].digest != nothing)
    named: dict[date, NamedBaseline] = {}
    for day in there:
        found = None
        if past is not None and past.windows[day] is not None and past.reads[day].digest != nothing:
            found = baselines.of_batches(watched, past, day)
        elif model is not None and model.arms[day]:
            found = baselines.of_model(watched, model.input, model.arms[day][0])
        if found is not None:
            named[day] = found
    return ProfiledTable(
        watched,
        read_batches(context.spark, context.lake, rows.contract, rows.version, rows.days),
        there,
        named,
    )


class _Baselines:
    """The baselines of one run, each read or made once."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[tuple[str, str], TableBaseline | None] = {}

    def of_batches(self, watched: Watched, past: PinnedTable, day: date) -> NamedBaseline | None:
        """Of the table's own earlier batches, as pinned."""
        from lakesmith.monitoring.tables import NamedBaseline

        period = watched.profile.baseline.days
        how = {
            "batches": past.reads[day].digest,
            "columns": [[c.name, str(c.type), c.subject] for c in watched.columns],
            "slices": list(watched.profile.slices),
            "repeated": watched.profile.repeated,
        }
        key = hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
        found = self._found(watched.table, key, lambda: self._made(watched, past, day))
        return NamedBaseline(str(period), found) if found is not None else None

    def of_model(self, watched: Watched, entry: Input, arm: Arm) -> NamedBaseline | None:
        """Of what a version of a model was trained on; in a table of its scores, of those that it gave on its test."""
        from lakesmith.monitoring.tables import NamedBaseline

        part = _SCORE if watched.score is not None else "features"
        key = f"{arm.event.digest} {part}"
        found = self._found(entry.target, key, lambda: self._stored(arm, part))
        if found is not None and watched.score is not None:
            found = found.renamed({_SCORE: watched.score})
        return NamedBaseline(f"{entry.model} version {arm.version}", found) if found is not None else None

    def _found(self, table: str, key: str, make: Any) -> TableBaseline | None:
        from lakesmith.monitoring.baseline import TableBaseline

        if (table, key) not in self._known:
            ops = self._context.ledger.ops
            kept = next((r for r in ops.records(BaselineRecord, tables=[table]) if r.key == key), None)
            if kept is None:
                made: TableBaseline | None = make()
                text = json.dumps(made.to_dict(), sort_keys=True, allow_nan=False) if made is not None else ""
                kept = BaselineRecord(table, key, now(), text)
                ops.append([kept])
            self._known[table, key] = (
                TableBaseline.from_dict(json.loads(kept.baseline)) if kept.baseline else None
            )
        return self._known[table, key]

    def _made(self, watched: Watched, past: PinnedTable, day: date) -> TableBaseline | None:
        from lakesmith.monitoring.scan import measure_of
        from lakesmith.monitoring.tables import find_baseline

        rows = read_batches(
            self._context.spark, self._context.lake, past.contract, past.version, past.windows[day]
        )
        kinds = {field.name: field.dataType for field in rows.schema.fields}
        columns = {c.name: measure_of(kinds[c.name], subject=c.subject) for c in watched.columns}
        return find_baseline(rows, columns, watched.profile.slices, repeated=watched.profile.repeated)

    def _stored(self, arm: Arm, part: str) -> TableBaseline | None:
        """None where the version was trained before there were baselines."""
        from lakesmith.ml.store import BASELINE_FILE, MODEL_FOLDER, ArtifactMissing, ModelStore
        from lakesmith.monitoring.baseline import TableBaseline

        event = arm.event
        store = ModelStore(self._context.settings)
        try:
            with store.artifacts(event.model, event.run_id, f"{MODEL_FOLDER}/{BASELINE_FILE}") as file:
                stored = json.loads(file.read_text(encoding="utf-8"))
        except ArtifactMissing:
            return None
        return TableBaseline.from_dict(stored[part]) if stored.get(part) else None

"""What became of every version of a model: registered, promoted, rolled back, rejected; and who said so and why.

Owns `ops.model_events` as values, and the answer to the one question that scoring asks of it: which version scores the batch of
a day. MLflow's aliases follow this table; it does not follow them, since an alias has no history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["ModelEvent", "ModelEventKind", "ModelTimeline"]


class ModelEventKind(StrEnum):
    """What happened to a version.

    `registered` passed every gate; `validation_failed` did not and is kept all the same; `promoted` and `rolled_back` made it
    the champion; `rejected` says that it must never be.
    """

    REGISTERED = "registered"
    VALIDATION_FAILED = "validation_failed"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"

    @property
    def crowns(self) -> bool:
        """True when the version is the champion from then on."""
        return self in (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK)


@dataclass(frozen=True)
class ModelEvent(Record):
    """One thing that happened to one version of a model.

    Args:
        version: as the registry counts.
        effective_from: for a new champion, the first batch that it scores.
        before: the champion until then; None for the first.
        run_id: MLflow's, of the training.
        digest: SHA-256 over the files of the model.
        as_of: the last night that the training knew.
        who: the user of the process.
        reason: in their words; why it was trained, for a registration.
        forced: made champion although a gate said no.
        gates: the verdict of every gate.
    """

    model: str
    version: int
    event: ModelEventKind
    recorded_at: datetime
    effective_from: date | None
    before: int | None
    run_id: str
    digest: str
    as_of: date
    who: str
    reason: str = ""
    forced: bool = False
    gates: tuple[Mapping[str, Any], ...] = ()

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("model", pa.string()),
            ("version", pa.int64()),
            ("event", pa.string()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("effective_from", pa.date32()),
            ("before", pa.int64()),
            ("run_id", pa.string()),
            ("digest", pa.string()),
            ("as_of", pa.date32()),
            ("who", pa.string()),
            ("reason", pa.string()),
            ("forced", pa.bool_()),
            ("gates", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The event of a row as pyarrow gives it."""
        return cls(**{**row, "event": ModelEventKind(row["event"]), "gates": tuple(json.loads(row["gates"]))})

    @property
    def gates_passed(self) -> bool:
        """True when no gate said no."""
        return all(gate["passed"] for gate in self.gates)


@dataclass(frozen=True)
class ModelTimeline:
    """All events of one model, oldest first."""

    model: str
    events: tuple[ModelEvent, ...] = field(default_factory=tuple)

    @classmethod
    def of(cls, model: str, events: Iterable[ModelEvent]) -> Self:
        """The timeline of one model out of the events of all."""
        return cls(model, tuple(sorted((e for e in events if e.model == model), key=lambda e: e.recorded_at)))

    @property
    def since(self) -> date | None:
        """The first batch that any champion scores; None while there never was one."""
        return min((e.effective_from for e in self._crowned if e.effective_from is not None), default=None)

    @property
    def champion(self) -> ModelEvent | None:
        """The event that made the champion of now."""
        return self._crowned[-1] if self._crowned else None

    @property
    def previous(self) -> ModelEvent | None:
        """The registration of the champion before this one; None when there is none."""
        champion = self.champion
        return self.registered(champion.before) if champion is not None and champion.before else None

    def champion_on(self, day: date) -> ModelEvent | None:
        """The event that made the version that scores the batch of a day: of those in force then, the last made.

        A backfill of the days of two champions so gives what their nights gave.
        """
        in_force = [e for e in self._crowned if e.effective_from is not None and e.effective_from <= day]
        return in_force[-1] if in_force else None

    def registered(self, version: int | None) -> ModelEvent | None:
        """The event with which a version began."""
        return next((e for e in self.events if e.version == version and not e.event.crowns), None)

    def last(self, version: int) -> ModelEvent | None:
        """The last event of a version."""
        return next((e for e in reversed(self.events) if e.version == version), None)

    @property
    def versions(self) -> tuple[int, ...]:
        """Every version, oldest first."""
        return tuple(dict.fromkeys(e.version for e in self.events))

    @property
    def _crowned(self) -> tuple[ModelEvent, ...]:
        return tuple(e for e in self.events if e.event.crowns)

"""What became of every version of a model: registered, promoted, rolled back, rejected; and who said so and why.

Owns `ops.model_events` as values, and the answers to what scoring asks of it: which version is the champion on the batch of a
day, which the challenger, and how many of the entities a rollout gives to the latter. MLflow's aliases follow this table; it does
not follow them, since an alias has no history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["ModelEvent", "ModelEventKind", "ModelTimeline", "TrainedOn"]


class ModelEventKind(StrEnum):
    """What happened to a version.

    `registered` passed every gate; `validation_failed` did not and is kept all the same; `rollout` is a step on the way into use,
    with the share of the entities that it scores; `promoted` and `rolled_back` made it the champion; `rejected` says that it must
    never be.
    """

    REGISTERED = "registered"
    VALIDATION_FAILED = "validation_failed"
    ROLLOUT = "rollout"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"

    @property
    def crowns(self) -> bool:
        """True when the version is the champion from then on."""
        return self in (ModelEventKind.PROMOTED, ModelEventKind.ROLLED_BACK)

    @property
    def decides(self) -> bool:
        """True when a version is no challenger any more."""
        return self.crowns or self is ModelEventKind.REJECTED


@dataclass(frozen=True)
class TrainedOn:
    """The batches that a version was made from.

    Args:
        versions: table -> version that was read.
        digests: table -> as-of date -> digest of the batch, of the features and of the labels.
        test: the as-of dates of the test, on which the version was measured and of which it learned nothing.
    """

    versions: Mapping[str, int]
    digests: Mapping[str, Mapping[date, str]]
    test: tuple[date, ...]

    def to_json(self) -> dict[str, Any]:
        """The value as an event carries it."""
        return {
            "tables": {
                table: {
                    "version": version,
                    "digests": {day.isoformat(): digest for day, digest in self.digests[table].items()},
                }
                for table, version in self.versions.items()
            },
            "test": [day.isoformat() for day in self.test],
        }

    @classmethod
    def of(cls, event: ModelEvent) -> TrainedOn | None:
        """What an event says; None when it says nothing."""
        if event.trained_on is None:
            return None
        tables = event.trained_on["tables"]
        return cls(
            {table: found["version"] for table, found in tables.items()},
            {
                table: {date.fromisoformat(day): digest for day, digest in found["digests"].items()}
                for table, found in tables.items()
            },
            tuple(date.fromisoformat(day) for day in event.trained_on["test"]),
        )


@dataclass(frozen=True)
class ModelEvent(Record):
    """One thing that happened to one version of a model.

    Args:
        version: as the registry counts.
        effective_from: the first batch that this is so for: that a champion scores, a challenger scores in shadow, a step of a
            rollout scores in part.
        before: the champion until then; None for the first.
        run_id: MLflow's, of the training.
        digest: SHA-256 over the files of the model.
        as_of: the last night that the training knew.
        who: the user of the process.
        reason: in their words; why it was trained, for a registration.
        forced: made champion although a gate said no.
        gates: the verdict of every gate; of a step of a rollout those of its checks.
        share: percent of the entities that a step of a rollout scores; 0 is in shadow only. None for any other event.
        trained_on: with the event that a version began with, what it was made from (see `TrainedOn`); None for any other, and
            for versions from before this was written down.
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
    share: int | None = None
    trained_on: Mapping[str, Any] | None = None

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
            ("share", pa.int64()),
            ("trained_on", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The event of a row as pyarrow gives it."""
        trained_on = row.get("trained_on")
        return cls(
            **{
                **row,
                "event": ModelEventKind(row["event"]),
                "gates": tuple(json.loads(row["gates"])),
                "trained_on": json.loads(trained_on) if trained_on else None,
            }
        )

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

    @property
    def challenger(self) -> ModelEvent | None:
        """The registration of the challenger of now, whether anything is scored yet or not."""
        step = self.rollout_on(date.max)
        if step is not None:
            return self.registered(step.version)
        return _undecided(self.events)

    @property
    def challenged_since(self) -> date | None:
        """The first batch that any challenger scores in shadow; None while there never was one."""
        firsts = [e.effective_from for e in self.events if e.event is ModelEventKind.REGISTERED]
        return min((day for day in firsts if day is not None), default=None)

    def challenger_on(self, day: date) -> ModelEvent | None:
        """The registration of a day's challenger: the version on its way into use, else the newest that passed, if undecided."""
        step = self.rollout_on(day)
        if step is not None:
            return self.registered(step.version)
        return _undecided(self._in_force(day))

    def rollout_on(self, day: date) -> ModelEvent | None:
        """The step that a rollout is at on a day; None when none is under way."""
        in_force = self._in_force(day)
        step = next((e for e in reversed(in_force) if e.event is ModelEventKind.ROLLOUT), None)
        if step is None:
            return None
        # Any champion that is made after it ends a rollout, and a rejection of its own version.
        later = [e for e in in_force if e.recorded_at > step.recorded_at]
        ended = any(e.event.crowns or (e.event.decides and e.version == step.version) for e in later)
        return None if ended else step

    def _in_force(self, day: date) -> tuple[ModelEvent, ...]:
        # Rejections once had no day; these hold for all.
        return tuple(
            e
            for e in self.events
            if (e.effective_from is not None and e.effective_from <= day)
            or (e.effective_from is None and e.event is ModelEventKind.REJECTED)
        )

    def registered(self, version: int | None) -> ModelEvent | None:
        """The event with which a version began."""
        return next((e for e in self.events if e.version == version), None)

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


def _undecided(events: Sequence[ModelEvent]) -> ModelEvent | None:
    """The newest registration of a version that passed, unless that version was decided upon."""
    newest = next((e for e in reversed(events) if e.event is ModelEventKind.REGISTERED), None)
    if newest is None or any(e.version == newest.version and e.event.decides for e in events):
        return None
    return newest

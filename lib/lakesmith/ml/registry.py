"""The versions of a model and which of them is in use.

Owns every change of that: registering, rolling out, promoting, rejecting, rolling back. Each is an event in `ops.model_events`
first, which is what scoring follows, and then an alias or tag in MLflow, for those who look there. A change that a crash cut in
half is put right by `mend`.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from lakesmith.errors import DataRejected, UsageError
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind, ModelTimeline, TrainedOn
from lakesmith.ledger.ops import now
from lakesmith.ml.gates import Verdict
from lakesmith.ml.store import CHALLENGER, CHAMPION, PREVIOUS, ModelStore
from lakesmith.ml.tracking import LoggedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["GateFailed", "ModelRegistry", "NoSuchVersion"]


class GateFailed(DataRejected):
    """A version did not pass a gate; the champion stays."""

    def __init__(self, model: str, version: int, texts: Sequence[str]) -> None:
        self.model = model
        self.version = version
        self.texts = tuple(texts)
        super().__init__(
            f"{model} version {version} is not promoted: {'; '.join(texts)}. To promote it all the same, say why: "
            f'lakesmith models promote {model} {version} --force --reason "..."'
        )


class NoSuchVersion(UsageError):
    """The model has no version of that number, or none that the command can use."""

    def __init__(self, model: str, what: str) -> None:
        self.model = model
        super().__init__(f"{model} {what}. See what there is: lakesmith models list {model}")


class ModelRegistry:
    """The registry of one environment.

    Args:
        store: MLflow.
        ledger: of the lake, for the events.
    """

    def __init__(self, store: ModelStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def timeline(self, model: str) -> ModelTimeline:
        """What became of every version until now."""
        return self._ledger.timeline(model)

    def register(
        self,
        model: str,
        run: LoggedRun,
        as_of: date,
        verdicts: Sequence[Verdict],
        reason: str,
        first: date | None = None,
        trained_on: TrainedOn | None = None,
    ) -> ModelEvent:
        """Makes a run's model a version; one that passed every gate is the challenger.

        Args:
            as_of: the last night that the training knew.
            reason: why it was trained.
            first: the first batch that it scores in shadow; None while nothing is scored at all.
            trained_on: the batches that it was made from; None where nobody knows.
        """
        client = self._store.client
        passed = all(verdict.passed for verdict in verdicts)
        kind = ModelEventKind.REGISTERED if passed else ModelEventKind.VALIDATION_FAILED
        with self._store.translating():
            _ensure_model(client, model)
            made = client.create_model_version(
                model, run.source, run_id=run.run_id, tags={"status": str(kind), "sha256": run.digest}
            )
        event = ModelEvent(
            model=model,
            version=int(made.version),
            event=kind,
            recorded_at=now(),
            effective_from=first if passed else None,
            before=None,
            run_id=run.run_id,
            digest=run.digest,
            as_of=as_of,
            who=_who(),
            reason=reason,
            gates=tuple(verdict.to_dict() for verdict in verdicts),
            trained_on=trained_on.to_json() if trained_on is not None else None,
        )
        self._ledger.ops.append([event])
        self.mend(model)
        return event

    def promote(
        self, model: str, version: int, first: date | None, *, force: bool = False, reason: str = ""
    ) -> ModelEvent:
        """Makes a version the champion.

        Args:
            first: the first batch that it scores; None for the night that its training knew last.
            force: although a gate said no.
            reason: needed with `force`.

        Raises:
            NoSuchVersion: there is no such version, it was rejected, or it is the champion already.
            GateFailed: a gate said no.
            UsageError: `force` without a reason.
        """
        timeline = self.timeline(model)
        registered = self._promotable(timeline, version, reason, force=force)
        forced = force and not registered.gates_passed
        return self._crown(timeline, registered, ModelEventKind.PROMOTED, first, reason, forced=forced)

    def roll_out(
        self,
        model: str,
        version: int,
        share: int,
        first: date,
        *,
        force: bool = False,
        reason: str = "",
        checks: Sequence[Mapping[str, Any]] = (),
    ) -> ModelEvent:
        """A step of a version on its way into use.

        Args:
            share: percent of the entities that it scores; 0 is in shadow only.
            first: the first batch of the step.
            force: although a gate said no.
            checks: the night's verdicts that led to the step.

        Raises:
            NoSuchVersion, GateFailed, UsageError: as `promote`.
        """
        timeline = self.timeline(model)
        registered = self._promotable(timeline, version, reason, force=force)
        forced = force and not registered.gates_passed
        step = self._next(timeline, registered, ModelEventKind.ROLLOUT, first, reason, forced=forced)
        return self._append(replace(step, share=share, gates=tuple(checks) or registered.gates))

    def _promotable(self, timeline: ModelTimeline, version: int, reason: str, *, force: bool) -> ModelEvent:
        model, registered = timeline.model, timeline.registered(version)
        if registered is None:
            raise NoSuchVersion(model, f"has no version {version}")
        last = timeline.last(version)
        if last is not None and last.event is ModelEventKind.REJECTED:
            raise NoSuchVersion(model, f"version {version} was rejected: {last.reason}")
        champion = timeline.champion
        if champion is not None and champion.version == version:
            raise NoSuchVersion(model, f"version {version} is the champion already")
        if not registered.gates_passed and not force:
            raise GateFailed(model, version, [g["text"] for g in registered.gates if not g["passed"]])
        if force and not reason.strip():
            raise UsageError('--force needs the reason for the record: --reason "..."')
        return registered

    def rollback(self, model: str, first: date, reason: str) -> ModelEvent:
        """Makes the champion before this one the champion again.

        Args:
            first: the first batch that it scores again.

        Raises:
            NoSuchVersion: there was none before, or it was rejected since.
        """
        timeline = self.timeline(model)
        previous = timeline.previous
        if previous is None:
            raise NoSuchVersion(model, "has no champion before the one in use")
        last = timeline.last(previous.version)
        if last is not None and last.event is ModelEventKind.REJECTED:
            raise NoSuchVersion(model, f"version {previous.version} was rejected: {last.reason}")
        return self._crown(timeline, previous, ModelEventKind.ROLLED_BACK, first, reason)

    def reject(self, model: str, version: int, reason: str, first: date | None = None) -> ModelEvent:
        """Says that a version must never be the champion.

        Args:
            first: the first batch for which it is no challenger any more; None for all that were not scored yet.

        Raises:
            NoSuchVersion: there is no such version, or it is in use.
        """
        timeline = self.timeline(model)
        registered = timeline.registered(version)
        if registered is None:
            raise NoSuchVersion(model, f"has no version {version}")
        if timeline.champion is not None and timeline.champion.version == version:
            raise NoSuchVersion(model, f"version {version} is the champion; roll back before rejecting it")
        return self._append(self._next(timeline, registered, ModelEventKind.REJECTED, first, reason))

    def mend(self, model: str) -> None:
        """Brings MLflow's aliases and tags in line with the events."""
        timeline = self.timeline(model)
        wanted = _aliases(timeline)
        client = self._store.client
        with self._store.translating():
            found = {
                alias: int(version) for alias, version in client.get_registered_model(model).aliases.items()
            }
            for alias in (CHAMPION, CHALLENGER, PREVIOUS):
                if alias in wanted and found.get(alias) != wanted[alias]:
                    client.set_registered_model_alias(model, alias, str(wanted[alias]))
                elif alias not in wanted and alias in found:
                    client.delete_registered_model_alias(model, alias)
            for version in timeline.versions:
                last = timeline.last(version)
                if last is not None:
                    client.set_model_version_tag(model, str(version), "status", str(last.event))

    def _crown(
        self,
        timeline: ModelTimeline,
        registered: ModelEvent,
        kind: ModelEventKind,
        first: date | None,
        reason: str,
        *,
        forced: bool = False,
    ) -> ModelEvent:
        return self._append(
            self._next(timeline, registered, kind, first or registered.as_of, reason, forced=forced)
        )

    def _append(self, event: ModelEvent) -> ModelEvent:
        self._ledger.ops.append([event])
        self.mend(event.model)
        return event

    def _next(
        self,
        timeline: ModelTimeline,
        registered: ModelEvent,
        kind: ModelEventKind,
        first: date | None,
        reason: str,
        *,
        forced: bool = False,
    ) -> ModelEvent:
        champion = timeline.champion
        return replace(
            registered,
            event=kind,
            recorded_at=max(now(), timeline.events[-1].recorded_at + timedelta(microseconds=1)),
            effective_from=first,
            before=champion.version if champion is not None and kind.crowns else None,
            who=_who(),
            reason=reason,
            forced=forced,
            # Kept once, with the event that the version began with.
            trained_on=None,
        )


def _aliases(timeline: ModelTimeline) -> dict[str, int]:
    """What each alias should name."""
    wanted: dict[str, int] = {}
    if timeline.champion is not None:
        wanted[CHAMPION] = timeline.champion.version
    if timeline.previous is not None:
        wanted[PREVIOUS] = timeline.previous.version
    if timeline.challenger is not None:
        wanted[CHALLENGER] = timeline.challenger.version
    return wanted


def _ensure_model(client: MlflowClient, model: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return "unknown"

"""What a night's scores mean for the versions in use: the next step of a rollout, or the one before, or the champion's rollback.

Owns the decisions after a night; each is one event in `ops.model_events`, and one night makes at most one for a model. It looks
only at the night that was scored last: running an old night again decides nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import Floors, ModelDeclaration, Rollout
from lakesmith.contracts.model import ModelRole
from lakesmith.engine.context import Context
from lakesmith.engine.keeping import next_batch
from lakesmith.engine.scored_rows import ScoreTable, score_table, scores_of_both, scores_on
from lakesmith.errors import LakesmithError
from lakesmith.ledger.arms import Arm, ServedBy, arms_on, recorded_arms
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind, ModelTimeline
from lakesmith.ml.bootstrap import FloatArray
from lakesmith.ml.gates import Verdict, against
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.stability import mean_shift, population_stability
from lakesmith.ml.store import ModelStore
from lakesmith.monitoring.stored import PERFORMANCE_TABLE, MetricOutcome, newest_outcomes, outcomes_of

__all__ = ["decide"]

log = logging.getLogger(__name__)

_AUTOMATIC = "automatic"


def decide(context: Context, nights: BatchRange) -> tuple[str, ...]:
    """Takes every model that is in use a step further, or back, after these nights were scored.

    Returns:
        What was decided or found wanting, in words.
    """
    said: list[str] = []
    for model, declaration in sorted(context.project.models.items()):
        if declaration.rollout is None and declaration.floors is None:
            continue
        night = _scored_night(context, model, nights)
        if night is None:
            continue
        try:
            said += night.decisions()
        except LakesmithError as error:
            # The event is written first; whatever MLflow shows follows with the next change.
            said.append(f"{model}: {error}")
    for text in said:
        log.warning(text)
    return tuple(said)


def _scored_night(context: Context, model: str, nights: BatchRange) -> _Night | None:
    """The newest batch of a model's scores, if it is one of these nights' and nothing was decided after it yet."""
    served = score_table(context, model, ModelRole.CHAMPION)
    if served is None:
        return None
    context.ledger.refresh([served.table])
    following = next_batch(context, model)
    timeline = context.ledger.timeline(model)
    if following is None or timeline.since is None:
        return None
    day = following - timedelta(1)
    decided = any(
        event.effective_from is not None and event.effective_from > day
        for event in timeline.events
        if event.event.crowns or event.event is ModelEventKind.ROLLOUT
    )
    if decided or day not in served.contract.owned_by(nights):
        return None
    return _Night(context, context.project.models[model], timeline, served, day)


@dataclass(frozen=True)
class _Night:
    """One model after the night that was scored last."""

    context: Context
    declaration: ModelDeclaration
    timeline: ModelTimeline
    served: ScoreTable
    day: date

    def decisions(self) -> Iterator[str]:
        floors, policy = self.declaration.floors, self.declaration.rollout
        may_step = True
        champion = self.timeline.champion_on(self.day)
        if floors is not None and champion is not None:
            tonight = self._scores(champion, BatchRange(self.day, self.day))
            broken = list(self._below(floors, champion, tonight))
            if broken:
                may_step = not floors.rollback
                yield self._roll_back(broken, floors)
            yield from self._moved(floors, champion, tonight)
        step = self.timeline.rollout_on(self.day)
        if step is not None and policy is not None and may_step:
            yield from self._step(step, policy)

    # Rollouts.

    def _step(self, step: ModelEvent, policy: Rollout) -> Iterator[str]:
        checks = tuple(self._checks(step, policy))
        share = step.share or 0
        wrong = [check.text for check in checks if not check.passed]
        name = f"{self.declaration.name} version {step.version}"
        if wrong:
            before = max((s for s in policy.shares if s < share), default=0)
            self._move(step, before, f"{_AUTOMATIC}: back from {share} %: {'; '.join(wrong)}", checks)
            yield f"{name} goes back from {share} % to {before} % of the {self._entities}: {'; '.join(wrong)}"
            return
        served = (self.day - step.effective_from).days + 1 if step.effective_from is not None else 0
        if share == 0 and served < policy.shadow_nights:
            yield f"{name} was in shadow for {served} of {policy.shadow_nights} nights; its checks pass"
            return
        following = next((s for s in policy.shares if s > share), 100)
        why = f"{_AUTOMATIC}: the checks of {self.day} passed at {share} %"
        if following == 100:
            self._registry.promote(
                self.declaration.name, step.version, self._next, force=step.forced, reason=why
            )
            yield f"{name} is the champion from {self._next} on: its checks passed at {share} %"
            return
        self._move(step, following, why, checks)
        yield f"{name} scores {following} % of the {self._entities} from {self._next} on"

    def _checks(self, step: ModelEvent, policy: Rollout) -> Iterator[Verdict]:
        """The verdicts on a night of a rollout."""
        wanted = arms_on(self.timeline, self.day, ModelRole.CHAMPION)
        by_whom = self._served_by(self.served)
        as_planned = by_whom is not None and _same(by_whom, wanted)
        text = (
            "both versions scored their shares"
            if as_planned
            else f"{self.served.table} was not scored as planned"
        )
        yield Verdict("served", as_planned, None, None, text)
        shadow = score_table(self.context, self.declaration.name, ModelRole.CHALLENGER)
        in_shadow = self._served_by(shadow) if shadow is not None else None
        if shadow is None or not in_shadow or in_shadow[0].version != step.version:
            where = shadow.table if shadow is not None else "no table"
            yield Verdict("shadow", False, None, None, f"{where} holds no scores of it on {self.day}")
            return
        champion, challenger = scores_of_both(
            self.context, self.declaration, self.served, shadow, self.day, step.version
        )
        if not len(champion):
            yield Verdict("shadow", False, 0.0, 1.0, "no row was scored by both")
            return
        shift, psi = mean_shift(champion, challenger), population_stability(champion, challenger)
        yield against(
            "mean_shift", "mean_shift", shift, policy.mean_shift, "of the champion's deviations", less=True
        )
        yield against("psi", "psi", psi, policy.psi, "between both versions' scores", less=True)

    def _served_by(self, table: ScoreTable) -> tuple[Arm, ...] | None:
        """What scored the day; None when it repeats earlier scores or was never scored."""
        self.context.ledger.refresh([table.table])
        standing = self.context.ledger.history(table.table).standing(self.day)
        read = next((r for r in standing.inputs if r.name == table.entry.name), None) if standing else None
        return recorded_arms(self.timeline, read) if read is not None else None

    def _move(self, step: ModelEvent, share: int, why: str, checks: tuple[Verdict, ...]) -> None:
        self._registry.roll_out(
            self.declaration.name,
            step.version,
            share,
            self._next,
            force=step.forced,
            reason=why,
            checks=[check.to_dict() for check in checks],
        )

    # Floors.

    def _below(self, floors: Floors, champion: ModelEvent, tonight: FloatArray) -> Iterator[str]:
        """Which floors the champion of the day is below, in words."""
        if floors.mean_score is not None and len(tonight):
            mean = float(tonight.mean())
            low, high = floors.mean_score
            if not low <= mean <= high:
                yield f"the mean score of {self.day} is {mean:.4f}, which should be {low:g} .. {high:g}"
        for outcome in self._judged(champion) if floors.metrics else ():
            floor = floors.metrics.get(outcome.metric)
            if floor is not None and outcome.value is not None:
                labels = f"by the labels of {outcome.batch_date}, {outcome.granularity}"
                verdict = against("floor", outcome.metric, outcome.value, floor, labels)
                if not verdict.passed:
                    yield verdict.text

    def _moved(self, floors: Floors, champion: ModelEvent, tonight: FloatArray) -> Iterator[str]:
        """A warning when the night's scores are spread otherwise than those of the nights before it."""
        if floors.psi is None or not len(tonight):
            return
        before = BatchRange(self.day - timedelta(floors.nights), self.day - timedelta(1))
        earlier = self._scores(champion, before)
        if not len(earlier):
            return
        psi = population_stability(earlier, tonight)
        if psi > floors.psi:
            yield (
                f"{self.declaration.name} version {champion.version}: the scores of {self.day} are spread otherwise than "
                f"those of {before}: population stability index {psi:.4f}, which should be at most {floors.psi:g}"
            )

    def _scores(self, champion: ModelEvent, days: BatchRange) -> FloatArray:
        return scores_on(self.context, self.served, champion.version, days)

    def _judged(self, champion: ModelEvent) -> list[MetricOutcome]:
        """What the newest labels say of the champion, of which enough are known; nothing before there are any."""
        known = outcomes_of(self.context.lake.open(PERFORMANCE_TABLE), since=champion.effective_from)
        return newest_outcomes(
            outcome
            for outcome in known
            if (outcome.model_name, outcome.model_version) == (self.declaration.name, champion.version)
            and outcome.in_use
            and outcome.enough
            and (outcome.table_name, outcome.role) == (self.served.table, ServedBy.CHAMPION)
        )

    def _roll_back(self, broken: list[str], floors: Floors) -> str:
        champion = self.timeline.champion
        assert champion is not None
        name, why = f"{self.declaration.name} version {champion.version}", "; ".join(broken)
        if not floors.rollback:
            return f"{name} is below its floor: {why}"
        # Going back a second time would lead to the version that was just left.
        if champion.event is not ModelEventKind.PROMOTED or self.timeline.previous is None:
            return f"{name} is below its floor and there is no champion to go back to: {why}"
        event = self._registry.rollback(self.declaration.name, self._next, f"{_AUTOMATIC}: {why}")
        return f"{name} is rolled back, version {event.version} scores from {self._next} on: {why}"

    @property
    def _next(self) -> date:
        return self.day + timedelta(1)

    @property
    def _entities(self) -> str:
        return f"values of {self.declaration.entity}"

    @property
    def _registry(self) -> ModelRegistry:
        return ModelRegistry(ModelStore(self.context.settings), self.context.ledger)


def _same(found: tuple[Arm, ...], wanted: tuple[Arm, ...]) -> bool:
    return [(a.version, a.share) for a in found] == [(a.version, a.share) for a in wanted]

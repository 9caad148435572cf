"""Rules about models, their scores and the promises to their users.

Each is a function of a night's facts; None says that nothing was measured on the night, so that open alerts stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lakesmith.alerts.decisions import Violation
from lakesmith.alerts.facts import NightFacts
from lakesmith.contracts.model import ModelRole
from lakesmith.ledger.arms import ServedBy, repeated
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ml.evaluation_values import Interval
from lakesmith.ml.wording import interval_text
from lakesmith.monitoring.stored import DRIFTED, MetricOutcome
from lakesmith.service_levels.attainment import BURN_DAYS

__all__ = [
    "circuit_open",
    "drift",
    "model_rolled_back",
    "performance",
    "retraining_requested",
    "rollout_stepped_back",
    "scores_degraded",
    "slo_burn",
    "zero_scores",
]

_NAMED, _METRICS_TOLD = 10, 3


def zero_scores(facts: NightFacts) -> list[Violation]:
    """Tables of scores that are empty although what they are computed from is not."""
    found = []
    for table in facts.graph.score_tables(role=ModelRole.CHAMPION):
        day = facts.owned(table)
        record = facts.standing(table, day)
        if record is None or record.rows:
            continue
        read = {
            parent: standing.rows
            for parent in facts.graph.parents(table)
            if (standing := facts.standing(parent, day)) is not None and standing.rows
        }
        if read:
            listed = ", ".join(f"{rows:,} rows in {parent}" for parent, rows in read.items())
            found.append(Violation(table, f"{day}: no score, with {listed}"))
    return found


def scores_degraded(facts: NightFacts) -> list[Violation]:
    """Scores of the night that are not those of the model in use: an earlier day's, or the champion before."""
    found = []
    for table in facts.graph.score_tables(role=ModelRole.CHAMPION):
        day = facts.owned(table)
        record = facts.standing(table, day)
        entry = facts.graph.contracts[table].model_input
        read = next((r for r in record.inputs if entry and r.name == entry.name), None) if record else None
        if read is None:
            continue
        again = repeated(read)
        if again is not None:
            found.append(Violation(table, f"{day}: the scores of {again['batch']} again"))
        elif any(arm.get("served_by") == ServedBy.PREVIOUS_CHAMPION for arm in read.files):
            found.append(Violation(table, f"{day}: scored by version {read.version}, the champion before"))
    return found


def model_rolled_back(facts: NightFacts) -> list[Violation]:
    """Models whose champion was taken back; for the nights until that has taken effect."""
    return [
        Violation(
            f"models.{event.model}",
            f"version {event.version} is the champion again from {event.effective_from} on, instead of "
            f"{event.before}: {event.reason or 'no reason given'}",
            (str(event.version),),
        )
        for event in _fresh(facts)
        if event.event is ModelEventKind.ROLLED_BACK
    ]


def rollout_stepped_back(facts: NightFacts) -> list[Violation]:
    """Versions on their way into use that went a step back; for the nights until that has taken effect."""
    found = []
    shares: dict[tuple[str, int], int] = {}
    fresh = {id(event) for event in _fresh(facts)}
    for event in facts.model_events:
        if event.event is not ModelEventKind.ROLLOUT:
            continue
        key, share = (event.model, event.version), event.share or 0
        before, shares[key] = shares.get(key, 0), share
        if share < before and id(event) in fresh:
            text = f"version {event.version} goes back from {before} % to {share} %: {event.reason}"
            found.append(Violation(f"models.{event.model}", text, (str(event.version),)))
    return found


def _fresh(facts: NightFacts) -> Iterator[ModelEvent]:
    """Events that take effect on the night or after it, the newest of each kind and model."""
    newest: dict[tuple[str, ModelEventKind], ModelEvent] = {}
    for event in facts.model_events:
        if event.effective_from is not None and event.effective_from >= facts.night:
            newest[event.model, event.event] = event
    yield from newest.values()


def circuit_open(facts: NightFacts) -> list[Violation]:
    """Models that are tried once a night only, since they failed to serve too often in a row."""
    by_model: dict[str, list[str]] = {}
    for (model, _), circuit in facts.circuits.items():
        if circuit.is_open:
            by_model.setdefault(model, []).append(
                f"{len(circuit.failures)} failures in a row, the last on {circuit.failures[-1].night}"
            )
    return [Violation(f"models.{model}", "; ".join(texts)) for model, texts in by_model.items()]


def drift(facts: NightFacts) -> list[Violation] | None:
    """Columns that have drifted, table by table."""
    if facts.drift is None:
        return None
    drifted: dict[str, set[str]] = {}
    judged: dict[str, set[str]] = {}
    for row in facts.drift:
        if row["verdict"] is None:
            continue
        judged.setdefault(row["table_name"], set()).add(row["column_name"])
        if row["verdict"] == DRIFTED:
            drifted.setdefault(row["table_name"], set()).add(row["column_name"])
    return [
        Violation(
            table,
            f"{facts.night}: {len(columns)} of {len(judged[table])} columns drifted: {_some(sorted(columns))}",
            tuple(sorted(columns)),
        )
        for table, columns in sorted(drifted.items())
    ]


def performance(facts: NightFacts) -> list[Violation] | None:
    """Models that do worse on the labels that have come than they did when they were tested."""
    if facts.performance is None:
        return None
    worse: dict[tuple[str, int], list[MetricOutcome]] = {}
    for outcome in facts.performance:
        if outcome.in_use and outcome.worse:
            worse.setdefault((outcome.model_name, outcome.model_version), []).append(outcome)
    by_model: dict[str, list[list[MetricOutcome]]] = {}
    for (model, _), found in worse.items():
        by_model.setdefault(model, []).append(found)
    return [
        Violation(
            f"models.{model}",
            "; ".join(_of_version(found) for found in versions),
            tuple(sorted({outcome.metric for found in versions for outcome in found})),
        )
        for model, versions in sorted(by_model.items())
    ]


def _of_version(found: Sequence[MetricOutcome]) -> str:
    """What is worse of a version, and whether that is concept drift."""
    first = found[0]
    told = [f"{o.metric} {_ends(o)}, in its test {_ends(o, test=True)}" for o in found[:_METRICS_TOLD]]
    more = f" and {len(found) - _METRICS_TOLD} more" if len(found) > _METRICS_TOLD else ""
    window = "" if first.granularity == "1 day" else f" and before ({first.granularity})"
    return (
        f"version {first.model_version} is worse than in its test by the labels of {first.batch_date}{window}: "
        f"{', '.join(told)}{more}; {_of_inputs(first)}"
    )


def _ends(outcome: MetricOutcome, *, test: bool = False) -> str:
    value, low, high = (
        (outcome.test_value, outcome.test_lower, outcome.test_upper)
        if test
        else (outcome.value, outcome.lower, outcome.upper)
    )
    return interval_text(Interval(*(math.nan if each is None else each for each in (value, low, high))))


def _of_inputs(outcome: MetricOutcome) -> str:
    if outcome.concept_drift:
        return "concept drift: inputs are stable"
    if outcome.input_drift == DRIFTED:
        return "inputs have drifted, too"
    return f"whether that is concept drift is not known: inputs are {outcome.input_drift}"


def slo_burn(facts: NightFacts) -> list[Violation]:
    """Promises whose error budget is overspent, or is being spent too fast."""
    found = []
    for kept in facts.service_levels:
        rate, left = kept.burn_rate, kept.budget_left
        if rate is None or left is None:
            continue
        # A single night of a week is no speed; once the budget is gone every further one counts.
        fast = rate >= facts.settings.burn_rate and kept.recent_measured - kept.recent_kept > 1
        if fast or (left < 0 and rate > 0):
            broken = kept.recent_measured - kept.recent_kept
            text = (
                f"{kept.level.promise}: broken on {broken} of the last {BURN_DAYS} days and {kept.measured - kept.kept} of "
                f"{kept.level.window_days} (allowed {kept.allowed:.1f}); budget left {100 * left:.0f} %"
            )
            found.append(Violation(f"service_levels.{kept.level.name}", text))
    return found


def retraining_requested(facts: NightFacts) -> list[Violation]:
    """Models for which a retraining is wanted and was not done yet."""
    return [
        Violation(f"models.{model}", f"wanted since {request.night}: {request.reason}")
        for model, request in sorted(facts.requests.items())
    ]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"

"""Rules about models, their scores and the promises to their users.

Each is a function of a night's facts; None says that nothing was measured on the night, so that open alerts stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from lakesmith.alerts.decisions import Violation
from lakesmith.alerts.facts import NightFacts
from lakesmith.contracts.model import ModelRole
from lakesmith.ledger.arms import ServedBy, repeated
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.monitoring.stored import DRIFTED
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

WORSE = "worse"

_NAMED = 10


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
    """Models that do worse on the labels that have matured than they did when they were tested."""
    if facts.performance is None:
        return None
    worse: dict[str, set[str]] = {}
    for row in facts.performance:
        if row["verdict"] == WORSE:
            worse.setdefault(row["model_name"], set()).add(row["metric"] or "its metric")
    newest = max(row["batch_date"] for row in facts.performance)
    return [
        Violation(
            f"models.{model}",
            f"worse than in its test by the labels of {newest}: {_some(sorted(metrics))}",
            tuple(sorted(metrics)),
        )
        for model, metrics in sorted(worse.items())
    ]


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

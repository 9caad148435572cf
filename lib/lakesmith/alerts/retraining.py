"""When a retraining is requested: some rules spoke of a model on too many of the last nights.

Owns that count. A rule speaks of a model when its subject is the model, or a table that the model reads, is judged by or fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from lakesmith.alerts.facts import Watched
from lakesmith.ledger.alerts import AlertRecord, violated_nights
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.retraining import RetrainingEvent, RetrainingRecord, last_request, standing_request

__all__ = ["due_requests", "wanted_models"]

_TRAINED = (ModelEventKind.REGISTERED, ModelEventKind.VALIDATION_FAILED)


def due_requests(
    watched: Watched, alerts: Sequence[AlertRecord], night: date, moment: datetime
) -> list[RetrainingRecord]:
    """The requests that a night leads to: at most one for a model, and none while one stands.

    Nights count from the model's last request, and from its last training: what was said before was answered by it.

    Args:
        alerts: all records, those of the night included.
    """
    given = watched.settings.alerts.retraining
    if not given.violations or not watched.project.models:
        return []
    ops = watched.ledger.ops
    requests = ops.records(RetrainingRecord)
    events = ops.records(ModelEvent)
    found = []
    for model in sorted(watched.project.models):
        trained = [e.recorded_at for e in events if e.model == model and e.event in _TRAINED]
        if not trained or standing_request(requests, model) is not None:
            continue
        before = last_request(requests, model)
        nights = {
            day
            for day in violated_nights(
                (a for a in alerts if a.recorded_at > max(trained)), given.rules, _subjects(watched, model)
            )
            if night - timedelta(given.nights) < day <= night and (before is None or day > before.night)
        }
        if len(nights) >= given.violations:
            spoke = sorted({a.rule for a in alerts if a.night in nights and a.rule in given.rules})
            reason = f"{' and '.join(spoke)} on {len(nights)} of the last {given.nights} nights"
            found.append(RetrainingRecord(model, RetrainingEvent.REQUESTED, night, moment, reason))
    return found


def wanted_models(watched: Watched) -> tuple[str, ...]:
    """The models whose request stands: no training has answered it yet."""
    requests = watched.ledger.ops.records(RetrainingRecord) if watched.project.models else []
    return tuple(m for m in sorted(watched.project.models) if standing_request(requests, m) is not None)


def _subjects(watched: Watched, model: str) -> set[str]:
    declaration = watched.project.models[model]
    scores = watched.project.graph.score_tables(model)
    return {f"models.{model}", declaration.features_table, declaration.label.table, *scores}

"""Rules whose alerts somebody else opens, since only a scheduler knows that a task has failed or a night is late.

Owns when these are over: a check asks the ledger whether what was missing is there by now.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from lakesmith.alerts.decisions import Violation
from lakesmith.alerts.facts import NightFacts
from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.alerts import Alert
from lakesmith.ledger.nights import night_records
from lakesmith.ledger.state import State

__all__ = ["night_late", "still", "task_failed"]

_DONE = (State.FRESH, State.CLOSED)


def task_failed(facts: NightFacts) -> list[Violation]:
    """Tasks that failed and whose batches, or whose night, are still not there."""
    return _standing(facts, "task_failed", _is_undone)


def night_late(facts: NightFacts) -> list[Violation]:
    """Nights that were late and are still not complete."""
    return _standing(facts, "night_late", lambda facts, alert: _is_incomplete(facts, alert.night))


def still(alert: Alert) -> Violation:
    """An open alert, said again as it is."""
    return Violation(alert.subject, alert.text, alert.names)


def _standing(facts: NightFacts, rule: str, is_open: Callable[[NightFacts, Alert], bool]) -> list[Violation]:
    return [still(alert) for alert in facts.reported if alert.rule == rule and is_open(facts, alert)]


def _is_undone(facts: NightFacts, alert: Alert) -> bool:
    if alert.subject not in facts.graph.contracts or not alert.names:
        return _is_incomplete(facts, alert.night)
    lag = facts.graph.contracts[alert.subject].lag_days
    for named in alert.names:
        batch = date.fromisoformat(named)
        nights = BatchRange(batch, batch).shifted(lag)
        states = facts.watched.judge.judge(nights, [alert.subject])[alert.subject]
        if states[batch].state not in _DONE:
            return True
    return False


def _is_incomplete(facts: NightFacts, night: date) -> bool:
    records = night_records(facts.watched.ledger.ops)
    return not any(record.complete and record.first <= night <= record.last for record in records)

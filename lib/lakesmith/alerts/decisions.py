"""From what rules say to what is written down and whom it is told: opened, still so, worse, resolved.

Owns de-duplication, the cool-down and resolved notices. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from lakesmith.ledger.alerts import Alert, AlertEvent, AlertRecord

__all__ = ["SEVERITIES", "Notice", "NoticeKind", "Violation", "due_notices", "transitions"]

SEVERITIES = ("warning", "critical")
"""The least first."""

_TRIED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class Violation:
    """What a rule says of a subject on a night.

    Args:
        names: what it is about, as far as it has names; a new one among them makes an open alert worth telling again.
    """

    subject: str
    text: str
    names: tuple[str, ...] = ()


class NoticeKind(StrEnum):
    """Why a channel is told of an alert."""

    OPENED = "opened"
    WORSE = "worse"
    STILL = "still open"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Notice:
    """One alert to be told on a channel."""

    kind: NoticeKind
    alert: Alert


def transitions(
    standing: Mapping[tuple[str, str], Alert],
    said: Mapping[str, Sequence[Violation] | None],
    severities: Mapping[str, str],
    night: date,
    moment: datetime,
) -> list[AlertRecord]:
    """What a check changes: alerts opened, seen again and resolved.

    Args:
        standing: the open alerts by rule and subject.
        said: rule -> what it says; None for a rule that could not be asked, whose alerts stay as they are. A rule that is not
            named here was switched off: its alerts are resolved.
        severities: rule -> how much it matters.
    """
    records = []
    spoken: set[tuple[str, str]] = set()
    for rule, violations in said.items():
        for violation in violations or ():
            key = (rule, violation.subject)
            spoken.add(key)
            before = standing.get(key)
            record = AlertRecord(
                recorded_at=moment,
                night=night,
                event=AlertEvent.OPENED if before is None else AlertEvent.SEEN,
                rule=rule,
                subject=violation.subject,
                severity=severities[rule],
                text=violation.text,
                names=violation.names,
            )
            if before is None or _differs(before, record):
                records.append(record)
    silent = {rule for rule, violations in said.items() if violations is None}
    for key, alert in standing.items():
        if key not in spoken and alert.rule not in silent:
            records.append(
                AlertRecord(
                    moment, night, AlertEvent.RESOLVED, alert.rule, alert.subject, alert.severity, alert.text
                )
            )
    return records


def _differs(alert: Alert, record: AlertRecord) -> bool:
    """Whether a night adds anything to what is known of an open alert; a second check of the same night does not."""
    known = (alert.night, alert.severity, alert.text, alert.names)
    return known != (record.night, record.severity, record.text, record.names)


def due_notices(
    alerts: Iterable[Alert], channel: str, least: str, cool_down: timedelta, moment: datetime
) -> list[Notice]:
    """What a channel is to be told now, the most severe first.

    Args:
        alerts: all there ever were.
        least: the severity from which on the channel is told.
        cool_down: for how long it is not told again of what is open and got no worse.
    """
    found = []
    for alert in alerts:
        kind = _kind(alert, channel, cool_down, moment)
        if kind is not None and (_rank(alert.severity) >= _rank(least) or channel in alert.told):
            found.append(Notice(kind, alert))
    return sorted(
        found,
        key=lambda n: (
            n.kind is NoticeKind.RESOLVED,
            -_rank(n.alert.severity),
            n.alert.rule,
            n.alert.subject,
        ),
    )


def _kind(alert: Alert, channel: str, cool_down: timedelta, moment: datetime) -> NoticeKind | None:
    told = alert.told.get(channel)
    if alert.resolved_at is not None:
        # Who was never told of it need not hear that it is over; and nobody wants that of last month.
        due = told is not None and told < alert.resolved_at and moment - alert.resolved_at <= _TRIED_FOR
        return NoticeKind.RESOLVED if due else None
    if told is None:
        return NoticeKind.OPENED
    graver = _rank(alert.severity) > _rank(alert.told_severity.get(channel, alert.severity))
    if graver or set(alert.names) - alert.told_names.get(channel, frozenset()):
        return NoticeKind.WORSE
    return NoticeKind.STILL if moment - told >= cool_down else None


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)

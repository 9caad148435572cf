"""A check: what the rules say of a night, written down, and told on every channel.

Owns the order of these steps, and that none of them fails a night: a rule that breaks leaves its alerts as they were, a channel
that does not take a message is an alert of its own, which the other channels are told of.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from lakesmith.alerts.channels.channel import Channel, Undelivered
from lakesmith.alerts.channels.chosen import chosen_channels
from lakesmith.alerts.decisions import Notice, Violation, due_notices, transitions
from lakesmith.alerts.facts import NightFacts, Watched
from lakesmith.alerts.messages import message
from lakesmith.alerts.reported_rules import still
from lakesmith.alerts.retraining import due_requests, wanted_models
from lakesmith.alerts.rules import CHANNEL_FAILED, OF_THE_PRESENT, RULES
from lakesmith.ledger.alerts import Alert, AlertEvent, AlertRecord, alerts_of, open_alerts
from lakesmith.ledger.nights import night_records
from lakesmith.ledger.ops import now
from lakesmith.ledger.retraining import RetrainingRecord

__all__ = ["Checked", "check_night", "newest_night", "report"]

log = logging.getLogger(__name__)

_SILENT = "silent"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Checked:
    """What a check came to.

    Args:
        opened, resolved: by this check.
        standing: all that are open now, with those that were opened.
        told: channel -> how many alerts it was told of.
        undelivered: channel -> why it took no message.
        unasked: rule -> the type of the error that it ended in.
        requested: models for which this check requested a retraining.
        wanted: models whose request no training has answered yet, those that were requested before included.
        recorded: False when it only looked.
    """

    night: date
    opened: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()
    standing: tuple[Alert, ...] = ()
    told: Mapping[str, int] = field(default_factory=dict)
    undelivered: Mapping[str, str] = field(default_factory=dict)
    unasked: Mapping[str, str] = field(default_factory=dict)
    requested: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    recorded: bool = True

    def to_json(self) -> dict[str, object]:
        """For `--json` and `--outcome`."""
        return {
            "night": self.night.isoformat(),
            "recorded": self.recorded,
            "opened": [_json(alert) for alert in self.opened],
            "resolved": [_json(alert) for alert in self.resolved],
            "open": [_json(alert) for alert in self.standing],
            "told": dict(self.told),
            "undelivered": dict(self.undelivered),
            "unasked": dict(self.unasked),
            "retraining_requested": list(self.requested),
            "retraining_wanted": list(self.wanted),
        }


def _json(alert: Alert) -> dict[str, object]:
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": alert.severity,
        "text": alert.text,
        "since": alert.opened_night.isoformat(),
    }


class _Clock:
    """Moments for records, each later than all before: what came first is read first, whatever this machine's clock says."""

    def __init__(self, moment: datetime, known: Sequence[AlertRecord]) -> None:
        newest = max((record.recorded_at for record in known), default=None)
        self.present = moment if newest is None else max(moment, newest + _TICK)
        self._next = self.present

    def stamped(self, records: Iterable[AlertRecord]) -> list[AlertRecord]:
        """The records, one tick apart."""
        found = []
        for record in records:
            found.append(replace(record, recorded_at=self._next))
            self._next += _TICK
        return found


def newest_night(watched: Watched) -> date | None:
    """The last night on record; None before the first."""
    return max((record.last for record in night_records(watched.ledger.ops)), default=None)


def check_night(
    watched: Watched,
    night: date,
    *,
    record: bool = True,
    channels: Sequence[Channel] | None = None,
    moment: datetime | None = None,
) -> Checked:
    """Asks every rule about a night, writes down what changed and tells the channels.

    Args:
        record: False only looks: nothing is written and nobody told. For a night that is not the newest, whose troubles may be
            over.
        channels: None takes those of the settings.
        moment: the present, in UTC; None asks the clock.
    """
    ops, settings = watched.ledger.ops, watched.settings.alerts
    # What is open now says nothing of a night of the past.
    known = ops.records(AlertRecord) if record else []
    clock = _Clock(moment or now(), known)
    present = clock.present
    facts = NightFacts(watched, night, present)
    said, unasked = _said(facts, () if record else OF_THE_PRESENT)
    severities = settings.rules.model_dump()
    # What a channel did last stands until it is tried again.
    rules = {**said, CHANNEL_FAILED: None}
    changes = clock.stamped(transitions(open_alerts(known), rules, severities, night, present))
    requests = due_requests(watched, [*known, *changes], night, present) if record else []
    if requests and "retraining_requested" in said:
        rules = {**dict.fromkeys(RULES), CHANNEL_FAILED: None, "retraining_requested": _asked(requests)}
        state = open_alerts([*known, *changes])
        changes += clock.stamped(transitions(state, rules, severities, night, present))
    known += changes
    told: dict[str, int] = {}
    undelivered: dict[str, str] = {}
    if record:
        ops.append(changes)
        ops.append(requests)
        wanted = chosen_channels(settings) if channels is None else channels
        told, undelivered, deliveries = _tell(watched, wanted, known, night, clock)
        ops.append(deliveries)
        known += deliveries
        changes += deliveries
    alerts = alerts_of(known)
    return Checked(
        night=night,
        opened=tuple(a for a in alerts if a.is_open and a.opened_at >= present),
        resolved=tuple(a for a in alerts if a.resolved_at is not None and a.resolved_at >= present),
        standing=tuple(a for a in alerts if a.is_open),
        told=told,
        undelivered=undelivered,
        unasked=unasked,
        requested=tuple(request.model for request in requests),
        wanted=wanted_models(watched),
        recorded=record,
    )


def report(
    watched: Watched,
    rule: str,
    violation: Violation,
    night: date,
    *,
    channels: Sequence[Channel] | None = None,
    moment: datetime | None = None,
) -> Checked:
    """Opens, or makes worse, one alert that only somebody else can know of, and tells the channels; all others stay as they are.

    Args:
        rule: one of `REPORTED`.
        channels, moment: as in `check_night`.
    """
    ops, settings = watched.ledger.ops, watched.settings.alerts
    severities = settings.rules.model_dump()
    known = ops.records(AlertRecord)
    clock = _Clock(moment or now(), known)
    present = clock.present
    if severities[rule] == _SILENT:
        return Checked(night, standing=tuple(open_alerts(known).values()))
    standing = open_alerts(known)
    before = standing.get((rule, violation.subject))
    if before is not None:
        # A batch more of the same table makes it worse; the others are still not there.
        names = tuple(dict.fromkeys((*before.names, *violation.names)))
        violation = replace(violation, names=names)
    others = [still(a) for a in standing.values() if a.rule == rule and a.subject != violation.subject]
    rules = {**dict.fromkeys(RULES), CHANNEL_FAILED: None, rule: [*others, violation]}
    # The others keep the night on which they were seen last.
    kept = {(rule, other.subject) for other in others}
    changes = clock.stamped(
        record
        for record in transitions(standing, rules, severities, night, present)
        if record.key not in kept
    )
    ops.append(changes)
    known += changes
    wanted = chosen_channels(settings) if channels is None else channels
    told, undelivered, deliveries = _tell(watched, wanted, known, night, clock)
    ops.append(deliveries)
    alerts = alerts_of([*known, *deliveries])
    return Checked(
        night=night,
        opened=tuple(a for a in alerts if a.is_open and a.opened_at >= present),
        standing=tuple(a for a in alerts if a.is_open),
        told=told,
        undelivered=undelivered,
    )


def _said(
    facts: NightFacts, left_out: Collection[str]
) -> tuple[dict[str, Sequence[Violation] | None], dict[str, str]]:
    """What each rule that is on says, and which could not be asked."""
    said: dict[str, Sequence[Violation] | None] = {}
    unasked: dict[str, str] = {}
    severities = facts.settings.rules.model_dump()
    for name, rule in RULES.items():
        if severities[name] == _SILENT or name in left_out:
            continue
        try:
            said[name] = rule(facts)
        except Exception as error:
            # One rule's trouble must not silence the others; its text may be anybody's.
            said[name], unasked[name] = None, type(error).__name__
            log.warning("the alert rule %s could not be asked (%s)", name, type(error).__name__)
            log.debug("the alert rule %s could not be asked", name, exc_info=error)
    return said, unasked


def _asked(requests: Iterable[RetrainingRecord]) -> list[Violation]:
    return [Violation(f"models.{r.model}", f"wanted since {r.night}: {r.reason}") for r in requests]


def _tell(
    watched: Watched,
    channels: Sequence[Channel],
    known: Sequence[AlertRecord],
    night: date,
    clock: _Clock,
) -> tuple[dict[str, int], dict[str, str], list[AlertRecord]]:
    """Sends what is due; a second round tells the channels that work of those that do not.

    Returns:
        Channel -> alerts told; channel -> why not; the records of both.
    """
    told: dict[str, int] = {}
    undelivered: dict[str, str] = {}
    records: list[AlertRecord] = []
    off = {a.subject for a in open_alerts(known).values() if a.rule == CHANNEL_FAILED} - {
        _subject(channel) for channel in channels
    }
    gone = [
        _about_channel(AlertEvent.RESOLVED, watched, subject, night, clock.present) for subject in sorted(off)
    ]
    records += clock.stamped(gone)
    for _ in range(2):
        for channel in channels:
            if channel.name in undelivered:
                continue
            state = alerts_of([*known, *records])
            notices = _due(watched, state, channel, clock.present)
            if not notices:
                continue
            reason = _send(watched, channel, notices, night)
            event = AlertEvent.NOTIFIED if reason is None else AlertEvent.UNDELIVERED
            made = [_delivery(event, channel.name, n, night, clock.present, reason or "") for n in notices]
            if reason is None:
                told[channel.name] = told.get(channel.name, 0) + len(notices)
            else:
                undelivered[channel.name] = reason
            made += _channel_state(watched, channel, state, reason, night, clock.present)
            records += clock.stamped(made)
    return told, undelivered, records


def _due(watched: Watched, alerts: Iterable[Alert], channel: Channel, moment: datetime) -> list[Notice]:
    cool_down = timedelta(seconds=watched.settings.alerts.cool_down)
    notices = due_notices(alerts, channel.name, channel.least, cool_down, moment)
    own = _subject(channel)
    return [n for n in notices if (n.alert.rule, n.alert.subject) != (CHANNEL_FAILED, own)]


def _send(watched: Watched, channel: Channel, notices: Sequence[Notice], night: date) -> str | None:
    """None when it was taken, else why not."""
    settings = watched.settings
    text = message(notices, settings.environment, night, settings.alerts.runbooks)
    try:
        channel.send(text)
    except Undelivered as error:
        reason = error.reason
    except Exception as error:
        # A client's own mistake is no reason to fail a night; its text may hold an address.
        reason = type(error).__name__
        log.debug("the channel %s did not take a message", channel.name, exc_info=error)
    else:
        return None
    log.warning("the channel %s did not take a message (%s)", channel.name, reason)
    return reason


def _delivery(
    event: AlertEvent, channel: str, notice: Notice, night: date, moment: datetime, reason: str
) -> AlertRecord:
    alert = notice.alert
    return AlertRecord(
        moment, night, event, alert.rule, alert.subject, alert.severity, "", alert.names, channel, reason
    )


def _channel_state(
    watched: Watched,
    channel: Channel,
    alerts: Iterable[Alert],
    reason: str | None,
    night: date,
    moment: datetime,
) -> list[AlertRecord]:
    """The alert about a channel itself: opened when it fails, resolved when it takes a message again."""
    subject = _subject(channel)
    standing = next((a for a in alerts if a.key == (CHANNEL_FAILED, subject) and a.is_open), None)
    if reason is None:
        return [_about_channel(AlertEvent.RESOLVED, watched, subject, night, moment)] if standing else []
    if watched.settings.alerts.rules.channel_failed == _SILENT:
        return []
    text = f"took no message: {reason}"
    if standing is None:
        return [_about_channel(AlertEvent.OPENED, watched, subject, night, moment, text)]
    if (standing.night, standing.text) == (night, text):
        return []
    return [_about_channel(AlertEvent.SEEN, watched, subject, night, moment, text)]


def _about_channel(
    event: AlertEvent, watched: Watched, subject: str, night: date, moment: datetime, text: str = ""
) -> AlertRecord:
    severity = watched.settings.alerts.rules.channel_failed
    return AlertRecord(
        moment, night, event, CHANNEL_FAILED, subject, "warning" if severity == _SILENT else severity, text
    )


def _subject(channel: Channel) -> str:
    return f"channels.{channel.name}"

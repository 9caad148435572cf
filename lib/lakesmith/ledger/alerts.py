"""Alerts as the ledger keeps them: when each was opened, of whom it was told, and when it was over.

Owns `ops.alerts` as values, and what its entries add up to. An alert is one rule about one subject, however many nights it lasts;
its texts hold counts and the names of tables, columns and rules, never a value of the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["Alert", "AlertEvent", "AlertRecord", "alerts_of", "as_of", "open_alerts", "violated_nights"]


class AlertEvent(StrEnum):
    """What happened to an alert.

    `opened` and `seen` are a night on which its rule spoke of its subject, `resolved` the first on which it did not any more;
    `notified` and `undelivered` are messages to a channel.
    """

    OPENED = "opened"
    SEEN = "seen"
    NOTIFIED = "notified"
    UNDELIVERED = "undelivered"
    RESOLVED = "resolved"

    @property
    def speaks(self) -> bool:
        """True when the rule spoke of the subject."""
        return self in (AlertEvent.OPENED, AlertEvent.SEEN)


@dataclass(frozen=True)
class AlertRecord(Record):
    """One thing that happened to one alert.

    Args:
        rule, subject: which alert; a subject is a table, `models.<name>`, `channels.<name>` or `service_levels.<name>`.
        night: that was looked at.
        text: what is wrong, in words.
        names: what it is about, as far as it has names: batches, columns, expectations.
        channel: of a message, where it went; empty else.
        reason: why a message was not delivered; empty else.
    """

    recorded_at: datetime
    night: date
    event: AlertEvent
    rule: str
    subject: str
    severity: str
    text: str = ""
    names: tuple[str, ...] = ()
    channel: str = ""
    reason: str = ""

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("night", pa.date32()),
            ("event", pa.string()),
            ("rule", pa.string()),
            ("subject", pa.string()),
            ("severity", pa.string()),
            ("text", pa.string()),
            ("names", pa.string()),
            ("channel", pa.string()),
            ("reason", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        return cls(**{**row, "event": AlertEvent(row["event"]), "names": tuple(json.loads(row["names"]))})

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same trouble, whatever the night."""
        return self.rule, self.subject


@dataclass(frozen=True)
class Alert:
    """One alert from its opening on.

    Args:
        night: the last on which its rule spoke.
        opened_at, opened_night: when it began.
        told: channel -> when it was last told.
        told_names: of which of the names any channel was told.
        told_severity: channel -> the severity that it was told of last.
        undelivered: channel -> why the last message to it was not delivered.
        resolved_at: None while it is open.
    """

    rule: str
    subject: str
    severity: str
    text: str
    names: tuple[str, ...]
    night: date
    opened_at: datetime
    opened_night: date
    told: Mapping[str, datetime] = field(default_factory=dict)
    told_names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    told_severity: Mapping[str, str] = field(default_factory=dict)
    undelivered: Mapping[str, str] = field(default_factory=dict)
    resolved_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Rule and subject."""
        return self.rule, self.subject

    @property
    def is_open(self) -> bool:
        """True until its rule says nothing of its subject any more."""
        return self.resolved_at is None

    def _after(self, record: AlertRecord) -> Alert:
        if record.event.speaks:
            return replace(
                self, severity=record.severity, text=record.text, names=record.names, night=record.night
            )
        if record.event is AlertEvent.RESOLVED:
            return replace(self, resolved_at=record.recorded_at)
        if record.event is AlertEvent.UNDELIVERED:
            return replace(self, undelivered={**self.undelivered, record.channel: record.reason})
        before = self.told_names.get(record.channel, frozenset())
        return replace(
            self,
            told={**self.told, record.channel: record.recorded_at},
            told_names={**self.told_names, record.channel: before | set(record.names)},
            told_severity={**self.told_severity, record.channel: record.severity},
            undelivered={name: why for name, why in self.undelivered.items() if name != record.channel},
        )


def alerts_of(records: Iterable[AlertRecord]) -> list[Alert]:
    """All alerts there ever were, in the order in which they were opened.

    Args:
        records: oldest first.
    """
    found: list[Alert] = []
    last: dict[tuple[str, str], int] = {}
    for record in records:
        at = last.get(record.key)
        if record.event is AlertEvent.OPENED:
            last[record.key] = len(found)
            found.append(
                Alert(
                    rule=record.rule,
                    subject=record.subject,
                    severity=record.severity,
                    text=record.text,
                    names=record.names,
                    night=record.night,
                    opened_at=record.recorded_at,
                    opened_night=record.night,
                )
            )
        elif at is not None:
            found[at] = found[at]._after(record)
    return found


def open_alerts(records: Iterable[AlertRecord]) -> dict[tuple[str, str], Alert]:
    """The alerts that are open, by rule and subject.

    Args:
        records: oldest first.
    """
    return {alert.key: alert for alert in alerts_of(records) if alert.is_open}


def as_of(records: Iterable[AlertRecord], night: date) -> list[AlertRecord]:
    """What was known after a night's own check."""
    return [record for record in records if record.night <= night]


def violated_nights(
    records: Iterable[AlertRecord], rules: Iterable[str], subjects: Iterable[str]
) -> set[date]:
    """The nights on which one of some rules spoke of one of some subjects."""
    wanted, about = set(rules), set(subjects)
    return {r.night for r in records if r.event.speaks and r.rule in wanted and r.subject in about}

"""Requests for a retraining: a model was found wanting on too many nights, and the next `lakesmith train --if-requested` answers.

Owns `ops.retraining` as values. A request stands until a version was trained, whatever the gates said of that version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["RetrainingEvent", "RetrainingRecord", "last_request", "standing_request"]


class RetrainingEvent(StrEnum):
    """A retraining is wanted, or was done."""

    REQUESTED = "requested"
    ANSWERED = "answered"


@dataclass(frozen=True)
class RetrainingRecord(Record):
    """A request, or the training that answered it.

    Args:
        night: the last night that was looked at; of an answer, the last that the training knew.
        reason: which rules spoke on how many nights; of an answer, why it was trained.
        version: of an answer, the version that was made.
    """

    model: str
    event: RetrainingEvent
    night: date
    recorded_at: datetime
    reason: str
    version: int | None = None

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("model", pa.string()),
            ("event", pa.string()),
            ("night", pa.date32()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("reason", pa.string()),
            ("version", pa.int64()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        return cls(**{**row, "event": RetrainingEvent(row["event"])})


def standing_request(records: Iterable[RetrainingRecord], model: str) -> RetrainingRecord | None:
    """The request for a model that nothing has answered yet.

    Args:
        records: oldest first.
    """
    standing = None
    for record in records:
        if record.model == model:
            standing = record if record.event is RetrainingEvent.REQUESTED else None
    return standing


def last_request(records: Iterable[RetrainingRecord], model: str) -> RetrainingRecord | None:
    """The newest request for a model, answered or not.

    Args:
        records: oldest first.
    """
    requests = [r for r in records if r.model == model and r.event is RetrainingEvent.REQUESTED]
    return requests[-1] if requests else None

"""The audit trail: who did something by hand that changes what tables hold, when, and why.

Owns `ops.audit` as values. What a night does on its own stands in `ops.runs`; here is only what a person decided.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["Action", "AuditRecord", "actor"]


class Action(StrEnum):
    """What a person did."""

    RESTORE = "restore"
    FORGET = "forget"
    FORCE = "force"
    REPLAY = "replay"
    EXTRACT = "extract"


@dataclass(frozen=True)
class AuditRecord(Record):
    """One thing that a person did, table by table.

    Args:
        who: see `actor`.
        first, last: the earliest and the latest batch concerned.
        why: in the person's own words; empty when none were asked for.
        run_ids: the runs that carried it out; none when nothing had to change.
        details: counts and versions, never a value of the data.
    """

    recorded_at: datetime
    who: str
    action: Action
    table: str
    first: date | None
    last: date | None
    why: str = ""
    run_ids: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("who", pa.string()),
            ("action", pa.string()),
            ("table", pa.string()),
            ("first", pa.date32()),
            ("last", pa.date32()),
            ("why", pa.string()),
            ("run_ids", pa.string()),
            ("details", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        return cls(
            **{
                **row,
                "action": Action(row["action"]),
                "run_ids": tuple(json.loads(row["run_ids"])),
                "details": json.loads(row["details"]),
            }
        )


def actor() -> str:
    """Who is at work: LAKESMITH_ACTOR where a scheduler names a person, else the user of this machine."""
    named = os.environ.get("LAKESMITH_ACTOR", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container whose user has no name.
        return f"uid {os.getuid()}"

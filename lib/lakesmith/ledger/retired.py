"""What can no longer be read or rebuilt, although it was promised: nights and models whose rows an erasure took away.

Owns `ops.retired` as values. A night that only grew too old has no entry here; that follows from the settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["RetiredKind", "RetiredRecord"]


class RetiredKind(StrEnum):
    """What is retired."""

    NIGHT = "night"
    MODEL = "model"


@dataclass(frozen=True)
class RetiredRecord(Record):
    """A night that can no longer be read whole, or a model that can no longer be reproduced.

    Args:
        name: the night's last day, or the model and its version: `repurchase 3`.
        of: when the night was recorded, which tells records of one night apart; None for a model.
        tables: those whose version is gone.
        reason: in words, naming nobody.
    """

    recorded_at: datetime
    kind: RetiredKind
    name: str
    of: datetime | None
    tables: tuple[str, ...]
    reason: str

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("kind", pa.string()),
            ("name", pa.string()),
            ("of", pa.timestamp("us", tz="UTC")),
            ("tables", pa.string()),
            ("reason", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        return cls(**{**row, "kind": RetiredKind(row["kind"]), "tables": tuple(json.loads(row["tables"]))})

"""Baselines that were made once and are read again each night, by the digest of what they were made from.

Owns `ops.baselines` as values. They are kept to save work, not as a truth of their own: the same key always has the same text,
and what is lost is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["BaselineRecord"]


@dataclass(frozen=True)
class BaselineRecord(Record):
    """A baseline that batches are profiled against.

    Args:
        table: whose baseline it is; of a model `models.<name>`.
        key: the digest of what it follows from.
        baseline: JSON; empty where there were no rows.
    """

    table: str
    key: str
    recorded_at: datetime
    baseline: str

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("table", pa.string()),
            ("key", pa.string()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("baseline", pa.string()),
        ]
    )

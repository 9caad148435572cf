"""Circuit breakers: whether a model that failed to serve several times in a row is worth another try.

Owns `ops.circuits` as values, and when a breaker opens, is probed and closes. One breaker stands between one model and one
tracking server; it counts nights, not seconds, so that a rerun of a night decides as the night did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["Circuit", "CircuitRecord"]


@dataclass(frozen=True)
class CircuitRecord(Record):
    """One try of a model that failed, or the first that went well after failures.

    Args:
        server: the tracking server that was asked, without user and password.
        night: the last night of the run.
        failed: False closes the breaker.
        version: that was tried.
        reason: why it failed; the type of the error and its message.
    """

    model: str
    server: str
    night: date
    recorded_at: datetime
    failed: bool
    version: int
    run_id: str
    reason: str = ""

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("model", pa.string()),
            ("server", pa.string()),
            ("night", pa.date32()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("failed", pa.bool_()),
            ("version", pa.int64()),
            ("run_id", pa.string()),
            ("reason", pa.string()),
        ]
    )


@dataclass(frozen=True)
class Circuit:
    """The breaker of one model and one server.

    Args:
        failures: those since the last try that went well, oldest first.
        limit: failures in a row that open it.
    """

    failures: tuple[CircuitRecord, ...]
    limit: int

    @classmethod
    def of(cls, records: Iterable[CircuitRecord], model: str, server: str, limit: int) -> Self:
        """The breaker out of the records of all."""
        mine = sorted(
            (r for r in records if (r.model, r.server) == (model, server)), key=lambda r: r.recorded_at
        )
        closed = max((at for at, record in enumerate(mine) if not record.failed), default=-1)
        return cls(tuple(mine[closed + 1 :]), limit)

    @property
    def is_open(self) -> bool:
        """True when the model is not tried but for the probe of a night."""
        return len(self.failures) >= self.limit

    def lets_try(self, night: date) -> bool:
        """Whether a run of a night tries the model: an open breaker lets one probe through on every night.

        Args:
            night: one on which a try failed since the breaker opened has had its probe.
        """
        return not self.is_open or all(r.night != night for r in self.failures[self.limit - 1 :])

    @property
    def reason(self) -> str:
        """In words, why an open breaker lets nothing through."""
        last = self.failures[-1]
        return (
            f"not tried after {len(self.failures)} failures in a row, the last on {last.night}: {last.reason}"
        )

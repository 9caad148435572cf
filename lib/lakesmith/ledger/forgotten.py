"""Who was forgotten, without saying who: salted hashes, by which a later reading of landing files knows whom to leave out.

Owns `ops.forgotten` as values. A hash is HMAC-SHA256 of the canonical id under a salt that is drawn once for a lake and stands
beside it: nobody can look an id up in a table made beforehand, but whoever has the lake can try ids one after the other, and of
ids with few digits that takes a moment. The lake's own permissions guard it, as they guard the rows. A slower hash would cost
every night as much: each id of each landing file is hashed to be compared.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["FORGOTTEN", "Forgotten", "ForgottenRecord"]

FORGOTTEN = "forgotten"
"""The reason with which a record of somebody forgotten is dropped."""


@dataclass(frozen=True)
class ForgottenRecord(Record):
    """Somebody who is to be left out of everything.

    Args:
        who: asked for it.
        salt, digest: in hexadecimal.
    """

    recorded_at: datetime
    who: str
    salt: str
    digest: str

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("who", pa.string()),
            ("salt", pa.string()),
            ("digest", pa.string()),
        ]
    )


@dataclass(frozen=True)
class Forgotten:
    """Everybody who was forgotten; an id is among them or not, and that is all that can be asked.

    Args:
        hashes: salt -> hashes.
    """

    hashes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[ForgottenRecord]) -> Self:
        """Those of the records."""
        found: dict[str, set[str]] = {}
        for record in records:
            found.setdefault(record.salt, set()).add(record.digest)
        return cls({salt: frozenset(digests) for salt, digests in found.items()})

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def __contains__(self, form: object) -> bool:
        """True for the canonical form of somebody's id."""
        return isinstance(form, str) and any(
            _hash(salt, form) in digests for salt, digests in self.hashes.items()
        )

    def entry(self, form: str, who: str, moment: datetime) -> ForgottenRecord:
        """What is written down of one more person; all of a lake share one salt, but for two that were drawn at once."""
        salt = min(self.hashes, default=None) or secrets.token_hex(32)
        return ForgottenRecord(moment, who, salt, _hash(salt, form))


def _hash(salt: str, form: str) -> str:
    return hmac.new(bytes.fromhex(salt), form.encode(), hashlib.sha256).hexdigest()

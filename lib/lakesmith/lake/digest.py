"""The digest of a batch: two equal digests mean equal rows, as a bag.

Owns the aggregates that make it and how they become one text: the row count, two 64-bit sums of row hashes, and the columns'
names and types. Sums, since xor would let pairs of equal rows cancel. The hashes are summed as 32-bit halves: a bigint
holds the sum of 2^31 of them without overflow, and the halves are put together modulo 2^64 afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakesmith.contracts.model import Column as ContractColumn
from lakesmith.lake.digest_expression import hash_columns
from lakesmith.ledger.records import EMPTY_DIGEST

__all__ = ["digest_aggregates", "digest_of"]

_SALTS = (1, 2)
_ROWS = "digest_rows"
_LOW = 0xFFFFFFFF


def digest_aggregates(columns: Sequence[ContractColumn]) -> dict[str, Column]:
    """Aggregates over the rows of a batch, for one grouped scan; `digest_of` reads them."""
    aggregates = {_ROWS: F.count(F.lit(1))}
    values = [(F.col(c.name), c.type) for c in columns]
    for salt in _SALTS:
        row_hash = hash_columns(values, salt)
        aggregates[f"digest_{salt}_low"] = F.sum(row_hash.bitwiseAND(F.lit(_LOW)))
        aggregates[f"digest_{salt}_high"] = F.sum(F.shiftrightunsigned(row_hash, 32))
    return aggregates


def digest_of(columns: Sequence[ContractColumn], values: Mapping[str, Any] | None) -> tuple[str, int]:
    """The digest and the row count of a batch.

    Args:
        columns: those that the aggregates were made for.
        values: the aggregates' values; None for a batch without a group, which is one without rows.
    """
    if values is None or not values[_ROWS]:
        return EMPTY_DIGEST, 0
    schema = ",".join(f"{c.name}:{c.type}" for c in columns)
    sums = [
        (int(values[f"digest_{s}_low"]) + (int(values[f"digest_{s}_high"]) << 32)) % (1 << 64) for s in _SALTS
    ]
    text = f"{schema}|{values[_ROWS]}|{sums[0]:016x}{sums[1]:016x}"
    return hashlib.sha256(text.encode()).hexdigest()[:32], int(values[_ROWS])

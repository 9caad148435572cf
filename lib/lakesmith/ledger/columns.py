"""Where the columns of a table come from, as plans of its job had it: one record for each code that computed it.

Owns `ops.columns` as values. Reading it off a plan is `lakesmith.lake.plan_columns`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

import pyarrow as pa

from lakesmith.ledger.records import Record

__all__ = ["ColumnSource", "ColumnsRecord", "TableColumns"]


@dataclass(frozen=True, order=True)
class ColumnSource:
    """One column of one input.

    Args:
        target: the table or the source.
    """

    target: str
    column: str

    def __str__(self) -> str:
        return f"{self.target}.{self.column}"


@dataclass(frozen=True)
class TableColumns:
    """Where the columns of a table come from.

    Args:
        columns: column -> the input columns that its values are made from, and the functions on the way whose inside nobody
            can see.
        deciding: input columns that filters, joins and groupings use: they decide which rows there are.
        opaque: operators of the plan through which any column may come from any other.
    """

    columns: Mapping[str, tuple[tuple[ColumnSource, ...], tuple[str, ...]]]
    deciding: tuple[ColumnSource, ...] = ()
    opaque: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The value as a record carries it."""
        return {
            "columns": {
                name: {"from": [[s.target, s.column] for s in sources], "through": list(through)}
                for name, (sources, through) in self.columns.items()
            },
            "deciding": [[s.target, s.column] for s in self.deciding],
            "opaque": list(self.opaque),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The value that a record carries."""
        return cls(
            {
                name: (tuple(ColumnSource(*pair) for pair in found["from"]), tuple(found["through"]))
                for name, found in data["columns"].items()
            },
            tuple(ColumnSource(*pair) for pair in data["deciding"]),
            tuple(data["opaque"]),
        )


@dataclass(frozen=True)
class ColumnsRecord(Record):
    """Where the columns of a table came from when one code computed it for the first time.

    Args:
        fingerprint: the data fingerprint of that code.
        columns: see `TableColumns.to_json`.
    """

    table: str
    fingerprint: str
    recorded_at: datetime
    run_id: str
    columns: Mapping[str, Any]

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("table", pa.string()),
            ("fingerprint", pa.string()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("run_id", pa.string()),
            ("columns", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        return cls(**{**row, "columns": json.loads(row["columns"])})

    @classmethod
    def newest(cls, records: Iterable[Self], fingerprint: str | None = None) -> Self | None:
        """The newest record among those of one table; only of one code where its fingerprint is given."""
        wanted = [r for r in records if fingerprint is None or r.fingerprint == fingerprint]
        return max(wanted, key=lambda record: record.recorded_at, default=None)

"""The `ops` tables: what ran, what came of it and what people did, as append-only Delta tables that need no Spark.

Owns their creation, their format version and appending. A lake written by a newer Lakesmith is refused, never guessed at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lakesmith.errors import CommitConflict, UnsupportedTable
from lakesmith.ledger.alerts import AlertRecord
from lakesmith.ledger.audit_trail import AuditRecord
from lakesmith.ledger.baselines import BaselineRecord
from lakesmith.ledger.circuit import CircuitRecord
from lakesmith.ledger.columns import ColumnsRecord
from lakesmith.ledger.commits import commit_once, is_unanswered, persist
from lakesmith.ledger.forgotten import ForgottenRecord
from lakesmith.ledger.location import LakeLocation, open_delta
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.records import BatchRecord, NightRecord, QualityRecord, Record, RunRecord
from lakesmith.ledger.retired import RetiredRecord
from lakesmith.ledger.retraining import RetrainingRecord

__all__ = ["FORMAT", "OPS_TABLES", "Kept", "Ops", "in_order", "now"]

log = logging.getLogger(__name__)

FORMAT = 1
"""The layout of the `ops` tables and of provenance that this version writes."""

_FORMAT_PROPERTY = "lakesmith.format"
_COMPACT_EACH = 50
_ONCE_ATTEMPTS = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OPS_TABLES: dict[str, type[Record]] = {
    "ops.runs": RunRecord,
    "ops.batches": BatchRecord,
    "ops.quality": QualityRecord,
    "ops.nights": NightRecord,
    "ops.model_events": ModelEvent,
    "ops.circuits": CircuitRecord,
    "ops.audit": AuditRecord,
    "ops.retired": RetiredRecord,
    "ops.forgotten": ForgottenRecord,
    "ops.columns": ColumnsRecord,
    "ops.alerts": AlertRecord,
    "ops.retraining": RetrainingRecord,
    "ops.baselines": BaselineRecord,
}
_TABLE_OF = {kind: table for table, kind in OPS_TABLES.items()}

Kept = TypeVar("Kept", bound=Record)
"""A kind of record."""


class Ops:
    """Reads and appends to the `ops` tables of one lake."""

    def __init__(self, lake: LakeLocation) -> None:
        self._lake = lake

    def append(self, records: Sequence[Record]) -> None:
        """Adds records of one kind in one commit.

        Appends never conflict with each other, so deltalake may retry them.

        Raises:
            StoreUnanswered: the store that holds the lake did not answer.
        """
        if not records:
            return
        kind = type(records[0])
        self._write(self._open(_TABLE_OF[kind]) or self._create(_TABLE_OF[kind], kind), records)

    def append_once(
        self, kind: type[Kept], columns: Sequence[str], lacking: Callable[[pa.Table], Sequence[Kept]]
    ) -> Sequence[Kept]:
        """Adds what a table lacks, so that several processes that find the same lacking add it once.

        Args:
            columns: that `lacking` reads.
            lacking: given the table's rows, the records to add; asked again where somebody else wrote meanwhile.

        Returns:
            The records that were added.

        Raises:
            CommitConflict: others wrote each time.
        """
        table = _TABLE_OF[kind]
        for _ in range(_ONCE_ATTEMPTS):
            opened = self._open(table) or self._create(table, kind)
            records = lacking(_rows(opened, kind, columns))
            if not records:
                return ()
            try:
                # deltalake's own retry would add them on top of what was not read.
                self._write(opened, records, retries=0)
            except CommitFailedError:
                continue
            return records
        raise CommitConflict(
            f"{table}: others wrote in all of {_ONCE_ATTEMPTS} attempts to add to it; nothing was added. Run it again"
        )

    def _write(self, opened: DeltaTable, records: Sequence[Record], retries: int | None = None) -> None:
        kind = type(records[0])
        rows = pa.Table.from_pylist([record.to_row() for record in records], schema=kind.schema)
        # A table of an earlier version lacks columns that came later; they are null in its rows.
        grown = set(kind.schema.names) > {field.name for field in opened.schema().fields}
        commit_once(
            opened,
            _TABLE_OF[kind],
            lambda target, properties: write_deltalake(
                target,
                rows,
                mode="append",
                schema_mode="merge" if grown else None,
                commit_properties=properties,
            ),
            lambda: self._open(_TABLE_OF[kind]),
            retries=retries,
        )
        if (opened.version() + 1) % _COMPACT_EACH == 0:
            self._compact(_TABLE_OF[kind])

    def read(
        self,
        kind: type[Record],
        *,
        columns: Sequence[str] | None = None,
        tables: Collection[str] | None = None,
    ) -> pa.Table:
        """All rows of one kind, or those of some tables; an empty table when nothing was ever written."""
        return _rows(self._open(_TABLE_OF[kind]), kind, columns, tables)

    def records(
        self, kind: type[Kept], *, tables: Collection[str] | None = None, until: datetime | None = None
    ) -> list[Kept]:
        """All records of one kind, or those of some tables, oldest first, up to a moment if one is given."""
        rows = in_order(self.read(kind, tables=tables))
        return [kind.from_row(row) for row in rows if until is None or row["recorded_at"] <= until]

    def _open(self, table: str) -> DeltaTable | None:
        opened = open_delta(self._lake.path(table), self._lake.storage_options)
        if opened is None:
            return None
        written = int(opened.metadata().configuration.get(_FORMAT_PROPERTY, 0))
        if written > FORMAT:
            raise UnsupportedTable(
                table,
                f"this lake has format {written}; this Lakesmith knows formats up to {FORMAT}. "
                f"Upgrade before you touch it: pip install --upgrade lakesmith",
            )
        if written < FORMAT:
            raise UnsupportedTable(
                table,
                f"{self._lake.path(table)} was not written by Lakesmith (no property {_FORMAT_PROPERTY!r}). "
                f"Point LAKESMITH__LAKE_ROOT at a Lakesmith lake or at an empty folder.",
            )
        return opened

    def _create(self, table: str, kind: type[Record]) -> DeltaTable:
        return persist(
            f"make {table}",
            "It is not there.",
            lambda: self._make(table, kind),
            lambda: self._open(table),
        )

    def _make(self, table: str, kind: type[Record]) -> DeltaTable:
        return DeltaTable.create(
            self._lake.path(table),
            kind.schema,
            # Two first runs at once may both get here; the second finds the first one's table.
            mode="ignore",
            description=f"Lakesmith's own: {(kind.__doc__ or '').splitlines()[0]}",
            configuration={
                _FORMAT_PROPERTY: str(FORMAT),
                "delta.checkpointInterval": "20",
                "delta.logRetentionDuration": "interval 730 days",
                "delta.enableExpiredLogCleanup": "false",
            },
            storage_options=dict(self._lake.storage_options),
            raise_if_key_not_exists=False,
        )

    def _compact(self, table: str) -> None:
        """Many small appends become one file; a concurrent append does not conflict with it."""
        opened = self._open(table)
        if opened is None:
            return
        try:
            opened.optimize.compact()
        except (DeltaError, OSError) as error:
            # Another process was first, or it is done another time: what was appended is there.
            if not isinstance(error, CommitFailedError) and not is_unanswered(error):
                raise
            log.debug("%s: not compacted this time: %s", table, error)


def _rows(
    opened: DeltaTable | None,
    kind: type[Record],
    columns: Sequence[str] | None,
    tables: Collection[str] | None = None,
) -> pa.Table:
    """The rows of a table as it was opened."""
    schema = kind.schema if columns is None else pa.schema([kind.schema.field(name) for name in columns])
    if opened is None:
        # Not `empty_table`, which imports pandas, too.
        return pa.Table.from_batches([], schema)
    # Not `to_pyarrow_dataset`: pyarrow's datasets import pandas, half a second for a command like `status`.
    known = {field.name for field in opened.schema().fields}
    wanted = ", ".join(f'"{name}"' if name in known else f'NULL AS "{name}"' for name in schema.names)
    where = ""
    if tables is not None:
        listed = ", ".join(f"'{table}'" for table in tables)
        where = f' WHERE "table" IN ({listed})' if tables else " WHERE false"
    found = QueryBuilder().register("records", opened).execute(f"SELECT {wanted} FROM records{where}")
    return pa.RecordBatchReader.from_stream(found).read_all().cast(schema)


def in_order(found: pa.Table, by: str = "recorded_at") -> list[dict[str, Any]]:
    """The rows of a table, oldest first.

    Not by pyarrow, which imports pandas to make moments and to sort: a third of what a command like `status` takes.

    Args:
        by: the column with the moment, in UTC, by which they are ordered.
    """
    moments = [name for name in found.schema.names if pa.types.is_timestamp(found.schema.field(name).type)]
    columns = {
        name: [
            None if n is None else _EPOCH + timedelta(microseconds=n)
            for n in found[name].cast(pa.int64()).to_pylist()
        ]
        for name in moments
    }
    rows = found.drop_columns(moments).to_pylist()
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return sorted(rows, key=lambda row: row[by])


def now() -> datetime:
    """The present, in UTC, to the microsecond that the tables keep."""
    return datetime.now(UTC)

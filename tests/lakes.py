"""A lake of the meters project that no Spark wrote: tables as their contracts declare them, and records of nights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from command_lines import publish
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.lake.tables import ensure_table, quarantine_contract
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.live import LiveTable
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints, NightRecord
from workspaces import Workspace, day

Asked = Callable[..., list[tuple[Any, ...]]]
"""The rows of an answer: `ask(sql, as_of)`."""


def write_batch(workspace: Workspace, table: str, number: int, rows: Sequence[dict[str, Any]]) -> int:
    """Replaces the batch of a day; columns that a row does not name are null. Returns the table's version."""
    context = workspace.context()
    contracts = context.project.graph.contracts
    quarantines = {c.quarantine_table: quarantine_contract(c) for c in contracts.values()}
    made = ensure_table(context.lake, {**contracts, **quarantines}[table])
    names = [field["name"] for field in json.loads(made.schema().to_json())["fields"]]
    filled = [{name: row.get(name) for name in names} | {BATCH_DATE: day(number)} for row in rows]
    write_deltalake(
        made,
        pa.Table.from_pylist(filled, schema=pa.schema(made.schema().to_arrow())),
        mode="overwrite",
        predicate=f"{BATCH_DATE} = '{day(number)}'",
    )
    return workspace.table(table).version()


def record_night(
    workspace: Workspace, number: int, *, troubles: dict[str, str] | None = None, minutes: int = 0
) -> NightRecord:
    """Writes down that a night has ended, with the versions that the tables have now.

    Args:
        minutes: how much later than now.
    """
    context = workspace.context()
    contracts = context.project.graph.contracts.values()
    names = [name for c in contracts for name in c.written_tables]
    opened = {name: context.lake.open(name) for name in names}
    versions = {name: table.version() for name, table in opened.items() if table is not None}
    record = NightRecord(
        day(number), day(number), now() + timedelta(minutes=minutes), not troubles, versions, troubles or {}
    )
    context.ledger.ops.append([record])
    return record


def publish_batch(
    workspace: Workspace, table: str, number: int, rows: Sequence[dict[str, Any]], **changes: Any
) -> int:
    """Replaces the batch of a day and records it as published by a run. Returns the table's version."""
    version = write_batch(workspace, table, number, rows)
    live = workspace.context().ledger.live(table)
    assert live is not None
    digest = f"{table} {number} {sorted(map(str, rows))}"
    told = {"version": version, "files": live.files_of(day(number)), "rows": len(rows), "digest": digest}
    publish(workspace, [number], [table], **{**told, **changes})
    return version


def publish_parts(
    workspace: Workspace, table: str, number: int, *parts: Sequence[dict[str, Any]]
) -> BatchRecord:
    """Adds a batch as one file for each part, and records it as a run of Lakesmith would have."""
    context = workspace.context()
    contracts = context.project.graph.contracts
    quarantines = {c.quarantine_table: quarantine_contract(c) for c in contracts.values()}
    made = ensure_table(context.lake, {**contracts, **quarantines}[table])
    schema = pa.schema(made.schema().to_arrow())
    for rows in parts:
        filled = [{name: row.get(name) for name in schema.names} | {BATCH_DATE: day(number)} for row in rows]
        write_deltalake(made, pa.Table.from_pylist(filled, schema=schema), mode="append")
    live = LiveTable.of(workspace.table(table))
    record = BatchRecord(
        table=table,
        batch_date=day(number),
        recorded_at=now(),
        run_id=f"run-{number}",
        outcome=BatchOutcome.PUBLISHED,
        version=live.version,
        digest=f"digest-{number}",
        rows=sum(len(rows) for rows in parts),
        read=None,
        quarantined=0,
        dropped={},
        fingerprints=context.fingerprints(table, SCHEME)
        if table in contracts
        else Fingerprints(SCHEME, "", "", ""),
        inputs=(),
        settings={},
        files=live.files_of(day(number)),
    )
    context.ledger.record([record])
    return record

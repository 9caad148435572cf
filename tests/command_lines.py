"""What tests of commands share: an answer, and a ledger of the meters project that no Spark wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.live import NO_FILES
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, BatchRecord, InputRead
from lakesmith.ledger.window_digest import WindowDigests
from workspaces import Workspace, day

THREE_TABLES = ("bronze.readings", "silver.readings", "gold.usage")


@dataclass(frozen=True)
class Answer:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ask = Callable[..., Answer]


def publish(
    workspace: Workspace, days: Iterable[int], tables: Iterable[str] = THREE_TABLES, **changes: Any
) -> None:
    """Records batches as published with what they would have read; their files are not made."""
    for table in tables:
        context = workspace.context()
        contract = context.project.graph.contracts[table]
        records = [
            BatchRecord(
                **{
                    "table": table,
                    "batch_date": day(number),
                    "recorded_at": now(),
                    "run_id": "20240201T000000-00000001",
                    "outcome": BatchOutcome.PUBLISHED,
                    "version": None,
                    "digest": f"{table} {number}",
                    "rows": 2,
                    "read": 2,
                    "quarantined": 0,
                    "dropped": {},
                    "fingerprints": context.fingerprints(table, SCHEME),
                    "inputs": tuple(
                        _read(workspace, table, entry.name, day(number)) for entry in contract.inputs
                    ),
                    "settings": {},
                    "files": NO_FILES,
                    **changes,
                }
            )
            for number in days
        ]
        context.ledger.record(records)


def _read(workspace: Workspace, table: str, name: str, batch: date) -> InputRead:
    context = workspace.context()
    graph = context.project.graph
    entry = next(i for i in graph.contracts[table].inputs if i.name == name)
    if entry.source is not None:
        manifest = context.pin(
            entry.source, context.landed(entry.source, BatchRange(batch, batch))[batch], None
        )
        return InputRead(name, entry.target, None, manifest.digest, (), manifest.to_files())
    start = graph.starts[entry.target]
    digests = WindowDigests(start)
    for earlier in BatchRange(start, batch):
        standing = context.ledger.history(entry.target).standing(earlier)
        digests.append(earlier, standing.digest if standing is not None else None)
    return InputRead(name, entry.target, None, digests.of(entry.window.reads(batch, start)))

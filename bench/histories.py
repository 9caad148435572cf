"""A project of some tables with a ledger of some nights, made without Spark for benchmarks of what only reads them.

Logs, records and landing files are real; data files are only named.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import pin_inputs
from lakesmith.engine.submit import open_context
from lakesmith.lake.tables import ensure_table
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.live import files_digest
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, BatchRecord

__all__ = ["START", "make_history", "make_project"]

START = date(2024, 1, 1)
_WINDOWS: Sequence[Any] = ("same_day", {"last": "90d"}, "same_day", {"last": "30d"}, "same_day")
_AT_ONCE = 10


def make_project(root: Path, tables: int) -> None:
    """A source, and tables in a row, each made from the one before; every third has a wide window, the last looks ahead."""
    (root / "conf" / "tables").mkdir(parents=True)
    (root / "conf" / "expectations").mkdir()
    (root / "conf" / "sources").mkdir()
    (root / "jobs" / "silver").mkdir(parents=True)
    (root / "conf" / "base.yml").write_text("landing_root: landing\nlake_root: lake\n")
    (root / "conf" / "dev.yml").write_text("{}\n")
    source = {
        "source": "files",
        "description": "Daily files.",
        "patterns": ["{batch_date}.csv"],
        "format": "csv",
        "start": START,
        "columns": {"n": {}},
    }
    (root / "conf" / "sources" / "files.yml").write_text(yaml.safe_dump(source))
    for number in range(tables):
        name = f"silver.t{number:02d}"
        window = {"ahead": "30d"} if number == tables - 1 else _WINDOWS[number % len(_WINDOWS)]
        before = {"table": f"silver.t{number - 1:02d}", "window": window}
        contract: dict[str, Any] = {
            "table": name,
            "description": "A table.",
            "owner": "bench",
            "job": f"jobs/silver/t{number:02d}.py",
            "inputs": {"rows": {"source": "files"} if not number else before},
            "key": ["n"],
            "columns": {"n": {"type": "string", "nullable": False}},
        }
        if number == tables - 1:
            contract["lag"] = "30d"
        if not number:
            contract["columns"] |= {
                "source_file": {"type": "string"},
                "record_no": {"type": "bigint"},
                "extra": {"type": "map<string,string>"},
                "malformed": {"type": "string"},
            }
        (root / "conf" / "tables" / f"{name}.yml").write_text(yaml.safe_dump(contract, sort_keys=False))
        suite = {"name": name, "expectations": [], "meta": {}}
        (root / "conf" / "expectations" / f"{name}.json").write_text(json.dumps(suite))
        (root / contract["job"]).write_text(
            f'from lakesmith import job\n\n\n@job("{name}")\ndef transform(rows):\n    return rows\n'
        )


def make_history(root: Path, nights: int) -> None:
    """Landing files, one commit a batch in every table, and the records of all of them."""
    folder = root / "landing" / "files"
    folder.mkdir(parents=True)
    days = BatchRange(START, START + timedelta(nights - 1))
    for day in days:
        (folder / f"{day}.csv").write_text(f"n\n{day}\n")
    context = open_context("dev", root)
    for table in context.project.graph.order:
        contract = context.project.graph.contracts[table]
        due = context.judge.due(table, days)
        states = list(context.judge.judge(days, [table])[table].values()) if due else []
        if not states:
            continue
        pinned = pin_inputs(context, contract, states)
        made = ensure_table(context.lake, contract)
        records = [_record(context, contract, state.batch_date, pinned) for state in states]
        for version, record in enumerate(records, start=1):
            made = _commit(made, record.batch_date, version)
        for at in range(0, len(records), _AT_ONCE):
            context.ledger.record(
                replace(record, version=at + offset)
                for offset, record in enumerate(records[at : at + _AT_ONCE], start=1)
            )


def _path(day: date, version: int) -> str:
    return f"batches/run-{version}/{BATCH_DATE}={day}/_outcome=published/part-0.parquet"


def _commit(table: DeltaTable, day: date, version: int) -> DeltaTable:
    stats = json.dumps({"numRecords": 1})
    add = AddAction(_path(day, version), 1, {BATCH_DATE: day.isoformat()}, 0, True, stats)
    table.create_write_transaction(
        [add],
        mode="append",
        schema=table.schema(),
        partition_by=[BATCH_DATE],
        commit_properties=CommitProperties(max_commit_retries=0),
    )
    table.update_incremental()
    return table


def _record(context: Context, contract: Contract, day: date, pinned: Any) -> BatchRecord:
    version = (day - context.project.graph.starts[contract.table]).days + 1
    return BatchRecord(
        table=contract.table,
        batch_date=day,
        recorded_at=now(),
        run_id=f"run-{version}",
        outcome=BatchOutcome.PUBLISHED,
        version=version,
        digest=f"{contract.table}-{day}",
        rows=1,
        read=None,
        quarantined=0,
        dropped={},
        fingerprints=context.fingerprints(contract.table, SCHEME),
        inputs=pinned.reads(day),
        settings={},
        files=files_digest([_path(day, version)]),
    )

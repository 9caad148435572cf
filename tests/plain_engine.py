"""The engine with transforms in plain Python: what Spark would stage and judge is computed here, everything else is the engine's.

Owns the stand-in for an attempt and the meters project's transforms as functions of rows. Pinning, publishing, recording, leases,
judging and planning are the real ones, so that hundreds of sequences of events run in the time in which Spark runs a few.
`tests/laws/test_sequences.py` holds that these transforms give what the jobs give.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import QueryBuilder

from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.engine.audit import BatchAudit
from lakesmith.engine.auditing_again import AuditAgain
from lakesmith.engine.context import Context
from lakesmith.engine.execution import Execution
from lakesmith.engine.pinning import pin_inputs
from lakesmith.engine.publication import Publication
from lakesmith.engine.recording import audited_batch
from lakesmith.engine.restored_rows import NotRestored
from lakesmith.engine.restoring import RestorePlan
from lakesmith.engine.transforming import SettingsRead
from lakesmith.faults import Step, step
from lakesmith.jobs import Job
from lakesmith.lake.staging import RowOutcome, Staged, StagedFile
from lakesmith.lake.tables import BROKEN_RULES, delta_schema, ensure_table, quarantine_contract
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.records import EMPTY_DIGEST, BatchRecord
from lakesmith.quality.accounting import Accounting

__all__ = ["Rows", "computed", "rows_of", "without_spark"]

Row = dict[str, Any]
Rows = list[Row]


class Computed:
    """What a transform makes of one batch."""

    def __init__(self, rows: Rows, quarantined: Rows | None = None, dropped: int = 0) -> None:
        self.rows, self.quarantined, self.dropped = rows, quarantined or [], dropped


# --- the meters project, in plain Python ------------------------------------------------------------------------------


def _bronze(root: Path, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]) -> Computed:
    return Computed(inputs["files"])


def _silver(root: Path, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]) -> Computed:
    kept, bad, seen, dropped = [], [], set(), 0
    for line in sorted(inputs["lines"], key=lambda row: (row["source_file"], row["record_no"])):
        if line["meter"] in seen:
            dropped += 1
            continue
        seen.add(line["meter"])
        kwh = int(line["kwh"]) if line["kwh"].lstrip("-").isdigit() else None
        row = {name: line[name] for name in ("source_file", "record_no", "meter", "street")} | {"kwh": kwh}
        if kwh is None or kwh < 0:
            bad.append(row | {BROKEN_RULES: ["kwh_parses" if kwh is None else "kwh_not_negative"]})
        else:
            kept.append(row)
    return Computed(kept, bad, dropped)


def _usage(root: Path, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]) -> Computed:
    total = max if 'F.max("kwh")' in (root / "jobs/gold/usage.py").read_text() else sum
    used: dict[str, list[int]] = {}
    for row in inputs["readings"]:
        used.setdefault(row["meter"], []).append(row["kwh"])
    tariff = settings["tariff"]
    return Computed([{"meter": m, "kwh": total(v), "cost": total(v) * tariff} for m, v in used.items()])


def _usage_3d(root: Path, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]) -> Computed:
    used: dict[str, list[int]] = {}
    for row in inputs["usage"]:
        used.setdefault(row["meter"], []).append(row["kwh"])
    return Computed(
        [{"meter": m, "kwh": sum(v), "mean_kwh": round(sum(v) / len(v), 3)} for m, v in used.items()]
    )


def _running(root: Path, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]) -> Computed:
    used: dict[str, int] = {}
    for row in (*inputs["usage"], *inputs["before"]):
        used[row["meter"]] = used.get(row["meter"], 0) + row["kwh"]
    return Computed([{"meter": m, "kwh": v} for m, v in used.items()])


def _next_day(root: Path, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]) -> Computed:
    later = {row["meter"]: row["kwh"] for row in inputs["later"]}
    return Computed([{"meter": r["meter"], "next_kwh": later.get(r["meter"])} for r in inputs["usage"]])


_TRANSFORMS: Mapping[str, Callable[[Path, date, Mapping[str, Rows], Mapping[str, Any]], Computed]] = {
    "bronze.readings": _bronze,
    "silver.readings": _silver,
    "gold.usage": _usage,
    "gold.usage_3d": _usage_3d,
    "gold.running": _running,
    "gold.next_day": _next_day,
}


def computed(
    context: Context, table: str, day: date, inputs: Mapping[str, Rows], settings: Mapping[str, Any]
) -> tuple[Computed, tuple[str, ...]]:
    """What a table's transform makes of its inputs, and why its audit refuses that."""
    made = _TRANSFORMS[table](context.project.root, day, inputs, settings)
    contract = context.project.graph.contracts[table]
    read = len(inputs["lines"]) if table == "silver.readings" else 0
    return made, judged(contract, made.rows, len(made.quarantined), read)


def judged(contract: Contract, rows: Rows, quarantined: int, read: int) -> tuple[str, ...]:
    """Why a batch of silver.readings is refused; no other table of the project ever is."""
    if contract.table != "silver.readings":
        return ()
    most = next(
        e.kwargs["max_value"] for e in contract.suite.expectations if e.meta.get("rule") == "kwh_sane"
    )
    refusals = []
    if any(row["kwh"] > most for row in rows):
        refusals.append(f"kwh_sane: observed {max(row['kwh'] for row in rows)}")
    if quarantined > contract.quarantine_limit.share * read:
        refusals.append(f"{quarantined} of {read} rows are quarantined")
    return tuple(refusals)


def landed_rows(root: Path, day: date) -> Rows:
    """The records of a day's files as bronze has them."""
    rows: Rows = []
    for file in sorted((root / "landing" / "readings").glob(f"{day}*.csv")):
        with file.open(newline="") as text:
            for number, record in enumerate(csv.DictReader(text), start=1):
                row = {"source_file": file.name, "record_no": number, "meter": record["Meter"]}
                rows.append(row | {"kwh": record["kWh"], "street": record["Street"]})
    return rows


def rows_of(context: Context, table: str, version: int | None = None) -> dict[date, Rows]:
    """The rows of a table by batch, each batch in a fixed order, without columns that are null everywhere in a row."""
    opened = context.lake.open(table, version)
    found: dict[date, Rows] = {}
    if opened is None:
        return found
    answer = QueryBuilder().register("t", opened).execute("SELECT * FROM t")
    for row in pa.RecordBatchReader.from_stream(answer).read_all().to_pylist():
        found.setdefault(row.pop(BATCH_DATE), []).append({k: v for k, v in row.items() if v is not None})
    return {day: in_order(rows) for day, rows in found.items()}


def in_order(rows: Rows) -> Rows:
    """Rows in an order that hangs on nothing but them; nulls left out."""
    return sorted(({k: v for k, v in row.items() if v is not None} for row in rows), key=_text)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _digest(rows: Rows) -> str:
    return hashlib.sha256(_text(in_order(rows)).encode()).hexdigest()[:32] if rows else EMPTY_DIGEST


# --- an attempt -------------------------------------------------------------------------------------------------------


class PlainAttempt(Execution):
    """Takes the place of `lakesmith.engine.attempt.Attempt`."""

    def execute(self, job: Job | None) -> tuple[list[BatchRecord], int | None]:
        context, contract = self.context, self.run.contract
        ensure_table(context.lake, contract)
        with step(Step.READ, contract.table):
            pinned = pin_inputs(context, contract, self.states)
            tables = {t.input.name: (t, rows_of(context, t.contract.table, t.version)) for t in pinned.tables}
        settings = SettingsRead(context.settings.parameters)
        files: list[StagedFile] = []
        audits: dict[date, BatchAudit] = {}
        with step(Step.STAGE, contract.table):
            for state in self.states:
                day = state.batch_date
                self.reads[day] = pinned.reads(day)
                inputs = {
                    name: [row for d in t.windows[day] or () for row in found.get(d, [])]
                    for name, (t, found) in tables.items()
                }
                inputs |= {s.input.name: landed_rows(context.project.root, day) for s in pinned.sources}
                made, refusals = computed(context, contract.table, day, inputs, settings)
                files += _staged(context, self.run.run_id, contract, day, made.rows, made.quarantined)
                read = sum(len(rows) for name, rows in inputs.items())
                audits[day] = BatchAudit(
                    batch_date=day,
                    rows=len(made.rows),
                    digest=_digest(made.rows),
                    accounting=Accounting(
                        read,
                        len(made.rows),
                        len(made.quarantined),
                        {"second_reading": made.dropped} if made.dropped else {},
                    ),
                    quarantine_digest=_digest(made.quarantined),
                    results=(),
                    refusals=refusals,
                    warnings=(),
                )
        with step(Step.AUDIT, contract.table):
            records = {
                day: audited_batch(self.run, context, found, pinned, settings.read)
                for day, found in audits.items()
            }
        staged = Staged(contract.table, self.run.run_id, f"batches/{self.run.run_id}", tuple(files))
        publication = Publication(
            context, self.run, self.states, staged, audits, records, lambda: pinned.check_unchanged(context)
        )
        done, version = publication.carry_out()
        self.unchanged = publication.unchanged
        return done, version


def _staged(
    context: Context, run_id: str, contract: Contract, day: date, rows: Rows, quarantined: Rows
) -> list[StagedFile]:
    """The files that Spark would have staged for a batch."""
    files: list[StagedFile] = []
    for of, outcome, found in (
        (contract, RowOutcome.PUBLISHED, rows),
        (quarantine_contract(contract), RowOutcome.QUARANTINED, quarantined),
    ):
        if not found:
            continue
        path = f"batches/{run_id}/{BATCH_DATE}={day}/_outcome={outcome}/part-0.parquet"
        target = Path(context.lake.path(contract.table)) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        schema = pa.schema(f for f in pa.schema(delta_schema(of).to_arrow()) if f.name != BATCH_DATE)
        pq.write_table(pa.Table.from_pylist(found, schema=schema), target)
        stats = json.dumps({"numRecords": len(found)})
        files.append(StagedFile(path, day, outcome, len(found), target.stat().st_size, 0, stats))
    return files


class PlainAudit(AuditAgain):
    """Judges published rows by the meters project's one critical rule and its quarantine limit."""

    def _judged(self, standing: Mapping[date, BatchRecord]) -> dict[date, BatchAudit]:
        with step(Step.READ, self.contract.table):
            published = rows_of(self.context, self.contract.table)
        with step(Step.AUDIT, self.contract.table):
            return {day: self._audit(record, published.get(day, [])) for day, record in standing.items()}

    def _audit(self, record: BatchRecord, rows: Rows) -> BatchAudit:
        accounting = Accounting(record.read or 0, len(rows), record.quarantined, record.dropped)
        refusals = judged(self.contract, rows, record.quarantined, accounting.accounted)
        return BatchAudit(
            record.batch_date, len(rows), record.digest, accounting, EMPTY_DIGEST, (), refusals, ()
        )


# --- an old state ----------------------------------------------------------------------------------------------------


def _old_rows(context: Context, plan: RestorePlan) -> tuple[Context, Rows, Rows]:
    """Takes the place of `lakesmith.engine.restored_rows.old_rows`."""
    rows = rows_of(context, plan.contract.table, plan.past.version).get(plan.day, [])
    if plan.quarantined is None:
        return context, rows, []
    rejected = rows_of(context, plan.contract.quarantine_table, plan.quarantined.version)
    return context, rows, rejected.get(plan.day, [])


def _stage_old(
    frame: tuple[Context, Rows, Rows],
    contract: Contract,
    lake: LakeLocation,
    run_id: str,
    batches: Sequence[date],
    **_: object,
) -> Staged:
    """Takes the place of `lakesmith.lake.staging.stage`."""
    context, rows, rejected = frame
    files = _staged(context, run_id, contract, batches[0], rows, rejected)
    return Staged(contract.table, run_id, f"batches/{run_id}", tuple(files))


def _audited_old(context: Context, plan: RestorePlan, staged: Staged) -> tuple[BatchAudit, list[str]]:
    """Takes the place of `lakesmith.engine.restored_rows.audited`."""
    _, rows, rejected = _old_rows(context, plan)
    record = plan.record
    refusals = judged(plan.contract, rows, 0, 1)
    if refusals:
        raise NotRestored("; ".join(refusals))
    accounting = Accounting(record.read or 0, len(rows), len(rejected), record.dropped)
    found = BatchAudit(plan.day, len(rows), _digest(rows), accounting, _digest(rejected), (), (), ())
    assert found.digest == record.digest
    return found, []


_NO_SESSION = SimpleNamespace(sparkContext=SimpleNamespace(setJobGroup=lambda *_: None))


@contextmanager
def without_spark() -> Iterator[None]:
    """Runs are made by `PlainAttempt` and `PlainAudit`, restores of plain rows; there is no session to ask for anything."""
    for late in ("attempt", "intake"):
        # What is imported amid the patches would keep what it finds then.
        import_module(f"lakesmith.engine.{late}")
    with (
        mock.patch.object(Context, "spark", _NO_SESSION),
        mock.patch("lakesmith.engine.restored_rows.old_rows", _old_rows),
        mock.patch("lakesmith.engine.restored_rows.audited", _audited_old),
        mock.patch("lakesmith.lake.staging.stage", _stage_old),
        mock.patch("lakesmith.engine.run.Attempt", PlainAttempt),
        mock.patch("lakesmith.engine.run.AuditAgain", PlainAudit),
    ):
        yield

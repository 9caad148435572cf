"""Publications with faults, without Spark: batches are staged and judged by hand, everything after that is the engine's.

Owns the generator of publications, how one is performed, and the comparison of a lake with faults to its undisturbed twin.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any, Self
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from drills.faults import AT_RANDOM, Fault, Kind, draw
from lakesmith.contracts.model import Contract
from lakesmith.engine.audit import BatchAudit
from lakesmith.engine.context import Context
from lakesmith.engine.execution import Execution
from lakesmith.engine.outcome import TableResult
from lakesmith.engine.publication import Publication
from lakesmith.engine.recording import RunIdentity
from lakesmith.engine.run import run_table
from lakesmith.engine.submit import open_context
from lakesmith.faults import FaultPoint, armed
from lakesmith.jobs import Job
from lakesmith.lake.staging import RowOutcome, Staged, StagedFile
from lakesmith.ledger.live import NO_FILES
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import EMPTY_DIGEST, BatchOutcome, BatchRecord, Fingerprints
from lakesmith.ledger.state import BatchState, State
from lakesmith.quality.accounting import Accounting

TABLE = "silver.readings"
QUARANTINE = "quarantine.silver_readings"
PROJECT = Path(__file__).parents[1] / "projects" / "meters"
PYTHONPATH = os.pathsep.join(str(Path(__file__).parents[2] / name) for name in ("tests", "lib"))
KINDS = tuple(kind for kind in AT_RANDOM if kind is not Kind.JVM_LOST)

_DAYS = [date(2024, 1, number) for number in range(1, 6)]
_SCHEMA = pa.schema(
    [
        ("source_file", pa.string()),
        ("record_no", pa.int64()),
        ("meter", pa.string()),
        ("kwh", pa.int32()),
        ("street", pa.string()),
        ("broken_rules", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class Content:
    """What a batch would hold.

    Args:
        kwh: of the rows to publish.
        broken: of the rows to quarantine.
        passed: False for a batch that its audit rejects.
    """

    kwh: tuple[int, ...]
    broken: tuple[int, ...] = ()
    passed: bool = True

    def digest(self, values: Sequence[int]) -> str:
        """Stands for the digest of rows; the engine only compares it."""
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32] if values else EMPTY_DIGEST


@dataclass(frozen=True)
class Operation:
    """One run of the table."""

    batches: Mapping[date, Content]

    def to_json(self) -> dict[str, Any]:
        """For a command line."""
        return {str(day): [c.kwh, c.broken, c.passed] for day, c in self.batches.items()}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """What `to_json` gave."""
        return cls(
            {
                date.fromisoformat(day): Content(tuple(kwh), tuple(broken), passed)
                for day, (kwh, broken, passed) in value.items()
            }
        )


def operations(seed: int, count: int) -> Iterator[Operation]:
    """New days, corrections, repetitions, rejections, empty days; the same for the same seed."""
    rng = random.Random(seed)
    given: dict[date, list[Content]] = {day: [] for day in _DAYS}
    for _ in range(count):
        batches = {}
        for day in sorted(rng.sample(_DAYS, rng.randint(1, 3))):
            if given[day] and rng.random() < 0.25:
                batches[day] = rng.choice(given[day])
                continue
            kwh = tuple(rng.randrange(1000) for _ in range(rng.choice([0, 1, 3, 8])))
            broken = tuple(-rng.randrange(1, 99) for _ in range(rng.choice([0, 0, 1, 2])))
            batches[day] = Content(kwh, broken, passed=rng.random() > 0.2)
            given[day].append(batches[day])
        yield Operation(batches)


def copied_to(root: Path, settings: str | None = None) -> Path:
    """A copy of the project.

    Args:
        settings: what its environment holds; None leaves its lake in a folder of it.
    """
    shutil.copytree(PROJECT, root)
    if settings is not None:
        (root / "conf" / "dev.yml").write_text(settings)
    return root


# --- one publication --------------------------------------------------------------------------------------------


class _StagedByHand(Execution):
    """Takes the place of an attempt: what Spark would have staged and judged is written down here."""

    operation: Operation

    def execute(self, job: Job | None) -> tuple[list[BatchRecord], int | None]:
        files, audits, records = [], {}, {}
        for day in self.run.batches:
            content = self.operation.batches[day]
            files += _stage(self.context, self.run.run_id, day, RowOutcome.PUBLISHED, content.kwh)
            files += _stage(self.context, self.run.run_id, day, RowOutcome.QUARANTINED, content.broken)
            audits[day] = _audit(day, content)
            records[day] = _record(self.run, audits[day])
        staged = Staged(TABLE, self.run.run_id, f"batches/{self.run.run_id}", tuple(files))
        publication = Publication(self.context, self.run, self.states, staged, audits, records, lambda: None)
        done, version = publication.carry_out()
        self.unchanged = publication.unchanged
        return done, version


def _stage(
    context: Context, run_id: str, day: date, outcome: RowOutcome, kwh: Sequence[int]
) -> list[StagedFile]:
    if not kwh:
        return []
    path = f"batches/{run_id}/batch_date={day}/_outcome={outcome}/part-0.parquet"
    rules = ["kwh_not_negative"] if outcome is RowOutcome.QUARANTINED else None
    rows = [
        {"source_file": f"{day}.csv", "record_no": at, "meter": "m", "kwh": value, "broken_rules": rules}
        for at, value in enumerate(kwh, start=1)
    ]
    buffer = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), buffer)
    content = buffer.getvalue()
    if (objects := context.lake.objects) is not None:
        objects.write(f"{context.lake.folder(TABLE)}/{path}", content)
    else:
        target = Path(context.lake.path(TABLE)) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    stats = json.dumps({"numRecords": len(kwh)})
    return [StagedFile(path, day, outcome, len(kwh), len(content), 0, stats)]


def _audit(day: date, content: Content) -> BatchAudit:
    return BatchAudit(
        batch_date=day,
        rows=len(content.kwh),
        digest=content.digest(content.kwh),
        accounting=Accounting(len(content.kwh) + len(content.broken), len(content.kwh), len(content.broken)),
        quarantine_digest=content.digest(content.broken),
        results=(),
        refusals=() if content.passed else ("kwh_sane: 1 of 1 rows",),
        warnings=(),
    )


def _record(run: RunIdentity, found: BatchAudit) -> BatchRecord:
    return BatchRecord(
        table=TABLE,
        batch_date=found.batch_date,
        recorded_at=now(),
        run_id=run.run_id,
        outcome=BatchOutcome.PUBLISHED if found.passed else BatchOutcome.REJECTED,
        version=None,
        digest=found.digest,
        rows=found.rows,
        read=found.accounting.read,
        quarantined=found.accounting.quarantined,
        dropped={},
        fingerprints=Fingerprints(1, "data", "audit", "doc"),
        inputs=(),
        settings={},
        files=NO_FILES,
        reason="; ".join(found.refusals),
    )


def _judged(context: Context, contract: Contract, wanted: Sequence[date]) -> list[BatchState]:
    """Every batch wants to be run; whether somebody else wrote it is found as the ledger's judge finds it."""
    context.ledger.refresh([TABLE, QUARANTINE])
    live = context.ledger.live(TABLE)
    context.ledger.live(QUARANTINE)
    states = []
    for day in wanted:
        standing = context.ledger.history(TABLE).standing(day)
        files = live.files_of(day) if live is not None else NO_FILES
        foreign = files != (standing.files if standing is not None else NO_FILES)
        states.append(BatchState(TABLE, day, State.FOREIGN if foreign else State.MISSING, runnable=True))
    return states


def perform(root: Path, operation: Operation) -> TableResult:
    """Runs the table once, as `run_table` does, from the lease to the record of the run."""
    context = open_context("dev", root)
    attempt = type("Attempt", (_StagedByHand,), {"operation": operation})
    with (
        # Nothing here needs Spark; touching it would start one.
        mock.patch.object(Context, "spark", None),
        mock.patch("lakesmith.engine.run.Attempt", attempt),
        mock.patch("lakesmith.engine.run._judged", _judged),
    ):
        return run_table(context, context.project.graph.contract(TABLE), sorted(operation.batches))


# --- a lake with faults and its twin ------------------------------------------------------------------------------


@dataclass
class Report:
    """What a drill saw.

    Args:
        differences: between the lake with faults and its twin; the whole point is that there are none.
        versions_seen: by a reader that polled meanwhile.
    """

    faults: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    versions_seen: int = 0

    def count(self, fault: Fault) -> None:
        """Notes that a fault happened."""
        key = f"{fault.kind} {fault.at.side} {fault.at.step}"
        self.faults[key] = self.faults.get(key, 0) + 1

    @property
    def total(self) -> int:
        """How many faults there were."""
        return sum(self.faults.values())


def drill(folder: Path, seed: int, count: int, report: Report, kinds: Sequence[Kind] = KINDS) -> None:
    """Performs `count` publications twice: undisturbed on one lake, each with a fault and a rerun on another."""
    rng = random.Random(seed * 1_000_003)
    twin, faulted = folder / "twin", folder / "faulted"
    for root in (twin, faulted):
        copied_to(root)
    allowed: dict[date, set[tuple[int, ...]]] = {day: {()} for day in _DAYS}
    with _polled(faulted, allowed, report, f"seed {seed}"):
        for number, operation in enumerate(operations(seed, count)):
            for day, content in operation.batches.items():
                if content.passed:
                    allowed[day].add(content.kwh)
            points: list[FaultPoint] = []
            with armed(points.append):
                undisturbed = perform(twin, operation)
            if undisturbed.error is not None:
                raise undisturbed.error
            fault = draw(rng, points, kinds)
            where = f"seed {seed}, operation {number}, {fault}"
            strike(faulted, operation, fault, report, where)
            again = perform(faulted, operation)
            if again.error is not None:
                report.differences.append(f"{where}: the rerun failed: {again.error!r}")
            report.differences += [f"{where}: {found}" for found in differences(twin, faulted)]


def strike(root: Path, operation: Operation, fault: Fault, report: Report, where: str) -> None:
    """Performs an operation that meets a fault, and checks what the process said of it."""
    report.count(fault)
    if not fault.kind.needs_process:
        with armed(fault.hook()):
            result = perform(root, operation)
        # A commit whose answer was lost is a success.
        if (result.error is None) != (fault.kind is Kind.LOST_ANSWER) and not _handled(fault):
            report.differences.append(f"{where}: ended with {result.error!r}")
        return
    order = {
        "do": "publication",
        "root": str(root),
        "operation": operation.to_json(),
        "fault": fault.to_json(),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "drills.child", json.dumps(order)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    expected = {Kind.SIGKILL: -9, Kind.SIGTERM: 143, Kind.SIGINT: 130}[fault.kind]
    if ended.returncode != expected:
        report.differences.append(f"{where}: exit {ended.returncode}, {ended.stderr[-300:]}")


def _handled(fault: Fault) -> bool:
    """True where the engine may carry on: what an operating system says after the put is asked of the table."""
    return fault.kind is Kind.DISK_FULL and fault.at.step.value == "put" and fault.at.side.value == "after"


def differences(twin: Path, faulted: Path) -> list[str]:
    """What differs between two lakes: rows, what the ledger says of every batch, and how many versions it took."""
    found = []
    for table in (TABLE, QUARANTINE):
        for what, seen in (("rows", _rows), ("ledger", _ledger), ("version", _version)):
            expected, got = seen(twin, table), seen(faulted, table)
            if expected != got:
                found.append(f"{table}: {what}: expected {expected}, got {got}")
    return found


def _rows(root: Path, table: str) -> list[tuple[Any, ...]]:
    opened = open_context("dev", root).lake.open(table)
    if opened is None:
        return []
    rows = opened.to_pyarrow_table().to_pylist()
    return sorted((r["batch_date"], r["record_no"], r["kwh"], str(r.get("broken_rules"))) for r in rows)


def _version(root: Path, table: str) -> int:
    """Equal, too: what a crash left behind is found and recorded, not made once more."""
    opened = open_context("dev", root).lake.open(table)
    return opened.version() if opened is not None else -1


def _ledger(root: Path, table: str) -> dict[str, Any]:
    """Of every batch: what stands, whether the last attempt was refused, and whether the live files are the recorded ones."""
    ledger = open_context("dev", root).ledger
    live, history = ledger.live(table), ledger.history(table)
    said = {}
    for day in sorted(history.records):
        standing, last = history.standing(day), history.last(day)
        files = live.files_of(day) if live is not None else NO_FILES
        said[str(day)] = (
            standing
            and (
                standing.digest,
                standing.rows,
                standing.read,
                standing.quarantined,
                standing.files == files,
            ),
            last and (last.outcome.stands, last.digest, last.reason),
        )
    return said


@contextmanager
def _polled(
    root: Path, allowed: Mapping[date, set[tuple[int, ...]]], report: Report, where: str
) -> Iterator[None]:
    """A reader that looks at the table all the time: each batch that it sees must be one that passed its audit, whole."""
    done = threading.Event()

    def poll() -> None:
        path, seen = str(root / "lake" / "silver" / "readings"), -1
        while not done.wait(0.01):
            if not DeltaTable.is_deltatable(path):
                continue
            table = DeltaTable(path)
            if table.version() == seen:
                continue
            seen = table.version()
            report.versions_seen += 1
            batches: dict[date, dict[int, int]] = {}
            rows = table.to_pyarrow_table(columns=["batch_date", "record_no", "kwh"]).to_pylist()
            for row in rows:
                batches.setdefault(row["batch_date"], {})[row["record_no"]] = row["kwh"]
            if len(rows) != sum(len(found) for found in batches.values()):
                report.differences.append(f"{where}: version {seen} holds rows twice")
            for day, found in batches.items():
                if tuple(found[at] for at in sorted(found)) not in allowed[day]:
                    report.differences.append(f"{where}: version {seen} of {day} was never audited: {found}")

    reader = threading.Thread(target=poll, daemon=True)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()

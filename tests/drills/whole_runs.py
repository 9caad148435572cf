"""Whole runs with faults: files land, are corrected and break; nights and backfills meet a fault and are run again.

Owns the generator of a small lake's life, and the comparison with its undisturbed twin. Signals and a lost JVM strike a process
of its own, with a Spark of its own; everything else strikes the session that the caller runs.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from shutil import copytree
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import functions as F

from drills.faults import Fault, Kind, draw
from drills.publications import PYTHONPATH, Report
from lakesmith.contracts.load import load_project
from lakesmith.errors import LakesmithError
from lakesmith.faults import FaultPoint, Step, armed
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.tables import quarantine_contract
from workspaces import METERS, Workspace, day

__all__ = ["Child", "Operation", "drill", "strike"]

ROOT = Path(__file__).parents[2]
_JVM_SECONDS = 30
Rows = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Operation:
    """Files that land, then a range of nights.

    Args:
        files: text by day of January 2024.
        nights: the first and the last.
        tables: only these; none means all.
    """

    files: Mapping[int, str]
    nights: tuple[int, int]
    tables: tuple[str, ...] = ()


def operations(seed: int, count: int) -> Iterator[Operation]:
    """New nights, corrections, rejections and their repairs; the last one is a backfill of everything."""
    rng = random.Random(seed)
    newest = 0
    broken: set[int] = set()
    for number in range(count):
        files = {}
        if newest < 6 and (newest == 0 or rng.random() < 0.6):
            newest += 1
            files[newest] = _file(rng, newest, broken=rng.random() < 0.2)
        elif newest:
            corrected = rng.choice(sorted(broken) or range(1, newest + 1))
            files[corrected] = _file(rng, corrected, broken=rng.random() < 0.1)
        for changed, text in files.items():
            (broken.add if "?" in text else broken.discard)(changed)
        everything = number == count - 1 or rng.random() < 0.4
        yield Operation(files, (1, newest) if everything else (max(files, default=newest),) * 2)


def _file(rng: random.Random, number: int, *, broken: bool) -> str:
    lines = ["Meter,kWh,Street"]
    for at in range(rng.randint(3, 7)):
        kwh = "?" if broken and at < 2 else str(rng.randrange(200))
        lines.append(f"m{rng.randint(1, 3)},{kwh},Street {number}")
    return "\n".join(lines) + "\n"


def drill(folder: Path, seed: int, count: int, report: Report, kinds: Sequence[Kind]) -> None:
    """Lives the same life twice: undisturbed in one lake, with a fault and a rerun at every step in another.

    Needs a running Spark session, which both lakes share.
    """
    rng = random.Random(seed * 7_919)
    twin, faulted = (Workspace(folder / name) for name in ("twin", "faulted"))
    for lake in (twin, faulted):
        copytree(METERS, lake.root)
    allowed: dict[tuple[str, date], set[Rows]] = {}
    seen: dict[tuple[str, date], dict[Rows, int]] = {}
    with _polled(faulted, seen, report):
        for number, operation in enumerate(operations(seed, count)):
            for lake in (twin, faulted):
                for at, text in operation.files.items():
                    lake.land_text(at, text)
            points: list[FaultPoint] = []
            with armed(points.append):
                expected = twin.run(*operation.nights)
            for key, rows in _batches(twin).items():
                allowed.setdefault(key, {()}).add(rows)
            if not points:
                continue
            fault = draw(rng, points, kinds)
            if fault.kind.needs_process and rng.random() < 0.5:
                fault = replace(fault, delay=rng.uniform(0.05, 3.0))
            where = f"seed {seed}, operation {number} (nights {operation.nights}), {fault}"
            report.count(fault)
            report.differences += [
                f"{where}: {said}" for said in strike(faulted, operation, fault, int(expected.exit_code))
            ]
            again = faulted.run(*operation.nights)
            if again.exit_code != expected.exit_code and expected.exit_code != 6:
                report.differences.append(f"{where}: the rerun ended with {again.exit_code!r}")
            report.differences += [f"{where}: {found}" for found in _differences(twin, faulted)]
    for (table, of), contents in seen.items():
        for rows, version in contents.items():
            if rows not in allowed.get((table, of), {()}) and not _was_audited(faulted, table, of, version):
                report.differences.append(
                    f"seed {seed}: a reader saw rows of {table} {of} in version {version} that no run audited"
                )


def _was_audited(lake: Workspace, table: str, of: date, version: int) -> bool:
    """True when the rows of a batch are those of a record that stands or stood.

    After a fault a later day may be published on what an earlier one still holds, as after a rejected correction: a state that
    the twin never passes through, whole and audited all the same.
    """
    context = lake.context()
    contracts = {}
    for contract in context.project.graph.contracts.values():
        contracts |= {contract.table: contract, contract.quarantine_table: quarantine_contract(contract)}
    columns = contracts[table].columns
    frame = context.spark.read.format("delta").option("versionAsOf", version).load(context.lake.path(table))
    sums = [value.alias(name) for name, value in digest_aggregates(columns).items()]
    values = frame.where(F.col("batch_date") == F.lit(of)).agg(*sums).collect()[0].asDict()
    digest, _ = digest_of(columns, values)
    return digest in {r.digest for r in context.ledger.history(table).records.get(of, ()) if r.outcome.stands}


# --- the fault ------------------------------------------------------------------------------------------------


def _is_past_spark(operation: Operation, point: FaultPoint) -> bool:
    """True where a night may have nothing left to do for Spark: its last table is staged and audited."""
    last = operation.tables[-1] if operation.tables else load_project(METERS).graph.order[-1]
    return point.table == last and point.step in (Step.PUBLISH, Step.PUT, Step.RECORD)


def strike(lake: Workspace, operation: Operation, fault: Fault, undisturbed: int) -> list[str]:
    """Runs the nights into the fault; returns what should have gone otherwise.

    Args:
        undisturbed: the exit code without the fault.
    """
    if not fault.kind.needs_process:
        with armed(fault.hook()):
            result = lake.run(*operation.nights, operation.tables)
        lost = fault.kind is Kind.LOST_ANSWER
        return [f"ended with {result.exit_code!r}"] if lost and result.exit_code != undisturbed else []
    child = Child(lake, operation, fault)
    # A terminal's Ctrl-C would reach the JVM, too; here only Python is told.
    ended, said = child.ended()
    expected = {Kind.SIGKILL: -9, Kind.SIGTERM: 143, Kind.SIGINT: 130, Kind.JVM_LOST: 1}.get(
        fault.kind, undisturbed
    )
    may_be_too_late = fault.delay or (fault.kind is Kind.JVM_LOST and _is_past_spark(operation, fault.at))
    possible = {expected, undisturbed} if may_be_too_late else {expected}
    found = []
    if ended not in possible:
        found.append(f"exit code {ended} instead of {possible}: {said[-600:]}")
    elif fault.kind is not Kind.SIGKILL and child.outcome.get("exit_code") != ended:
        found.append(f"the outcome says {child.outcome.get('exit_code')}, the process answered {ended}")
    left = child.left_over()
    return [*found, f"process {left} is still there after {_JVM_SECONDS} s"] if left else found


class Child:
    """`lakesmith backfill` in a process of its own, with a Spark of its own and a fault.

    Args:
        operation: its nights and tables; its files have landed.
        settings: further variables.
        wrapped: a command that the process is started by.
    """

    def __init__(
        self,
        lake: Workspace,
        operation: Operation,
        fault: Fault | None,
        settings: Mapping[str, str] | None = None,
        wrapped: Sequence[str] = (),
    ) -> None:
        self._outcome = lake.root / "outcome.json"
        self._outcome.unlink(missing_ok=True)
        self._name = uuid.uuid4().hex
        first, last = (str(day(number)) for number in operation.nights)
        only = [argument for table in operation.tables for argument in ("--table", table)]
        span = ["--from", first, "--to", last, *only]
        order = {
            "do": "command",
            "arguments": ["backfill", *span, "--project", str(lake.root), "--outcome", str(self._outcome)],
            "fault": fault.to_json() if fault is not None else None,
        }
        environ = {
            **os.environ,
            "PYTHONPATH": PYTHONPATH,
            "LAKESMITH__JARS_DIR": str(ROOT / ".jars"),
            "LAKESMITH__SPARK__CONF": '{"spark.ui.enabled": "false"}',
            "LAKESMITH_DRILL": self._name,
            **(settings or {}),
        }
        self.process = subprocess.Popen(
            [*wrapped, sys.executable, "-m", "drills.child", json.dumps(order)],
            env=environ,
            cwd=lake.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self) -> tuple[int, str]:
        """Waits for the end; the exit code and what went to stderr."""
        _, said = self.process.communicate(timeout=240)
        return self.process.returncode, said

    @property
    def outcome(self) -> dict[str, Any]:
        """What the process left in its outcome file."""
        return dict(json.loads(self._outcome.read_text())) if self._outcome.exists() else {}

    def left_over(self) -> int | None:
        """A process that it left behind, after as long as that may take."""
        return _left_over(self._name)


def _left_over(name: str) -> int | None:
    """A process that the child left behind, after as long as it may take."""
    deadline = time.monotonic() + _JVM_SECONDS
    pause = threading.Event()
    marked = f"LAKESMITH_DRILL={name}".encode()
    while True:
        left = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _has(p, marked)]
        if not left:
            return None
        if time.monotonic() > deadline:
            return left[0]
        pause.wait(0.1)


def _has(process: Path, marked: bytes) -> bool:
    try:
        return marked in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


# --- the comparison ---------------------------------------------------------------------------------------------


def _tables(lake: Workspace) -> list[str]:
    contracts = lake.context().project.graph.contracts
    return [*contracts, *(contract.quarantine_table for contract in contracts.values())]


def _batches(lake: Workspace, tables: Sequence[str] | None = None) -> dict[tuple[str, date], Rows]:
    """The rows of every batch of every table, as values."""
    found: dict[tuple[str, date], Rows] = {}
    context = lake.context()
    for table in tables or _tables(lake):
        opened = context.lake.open(table)
        if opened is not None:
            found |= _rows(table, opened)
    return found


def _rows(table: str, opened: DeltaTable) -> dict[tuple[str, date], Rows]:
    batches: dict[date, list[tuple[Any, ...]]] = {}
    for row in opened.to_pyarrow_table().to_pylist():
        batches.setdefault(row["batch_date"], []).append(tuple(str(row[name]) for name in sorted(row)))
    return {(table, of): tuple(sorted(rows)) for of, rows in batches.items()}


def _differences(twin: Workspace, faulted: Workspace) -> list[str]:
    expected, got = _batches(twin), _batches(faulted)
    found = [
        f"{table} {of}: expected {expected.get((table, of))}, got {got.get((table, of))}"
        for table, of in sorted(expected.keys() | got.keys())
        if expected.get((table, of)) != got.get((table, of))
    ]
    told, said = _ledger(twin), _ledger(faulted)
    found += [
        f"ledger of {key}: expected {told[key]}, got {said.get(key)}"
        for key in told
        if said.get(key) != told[key]
    ]
    found += [f"ledger knows {key}, its twin does not" for key in said.keys() - told.keys()]
    if twin.states(1, 6) != faulted.states(1, 6):
        found.append(f"states: expected {twin.states(1, 6)}, got {faulted.states(1, 6)}")
    return found


def _ledger(lake: Workspace) -> dict[tuple[str, date], Any]:
    """Of every batch: what stands, where its rows went and what it read; and whether the last attempt was refused, and why."""
    context = lake.context()
    said: dict[tuple[str, date], Any] = {}
    for table in _tables(lake):
        live = context.ledger.live(table)
        history = context.ledger.history(table)
        for of in history.records:
            standing, last = history.standing(of), history.last(of)
            reads = standing and [(r.name, r.digest, r.left_out) for r in standing.inputs]
            said[table, of] = (
                standing
                and (
                    standing.digest,
                    standing.rows,
                    standing.read,
                    standing.quarantined,
                    dict(standing.dropped),
                    reads,
                ),
                standing and live and standing.files == live.files_of(of),
                last and (last.outcome.stands, last.digest, last.reason),
            )
    return said


@contextmanager
def _polled(lake: Workspace, seen: dict[tuple[str, date], dict[Rows, int]], report: Report) -> Iterator[None]:
    """A reader that looks at every table all the time, and keeps what it saw of every batch, and in which version."""
    done = threading.Event()
    versions: dict[str, int] = {}

    def poll() -> None:
        tables = _tables(lake)
        while not done.wait(0.1):
            for table in tables:
                try:
                    opened = lake.context().lake.open(table)
                except LakesmithError:
                    continue
                if opened is None or versions.get(table) == opened.version():
                    continue
                versions[table] = opened.version()
                report.versions_seen += 1
                for key, rows in _rows(table, opened).items():
                    seen.setdefault(key, {}).setdefault(rows, opened.version())

    reader = threading.Thread(target=poll, daemon=True)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join()

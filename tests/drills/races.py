"""Races: processes behind a barrier publish to one table at the same moment, without a lease between them.

Owns the kinds of races and what is counted. Safety must rest on put-if-absent alone, so the lease is taken away here; and the
barrier stands right before the put, so that all but one of the processes lose their first attempt.

    python -m drills.races --rounds 200 --processes 6 [--s3]
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any
from unittest import mock

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from drills.publications import TABLE, Content, Operation, copied_to, perform
from lakesmith.engine.submit import open_context
from lakesmith.errors import CommitConflict
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.provenance import Provenance
from object_store import CREDENTIALS, ObjectStore, object_store

__all__ = ["BAD", "Race", "race"]

BAD = ("lost", "doubled", "mixed", "unreadable", "failed")
"""What must not happen even once; a run that gives up because others were first is no such thing."""


@dataclass(frozen=True)
class Answer:
    """What a process was told of its publication.

    Args:
        version: that it made; None when it made none.
        error: the type of its error.
        said: the error's message.
        lost_attempts: commits that others were faster than.
    """

    process: int
    version: int | None
    error: str | None
    lost_attempts: int
    said: str = ""


class Race(StrEnum):
    """What the processes publish at once."""

    NEW_DAY = "the same new day"
    EXISTING_DAY = "the same existing day"
    NEIGHBOURS = "neighbouring days"
    RANGES = "overlapping ranges"


def _days(kind: Race, number: int, process: int) -> list[date]:
    if kind is Race.NEW_DAY:
        return [date.fromordinal(date(2024, 1, 1).toordinal() + number)]
    if kind is Race.EXISTING_DAY:
        return [date(2024, 1, 1)]
    if kind is Race.NEIGHBOURS:
        return [date(2024, 1, 1 + process)]
    return [date(2024, 1, day) for day in range(1 + process, 4 + process)]


def _content(number: int, process: int) -> Content:
    """Rows that say which process published them, in which round; each its own count of rows."""
    return Content(tuple([(number + 1) * 100 + process] * (process + 1)))


def _racer(
    root: str, kind: Race, process: int, rounds: int, ready: Barrier, read: Barrier, told: Queue[Any]
) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    puts = 0

    def line_up(point: FaultPoint) -> None:
        nonlocal puts
        if (point.side, point.step) == (Side.BEFORE, Step.PUT):
            puts += 1
            if puts == 1:
                ready.wait()

    with mock.patch("lakesmith.engine.run.hold", return_value=contextlib.nullcontext()), armed(line_up):
        for number in range(rounds):
            puts = 0
            operation = Operation({day: _content(number, process) for day in _days(kind, number, process)})
            result = perform(Path(root), operation)
            error = type(result.error).__name__ if result.error is not None else None
            said = str(result.error) if result.error is not None else ""
            made = result.runs[-1].version if result.runs else None
            told.put(Answer(process, made, error, puts - 1, said))
            read.wait()


def _opened(lake: LakeLocation) -> DeltaTable:
    """The table, however fast others commit."""
    table = lake.open(TABLE)
    assert table is not None
    return table


def _lake(root: str | Path) -> LakeLocation:
    return open_context("dev", Path(root)).lake


def _maintainer(root: str, over: Event, told: Queue[Any]) -> None:
    """Compacts and vacuums all the time, as a person with deltalake at hand may."""
    lake = _lake(root)
    done = 0
    while not over.is_set():
        with contextlib.suppress(DeltaError, OSError):
            table = _opened(lake)
            table.optimize.compact()
            table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
            done += 1
        over.wait(0.02)
    told.put(done)


def race(
    kind: Race,
    folder: Path,
    rounds: int,
    processes: int,
    *,
    maintain: bool = False,
    settings: str | None = None,
) -> Counter[str]:
    """Lets processes race; counts what happened to their publications.

    Args:
        maintain: two more processes compact and vacuum meanwhile.
        settings: of an environment whose lake lies elsewhere.
    """
    context = multiprocessing.get_context("spawn")
    root = copied_to(folder / "lake", settings)
    lake = _lake(root)
    perform(root, Operation({date(2024, 1, day): _content(-1, 0) for day in range(1, 4)}))
    ready, read = (context.Barrier(processes + 1) for _ in range(2))
    told: Queue[Any] = context.Queue()
    maintained: Queue[Any] = context.Queue()
    over = context.Event()
    racers = [
        context.Process(target=_racer, args=(str(root), kind, p, rounds, ready, read, told), daemon=True)
        for p in range(processes)
    ]
    others = [
        context.Process(target=_maintainer, args=(str(root), over, maintained), daemon=True)
        for _ in range(2 if maintain else 0)
    ]
    for worker in (*racers, *others):
        worker.start()
    counts: Counter[str] = Counter()
    before = _opened(lake).version()
    for number in range(rounds):
        ready.wait(timeout=120)
        answers = [told.get(timeout=120) for _ in range(processes)]
        before = _judge(lake, kind, number, answers, before, counts)
        counts["rounds"] += 1
        read.wait(timeout=120)
    over.set()
    counts["compactions"] = sum(maintained.get(timeout=120) for _ in others)
    for worker in (*racers, *others):
        worker.join(timeout=60)
    return counts


def _judge(
    lake: LakeLocation,
    kind: Race,
    number: int,
    answers: Sequence[Answer],
    before: int,
    counts: Counter[str],
) -> int:
    """Holds what the table shows after a round against what the processes were told."""
    table = _opened(lake)
    history = [Provenance.from_commit(commit) for commit in table.history(table.version() - before)]
    commits = {found.version for found in history if found is not None}
    try:
        rows = table.to_pyarrow_table(columns=["batch_date", "kwh"]).to_pylist()
    except (DeltaError, OSError):
        counts["unreadable"] += 1
        return int(table.version())
    held: dict[date, list[int]] = {}
    for row in rows:
        held.setdefault(row["batch_date"], []).append(row["kwh"])
    last: dict[date, tuple[int, int]] = {}
    for answer in answers:
        counts["conflicts"] += answer.lost_attempts
        if answer.error is not None:
            expected = answer.error == CommitConflict.__name__
            counts["gave up" if expected else "failed"] += 1
            if not expected:
                print(f"process {answer.process}: {answer.error}: {answer.said}", file=sys.stderr, flush=True)
            continue
        counts["published"] += 1
        if answer.version is None or answer.version not in commits:
            counts["lost"] += 1
            continue
        for day in _days(kind, number, answer.process):
            last[day] = max(last.get(day, (-1, 0)), (answer.version, answer.process))
    for day, (_, process) in last.items():
        found = held.get(day, [])
        expected = list(_content(number, process).kwh)
        if found == expected:
            continue
        if len(set(found)) > 1:
            counts["mixed"] += 1
        elif len(found) > len(expected) and set(found) == set(expected):
            counts["doubled"] += 1
        else:
            counts["lost"] += 1
    return int(table.version())


def main() -> int:
    """Runs every kind of race, with and without maintenance beside it, and prints the counts."""
    parser = argparse.ArgumentParser(prog="races", description="Processes that publish at the same moment.")
    parser.add_argument("--rounds", type=int, default=200, help="of each kind, with and without maintenance")
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--s3", action="store_true", help="on an emulated object store, without maintenance")
    options = parser.parse_args()
    with object_store() if options.s3 else contextlib.nullcontext() as store:
        os.environ.update(CREDENTIALS if store is not None else {})
        return _every_race(options.rounds, options.processes, store)


def _every_race(rounds: int, processes: int, store: ObjectStore | None) -> int:
    bad = 0
    names = ("rounds", "published", "conflicts", "gave up", *BAD, "compactions")
    print(f"{'race':36}{''.join(f'{name:>12}' for name in names)}{'seconds':>9}", flush=True)
    for maintain in (False,) if store else (False, True):
        for kind in Race:
            began = time.monotonic()
            settings = store.settings(f"{store.bucket().uri}/lake") if store else None
            with tempfile.TemporaryDirectory(prefix="lakesmith-race-") as folder:
                counts = race(kind, Path(folder), rounds, processes, maintain=maintain, settings=settings)
            bad += sum(counts[name] for name in BAD)
            label = f"{kind}{', maintained' if maintain else ''}"
            seconds = time.monotonic() - began
            print(f"{label:36}{''.join(f'{counts[name]:>12,}' for name in names)}{seconds:>9.0f}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

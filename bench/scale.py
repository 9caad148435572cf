"""How rows, files and memory grow together: simulated lines through the reference pipeline, in a process of their own.

Each case is one `python -m bench.scale_case` under the driver memory of the budget, watched from outside: the peak of resident
memory of the driver (the JVM, in which local executors live) and of all Python workers together, and how busy the cores and
the disk were.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench.lakes import ROOT, START, land
from bench.report import Figure, Report, Table, kept
from bench.size import Size

DRIVER_MEMORY = "4g"
_MOMENT = 0.5
_FEW_LINES = 1_000
_TITLE = "bronze and silver lines, customer days, daily sales and features, as one backfill"
_COLUMNS = (
    *("lines asked for", "batches", "lines", "seconds", "lines a second", "driver, GB at its peak"),
    *("Python workers, GB at their peak", "cores busy", "MB/s to and from the disk", "measured"),
)
_BATCHES, _LINES, _DRIVER = 1, 2, 5


@dataclass
class _Watched:
    """Peaks over a process and its children.

    Args:
        jvm, python: bytes of resident memory; of Python the processes together.
        cpu_seconds, disk_bytes: of all of them; of those that ended meanwhile as far as they were seen.
    """

    jvm: int = 0
    python: int = 0
    cpu_seconds: float = 0.0
    disk_bytes: int = 0


def run(size: Size) -> Report:
    """A million lines in one batch and in a hundred; in full also ten and a hundred million.

    Cases of other sizes that were measured before stay on the page, each with its day: the largest take an hour.
    """
    sizes = (1_000_000, 10_000_000, 100_000_000) if size.full else (size.rows_or(1_000_000),)
    simulated, measured = [], {}
    for asked, batches in ((asked, batches) for asked in sizes for batches in (1, 100)):
        folder = size.folder / f"{asked}-{batches}"
        per_day = _lines_per_day(folder / "few", asked, batches)
        began = time.perf_counter()
        landed = land(folder / "landing", START, batches, per_day)
        seconds = time.perf_counter() - began
        simulated.append(landed / seconds)
        size.say(f"  {landed:,} lines in {batches} batches simulated in {seconds:.0f} s")
        case = _case(folder, batches, landed, size)
        measured[asked, batches] = [asked, batches, *case, datetime.now(UTC).date().isoformat()]
        shutil.rmtree(folder)
    return _report(size, max(simulated), {**_measured_before(size.results), **measured})


def _report(size: Size, simulator: float, cases: Mapping[tuple[int, int], Sequence[Any]]) -> Report:
    rows = [cases[key] for key in sorted(cases)]
    largest = max(rows, key=lambda row: row[_DRIVER])
    return Report(
        name="scale",
        title="Scale",
        command=size.command("scale"),
        size={"driver_memory": DRIVER_MEMORY, "cases": len(rows)},
        figures=[
            Figure("the simulator", simulator, "lines a second"),
            Figure(
                f"peak memory of the driver, at its most ({largest[_LINES]:,} lines in {largest[_BATCHES]})",
                largest[_DRIVER],
                "GB",
                limit=5.0,
            ),
        ],
        tables=[Table(_TITLE, _COLUMNS, rows)],
    )


def _measured_before(results: Path) -> dict[tuple[int, int], Sequence[Any]]:
    """The cases of earlier runs by lines asked for and batches."""
    tables = kept(results).get("scale", {"tables": []})["tables"]
    return {
        (row[0], row[1]): row
        for table in tables
        if tuple(table["columns"]) == _COLUMNS
        for row in table["rows"]
    }


def _lines_per_day(folder: Path, lines: int, batches: int) -> int:
    """What to ask of the simulator for at least so many lines in all: days have seasons and chance, and some are closed."""
    few = land(folder, START, batches, _FEW_LINES)
    return math.ceil(1.01 * _FEW_LINES * lines / few)


def _case(folder: Path, batches: int, lines: int, size: Size) -> list[float]:
    command = [sys.executable, "-m", "bench.scale_case", str(folder), str(batches)]
    environment = {**os.environ, "LAKESMITH__SPARK__DRIVER_MEMORY": DRIVER_MEMORY}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    watched = _Watched()
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, watched, done))
    watcher.start()
    output, _ = process.communicate()
    done.set()
    watcher.join()
    if process.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {process.returncode}")
    seconds = json.loads(output.splitlines()[-1])["seconds"]
    size.say(f"  {lines:,} lines in {batches} batches: {seconds:.0f} s, driver {watched.jvm / 1e9:.1f} GB")
    return [
        lines,
        seconds,
        round(lines / seconds),
        watched.jvm / 1e9,
        watched.python / 1e9,
        watched.cpu_seconds / seconds,
        watched.disk_bytes / 1e6 / seconds,
    ]


def _watch(pid: int, watched: _Watched, done: threading.Event) -> None:
    """Looks twice a second; peaks of the kernel's own count (VmHWM) miss nothing in between."""
    cpu: dict[int, float] = {}
    disk: dict[int, int] = {}
    while not done.wait(_MOMENT):
        python = 0
        try:
            processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        for process in processes:
            try:
                with process.oneshot():
                    times, moved = process.cpu_times(), process.io_counters()
                    cpu[process.pid] = times.user + times.system
                    disk[process.pid] = moved.read_bytes + moved.write_bytes
                    if "java" in process.name():
                        watched.jvm = max(watched.jvm, _peak(process.pid))
                    elif "python" in process.name():
                        # What the JVM is about to start is a copy of it for a moment, under the name of a thread.
                        python += process.memory_info().rss
            except (psutil.Error, OSError):
                continue
        watched.python = max(watched.python, python)
    watched.cpu_seconds, watched.disk_bytes = sum(cpu.values()), sum(disk.values())


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0

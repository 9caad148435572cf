"""Leases: one run at a time on a table, to save work. Safety does not rest on them; commits are put-if-absent.

Owns the local lease: a file lock that the kernel drops with the process, whatever kills it.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakesmith.errors import ConfigurationError, LeaseHeld
from lakesmith.ledger.location import LakeLocation

__all__ = ["hold"]

_POLL_SECONDS = 0.05


@contextmanager
def hold(lake: LakeLocation, table: str, run_id: str, wait: timedelta) -> Iterator[None]:
    """Holds the lease of a table for the body.

    Args:
        run_id: named to others who want the table meanwhile.
        wait: how long to wait for another holder.

    Raises:
        LeaseHeld: another process still held it when the wait was over; the message names that process.
        ConfigurationError: the lake is not on a disk that this process can lock.
    """
    if "://" in lake.root:
        raise ConfigurationError(
            f"leases on {lake.root.split('://', 1)[0]} are not there yet. Set LAKESMITH__LAKE_ROOT to a folder."
        )
    path = Path(lake.root) / ".leases" / f"{table}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        _lock(handle.fileno(), path, table, wait)
        handle.truncate(0)
        holder = {
            "run_id": run_id,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        handle.write(json.dumps(holder))
        handle.flush()
        # Closing the file gives the lock back.
        yield


def _lock(descriptor: int, path: Path, table: str, wait: timedelta) -> None:
    deadline = time.monotonic() + wait.total_seconds()
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LeaseHeld(
                    f"{table} is being worked on by {_holder(path)}; waited {wait.total_seconds():g} s. "
                    f"Run again when it is done, or wait longer: LAKESMITH__LEASE__WAIT=10m"
                ) from None
            pause.wait(_POLL_SECONDS)
        else:
            return


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return "another run"
    return f"run {found['run_id']} (process {found['pid']} on {found['host']}, since {found['since']})"

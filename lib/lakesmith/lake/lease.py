"""Leases: one run at a time on a table, to save work. Safety does not rest on them; commits are put-if-absent.

Owns the local lease: a file lock that the kernel drops with the process, whatever kills it. On S3 it is an object that expires
(`lakesmith.lake.object_lease`).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lakesmith.config.sections.jobs import LeaseSettings
from lakesmith.errors import LeaseHeld
from lakesmith.lake.object_lease import hold_object
from lakesmith.ledger.location import LakeLocation

__all__ = ["hold"]

_POLL_SECONDS = 0.05


def hold(lake: LakeLocation, table: str, run_id: str, lease: LeaseSettings) -> AbstractContextManager[None]:
    """Holds the lease of a table for the body.

    Args:
        run_id: named to others who want the table meanwhile.
        lease: how long to wait for another holder, and how long one that is silent keeps it.

    Raises:
        LeaseHeld: another process still held it when the wait was over; the message names that process.
        AwsError: the lease is in S3, which did not answer.
    """
    wait = timedelta(seconds=lease.wait)
    if (objects := lake.objects) is not None:
        return hold_object(objects, table, run_id, wait=wait, expiry=timedelta(seconds=lease.expiry))
    return _hold_file(Path(lake.root), table, run_id, wait)


@contextmanager
def _hold_file(root: Path, table: str, run_id: str, wait: timedelta) -> Iterator[None]:
    path = root / ".leases" / f"{table}.lock"
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

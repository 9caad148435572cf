"""Leases in an object store: an object says who works on a table; it is renewed while they do, and free once they are silent.

Owns the object's content and the rules by which it changes hands. Every write is conditional on what was read, so of two who
reach for a free lease one gets it. Whether a lease has expired is the store's clock to say at both ends: when it was written and
when it is read. How long one's own is good is told by the clock of this machine that nobody sets.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lakesmith.aws.clients import AwsError
from lakesmith.aws.s3 import ABSENT, S3Content, S3Folder
from lakesmith.errors import LeaseHeld, LeaseLost

__all__ = ["ObjectLease", "hold_object", "must_hold_leases"]

log = logging.getLogger(__name__)

_RENEWALS = 3
"""How often a lease is renewed in the time in which it expires."""

# Times of the store are whole seconds.
_TICK = timedelta(seconds=1)
_POLL_SECONDS = 1.0

_held: set[ObjectLease] = set()


class ObjectLease:
    """A lease that this process holds, and the thread that renews it."""

    def __init__(self, folder: S3Folder, table: str, run_id: str, expiry: timedelta) -> None:
        self.table = table
        self._folder, self._path = folder, f".leases/{table}.json"
        self._expiry = expiry
        self._said = _Holder(
            run_id, os.getpid(), socket.gethostname(), datetime.now(UTC), expiry.total_seconds()
        )
        self._etag = ""
        self._good_until = 0.0
        self._taken_over = False
        self._over = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name=f"lease {table}", daemon=True)

    def acquire(self, wait: timedelta) -> None:
        """Takes the lease.

        Raises:
            LeaseHeld: somebody else still held it when the wait was over.
            AwsError: the store did not answer.
        """
        deadline = time.monotonic() + wait.total_seconds()
        while True:
            found = self._folder.read(self._path)
            holder = _Holder.of(found) if found is not None else None
            if found is None or holder is None or holder.has_expired(found):
                if self._write(ABSENT if found is None else found.etag):
                    break
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                raise LeaseHeld(
                    f"{self.table} is being worked on by {holder}; waited {wait.total_seconds():g} s. "
                    f"Run again when it is done, or wait longer: LAKESMITH__LEASE__WAIT=10m. A holder that is gone loses it "
                    f"{holder.expiry:g} s after it was last heard of."
                )
            self._over.wait(min(_POLL_SECONDS, left))
        self._renewing.start()

    def must_be_held(self) -> None:
        """Raises where another run may have the lease by now.

        Raises:
            LeaseLost: it was taken over, or has not been renewed for too long.
        """
        if self._taken_over or time.monotonic() >= self._good_until:
            raise LeaseLost(
                f"{self.table}: this run was not heard of for {self._expiry.total_seconds():g} s and has lost the table's lease; "
                f"another may be at work. Nothing more was published; run again."
            )

    def release(self) -> None:
        """Lets others have it at once; where that fails they wait until it expires."""
        self._over.set()
        self._renewing.join()
        try:
            self._folder.write(self._path, b"{}", over=self._etag)
        except AwsError as error:
            log.warning("%s: the lease could not be given back and expires by itself: %s", self.table, error)

    def _write(self, over: str) -> bool:
        # Counted from before the request: the store may have written it at once and answered late.
        began = time.monotonic()
        etag = self._folder.write(self._path, self._said.to_json(), over=over)
        if etag is None:
            # Perhaps the answer to the first try of this very request was lost.
            found = self._folder.read(self._path)
            if found is None or found.content != self._said.to_json():
                return False
            etag = found.etag
        self._etag, self._good_until = etag, began + self._expiry.total_seconds()
        return True

    def _renew(self) -> None:
        while not self._over.wait(self._expiry.total_seconds() / _RENEWALS):
            try:
                # Another renewal is another content, so that its ETag tells of it.
                self._said = self._said.renewed()
                if not self._write(self._etag):
                    self._taken_over = True
                    return
            except AwsError as error:
                log.warning("%s: the lease could not be renewed: %s", self.table, error)


@dataclass(frozen=True)
class _Holder:
    """Who holds a lease, as the object has it.

    Args:
        since: when it was taken, by the holder's clock: for people to read.
        expiry: seconds.
        renewals: how often it was renewed.
    """

    run_id: str
    pid: int
    host: str
    since: datetime
    expiry: float
    renewals: int = 0

    def renewed(self) -> _Holder:
        return _Holder(self.run_id, self.pid, self.host, self.since, self.expiry, self.renewals + 1)

    def to_json(self) -> bytes:
        return json.dumps({**vars(self), "since": self.since.isoformat()}, sort_keys=True).encode()

    @classmethod
    def of(cls, found: S3Content) -> _Holder | None:
        """The holder that an object names; None where the lease was given back, or nobody can tell whose it is."""
        try:
            said: dict[str, Any] = json.loads(found.content)
            return cls(**{**said, "since": datetime.fromisoformat(said["since"])})
        except (ValueError, KeyError, TypeError):
            return None

    def has_expired(self, found: S3Content) -> bool:
        return found.read_at - found.modified > timedelta(seconds=self.expiry) + _TICK

    def __str__(self) -> str:
        return (
            f"run {self.run_id} (process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC)"
        )


@contextmanager
def hold_object(
    folder: S3Folder, table: str, run_id: str, *, wait: timedelta, expiry: timedelta
) -> Iterator[None]:
    """Holds a lease for the body.

    Raises:
        LeaseHeld: another process still held it when the wait was over.
        AwsError: the store did not answer.
    """
    lease = ObjectLease(folder, table, run_id, expiry)
    lease.acquire(wait)
    _held.add(lease)
    try:
        yield
    finally:
        _held.discard(lease)
        lease.release()


def must_hold_leases() -> None:
    """Raises where this process has lost a lease that it works under; asked before every commit.

    Raises:
        LeaseLost: it has.
    """
    for lease in tuple(_held):
        lease.must_be_held()

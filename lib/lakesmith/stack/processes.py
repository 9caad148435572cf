"""The stack's own processes and ports, as the system knows them: whatever the supervisor says or no longer says."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lakesmith.extras import needs_extra
from lakesmith.stack.supervisor import MARK

with needs_extra("stack"):
    import psutil

if TYPE_CHECKING:
    from psutil import Process

__all__ = ["described", "end", "holder", "is_free", "memory", "of_stack"]

_SECONDS = 10.0


def of_stack(folder: Path, data: Path) -> list[Process]:
    """Every living process of a stack: those with its mark, PostgreSQL's in its data folder, and their children.

    Args:
        folder: the stack's, absolute.
        data: PostgreSQL's; it writes titles over the variables that it was started with.
    """
    roots = [process for process in _living() if _is_own(process, folder, data)]
    found = {process.pid: process for root in roots for process in _family(root)}
    found.pop(os.getpid(), None)
    return list(found.values())


def _living() -> Iterator[Process]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def _is_own(process: Process, folder: Path, data: Path) -> bool:
    try:
        if process.name() == "postgres":
            return bool(process.cwd() == str(data))
        return bool(process.environ().get(MARK) == str(folder))
    except (psutil.Error, OSError):
        # Gone meanwhile, or somebody else's.
        return False


def _family(root: Process) -> Iterator[Process]:
    yield root
    try:
        children = root.children(recursive=True)
    except psutil.Error:
        return
    yield from (child for child in children if _is_alive(child))


def _is_alive(process: Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def end(processes: Iterable[Process]) -> list[Process]:
    """Ends processes, those that do not listen by force; returns those that are still there."""
    left = list(processes)
    for ask in ("terminate", "kill"):
        for process in left:
            try:
                getattr(process, ask)()
            except psutil.Error:
                continue
        left = [process for process in psutil.wait_procs(left, timeout=_SECONDS)[1] if _is_alive(process)]
    return left


def described(process: Process) -> str:
    """A process id and its command line, as far as it fits."""
    try:
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        command = ""
    return f"{process.pid} ({command[:120]})" if command else str(process.pid)


def memory(pid: int) -> int:
    """Bytes that a process and its children hold; what several share is counted in parts."""
    try:
        family = list(_family(psutil.Process(pid)))
    except psutil.Error:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total


def is_free(address: str, port: int) -> bool:
    """Whether a service could listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        # As servers do: a connection that ended a moment ago is in nobody's way.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
            # Two may be bound to a port that nobody listens on yet.
            trial.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def holder(port: int) -> str | None:
    """Who listens on a port of this machine; None where that cannot be known."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return None
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        if listens and connection.pid:
            try:
                return f"process {described(psutil.Process(connection.pid))}"
            except psutil.Error:
                return f"process {connection.pid}"
    return None

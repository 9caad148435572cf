"""How the stack is: what the supervisor says, what services themselves answer, and the end of the log where one is in trouble."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lakesmith.stack.places import Places
from lakesmith.stack.probes import complaint
from lakesmith.stack.processes import memory
from lakesmith.stack.service import Declaration, Service
from lakesmith.stack.supervisor import Process, Supervisor

__all__ = ["Health", "Report", "StackState", "last_lines", "look"]

_LINES = 12
_LAST_BYTES = 16_384


class Health(StrEnum):
    """How a service is."""

    WELL = "well"
    """It runs and answers."""
    DONE = "done"
    """A task that came to its end."""
    SILENT = "silent"
    """It runs and does not answer as it should: it is starting, or it is stuck."""
    CRASHED = "crashed"
    """It ended by itself, and was given up or is about to be started again."""
    STOPPED = "stopped"
    """It was not started, or told to end."""
    ABSENT = "absent"
    """This machine cannot run it."""


@dataclass(frozen=True)
class Report:
    """One service.

    Args:
        health: how it is.
        note: how to log in; or what is wrong.
        seconds: for how long it runs.
        memory: bytes that it and its children hold.
        endings: how it ended by itself since the stack started, each followed by a new start.
        log_end: the last lines of its log, of a service in trouble.
    """

    name: str
    health: Health
    address: str | None
    note: str
    log: Path | None
    pid: int | None = None
    seconds: int | None = None
    memory: int | None = None
    endings: tuple[str, ...] = ()
    log_end: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "service": self.name,
            "health": str(self.health),
            "address": self.address,
            "note": self.note,
            "log": str(self.log) if self.log else None,
            "pid": self.pid,
            "seconds": self.seconds,
            "memory_bytes": self.memory,
            "restarts": len(self.endings),
            "endings": list(self.endings),
            "log_end": list(self.log_end),
        }


@dataclass(frozen=True)
class StackState:
    """All services, in the order in which they start.

    Args:
        supervisor: the process id of what keeps them running; 0: none does.
        database: `postgresql` or `sqlite`.
        unsupervised: processes of the stack that run on although their supervisor is gone.
    """

    supervisor: int
    database: str
    reports: tuple[Report, ...]
    unsupervised: int = 0

    @property
    def in_trouble(self) -> tuple[Report, ...]:
        """What should answer and does not."""
        return tuple(r for r in self.reports if r.health in (Health.CRASHED, Health.SILENT))

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "supervisor": self.supervisor or None,
            "database": self.database,
            "unsupervised": self.unsupervised,
            "services": [report.to_json() for report in self.reports],
        }


def look(declaration: Declaration, places: Places) -> StackState:
    """Asks the supervisor, and each service that runs."""
    supervisor = Supervisor(places)
    processes, endings = supervisor.processes(), supervisor.endings()
    services = declaration.services
    with ThreadPoolExecutor(max(len(services), 1)) as asking:
        found = asking.map(
            lambda service: _report(service, processes.get(service.name), endings, places), services
        )
        reports = [*found]
    reports += [
        Report(absent.name, Health.ABSENT, None, absent.reason, None) for absent in declaration.absent
    ]
    return StackState(supervisor.pid, declaration.database.kind, tuple(reports))


def _report(
    service: Service, process: Process | None, endings: dict[str, list[str]], places: Places
) -> Report:
    log = places.log(service.name)
    if process is None or process.state == "STOPPED":
        return Report(service.name, Health.STOPPED, service.address, "", log)
    ended = tuple(endings.get(service.name, ()))
    if service.probe is None:
        if process.is_done:
            return Report(service.name, Health.DONE, service.address, service.note, log)
        if process.is_up:
            return Report(service.name, Health.SILENT, service.address, "at work", log, process.pid)
        return _in_trouble(service, Health.CRASHED, f"exit code {process.exit_code}", ended, log)
    if process.has_failed or process.state in ("BACKOFF", "EXITED"):
        how = ended[-1] if ended else process.problem or f"exit code {process.exit_code}"
        return _in_trouble(service, Health.CRASHED, how, ended, log)
    wrong = complaint(service.probe)
    if wrong is not None:
        return _in_trouble(service, Health.SILENT, wrong, ended, log, process)
    return Report(
        service.name,
        Health.WELL,
        service.address,
        service.note,
        log,
        process.pid,
        process.now - process.started,
        memory(process.pid),
        ended,
    )


def _in_trouble(
    service: Service,
    health: Health,
    what: str,
    endings: Sequence[str],
    log: Path,
    process: Process | None = None,
) -> Report:
    pid, seconds = (process.pid, process.now - process.started) if process else (None, None)
    return Report(
        service.name,
        health,
        service.address,
        what,
        log,
        pid,
        seconds,
        endings=tuple(endings),
        log_end=last_lines(log),
    )


def last_lines(log: Path) -> tuple[str, ...]:
    """The end of a log; nothing when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _LAST_BYTES, 0))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(line.rstrip() for line in lines if line.strip())[-_LINES:]

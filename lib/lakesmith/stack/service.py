"""A service of the stack as plain data: what is started, when, and how it is asked whether it answers.

Owns the words; which services there are is `lakesmith.stack.declaration`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lakesmith.errors import UsageError

__all__ = ["Absent", "Database", "Declaration", "Http", "Login", "Probe", "Service"]


@dataclass(frozen=True)
class Http:
    """A service is well when this address answers 200.

    Args:
        url: what is asked for.
        member: where in the answer, as JSON, a word about the service stands; empty: the answer alone is enough.
        expected: that word.
        method: of the request; `PUT` makes what is asked for, and is answered alike when it is there.
    """

    url: str
    member: tuple[str, ...] = ()
    expected: str | None = None
    method: str = "GET"


@dataclass(frozen=True)
class Login:
    """A service is well when PostgreSQL lets the stack in.

    Args:
        host, port, user, database: as libpq names them.
        passfile: the file with the password.
    """

    host: str
    port: int
    user: str
    database: str
    passfile: Path


Probe = Http | Login


@dataclass(frozen=True)
class Service:
    """One process that the supervisor starts, or a task that it runs once before others start.

    Args:
        name: in commands, in the table, and of the log file.
        command: the program and its arguments.
        directory: where it is started.
        probe: how it is asked whether it is well; None: it is a task, done when it ends with exit code 0.
        needs: the services that must be well before it starts.
        ports: where it listens, by the name of the setting below `stack.ports`.
        address: what people and programs reach it by.
        note: how to log in, or what else must be known.
        environment: its variables, beside those of the stack's caller.
        account: whom it runs as; None: whoever started the stack.
        stop_signal: what asks it to end.
        stops_alone: the signal goes to the process only, which ends its children itself.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    probe: Probe | None
    needs: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str | None = None
    note: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    stop_signal: str = "TERM"
    stops_alone: bool = False

    @property
    def is_task(self) -> bool:
        """True for what runs once and ends."""
        return self.probe is None


@dataclass(frozen=True)
class Absent:
    """A service that this machine cannot run.

    Args:
        reason: what is missing, and what brings it.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Database:
    """Where servers keep what they know.

    Args:
        kind: `postgresql` or `sqlite`.
        folder: of the data.
        programs: PostgreSQL's own; None for SQLite.
        account: whom PostgreSQL runs as; None: whoever starts the stack.
        reason: why SQLite stands in.
    """

    kind: str
    folder: Path
    programs: Path | None = None
    account: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Declaration:
    """All services, each after what it needs.

    Args:
        services: those that this machine can run.
        absent: the others.
        database: what MLflow and Airflow keep their records in.
    """

    services: tuple[Service, ...]
    absent: tuple[Absent, ...]
    database: Database

    def named(self, name: str) -> Service:
        """The service of that name."""
        return next(service for service in self.services if service.name == name)

    def chosen(self, names: Iterable[str]) -> tuple[Service, ...]:
        """These services and whatever they need; no name means all.

        Raises:
            UsageError: there is no such service here.
        """
        asked = self._known(names)
        wanted = asked | {need for name in asked for need in self._needed_by(name)}
        return tuple(service for service in self.services if not asked or service.name in wanted)

    def depending_on(self, names: Iterable[str]) -> tuple[Service, ...]:
        """These services and whatever needs them, the last first; no name means all.

        Raises:
            UsageError: there is no such service here.
        """
        asked = self._known(names)
        return tuple(
            service
            for service in reversed(self.services)
            if not asked or service.name in asked or asked & set(self._needed_by(service.name))
        )

    def _needed_by(self, name: str) -> Iterator[str]:
        for need in self.named(name).needs:
            yield need
            yield from self._needed_by(need)

    def _known(self, names: Iterable[str]) -> set[str]:
        asked, known = set(names), [service.name for service in self.services]
        for name in sorted(asked.difference(known)):
            for absent in self.absent:
                if absent.name == name:
                    raise UsageError(f"{name} cannot run here: {absent.reason}.")
            raise UsageError(f"there is no service {name!r}; services: {', '.join(known)}")
        return asked

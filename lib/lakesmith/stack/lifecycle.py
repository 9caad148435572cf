"""Starting the stack in the order of its needs, and ending it so that nothing is left.

Owns when what is started or stopped, and what must hold before and after: ports are free, services answer, no process and no
port is left.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from lakesmith.config.settings import Settings
from lakesmith.errors import LeaseHeld
from lakesmith.stack.database import make_database
from lakesmith.stack.declaration import declare
from lakesmith.stack.keys import Keys
from lakesmith.stack.places import Places
from lakesmith.stack.probes import complaint
from lakesmith.stack.problems import PortTaken, ServiceFailed, StackLeft, SupervisorFailed
from lakesmith.stack.processes import described, end, holder, is_free, of_stack
from lakesmith.stack.service import Declaration, Service
from lakesmith.stack.state import StackState, last_lines, look
from lakesmith.stack.supervisor import Process, Supervisor

if TYPE_CHECKING:
    import psutil

__all__ = ["Stack"]

Tell = Callable[[str], None]
_POLL_SECONDS = 0.2
_END_SECONDS = 15.0


class Stack:
    """The servers of one project's settings on this machine.

    Args:
        settings: `stack`, and the folder of the project.
        tell: takes a line about what happens.

    Raises:
        ConfigurationError: the settings cannot be met on this machine.
    """

    def __init__(self, settings: Settings, tell: Tell) -> None:
        self._settings = settings
        self._tell = tell
        self.places = Places.of(settings)
        self.declaration: Declaration = declare(settings, self.places)
        self._supervisor = Supervisor(self.places)

    def state(self) -> StackState:
        """How all services are."""
        state = look(self.declaration, self.places)
        return state if state.supervisor else replace(state, unsupervised=len(self._own_processes()))

    def up(self, names: Iterable[str] = ()) -> None:
        """Starts services and what they need; what runs already is left alone.

        Args:
            names: none means all that this machine can run.

        Raises:
            UsageError: there is no such service.
            PortTaken: somebody else listens on a port of theirs.
            DatabaseNotMade: PostgreSQL could not be set up.
            SupervisorFailed: the supervisor did not start.
            ServiceFailed: a service ended, or did not answer in time.
        """
        chosen = self.declaration.chosen(names)
        with self._alone():
            if not self._supervisor.is_running:
                self._end_leftovers()
            keys = Keys(self.places.secrets)
            keys.make()
            # Before the supervisor: a database that cannot be made, or a port that is taken, shall leave nothing behind.
            make_database(self.declaration.database, keys)
            if self._supervisor.is_running:
                self._supervisor.start(self.declaration.services, os.environ)
            self._refuse_taken_ports(chosen)
            if not self._supervisor.is_running:
                self._supervisor.start(self.declaration.services, os.environ)
            self._start(chosen)

    def down(self, names: Iterable[str] = ()) -> None:
        """Ends services and what needs them, the last first; with the last of all the supervisor.

        Args:
            names: none means all.

        Raises:
            UsageError: there is no such service.
            StackLeft: a process or a port is still there.
        """
        chosen = self.declaration.depending_on(names)
        if not self.places.folder.exists():
            return
        with self._alone():
            up = [service for service in chosen if self._is_up(service.name)]
            ports = [port for service in up for port in service.ports.values()]
            self._stop(up)
            if not any(process.is_up for process in self._supervisor.processes().values()):
                self._supervisor.shut_down()
                self._wait(lambda: not self._own_processes())
                self._end_leftovers()
            self._wait(lambda: not self._taken(ports))
            if taken := self._taken(ports):
                raise StackLeft([], taken)

    def _is_up(self, name: str) -> bool:
        process = self._supervisor.processes().get(name)
        return process is not None and process.is_up

    def _refuse_taken_ports(self, chosen: Sequence[Service]) -> None:
        for service in chosen:
            if not self._is_up(service.name):
                for setting, port in service.ports.items():
                    if not is_free(self._settings.stack.bind, port):
                        raise PortTaken(service.name, setting, self._settings.stack.bind, port, holder(port))

    def _start(self, chosen: Sequence[Service]) -> None:
        """Starts each as soon as what it needs is well, so that those which wait for nothing start together."""
        well: set[str] = set()
        began: dict[str, float] = {}
        while len(well) < len(chosen):
            processes = self._supervisor.processes()
            for service in chosen:
                if service.name in well or not well.issuperset(service.needs):
                    continue
                process = processes.get(service.name)
                if process is None:
                    raise SupervisorFailed(f"knows nothing of {service.name}", self.places.supervisor_log)
                if service.name not in began:
                    began[service.name] = time.monotonic()
                    if not process.is_up and not (service.is_task and process.is_done):
                        self._supervisor.start_service(service.name)
                        continue
                spent = time.monotonic() - began[service.name]
                wrong = self._complaint(service, process, spent)
                if wrong is None:
                    well.add(service.name)
                    if spent > _POLL_SECONDS:
                        self._tell(f"{service.name} after {spent:.1f} s")
            if len(well) < len(chosen):
                _pause()

    def _complaint(self, service: Service, process: Process, spent: float) -> str | None:
        """Why a service that was started is not well yet; None when it is.

        Raises:
            ServiceFailed: it never will be.
        """
        log = self.places.log(service.name)
        if process.has_failed:
            ended = self._supervisor.endings().get(service.name, [process.problem])
            raise ServiceFailed(service.name, f"ended: {ended[-1]}", log, last_lines(log))
        if service.probe is None:
            wrong = None if process.is_done else "it is at work"
        else:
            wrong = complaint(service.probe) if process.state == "RUNNING" else process.state.lower()
        if wrong is not None and spent > self._settings.stack.patience:
            raise ServiceFailed(
                service.name, f"is not well after {spent:.0f} s: {wrong}", log, last_lines(log)
            )
        return wrong

    def _stop(self, services: Sequence[Service]) -> None:
        """Stops each as soon as nothing that needs it runs any more; the supervisor kills what does not listen."""
        left, told = {service.name: service for service in services}, set[str]()
        while left:
            for name in left:
                if name not in told and not any(name in other.needs for other in left.values()):
                    self._supervisor.stop_service(name)
                    told.add(name)
            processes = self._supervisor.processes()
            left = {
                name: service for name, service in left.items() if name in processes and processes[name].is_up
            }
            if left:
                _pause()

    def _own_processes(self) -> list[psutil.Process]:
        return of_stack(self.places.folder, self.declaration.database.folder)

    def _end_leftovers(self) -> None:
        """Ends what is there without a supervisor.

        Raises:
            StackLeft: something does not end.
        """
        found = self._own_processes()
        if not found:
            return
        self._tell(
            f"without a supervisor, so they are ended: {', '.join(described(process) for process in found)}"
        )
        if left := end(found):
            raise StackLeft([described(process) for process in left], [])

    def _taken(self, ports: Sequence[int]) -> list[int]:
        return [port for port in ports if not is_free(self._settings.stack.bind, port)]

    @staticmethod
    def _wait(is_so: Callable[[], bool]) -> None:
        """Waits until something is so, but not forever."""
        until = time.monotonic() + _END_SECONDS
        while not is_so() and time.monotonic() < until:
            _pause()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps a second command from starting or ending the same stack at the same time.

        Raises:
            LeaseHeld: one is at it.
        """
        self.places.make()
        with self.places.lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LeaseHeld(
                    f"another command starts or ends the stack in {self.places.folder}. Wait for it, then see: make stack-status"
                ) from None
            yield


def _pause() -> None:
    threading.Event().wait(_POLL_SECONDS)

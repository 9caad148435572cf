"""Supervisor, which keeps the services running: its configuration from their declaration, and its control.

Owns everything that is supervisord's: the file it reads, the socket it is asked by, its words for the state of a process.
It restarts what crashes, keeps the logs from growing without end, and ends a service with all its children.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from lakesmith.errors import ConfigurationError
from lakesmith.extras import needs_extra
from lakesmith.stack.places import Places
from lakesmith.stack.problems import SupervisorFailed
from lakesmith.stack.service import Service

__all__ = ["MARK", "Process", "Supervisor", "configuration", "inherited"]

MARK = "SUPERVISED_BY_LAKESMITH"
"""The variable by which the stack knows its processes: it holds the stack's folder."""

# What chooses servers, programs and passwords of its own; the stack says these itself.
_FOREIGN = ("PG", "SPARK_", "PYSPARK_", "MLFLOW_", "AIRFLOW_", "SUPERVISOR_")
_ENDED = re.compile(r"exited: ([\w-]+) \((.+?); (?:not )?expected\)")
_UNSAYABLE = re.compile(r"\n|\s[;#]")
_STARTED = "supervisord started with pid"
# Airflow's scheduler lets tasks come to an end.
_STOP_SECONDS = 30
_NO_SUCH, _NOT_RUNNING = 10, 70


@dataclass(frozen=True)
class Process:
    """What the supervisor says of a service.

    Args:
        state: its own word, like `RUNNING`.
        pid: 0 while there is none.
        started, now: seconds since the epoch, by the supervisor's clock.
        exit_code: of the last run.
        problem: why it could not be started.
    """

    state: str
    pid: int
    started: int
    now: int
    exit_code: int
    problem: str

    @property
    def is_up(self) -> bool:
        """True while there is a process, or will be again at once."""
        return self.state in ("STARTING", "RUNNING", "BACKOFF", "STOPPING")

    @property
    def is_done(self) -> bool:
        """True for a task that came to its end."""
        return self.state == "EXITED" and self.exit_code == 0

    @property
    def has_failed(self) -> bool:
        """True for what ended by itself and is not started again."""
        return self.state in ("FATAL", "UNKNOWN") or (self.state == "EXITED" and self.exit_code != 0)


def inherited(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """The variables that every service has from whoever starts the stack, and the mark.

    Args:
        environ: the caller's.
        places: of the stack.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, MARK: str(places.folder)}


def configuration(services: Iterable[Service], places: Places) -> str:
    """What supervisord reads. Nothing starts by itself: the stack says when."""
    lines = [
        "; Written by `lakesmith stack up`; a change here is lost.",
        "[unix_http_server]",
        f"file = {_text(places.socket)}",
        "chmod = 0700",
        "",
        "[supervisord]",
        f"logfile = {_text(places.supervisor_log)}",
        "logfile_maxbytes = 5MB",
        "logfile_backups = 1",
        f"pidfile = {_text(places.pid_file)}",
        f"childlogdir = {_text(places.logs)}",
        "identifier = lakesmith",
    ]
    if os.geteuid() == 0:
        lines.append("user = root")
    lines += [
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for service in services:
        lines += [
            "",
            f"[program:{service.name}]",
            *(f"{key} = {value}" for key, value in _program(service, places).items()),
        ]
    return "\n".join([*lines, ""])


def _program(service: Service, places: Places) -> dict[str, object]:
    variables = sorted(service.environment.items())
    options: dict[str, object] = {
        # Supervisor's own list of variables knows no escapes, and takes quotes off the ends of values.
        "command": _text(
            shlex.join(["env", *(f"{name}={value}" for name, value in variables), *service.command])
        ),
        "directory": _text(service.directory),
        "autostart": "false",
        "autorestart": "false" if service.is_task else "true",
        "startsecs": 0 if service.is_task else 1,
        "stopsignal": service.stop_signal,
        "stopwaitsecs": _STOP_SECONDS,
        "stopasgroup": str(not service.stops_alone).lower(),
        "killasgroup": "true",
        "redirect_stderr": "true",
        "stdout_logfile": _text(places.log(service.name)),
        "stdout_logfile_maxbytes": "10MB",
        "stdout_logfile_backups": 1,
    }
    if service.account is not None:
        options["user"] = service.account
    return options


def _text(value: object) -> str:
    """`%` begins an expansion; for a line's end and what looks like a comment there is no escape."""
    text = str(value)
    if _UNSAYABLE.search(text):
        raise ConfigurationError(
            # The text itself may hold a secret.
            "supervisor cannot be told a text with a line's end, or with ; or # after a space: look in "
            "stack.environment, and at the names of folders"
        )
    return text.replace("%", "%%")


class Supervisor:
    """One supervisord: started, asked and ended.

    Args:
        places: where its socket, its log and its configuration are.
    """

    def __init__(self, places: Places) -> None:
        self._places = places

    @property
    def is_running(self) -> bool:
        """True while one answers."""
        return self._places.socket.exists() and self._ask(lambda rpc: rpc.getState(), None) is not None

    @property
    def pid(self) -> int:
        """Of the supervisor itself; 0 when none answers."""
        return int(self._ask(lambda rpc: rpc.getPID(), 0))

    def start(self, services: Iterable[Service], environ: Mapping[str, str]) -> None:
        """Starts it, or has a running one take over what was declared anew; then a changed service is stopped.

        Args:
            services: all that there are.
            environ: the caller's variables.

        Raises:
            SupervisorFailed: it did not come up.
        """
        path = self._places.configuration
        with os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(configuration(services, self._places))
        if self.is_running:
            self._take_over()
            return
        with needs_extra("stack"):
            import supervisor  # noqa: F401  # said here, and not by the process below
        command = [sys.executable, "-m", "supervisor.supervisord", "--configuration", str(path)]
        done = subprocess.run(
            command,
            cwd=self._places.folder,
            env=inherited(environ, self._places),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not self.is_running:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise SupervisorFailed(
                f"did not start: {said[-1] if said else 'no word'}", self._places.supervisor_log
            )

    def _take_over(self) -> None:
        [[added, changed, removed]] = self._tell(lambda rpc: rpc.reloadConfig())
        for name in [*changed, *removed]:
            self._tell(lambda rpc, name=name: rpc.stopProcessGroup(name))
            self._tell(lambda rpc, name=name: rpc.removeProcessGroup(name))
        for name in [*added, *changed]:
            self._tell(lambda rpc, name=name: rpc.addProcessGroup(name))

    def processes(self) -> dict[str, Process]:
        """What it says of each service; nothing when none answers."""
        return {
            info["name"]: Process(
                info["statename"],
                info["pid"],
                info["start"],
                info["now"],
                info["exitstatus"],
                info["spawnerr"],
            )
            for info in self._ask(lambda rpc: rpc.getAllProcessInfo(), [])
        }

    def start_service(self, name: str) -> None:
        """Starts one, and does not wait for it."""
        self._tell(lambda rpc: rpc.startProcess(name, False))

    def stop_service(self, name: str) -> None:
        """Tells one to end, and does not wait for it."""
        try:
            self._tell(lambda rpc: rpc.stopProcess(name, False), _NOT_RUNNING)
        except ConnectionError:
            return

    def shut_down(self) -> None:
        """Tells the supervisor itself to end; what still runs ends with it."""
        self._ask(lambda rpc: rpc.shutdown(), None)

    def endings(self) -> dict[str, list[str]]:
        """How services ended by themselves since the supervisor started, by its own log: `terminated by SIGKILL`."""
        try:
            text = self._places.supervisor_log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return {}
        found: dict[str, list[str]] = {}
        for name, how in _ENDED.findall(text[max(text.rfind(_STARTED), 0) :]):
            found.setdefault(name, []).append(how)
        return found

    def _ask(self, question: Any, otherwise: Any) -> Any:
        """What it answers; something else when none is there to answer."""
        try:
            return self._tell(question)
        except (OSError, HTTPException, SupervisorFailed):
            return otherwise

    def _tell(self, order: Any, ignored: int | None = None) -> Any:
        with needs_extra("stack"):
            from supervisor.xmlrpc import SupervisorTransport
        transport = SupervisorTransport(None, None, f"unix://{self._places.socket}")
        try:
            # The address is of no account: the transport knows the socket.
            return order(ServerProxy("http://127.0.0.1", transport=transport).supervisor)
        except Fault as fault:
            if fault.faultCode == ignored:
                return None
            raise SupervisorFailed(f"refused: {fault.faultString}", self._places.supervisor_log) from fault
        finally:
            transport.close()

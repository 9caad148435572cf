"""What can be wrong with the stack, each with the next step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lakesmith.errors import ConfigurationError, LakesmithError

__all__ = ["DatabaseNotMade", "PortTaken", "ServiceFailed", "StackLeft", "SupervisorFailed"]


class PortTaken(ConfigurationError):
    """Somebody else listens where a service of the stack should."""

    def __init__(self, service: str, setting: str, address: str, port: int, holder: str | None) -> None:
        self.service = service
        self.setting = setting
        self.port = port
        self.holder = holder
        by = f" by {holder}" if holder else ""
        variable = f"LAKESMITH__STACK__PORTS__{setting.split()[0].upper()}"
        super().__init__(
            f"{service}: port {port} of {address} is taken{by}. End that, or choose another port: "
            f"stack.ports.{setting.split()[0]} in the settings, or {variable}=<port>"
        )


class DatabaseNotMade(LakesmithError):
    """PostgreSQL's own programs could not make a database."""

    def __init__(self, program: str, said: str) -> None:
        self.program = program
        super().__init__(
            f"PostgreSQL could not be set up; {program} said: {said}. Without it: LAKESMITH__STACK__DATABASE=sqlite"
        )


class ServiceFailed(LakesmithError):
    """A service ended, or did not answer in time.

    Attributes:
        log_end: the last lines of its log.
    """

    def __init__(self, service: str, what: str, log: Path, log_end: Sequence[str]) -> None:
        self.service = service
        self.log = log
        self.log_end = tuple(log_end)
        quoted = "".join(f"\n  {line}" for line in log_end) or "\n  (nothing)"
        super().__init__(
            f"{service} {what}. The end of {log}:{quoted}\n"
            f"What is up stays up. How all of it is: make stack-status; to end it: make stack-down"
        )


class SupervisorFailed(LakesmithError):
    """The supervisor did not start, or does not do what it is asked."""

    def __init__(self, what: str, log: Path) -> None:
        self.log = log
        super().__init__(
            f"the supervisor {what}. Its log: {log}. To begin anew: make stack-down, then make stack"
        )


class StackLeft(LakesmithError):
    """After the stack was told to end, something of it is still there."""

    def __init__(self, processes: Sequence[str], ports: Sequence[int]) -> None:
        self.processes = tuple(processes)
        self.ports = tuple(ports)
        left = [f"process {process}" for process in processes] + [f"port {port}" for port in ports]
        super().__init__(
            f"of the stack is left: {'; '.join(left)}. End it by hand (kill), then see: make stack-status"
        )

"""The stack's folder: where data, logs, secrets and the supervisor's own files are.

Owns the names of files; what is in them belongs to others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError

__all__ = ["Places"]

# sockaddr_un holds 108 bytes, the last one a zero; supervisor binds another name first, longer by a dot and its process id.
_LONGEST_SOCKET = 96


@dataclass(frozen=True)
class Places:
    """Files and folders of one stack.

    Args:
        folder: absolute; the name of the stack, too.
        events: what the history server reads; None: a folder of the stack's own.
    """

    folder: Path
    events: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """Where the settings put the stack.

        Raises:
            ConfigurationError: the path is too long for a socket.
        """
        folder = (settings.project_root / settings.stack.folder.expanduser()).resolve()
        log = settings.event_log
        places = cls(folder, Path(log) if log is not None and "://" not in log else None)
        if len(bytes(places.socket)) > _LONGEST_SOCKET:
            raise ConfigurationError(
                f"stack.folder is {folder}: too long for the supervisor's socket, whose path may have {_LONGEST_SOCKET} bytes. "
                f"Choose a shorter one: LAKESMITH__STACK__FOLDER=<folder>"
            )
        return places

    @property
    def socket(self) -> Path:
        """What the supervisor listens on."""
        return self.folder / "supervisor.sock"

    @property
    def configuration(self) -> Path:
        """What the supervisor reads."""
        return self.folder / "supervisor.conf"

    @property
    def pid_file(self) -> Path:
        """The supervisor's process id."""
        return self.folder / "supervisor.pid"

    @property
    def lock(self) -> Path:
        """Held by a command that starts or ends the stack."""
        return self.folder / "lock"

    @property
    def logs(self) -> Path:
        """A file for each service, and the supervisor's own."""
        return self.folder / "logs"

    @property
    def supervisor_log(self) -> Path:
        """When which service started and ended."""
        return self.logs / "supervisor.log"

    def log(self, name: str) -> Path:
        """What a service wrote."""
        return self.logs / f"{name}.log"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, for the stack's owner only."""
        return self.folder / "secrets"

    @property
    def spark_events(self) -> Path:
        """What the history server reads: where the runs of this environment leave it."""
        return self.events or self.folder / "spark" / "events"

    def make(self) -> None:
        """Makes the folders that services expect to be there."""
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            # PostgreSQL, which root runs as somebody else, walks through it.
            self.folder.chmod(0o755)
        self.secrets.mkdir(exist_ok=True, mode=0o700)
        for folder in (self.logs, self.spark_events, self.folder / "mlflow", self.folder / "airflow"):
            folder.mkdir(parents=True, exist_ok=True)

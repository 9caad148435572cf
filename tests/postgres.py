"""A real PostgreSQL for tests: the system's own, in a folder and on a port of its own, with a database for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from receivers import free_port

__all__ = ["Database", "Server", "postgres_server"]

USER, PASSWORD = "lakesmith", 'geheim, wie\'s "soll" \\ {x: 1}'
# The server refuses to run as root; where the tests do, it runs as this user.
_OTHER_USER = "nobody"


@dataclass(frozen=True)
class Database:
    """One database of the server.

    Args:
        name: its name.
    """

    server: Server
    name: str

    @property
    def url(self) -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.server.port}/{self.name}"

    def variables(self, connection: str = "erp") -> dict[str, str]:
        """The variables that make it a connection of the settings."""
        prefix = f"LAKESMITH__CONNECTIONS__{connection.upper()}__"
        return {f"{prefix}URL": self.url, f"{prefix}USER": USER, f"{prefix}PASSWORD": PASSWORD}

    def run(self, sql: str) -> str:
        """What psql says to a script; the script stops at its first error."""
        return self.server.psql(self.name, sql)


@dataclass
class Server:
    """A running server, or one that was stopped and can go on."""

    folder: Path
    bin: Path
    port: int
    prefix: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)

    def psql(self, database: str, sql: str) -> str:
        command = [str(self.bin / "psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", USER, "-d", database]
        environ = {**os.environ, "PGPASSWORD": PASSWORD, "PGTZ": "UTC", "PGCLIENTENCODING": "UTF8"}
        done = subprocess.run(command, input=sql, capture_output=True, text=True, env=environ, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def database(self) -> Database:
        """A new, empty database."""
        name = f"test_{uuid4().hex[:12]}"
        self.psql("postgres", f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return Database(self, name)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._as_user("pg_ctl", "-w", "-s", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._as_user("pg_ctl", "-w", "-s", "-m", "immediate", "stop")

    def make(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if self.prefix:
            shutil.chown(self.folder, _OTHER_USER)
            shutil.chown(password, _OTHER_USER)
        self._as_user(
            "initdb", "-A", "scram-sha-256", "-U", USER, "--pwfile", str(password), "-E", "UTF8", "--no-sync"
        )

    def _as_user(self, program: str, *arguments: str) -> None:
        command = [*self.prefix, str(self.bin / program), "-D", str(self.folder / "data"), *arguments]
        log = self.folder.parent / f"{self.folder.name}-{program}.log"
        # Into a file: a server that is started keeps what it inherits open.
        with log.open("w") as out:
            done = subprocess.run(command, stdout=out, stderr=out, cwd="/", check=False)
        assert done.returncode == 0, log.read_text()


@contextmanager
def postgres_server(folder: Path) -> Iterator[Server]:
    """A server until the end of the block.

    Args:
        folder: where it keeps its data; other users must be able to reach it.
    """
    found = _programs()
    as_root: Sequence[str] = (
        ["setpriv", "--reuid", _OTHER_USER, "--clear-groups", "--"] if os.geteuid() == 0 else []
    )
    server = Server(folder, found, free_port(), tuple(as_root))
    server.make()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _programs() -> Path:
    """The folder of the server's programs, which Debian keeps off PATH; the newest version."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    folders = [*debian[::-1], *([Path(on_path).resolve().parent] if on_path else [])]
    found = next((path for path in folders if (path / "initdb").exists()), None)
    assert found is not None, "these tests need PostgreSQL: make postgres, or apt-get install postgresql"
    return found

"""Passwords and keys of the stack: made at its first start, each in a file that only its owner reads.

Services are told the files, never what is in them: no secret is in a command, a variable or a log. Containers know no such files;
what they need is written as variables for `docker compose`:

    python -m lakesmith.stack.keys infra/docker/.env
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AIRFLOW_USER", "DATABASE_USER", "Keys"]

DATABASE_USER = "lakesmith"
AIRFLOW_USER = "admin"


@dataclass(frozen=True)
class Keys:
    """The files below the stack's folder of secrets.

    Args:
        folder: readable by its owner only.
    """

    folder: Path

    @property
    def database(self) -> Path:
        """PostgreSQL's password in libpq's own form, for any server and port."""
        return self.folder / "pgpass"

    @property
    def airflow_users(self) -> Path:
        """Airflow's log-ins as its simple auth manager reads them."""
        return self.folder / "airflow.json"

    @property
    def fernet(self) -> Path:
        """What Airflow encrypts connections with."""
        return self.folder / "airflow-fernet"

    @property
    def tokens(self) -> Path:
        """What Airflow signs tokens with."""
        return self.folder / "airflow-jwt"

    @property
    def sessions(self) -> Path:
        """What Airflow signs sessions with."""
        return self.folder / "airflow-session"

    def make(self) -> None:
        """Makes what is not there yet; what is there stays."""
        _make(self.database, lambda: f"*:*:*:{DATABASE_USER}:{_random()}\n")
        _make(self.airflow_users, lambda: json.dumps({AIRFLOW_USER: _random()}) + "\n")
        _make(self.fernet, _fernet)
        _make(self.tokens, _random)
        _make(self.sessions, _random)

    def database_password(self) -> str:
        """PostgreSQL's password."""
        return self.database.read_text(encoding="utf-8").strip().rpartition(":")[2]


def _random() -> str:
    return secrets.token_urlsafe(32)


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _variables() -> str:
    """Of infra/docker/compose.yml."""
    keys = {
        "POSTGRES_PASSWORD": _random(),
        "AIRFLOW_PASSWORD": _random(),
        "AIRFLOW_FERNET_KEY": _fernet(),
        "AIRFLOW_JWT_KEY": _random(),
        "AIRFLOW_SESSION_KEY": _random(),
    }
    return "".join(f"{name}={value}\n" for name, value in keys.items())


def _make(path: Path, text: Callable[[], str]) -> None:
    if path.exists():
        return
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text())
    draft.rename(path)


if __name__ == "__main__":
    _make(Path(sys.argv[1]), _variables)

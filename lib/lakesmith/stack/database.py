"""PostgreSQL of the system's packages, or SQLite in its place: which, where, and how a first database is made.

Owns what is particular to PostgreSQL: its programs, that it refuses to run as root, its data folder and its log-in.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lakesmith.errors import ConfigurationError
from lakesmith.stack.keys import DATABASE_USER, Keys
from lakesmith.stack.problems import DatabaseNotMade
from lakesmith.stack.service import Database

__all__ = ["DATABASES", "choose_database", "make_database"]

DATABASES = ("mlflow", "airflow")
"""One for each server that keeps records."""

_ACCOUNT = "postgres"  # comes with the system's package
_DEBIAN = Path("/usr/lib/postgresql")
_TO_INSTALL = "apt-get install postgresql (Debian), as root"


def choose_database(wanted: Literal["auto", "postgresql", "sqlite"], folder: Path) -> Database:
    """What this machine can keep records in.

    Args:
        wanted: `auto` takes PostgreSQL where it is installed.
        folder: the stack's.

    Raises:
        ConfigurationError: PostgreSQL is asked for and cannot be had.
    """
    if wanted == "sqlite":
        return Database("sqlite", folder, reason="stack.database is sqlite")
    programs = _programs()
    account = _ACCOUNT if os.geteuid() == 0 else None
    if programs is None:
        reason = f"PostgreSQL is not installed; to have it: {_TO_INSTALL}"
    elif account is not None and _known(account) is None:
        reason = (
            f"PostgreSQL does not run as root, and there is no account {account}; to have it: {_TO_INSTALL}"
        )
    else:
        return Database("postgresql", _data_folder(folder, account), programs, account)
    if wanted == "postgresql":
        raise ConfigurationError(
            f"stack.database is postgresql, and {reason}. Without it: LAKESMITH__STACK__DATABASE=auto"
        )
    return Database("sqlite", folder, reason=reason)


def make_database(database: Database, keys: Keys) -> None:
    """Makes PostgreSQL's data folder with a user and the servers' databases, unless it is there. SQLite makes its own files.

    Raises:
        DatabaseNotMade: its programs failed.
    """
    if database.programs is None or database.folder.exists():
        return
    draft = database.folder.with_name(f"{database.folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    if database.account is not None:
        shutil.chown(draft, database.account, database.account)
    # Nobody connects before the lines below are there: PostgreSQL is not started, only its files are made.
    options = [
        "--username",
        DATABASE_USER,
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--auth=reject",
        "--no-instructions",
    ]
    _told(database, [str(database.programs / "initdb"), "--pgdata", str(draft), *options], draft, "")
    (draft / "pg_hba.conf").write_text(
        "# Written by `lakesmith stack up`.\nhost all all all scram-sha-256\n", encoding="utf-8"
    )
    statements = [f"ALTER ROLE {DATABASE_USER} PASSWORD '{keys.database_password()}'"]
    statements += [f"CREATE DATABASE {name}" for name in DATABASES]
    alone = [str(database.programs / "postgres"), "--single", "-D", str(draft), "postgres"]
    _told(database, alone, draft, "".join(f"{statement}\n" for statement in statements))
    draft.rename(database.folder)


def _told(database: Database, command: Sequence[str], folder: Path, given: str) -> None:
    """Runs one of PostgreSQL's programs as the account that owns the data; `--single` answers 0 also when a statement failed."""
    account = database.account
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        user=account,
        group=account,
        extra_groups=() if account else None,
    )
    wrong = [line for line in done.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line]
    if done.returncode or wrong:
        said = "; ".join(wrong) or done.stderr.strip() or f"exit code {done.returncode}"
        raise DatabaseNotMade(Path(command[0]).name, said)


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs: of the newest version where Debian has several, else those on PATH."""
    versions = (
        path for path in _DEBIAN.glob("*/bin") if (path / "initdb").exists() and (path / "postgres").exists()
    )
    newest = max(versions, key=lambda path: int(path.parent.name.partition(".")[0]), default=None)
    if newest is not None:
        return newest
    found = shutil.which("initdb")
    folder = Path(found).resolve().parent if found else None
    return folder if folder is not None and (folder / "postgres").exists() else None


def _known(account: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(account)
    except KeyError:
        return None


def _data_folder(stack: Path, account: str | None) -> Path:
    """Below the stack's folder; where the account cannot go there (a project in root's home), in that account's own home."""
    found = _known(account) if account else None
    if found is None or _can_reach(found, stack):
        return stack / "postgres"
    return Path(found.pw_dir) / f"lakesmith-{hashlib.sha256(bytes(stack)).hexdigest()[:12]}"


def _can_reach(account: pwd.struct_passwd, folder: Path) -> bool:
    """Whether the account may walk through each of the folder's parents that are there already."""
    for parent in (folder, *folder.parents):
        if parent.exists():
            status = parent.stat()
            of_owner = status.st_uid == account.pw_uid and status.st_mode & 0o100
            if not (
                of_owner
                or status.st_mode & 0o001
                or (status.st_gid == account.pw_gid and status.st_mode & 0o010)
            ):
                return False
    return True

"""Which commit of its repository code is at: a project's folder, and the wheel or archive that was built from one.

Owns the question to git, and the file that a build carries since git is not asked where it runs. Everything that records where
code came from asks it here. Needs the standard library alone: `setup.py` runs this file by itself when it builds the wheel.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

__all__ = [
    "COMMIT_FILE",
    "DIRTY",
    "SHIPPED_COMMIT",
    "UNKNOWN",
    "Build",
    "build_of",
    "read_build",
    "source_commit",
]

UNKNOWN = "unknown"
"""The commit of a project that is in no repository, or of a machine without git."""

DIRTY = "+dirty"
"""What follows a commit from which tracked files differ."""

COMMIT_FILE = "_commit.json"
"""In the package lakesmith of a wheel and of an archive; a tree has none."""

SHIPPED_COMMIT = Path("lib") / "lakesmith" / COMMIT_FILE
"""The same in the folder of an archive."""


@dataclass(frozen=True)
class Build:
    """What a wheel or an archive was built from.

    Args:
        commit: twelve digits of it; `unknown` outside a repository.
        dirty: files differed from it, or were not in it.
    """

    commit: str
    dirty: bool

    @property
    def is_clean(self) -> bool:
        """True when the commit alone says what the code is."""
        return not self.dirty and self.commit != UNKNOWN

    def __str__(self) -> str:
        return f"{self.commit}{DIRTY if self.dirty else ''}"

    def to_json(self) -> str:
        """The text of the file that carries it."""
        return json.dumps(asdict(self), indent=2) + "\n"


class _Readable(Protocol):
    """A file in a folder or in a zip."""

    def read_text(self, encoding: str) -> str: ...


def source_commit(root: Path) -> str:
    """The commit of the repository that holds a folder, `+dirty` when its files differ; `unknown` outside one.

    An unpacked archive is at the commit that it was built from.
    """
    build = read_build(root / SHIPPED_COMMIT)
    return str(build) if build is not None else _described(root)


def build_of(root: Path, folders: Sequence[str]) -> Build:
    """What a build of a folder is built from at this moment.

    Args:
        root: the project's folder.
        folders: of it, those that are built: a file there that git does not track makes it dirty, too.
    """
    described = _described(root)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "--", *folders)
    return Build(described.removesuffix(DIRTY), described.endswith(DIRTY) or bool(untracked))


def read_build(file: _Readable) -> Build | None:
    """What a build says that it was built from; None where the file is not there."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Build(str(found["commit"]), bool(found["dirty"]))


def _described(root: Path) -> str:
    found = _git(root, "describe", "--always", f"--dirty={DIRTY}", "--abbrev=12", "--exclude=*")
    return found if found is not None else UNKNOWN


def _git(root: Path, *arguments: str) -> str | None:
    """Git's answer; None where there is no repository or no git."""
    try:
        told = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return told.stdout.strip()

"""Which commit of its repository a project is at.

Owns the one question to git; everything that records where code came from asks it here.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["DIRTY", "UNKNOWN", "source_commit"]

UNKNOWN = "unknown"
"""The commit of a project that is in no repository, or of a machine without git."""

DIRTY = "+dirty"
"""What follows a commit from which tracked files differ."""


def source_commit(root: Path) -> str:
    """The commit of the repository that holds a folder, `+dirty` when its files differ; `unknown` outside one."""
    question = ["describe", "--always", f"--dirty={DIRTY}", "--abbrev=12", "--exclude=*"]
    try:
        described = subprocess.run(
            ["git", "-C", str(root), *question], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return described.stdout.strip()

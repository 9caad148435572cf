"""A landing file that appears whole or not at all: written under a hidden name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["write_file"]

_BUFFER = 1 << 20


def write_file(path: Path, texts: Iterable[str]) -> int:
    """Write the texts as UTF-8 to `path`, replacing what is there; returns the size in bytes.

    Nothing is left behind when `texts` or the disk fails. The hidden name ends neither in `.csv` nor in
    `.gz`, so no pattern for landing files matches it.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with hidden.open("wb", buffering=_BUFFER) as file:
            for text in texts:
                file.write(text.encode())
            size = file.tell()
        hidden.replace(path)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    return size

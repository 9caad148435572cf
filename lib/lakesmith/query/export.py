"""Answers as files: CSV and Parquet, there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lakesmith.errors import UsageError
from lakesmith.query.reader import Question

__all__ = ["check_target", "export"]

# RFC 4180: lines end in CR LF, quotes are doubled. An empty text is quoted and so differs from NULL.
_FORMATS = {
    ".csv": "FORMAT csv, HEADER, NEW_LINE '\\r\\n', USE_TMP_FILE false",
    ".parquet": "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false",
}


def check_target(file: Path, *, overwrite: bool) -> None:
    """Refuses, before any work, a file that could or should not be written.

    Raises:
        UsageError: its ending names no format, it is there already, or its folder cannot be written to.
    """
    if file.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"{file} is no format that is written. Give it the ending .csv or .parquet: --out FILE.csv"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        wrong = "it is a folder" if file.is_dir() else ""
    except OSError as error:
        wrong = f"{file.parent} cannot be a folder: {error.strerror}"
    if not wrong and not os.access(file.parent, os.W_OK):
        wrong = "no permission"
    if wrong:
        raise UsageError(f"{file} cannot be written ({wrong}). Name another file: --out FILE")
    if file.exists() and not overwrite:
        raise UsageError(f"{file} is there already. Name another file, or write over it: --overwrite")


def export(question: Question, file: Path, *, overwrite: bool = False) -> int:
    """Writes an answer to a file; returns how many rows.

    Args:
        file: its ending, .csv or .parquet, says the format.
        overwrite: replace a file that is there, once the new one is whole.

    Raises:
        UsageError: see `check_target`.
    """
    check_target(file, overwrite=overwrite)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        rows = question.write(unfinished, _FORMATS[file.suffix.lower()])
        # Somebody else may have written it meanwhile.
        check_target(file, overwrite=overwrite)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows

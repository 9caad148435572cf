"""The log of a process that runs tables: text or JSON on stderr, a file of its own, and which run a line is about.

Owns the fields of a line and where they come from. Messages hold counts and names, never values of rows.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from lakesmith.config.settings import Settings
from lakesmith.engine.stopping import is_no_interruption
from lakesmith.errors import ConfigurationError

__all__ = ["about_run", "log_to_file", "log_to_stderr"]

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True)
class _Run:
    """What is at work: the fields of a line beside its own."""

    run_id: str
    table: str
    batches: str
    attempt: int


_run: ContextVar[_Run | None] = ContextVar("lakesmith_run", default=None)


@contextmanager
def about_run(run_id: str, table: str, batches: Sequence[date], attempt: int) -> Iterator[None]:
    """All that is logged in the body is about this run.

    Args:
        batches: in order; a line says one day, or the first and the last.
        attempt: which run of the table it is in this process, from 1.
    """
    days = f"{batches[0]}" if len(batches) == 1 else f"{batches[0]}..{batches[-1]}"
    token = _run.set(_Run(run_id, table, days, attempt))
    try:
        yield
    finally:
        _run.reset(token)


class _JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and run_id, table, batches, attempt inside a run."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        run = _run.get()
        if run is not None:
            line |= {"run_id": run.run_id, "table": run.table, "batches": run.batches, "attempt": run.attempt}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(settings: Settings | None = None) -> None:
    """Everything from level info on goes to stderr.

    Args:
        settings: say in which form; None while they are not known.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stderr))
        root.setLevel(logging.INFO)
        logging.getLogger("py4j").setLevel(logging.WARNING)
    for handler in root.handlers:
        handler.addFilter(is_no_interruption)
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(_formatter(settings))


def log_to_file(settings: Settings) -> str:
    """The log goes to a file of this process, too, where the settings name a folder.

    Returns:
        The file, which exists once something was logged; empty where there is none.

    Raises:
        ConfigurationError: the folder cannot be made.
    """
    folder = settings.log_folder
    if folder is None:
        return ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be a folder for logs: {error.strerror}. Set LAKESMITH__LOG__FOLDER to another"
        ) from error
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{socket.gethostname()}-{os.getpid()}.log"
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == folder.resolve():
            return handler.baseFilename
    written = logging.FileHandler(path.resolve(), delay=True, encoding="utf-8")
    written.setLevel(logging.INFO)
    written.setFormatter(_formatter(settings))
    written.addFilter(is_no_interruption)
    root.addHandler(written)
    logging.getLogger("lakesmith").setLevel(logging.INFO)
    return written.baseFilename


def _formatter(settings: Settings | None) -> logging.Formatter:
    return (
        _JsonLines() if settings is not None and settings.log.format == "json" else logging.Formatter(_TEXT)
    )

"""Where the commands write: answers to stdout, everything else to stderr.

Owns the two consoles, JSON, errors and the log on the terminal. Nothing here knows what is being said.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lakesmith.engine.stopping import is_no_interruption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

__all__ = ["answer", "answer_json", "log_to_terminal", "messages", "say", "say_error", "width"]

_ENDLESS = 10_000

# Both look up sys.stdout and sys.stderr each time they write.
_answers = Console(highlight=False, emoji=False)
messages = Console(stderr=True, highlight=False, emoji=False)
"""The console on stderr, which progress and the log share, so that neither writes over the other."""


def answer(*lines: RenderableType) -> None:
    """Writes to stdout; nothing is cut, and texts are not broken: what is in them can be copied."""
    for line in lines:
        if isinstance(line, Table):
            # A console of its own: one that is narrower than the table leaves whole columns out.
            needed = max(_least_width(line), _answers.width)
            Console(highlight=False, emoji=False, width=needed).print(line)
        else:
            _answers.print(line, soft_wrap=True, markup=False)


def _least_width(table: Table) -> int:
    """The width at which no column that must not wrap is cut: a number without its end is a wrong number."""
    for column in table.columns:
        if column.no_wrap:
            texts = [
                cell if isinstance(cell, Text) else Text(str(cell)) for cell in (column.header, *column.cells)
            ]
            column.min_width = max(line.cell_len for text in texts for line in text.split(allow_blank=True))
    endless = _answers.options.update(max_width=_ENDLESS)
    return Measurement.get(_answers, endless, table).minimum


def answer_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """Writes a value to stdout as JSON, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say(line: str | Text) -> None:
    """Writes a line about the work itself to stderr."""
    messages.print(line, soft_wrap=True, markup=False)


def say_error(message: str) -> None:
    """Writes `error: ...` to stderr."""
    say(Text.assemble(("error: ", "bold red"), message))


def width() -> int:
    """Columns of the terminal that answers go to; 80 where that is none."""
    return _answers.width


class _Log(logging.Handler):
    """Log records as lines of the console on stderr: the library's own, and errors of others."""

    def filter(self, record: logging.LogRecord) -> bool:
        ours = record.name.split(".")[0] == "lakesmith"
        return is_no_interruption(record) and (ours or record.levelno >= logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        style = "red" if record.levelno >= logging.ERROR else "yellow"
        level = record.levelname.lower()
        try:
            say(Text.assemble((f"{level}: ", style), self.format(record)))
        except Exception:
            self.handleError(record)


def log_to_terminal(level: int) -> None:
    """Shows the library's own log from a level on, and what others log as errors.

    Args:
        level: one of logging's.
    """
    root = logging.getLogger()
    shown = next((handler for handler in root.handlers if isinstance(handler, _Log)), None)
    if shown is None:
        shown = _Log()
        root.addHandler(shown)
    # The handler's own: what is not shown may go to a file.
    shown.setLevel(level)
    logging.getLogger("lakesmith").setLevel(level)
    # What py4j logs it also raises.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)

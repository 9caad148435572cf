"""Options that several commands share, and how a command is written for somebody to paste."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.errors import UsageError

if TYPE_CHECKING:
    from lakesmith.engine.context import Context

__all__ = [
    "AsJson",
    "AsOf",
    "DryRun",
    "Env",
    "First",
    "Invocation",
    "Last",
    "OutcomeFile",
    "OwningNight",
    "Project",
    "Table",
    "Tables",
    "Unit",
    "Unmask",
    "Why",
]


def _writable(path: Path | None) -> Path | None:
    """Refuses, before any work, a file for the outcome that could not be written after it."""
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        wrong = "it is a folder" if path.is_dir() else ""
    except OSError as error:
        wrong = f"{path.parent} cannot be a folder: {error.strerror}"
    if not wrong and not os.access(path if path.exists() else path.parent, os.W_OK):
        wrong = "no permission"
    if wrong:
        raise UsageError(
            f"the outcome cannot be written to {path} ({wrong}). Name another file: --outcome FILE"
        )
    return path


Env = Annotated[
    str | None,
    typer.Option(
        "--env", metavar="NAME", help="The environment conf/NAME.yml (default: LAKESMITH_ENV, else dev)."
    ),
]
Project = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The folder that holds conf/ and jobs/ (default: LAKESMITH_PROJECT, else looked for upwards).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout, and nothing else there.")]
Tables = Annotated[
    list[str] | None, typer.Option("--table", metavar="LAYER.NAME", help="Only this table; may be repeated.")
]
First = Annotated[
    str | None,
    typer.Option("--from", metavar="DAY", help="The first night (default: the first day of history)."),
]
Last = Annotated[
    str | None,
    typer.Option("--to", metavar="DAY", help="The last night (default: the newest file or batch)."),
]
Table = Annotated[str, typer.Argument(metavar="TABLE", help="The table, LAYER.NAME.")]
OwningNight = Annotated[
    str,
    typer.Option(
        "--date", metavar="DAY", help="The night that owns the batch (with a lag: an earlier batch)."
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="NIGHT", help="What was known when that night had ended (default: now)."),
]
Unmask = Annotated[
    bool, typer.Option("--unmask", help="Show what people's columns hold, too; else it is masked.")
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="For the record, in your words.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be run and why; run nothing.")]
OutcomeFile = Annotated[
    Path | None,
    typer.Option(
        "--outcome",
        metavar="FILE",
        help="Also write what came of it to this file, as JSON, whatever comes.",
        callback=_writable,
    ),
]


class Unit(StrEnum):
    """How many nights one cell of the heat map holds."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True)
class Invocation:
    """Which project and environment a command was given.

    Args:
        env: None takes LAKESMITH_ENV, else dev.
        project: None looks for it.
        unset: variables that the printed commands must run without.
    """

    env: str | None
    project: Path | None
    unset: tuple[str, ...] = ()

    def open(self) -> Context:
        """The project, the settings and the ledger."""
        # Here, since it imports deltalake, which `--help` need not wait for.
        from lakesmith.engine.submit import open_context

        return open_context(self.env, self.project)

    def command(self, arguments: str) -> str:
        """The command line that works when pasted into the shell that this process was started from."""
        parts = [f"env {' '.join(f'-u {name}' for name in self.unset)}"] if self.unset else []
        parts += [_program(), arguments]
        if self.env is not None:
            parts.append(f"--env {self.env}")
        if self.project is not None:
            parts.append(f"--project {self.project}")
        return " ".join(parts)


def _program() -> str:
    """How this program was called: by its bare name where PATH finds it, else by its path."""
    called = Path(sys.argv[0])
    if called.name != "lakesmith":
        return "lakesmith"
    found = shutil.which("lakesmith")
    if found is not None and Path(found).resolve() == called.resolve():
        return "lakesmith"
    absolute = called.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(absolute)

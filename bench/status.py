"""What `lakesmith status` and `lakesmith plan` take, each in a process of its own, on a year of a dozen tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from bench.histories import START, make_history, make_project
from bench.measure import Side, in_turns
from bench.processes import LAKESMITH, check_no_jvm, finish
from bench.report import Figure, Report
from bench.size import Size

_TABLES, _NIGHTS = 12, 365


def run(size: Size) -> Report:
    """The commands in turns; that none of them starts a JVM is seen in one more run of each."""
    rounds = size.rounds_or(9 if size.full else 5)
    root = size.folder / "project"
    make_project(root, _TABLES)
    make_history(root, _NIGHTS)
    size.say(f"{_TABLES} tables x {_NIGHTS} nights are made")
    night = START + timedelta(_NIGHTS - 1)
    asked = {
        "lakesmith status": ["status"],
        "lakesmith status --json": ["status", "--json"],
        "lakesmith plan": ["plan"],
        "lakesmith plan --date (one night)": ["plan", "--date", str(night)],
    }
    commands = {name: _command(words, root) for name, words in asked.items()}
    commands["lakesmith --version"] = [LAKESMITH, "--version"]
    for number, command in enumerate(commands.values()):
        check_no_jvm(command, size.folder / f"watched-{number}")
    measured = in_turns([Side(name, _finishing(command)) for name, command in commands.items()], rounds)
    return Report(
        name="status",
        title="Status and plan",
        command=size.command("status"),
        size={"tables": _TABLES, "nights": _NIGHTS, "rounds": rounds},
        measured=[*measured.values()],
        figures=[
            Figure(
                f"`lakesmith status`, {_TABLES} tables x {_NIGHTS} batches, no JVM",
                measured["lakesmith status"].median,
                "s",
                limit=1.0,
            )
        ],
    )


def _command(words: Sequence[str], root: Path) -> list[str]:
    return [LAKESMITH, *words, "--project", str(root)]


def _finishing(command: Sequence[str]) -> Callable[[int], None]:
    return lambda _: finish(command)

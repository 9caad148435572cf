"""`lakesmith stack ...`: the servers of a platform on this machine. What is done is `lakesmith.stack`. Starts no JVM itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json, say
from lakesmith.cli.wording import count, grid
from lakesmith.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import RenderableType

    from lakesmith.stack.lifecycle import Stack
    from lakesmith.stack.state import Report, StackState

__all__ = ["down", "status", "up"]

_Services = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]...", help="Only these (default: all).", show_default=False),
]
_STYLES = {"well": "green", "done": "green", "silent": "bold red", "crashed": "bold red"}


def up(services: _Services = None, env: Env = None, project: Project = None, as_json: AsJson = False) -> None:
    """Start the servers on this machine, wait until each answers, and show where they are.

    PostgreSQL, the MLflow server, the S3 emulator, Spark's master, workers and history server, and Airflow. What runs already
    is left alone; what a service needs is started, too. They run on when this command and its terminal are gone.

    For example:

        lakesmith stack up --env stack

        lakesmith stack up mlflow --env stack
    """
    stack = _stack(env, project)
    stack.up(services or ())
    state = stack.state()
    if as_json:
        answer_json(state.to_json())
        return
    answer(*_lines(state, Invocation(env, project)))


def status(env: Env = None, project: Project = None, as_json: AsJson = False) -> int:
    """Show each server, how it is, and the end of the log of those that are in trouble; exit 1 when there are any.

    For example:

        lakesmith stack status --env stack
    """
    state = _stack(env, project).state()
    if as_json:
        answer_json(state.to_json())
    else:
        answer(*_lines(state, Invocation(env, project)))
    return int(ExitCode.FAILED if state.in_trouble or state.unsupervised else ExitCode.DONE)


def down(
    services: _Services = None, env: Env = None, project: Project = None, as_json: AsJson = False
) -> None:
    """End the servers, the last first, and see that no process and no port is left; data and logs stay.

    For example:

        lakesmith stack down --env stack

        lakesmith stack down airflow-scheduler --env stack
    """
    stack = _stack(env, project)
    before = stack.state()
    stack.down(services or ())
    if as_json:
        answer_json(stack.state().to_json())
    elif services:
        answer(f"ended: {', '.join(services)}, and what needs them")
    else:
        was_up = before.supervisor or before.unsupervised
        answer("the stack is down: no process and no port is left" if was_up else "the stack was not up")


def _stack(env: str | None, project: Path | None) -> Stack:
    from lakesmith.config.load import load_settings
    from lakesmith.stack.lifecycle import Stack

    return Stack(load_settings(env, project), say)


def _lines(state: StackState, invocation: Invocation) -> Iterator[RenderableType]:
    from rich.text import Text

    table = grid(
        "service", "is", "address", "since", "memory", "note", right=["since", "memory"], wrap=["note"]
    )
    for report in state.reports:
        table.add_row(
            report.name,
            Text(str(report.health), style=_STYLES.get(str(report.health), "")),
            report.address or "",
            _since(report.seconds),
            f"{report.memory / 1e6:,.0f} MB" if report.memory else "",
            _note(report),
        )
    yield table
    for report in state.in_trouble:
        yield f"\n{report.name}: the end of {report.log}"
        yield from (f"  {line}" for line in report.log_end)
    logs = next((report.log.parent for report in state.reports if report.log), None)
    total = sum(report.memory or 0 for report in state.reports)
    if state.supervisor:
        yield f"\nlogs: {logs}/<service>.log; supervisor: process {state.supervisor}; all services: {total / 1e9:.1f} GB"
        yield f"end it: {invocation.command('stack down')}"
    elif state.unsupervised:
        left = f"{count(state.unsupervised, 'process')} of the stack without a supervisor"
        yield f"\n{left}. End them: {invocation.command('stack down')}"
    else:
        yield f"\nthe stack is not up. Start it: {invocation.command('stack up')}"


def _note(report: Report) -> str:
    again = (
        f"{count(len(report.endings), 'restart')}, the last: {report.endings[-1]}" if report.endings else ""
    )
    return "; ".join(part for part in (report.note, again) if part)


def _since(seconds: int | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"

"""Progress on stderr: bars where that is a terminal, one line for each table where it is not.

Owns how work under way looks. The engine tells of tables through `lakesmith.engine.night.Progress`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from lakesmith.cli.output import messages, say
from lakesmith.cli.wording import count

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.status import Status

    from lakesmith.engine.night import Progress
    from lakesmith.engine.outcome import TableResult
    from lakesmith.engine.training import TrainingProgress
    from lakesmith.ledger.plan import Step

__all__ = ["bar", "tables_progress", "training_progress"]


@contextmanager
def bar(what: str, steps: int) -> Iterator[Callable[[], None]]:
    """A bar for the body, which calls what it gets after each step; silent where stderr is no terminal."""
    if not messages.is_terminal:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=messages, transient=True
    ) as bars:
        task = bars.add_task(what, total=steps)
        yield lambda: bars.advance(task)


@contextmanager
def tables_progress(tables: int) -> Iterator[Progress]:
    """What the engine is given to tell of its progress.

    Args:
        tables: how many tables have something to run.
    """
    if not messages.is_terminal or not tables:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    with Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("tables"),
        TimeElapsedColumn(),
        console=messages,
        transient=True,
    ) as bars:
        yield _Live(bars, tables)


@contextmanager
def training_progress() -> Iterator[TrainingProgress]:
    """What a training is given to tell of its progress: a line for each step and each combination tried."""
    if not messages.is_terminal:
        yield _Steps()
        return
    with messages.status("beginning") as status:
        yield _LiveSteps(status)


class _Steps:
    """One line for each step that is over and each combination tried."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        say(f"{time.monotonic() - self._began:6.1f} s  {what}")

    def tried(self, trial: str, done: int, of: int) -> None:
        say(f"{time.monotonic() - self._began:6.1f} s    {done} of {of} tried: {trial}")


class _LiveSteps(_Steps):
    """The same lines above what is under way."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status

    def step(self, what: str) -> None:
        super().step(what)
        self._status.update(what)

    def tried(self, trial: str, done: int, of: int) -> None:
        super().tried(trial, done, of)
        self._status.update(f"searching: {done} of {of} combinations")


class _Lines:
    """One line for each table, when it is done."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def started(self, step: Step) -> None:
        self._began = time.monotonic()

    def finished(self, result: TableResult) -> None:
        say(_line(result, time.monotonic() - self._began))


class _Live(_Lines):
    """The same lines above a bar that says what is being worked on."""

    def __init__(self, bars: Bars, tables: int) -> None:
        super().__init__()
        self._bars = bars
        self._task = bars.add_task("starting", total=tables)

    def started(self, step: Step) -> None:
        super().started(step)
        self._bars.update(self._task, description=f"{step.table}: {count(len(step.batches), 'batch')}")

    def finished(self, result: TableResult) -> None:
        super().finished(result)
        self._bars.advance(self._task)


def _line(result: TableResult, seconds: float) -> Text:
    from lakesmith.ledger.records import BatchOutcome

    published = len(result.with_outcome(BatchOutcome.PUBLISHED, BatchOutcome.EMPTY))
    confirmed = len(result.with_outcome(BatchOutcome.CONFIRMED))
    said = [f"{published:,} published"] if published or not confirmed else []
    said += [f"{confirmed:,} confirmed"] if confirmed else []
    said += [f"{result.unchanged:,} unchanged"] if result.unchanged else []
    for name, found in (("rejected", BatchOutcome.REJECTED), ("failed", BatchOutcome.FAILED)):
        if batches := result.with_outcome(found):
            said.append(f"{len(batches):,} {name}")
    said += [f"{len(result.waiting):,} waiting"] if result.waiting else []
    mark = ("done", "green") if result.is_whole else ("trouble", "red")
    return Text.assemble(
        f"{result.table:<26} ", (f"{mark[0]:<8}", mark[1]), f"{seconds:6.1f} s  {', '.join(said)}"
    )

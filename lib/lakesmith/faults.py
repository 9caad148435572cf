"""Fault points: the places in a run at which a drill can make something go wrong.

Owns their names and the one hook. Nothing is armed outside of tests/drills, where a hook kills the process, raises, or waits:

    with armed(lambda point: os.kill(os.getpid(), SIGKILL) if point == FaultPoint(AFTER, Step.STAGE, "silver.x") else None):
        main(["run", "--date", "2011-03-01"])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FaultPoint", "Side", "Step", "armed", "reached", "step"]


class Side(StrEnum):
    """On which side of a step a point lies."""

    BEFORE = "before"
    AFTER = "after"


class Step(StrEnum):
    """The steps of a run, in their order.

    `PUT` is the commit within either publish: after it the commit is there, and its answer has not been seen yet.
    """

    LEASE = "lease"
    READ = "read"
    STAGE = "stage"
    AUDIT = "audit"
    QUARANTINE = "quarantine"
    PUBLISH = "publish"
    PUT = "put"
    RECORD = "record"


@dataclass(frozen=True)
class FaultPoint:
    """One point that a run comes by.

    Args:
        table: the table at work; of a quarantine's publish and put, the quarantine table.
    """

    side: Side
    step: Step
    table: str

    def __str__(self) -> str:
        return f"{self.side} {self.step} of {self.table}"


_hook: Callable[[FaultPoint], None] | None = None


def reached(side: Side, what: Step, table: str) -> None:
    """Says that a run is here; what a hook raises, the run meets."""
    if _hook is not None:
        _hook(FaultPoint(side, what, table))


@contextmanager
def step(what: Step, table: str) -> Iterator[None]:
    """A step with its two points; the second is not reached by a step that fails."""
    reached(Side.BEFORE, what, table)
    yield
    reached(Side.AFTER, what, table)


@contextmanager
def armed(hook: Callable[[FaultPoint], None]) -> Iterator[None]:
    """Has every point call `hook` for the body."""
    global _hook
    before, _hook = _hook, hook
    try:
        yield
    finally:
        _hook = before

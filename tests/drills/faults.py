"""Faults: what goes wrong at a fault point, as a value that a child process can be given.

Owns the kinds of faults and the hooks that make them.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from lakesmith.faults import FaultPoint, Side, Step

__all__ = ["AT_RANDOM", "Fault", "Kind", "Planted", "draw"]


class Planted(Exception):
    """The failure that a drill planted."""


class Kind(StrEnum):
    """What goes wrong."""

    SIGKILL = "SIGKILL"
    SIGTERM = "SIGTERM"
    SIGINT = "SIGINT"
    EXCEPTION = "exception"
    DISK_FULL = "disk full"
    LOST_ANSWER = "lost answer"
    JVM_LOST = "JVM lost"
    EXECUTOR_LOST = "executor lost"
    SIGSTOP = "SIGSTOP"

    @property
    def needs_process(self) -> bool:
        """True for what would end the process that runs the drill, or its Spark."""
        return self.name.startswith("SIG") or self in (Kind.JVM_LOST, Kind.EXECUTOR_LOST)


AT_RANDOM = tuple(kind for kind in Kind if kind not in (Kind.SIGSTOP, Kind.EXECUTOR_LOST))
"""The kinds that a drill may draw at any point: somebody has to wake what was paused, and a laptop has no executors to lose."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong once.

    Args:
        nth: at which passing of the point, from 1.
        delay: seconds after it, for what needs a process: that strikes in the midst of whatever runs by then.
    """

    kind: Kind
    at: FaultPoint
    nth: int = 1
    delay: float = 0.0

    def hook(self) -> Callable[[FaultPoint], None]:
        """What `lakesmith.faults.armed` takes."""
        passed = 0

        def strike(point: FaultPoint) -> None:
            nonlocal passed
            if point == self.at:
                passed += 1
                if passed == self.nth and self.delay:
                    timer = threading.Timer(self.delay, self._happen)
                    timer.daemon = True
                    timer.start()
                elif passed == self.nth:
                    self._happen()

        return strike

    def _happen(self) -> None:
        if self.kind is Kind.JVM_LOST:
            from pyspark import SparkContext

            os.kill(SparkContext._gateway.proc.pid, signal.SIGKILL)
        elif self.kind is Kind.EXECUTOR_LOST:
            os.kill(executors()[0], signal.SIGKILL)
        elif self.kind.needs_process:
            os.kill(os.getpid(), signal.Signals[self.kind.name])
        elif self.kind is Kind.EXCEPTION:
            raise Planted(str(self.at))
        elif self.kind is Kind.DISK_FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        else:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))

    def to_json(self) -> dict[str, Any]:
        """For a command line."""
        return {
            "kind": self.kind,
            "side": self.at.side,
            "step": self.at.step,
            "table": self.at.table,
            "nth": self.nth,
            "delay": self.delay,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        at = FaultPoint(Side(value["side"]), Step(value["step"]), value["table"])
        return cls(Kind(value["kind"]), at, value["nth"], value["delay"])

    def __str__(self) -> str:
        late = f" + {self.delay:.2f} s" if self.delay else ""
        return f"{self.kind} {self.at}{f' (time {self.nth})' if self.nth > 1 else ''}{late}"


def executors() -> list[int]:
    """The processes of this driver's executors, where the master is a local cluster."""
    mark = "LAKESMITH_DRILL"
    mine = f"{mark}={os.environ[mark]}".encode()
    found = []
    for process in Path("/proc").iterdir():
        try:
            is_executor = b"CoarseGrainedExecutorBackend" in (process / "cmdline").read_bytes()
            if is_executor and mine in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return sorted(found)


def draw(random: random.Random, points: Sequence[FaultPoint], kinds: Sequence[Kind]) -> Fault:
    """A fault at one of the points that an undisturbed run came by.

    Args:
        points: in the order in which they were passed, repetitions included.
    """
    kind = random.choice(kinds)
    possible = [at for at, point in enumerate(points) if kind is not Kind.LOST_ANSWER or _answers(point)]
    if not possible:
        return draw(random, points, [k for k in kinds if k is not Kind.LOST_ANSWER])
    at = random.choice(possible)
    return Fault(kind, points[at], points[: at + 1].count(points[at]))


def _answers(point: FaultPoint) -> bool:
    return point.step is Step.PUT and point.side is Side.AFTER

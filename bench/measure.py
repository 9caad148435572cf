"""Timing sides against each other: in turns, several rounds, so that a machine that slows down slows all of them.

Owns rounds, warm-up, medians and ratios. Ratios are taken round by round before their median: what one round suffered, both of
its sides did.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from lakesmith.lake.spark_work import SparkWork, counted

__all__ = ["Measured", "Ratio", "Side", "in_turns", "ratio"]


@dataclass(frozen=True)
class Side:
    """One way of doing the same work.

    Args:
        work: does it; is given the number of the round.
        before: makes room for it, untimed.
    """

    name: str
    work: Callable[[int], object]
    before: Callable[[int], object] = lambda number: None


@dataclass
class Measured:
    """What one side took.

    Args:
        cold: seconds of its first round.
        seconds: of each later round.
        spark: what Spark did in the last round; None without a session.
    """

    name: str
    cold: float
    seconds: list[float] = field(default_factory=list)
    spark: SparkWork | None = None

    @property
    def median(self) -> float:
        """Of the later rounds; of the first where there is no other."""
        return statistics.median(self.seconds or [self.cold])

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, seconds in milliseconds' precision."""
        return {
            "name": self.name,
            "cold": round(self.cold, 3),
            "seconds": [round(value, 3) for value in self.seconds],
            "spark": None if self.spark is None else self.spark.to_json(),
        }


@dataclass(frozen=True)
class Ratio:
    """One side by another, over the rounds.

    Args:
        limit: of the budget; None where it names none.
    """

    what: str
    median: float
    least: float
    most: float
    limit: float | None = None


def in_turns(sides: Sequence[Side], rounds: int, spark: SparkSession | None = None) -> dict[str, Measured]:
    """Each side once a round, in an order that turns, after one round that counts as cold.

    Args:
        rounds: warm ones.
        spark: whose work is counted; None counts nothing.
    """
    found: dict[str, Measured] = {}
    for number in range(rounds + 1):
        at = number % len(sides)
        for side in [*sides[at:], *sides[:at]]:
            side.before(number)
            gc.collect()
            seconds, work = _timed(side, number, spark)
            if number == 0:
                found[side.name] = Measured(side.name, seconds, spark=work)
            else:
                found[side.name].seconds.append(seconds)
                found[side.name].spark = work
    return {side.name: found[side.name] for side in sides}


def _timed(side: Side, number: int, spark: SparkSession | None) -> tuple[float, SparkWork | None]:
    if spark is None:
        began = time.perf_counter()
        side.work(number)
        return time.perf_counter() - began, None
    with counted(spark) as work:
        began = time.perf_counter()
        side.work(number)
        seconds = time.perf_counter() - began
    return seconds, work


def ratio(what: str, part: Measured, whole: Measured, limit: float | None = None) -> Ratio:
    """The median of the ratios round by round; of the cold ones where there are no others."""
    pairs = list(zip(part.seconds or [part.cold], whole.seconds or [whole.cold], strict=True))
    values = [one / other for one, other in pairs]
    return Ratio(what, statistics.median(values), min(values), max(values), limit)

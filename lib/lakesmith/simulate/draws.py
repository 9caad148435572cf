"""Chance that repeats: keyed generators, hashes and weighted tables with the same results on every machine.

Python promises only that `random.Random(int).random()` keeps its sequence, so that is all that is drawn from.
Tables are computed with + - * / on doubles (exact by IEEE 754) in a fixed order: no `log` or `exp`, whose
last bit differs between C libraries, and no `sum` of doubles, which rounds in another way since Python 3.12.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from math import gcd

__all__ = [
    "Stream",
    "apportion",
    "exponential_quantiles",
    "mean",
    "mix",
    "reseed",
    "rounded",
    "shuffle",
    "step_through",
    "total",
]

_MASK = (1 << 64) - 1


class Stream(IntEnum):
    """What a generator is for: each purpose draws from a sequence of its own, so none disturbs another."""

    CATALOGUE = 1
    CUSTOMERS = 2
    VOLUME = 3
    TIMELINE = 4
    SALES = 5
    ANONYMOUS = 6
    CANCELLATIONS = 7
    ODDMENTS = 8
    SPOILING = 9


def reseed(generator: random.Random, seed: int, stream: Stream, ordinal: int = 0, index: int = 0) -> None:
    """Put `generator` at the start of the sequence that belongs to (seed, stream, day, index)."""
    generator.seed((seed << 72) | (stream << 64) | (ordinal << 40) | index)


def mix(key: int) -> int:
    """Spread the bits of `key` over 64 bits (the finalizer of splitmix64): a hash that no setting changes."""
    key = (key + 0x9E3779B97F4A7C15) & _MASK
    key = ((key ^ (key >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    key = ((key ^ (key >> 27)) * 0x94D049BB133111EB) & _MASK
    return key ^ (key >> 31)


def total(values: Sequence[float]) -> float:
    """Sum from left to right, rounding at each step: the same on every Python version."""
    return list(accumulate(values, initial=0.0))[-1]


def mean(values: Sequence[float]) -> float:
    """Mean by `total`."""
    return total(values) / len(values)


def apportion(weights: Sequence[float], length: int) -> list[int]:
    """A table of `length` positions in which index i stands as often as its weight says, in index order."""
    cumulated = list(accumulate(weights))
    whole = cumulated[-1]
    table: list[int] = []
    index = 0
    for position in range(length):
        while index < len(weights) - 1 and cumulated[index] * length <= (position + 0.5) * whole:
            index += 1
        table.append(index)
    return table


def exponential_quantiles(length: int) -> list[float]:
    """Expected order statistics of an exponential sample with mean 1: sums of 1/j, no logarithm needed."""
    return list(accumulate(1.0 / j for j in range(length, 0, -1)))


def rounded(expected: float, draw: float) -> int:
    """`expected` rounded up or down by chance, so that the mean over many draws is `expected`."""
    return int(expected + draw)


def shuffle(items: list[int], generator: random.Random) -> None:
    """Fisher and Yates in place, from `random()` alone (the sequence of `random.shuffle` is not promised)."""
    for last in range(len(items) - 1, 0, -1):
        other = int(generator.random() * (last + 1))
        items[last], items[other] = items[other], items[last]


def step_through(length: int) -> int:
    """A step that, taken modulo `length`, visits every position once and leaves neighbours far apart."""
    step = max(1, length * 618 // 1000)
    while gcd(step, length) != 1:
        step += 1
    return step

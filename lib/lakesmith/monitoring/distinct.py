"""Estimates of how many distinct values there are: HyperLogLog registers, which add up by their greater ones.

Owns what a register is and the estimate. A value's hash is Spark's `xxhash64` (seed 42); its lowest 11 bits are the register, and
the place of the lowest bit set among the other 53 is the rank, 54 where none is. A register keeps the greatest rank (Flajolet,
Fusy, Gandouet and Meunier 2007). The estimate is Ertl's improved raw estimator (2017, "New cardinality estimation algorithms
for HyperLogLog sketches", arXiv:1702.01284): no tables of constants, no bias at few values. No Spark.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lakesmith.errors import LakesmithError

__all__ = ["GREATEST_RANK", "LG_REGISTERS", "DistinctSketch", "SketchUnreadable"]

LG_REGISTERS = 11
"""2,048 registers: a standard error of 1.04 / sqrt(2048) = 2.3 %."""

GREATEST_RANK = 64 - LG_REGISTERS + 1
"""The rank of a hash whose other bits are all 0."""


class SketchUnreadable(LakesmithError):
    """Bytes are no sketch in the one form that is read here."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"a sketch of distinct values can't be read: {reason}. Profile the batch again with this version."
        )


@dataclass(frozen=True)
class DistinctSketch:
    """The registers of a HyperLogLog sketch.

    Args:
        registers: one byte each, a power of two of them: the greatest rank seen; all zero without values.
    """

    registers: bytes = bytes(1 << LG_REGISTERS)

    @staticmethod
    def of(ranks: Iterable[tuple[int, int]]) -> DistinctSketch:
        """The sketch with these registers.

        Args:
            ranks: a register's place and its rank; places that are not named are empty.
        """
        registers = bytearray(1 << LG_REGISTERS)
        for place, rank in ranks:
            registers[place] = rank
        return DistinctSketch(bytes(registers))

    @staticmethod
    def from_json(text: str) -> DistinctSketch:
        """The sketch that `to_json` wrote.

        Raises:
            SketchUnreadable: the text is no base64.
        """
        try:
            return DistinctSketch(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise SketchUnreadable(str(error)) from error

    def to_json(self) -> str:
        """The registers as base64."""
        return base64.b64encode(self.registers).decode("ascii")

    def merged(self, other: DistinctSketch) -> DistinctSketch:
        """The sketch of both samples together, exactly as if one sketch had seen all values.

        Raises:
            SketchUnreadable: the numbers of registers differ.
        """
        if len(self.registers) != len(other.registers):
            raise SketchUnreadable(
                f"sketches of {len(self.registers)} and of {len(other.registers)} registers don't add up"
            )
        mine, theirs = (np.frombuffer(registers, np.uint8) for registers in (self.registers, other.registers))
        return DistinctSketch(np.maximum(mine, theirs).tobytes())

    def estimate(self) -> int:
        """How many distinct values were seen, about: one standard error is 1.04 over the root of the registers."""
        m = len(self.registers)
        counts = np.bincount(np.frombuffer(self.registers, np.uint8), minlength=GREATEST_RANK + 1)
        if counts[0] == m:
            return 0
        z = m * _tau(1 - counts[GREATEST_RANK] / m)
        for rank in range(GREATEST_RANK - 1, 0, -1):
            z = 0.5 * (z + counts[rank])
        z += m * _sigma(counts[0] / m)
        return round(m * m / (2 * math.log(2) * z))


def _sigma(x: float) -> float:
    if x == 1:
        return math.inf
    y, z = 1.0, x
    while True:
        x *= x
        before = z
        z += x * y
        y += y
        if z == before:
            return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z = 1.0, 1 - x
    while True:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
        if z == before:
            return z / 3

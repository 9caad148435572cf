"""Estimates of how many distinct values there are: HyperLogLog registers, which add up by their greater ones.

Owns the registers, the estimate (Ertl 2017, "New cardinality estimation algorithms for HyperLogLog sketches",
arXiv:1702.01284, the improved raw estimator: no tables of constants, no bias at few values) and the reading of what
Spark's `hll_sketch_agg` gives: a sketch of Apache DataSketches in its HLL_8 form (the layout is documented at the head of
its `PreambleUtil`). Spark's own union of sketches needs a JVM; this one does not. No Spark.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass

import numpy as np

from lakesmith.errors import LakesmithError

__all__ = ["LG_REGISTERS", "DistinctSketch", "SketchUnreadable"]

LG_REGISTERS = 11
"""2,048 registers: a standard error of 1.04 / sqrt(2048) = 2.3 %."""

_FAMILY, _VERSION, _HLL_8 = 7, 1, 2
_LIST, _SET, _HLL = 0, 1, 2
_EMPTY = 4
_FIRST_COUPON = {_LIST: 8, _SET: 12}
_FIRST_REGISTER = 40
_SLOT_BITS = 26
_GREATEST_RANK = 63


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
    def from_spark(sketch: bytes) -> DistinctSketch:
        """The registers in what `hll_sketch_agg` gave.

        Args:
            sketch: of any number of registers; in list, set or register mode.

        Raises:
            SketchUnreadable: the bytes are in another form.
        """
        if len(sketch) < 8 or sketch[1] != _VERSION or sketch[2] != _FAMILY:
            raise SketchUnreadable("it is no HLL sketch of Apache DataSketches, version 1")
        size, flags, mode, kind = 1 << sketch[3], sketch[5], sketch[7] & 3, sketch[7] >> 2 & 3
        if kind != _HLL_8:
            raise SketchUnreadable(f"it is of the kind {kind}, not {_HLL_8} (HLL_8)")
        if flags & _EMPTY:
            return DistinctSketch(bytes(size))
        if mode == _HLL:
            registers = sketch[_FIRST_REGISTER : _FIRST_REGISTER + size]
            if len(registers) != size:
                raise SketchUnreadable("it is cut off")
            return DistinctSketch(bytes(registers))
        if mode not in _FIRST_COUPON:
            raise SketchUnreadable(f"its mode is {mode}")
        start = _FIRST_COUPON[mode]
        whole = (len(sketch) - start) // 4
        coupons = np.frombuffer(sketch, "<u4", count=whole, offset=start)
        return DistinctSketch(_from_coupons(coupons[coupons != 0], size))

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
        counts = np.bincount(np.frombuffer(self.registers, np.uint8), minlength=_GREATEST_RANK + 1)
        if counts[0] == m:
            return 0
        z = m * _tau(1 - counts[_GREATEST_RANK] / m)
        for rank in range(_GREATEST_RANK - 1, 0, -1):
            z = 0.5 * (z + counts[rank])
        z += m * _sigma(counts[0] / m)
        return round(m * m / (2 * math.log(2) * z))


def _from_coupons(coupons: np.ndarray[tuple[int], np.dtype[np.uint32]], size: int) -> bytes:
    """A coupon is a value's slot in its lower 26 bits and its rank above; the register is the slot's last bits."""
    registers = np.zeros(size, np.uint8)
    slots = (coupons & np.uint32((1 << _SLOT_BITS) - 1)) & np.uint32(size - 1)
    np.maximum.at(registers, slots, (coupons >> np.uint32(_SLOT_BITS)).astype(np.uint8))
    return registers.tobytes()


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

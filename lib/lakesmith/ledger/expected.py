"""What a step will likely take: rows and seconds, from the runs of the same table before.

Owns that estimate. Pure. A run costs something however few its batches are, and a little more for each: a straight line through
the table's last runs, by least squares, that neither starts nor falls below nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

__all__ = ["Expected", "PastRun", "expected"]

_LAST_RUNS = 50


@dataclass(frozen=True)
class PastRun:
    """What one run took.

    Args:
        batches: that it computed.
        rows: that it published.
        seconds: wall time.
    """

    batches: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Expected:
    """What some batches will likely take.

    Args:
        rows: to be computed.
        seconds: wall time.
    """

    rows: int
    seconds: float

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {"rows": self.rows, "seconds": round(self.seconds, 1)}


def expected(runs: Sequence[PastRun], batches: int) -> Expected | None:
    """The estimate for a run of some batches; None without any run to go by.

    Args:
        runs: of the table that computed and published something, oldest first; the last fifty count.
    """
    known = [run for run in runs if run.batches and run.rows][-_LAST_RUNS:]
    if not known:
        return None
    start, each = _line(known)
    return Expected(round(median(run.rows / run.batches for run in known) * batches), start + each * batches)


def _line(runs: Sequence[PastRun]) -> tuple[float, float]:
    """Seconds that any run takes, and seconds for each batch."""
    middle, mean = fmean(run.batches for run in runs), fmean(run.seconds for run in runs)
    spread = sum((run.batches - middle) ** 2 for run in runs)
    if not spread:
        # All of one size: nothing tells the start from the batches, so that more batches are thought to take no longer.
        return median(run.seconds for run in runs), 0.0
    each = max(0.0, sum((run.batches - middle) * (run.seconds - mean) for run in runs) / spread)
    start = mean - each * middle
    if start < 0:
        return 0.0, sum(run.batches * run.seconds for run in runs) / sum(run.batches**2 for run in runs)
    return start, each

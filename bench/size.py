"""How large a benchmark is to be, and where it may put its data."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Size"]


@dataclass(frozen=True)
class Size:
    """What was asked for.

    Args:
        folder: for data; its own, removed afterwards.
        results: where figures are kept, those of earlier runs, too.
        full: all sizes, not only the budget's.
        rows, rounds: None takes the benchmark's own.
    """

    folder: Path
    results: Path
    full: bool = False
    rows: int | None = None
    rounds: int | None = None

    def rows_or(self, default: int) -> int:
        """The rows of a round."""
        return self.rows or default

    def rounds_or(self, default: int) -> int:
        """The rounds that count."""
        return self.rounds or default

    def command(self, name: str) -> str:
        """What runs the benchmark again at this size."""
        words = ["python -m bench", name]
        words += ["--full"] if self.full else []
        words += [f"--rows {self.rows}"] if self.rows else []
        words += [f"--rounds {self.rounds}"] if self.rounds else []
        return " ".join(words)

    def say(self, text: str) -> None:
        """Progress, to the terminal."""
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

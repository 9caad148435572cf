"""Spark's drivers on this machine, and how many of them were at the same work at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import psutil

__all__ = ["Drivers", "drivers"]


@dataclass
class Drivers:
    """Who submits what: every half second all drivers of the stack are counted by night and tables.

    Args:
        most: (night, tables) -> as many at once were seen.
    """

    most: Counter[tuple[str, str]] = field(default_factory=Counter)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Counts until the end of the block."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(0.5):
            for key, number in Counter(drivers()).items():
                self.most[key] = max(self.most[key], number)


def drivers() -> Iterator[tuple[str, str]]:
    """Night and tables of every driver that runs now."""
    found = {}
    for process in psutil.process_iter():
        try:
            words, parent = process.cmdline(), process.ppid()
        except psutil.Error:
            continue
        # Its JVM; the script and the launcher that come before it name the same words.
        is_driver = words[:1] and words[0].endswith("/java") and "org.apache.spark.launcher.Main" not in words
        if is_driver and "org.apache.spark.deploy.SparkSubmit" in words and "--date" in words:
            tables = [after for word, after in pairwise(words) if word == "--table"]
            found[process.pid] = parent, (words[words.index("--date") + 1], " ".join(tables))
    # What a JVM is about to start has its words for a moment.
    yield from (key for parent, key in found.values() if parent not in found)

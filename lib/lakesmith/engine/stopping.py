"""Being told to stop: SIGTERM and SIGINT become an exception, so that a run can say that it ended before it does.

Owns the signals and how long the process may take to write down what it must.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lakesmith.errors import Stopped

__all__ = ["is_no_interruption", "stops_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 20.0


@contextmanager
def stops_on_signals() -> Iterator[None]:
    """Raises `Stopped` in the body at the first SIGTERM or SIGINT.

    From then on the process has 20 seconds: a Spark that does not answer must not keep it. A second signal ends it at once.
    Only the main thread can do this; in any other the body runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        for known in _SIGNALS:
            signal.signal(known, signal.SIG_DFL)
        told = Stopped(signal.Signals(number).name)
        signal.signal(signal.SIGALRM, lambda *_: os._exit(told.exit_code))
        signal.setitimer(signal.ITIMER_REAL, _GRACE_SECONDS)
        raise told

    before = {known: signal.getsignal(known) for known in (*_SIGNALS, signal.SIGALRM)}
    for known in _SIGNALS:
        signal.signal(known, stop)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for known, handler in before.items():
            signal.signal(known, handler)


def is_no_interruption(record: logging.LogRecord) -> bool:
    """A filter for logs: py4j logs an interruption as an error, with its traceback."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, KeyboardInterrupt)

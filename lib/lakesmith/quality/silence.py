"""Silence: what PySpark would log of a failed query.

Owns one guard. The text of a failed cast quotes the value that failed, and PySpark's query context
logger writes that text to stderr before any caller sees the error. Spark's executors log it as well;
that is their log4j2's say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["errors_without_values"]

# One for expressions that were SQL text, one for those that were Column objects.
_QUERY_CONTEXT_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


@contextmanager
def errors_without_values() -> Iterator[None]:
    """Within it PySpark does not log the text of failed queries; they are raised as ever."""
    loggers = [logging.getLogger(name) for name in _QUERY_CONTEXT_LOGGERS]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled

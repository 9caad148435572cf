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


@contextmanager
def errors_without_values() -> Iterator[None]:
    """Within it PySpark does not log the text of failed queries; they are raised as ever."""
    logger = logging.getLogger("SQLQueryContextLogger")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before

"""Spark for a command: started before any work that needs it, and interruptible."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from lakesmith.cli.output import messages
from lakesmith.errors import ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakesmith.engine.context import Context

__all__ = ["start_spark"]


def start_spark(context: Context) -> SparkSession:
    """The session of a context, so that what is wrong with Spark itself is an error and no batch's failure.

    Ctrl-C stays Python's: PySpark's own handler calls the JVM in the midst of another call to it, which fails
    like a job would, and the batches at work would be recorded as failed.

    Raises:
        ConfigurationError: PySpark is not installed, or its jars are not there.
    """
    on_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if on_main_thread else None
    try:
        if messages.is_terminal:
            with messages.status("starting Spark"):
                return context.spark
        return context.spark
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed. Install it: pip install 'lakesmith[spark,quality]'"
        ) from error
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)

"""Spark for a command, and the log of what it does there: started before any work that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith.cli.output import messages
from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakesmith.engine.context import Context

__all__ = ["start_spark"]


def start_spark(context: Context) -> SparkSession:
    """The session of a context, so that what is wrong with Spark itself is an error and no batch's failure.

    Raises:
        ConfigurationError: PySpark is not installed, or its jars are not there.
    """
    from lakesmith.engine.logs import log_to_file

    context.log = log_to_file(context.settings)
    with needs_extra("spark", "quality"):
        if messages.is_terminal:
            with messages.status("starting Spark"):
                return context.spark
        return context.spark

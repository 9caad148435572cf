"""How Spark is fitted to one run: the number of tasks of its shuffles, from the size of what it reads.

Owns that one decision; everything else that makes sessions quick stands in conf/base.yml with its reason. Rows never depend on
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith.config.sections.jobs import SparkSettings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["AT_LEAST", "SHUFFLE_PARTITIONS", "fit_to_inputs", "shuffle_partitions"]

SHUFFLE_PARTITIONS = "spark.sql.shuffle.partitions"

AT_LEAST = 8
"""A few stored bytes can be many rows, and a window's rows stay in the tasks they were spread over; the rest is merged."""
_AT_MOST = 10_000


def shuffle_partitions(stored_bytes: int, settings: SparkSettings) -> int:
    """The tasks of a shuffle.

    Args:
        stored_bytes: of what the batches of the run read; a file counts once for each that may read it.
        settings: a number there is taken as it is.
    """
    if settings.shuffle_partitions is not None:
        return settings.shuffle_partitions
    return min(max(AT_LEAST, -(-stored_bytes // settings.shuffle_bytes)), _AT_MOST)


def fit_to_inputs(spark: SparkSession, stored_bytes: int, settings: SparkSettings) -> None:
    """Sets a session for the run that is about to be computed; arguments as for `shuffle_partitions`."""
    spark.conf.set(SHUFFLE_PARTITIONS, str(shuffle_partitions(stored_bytes, settings)))

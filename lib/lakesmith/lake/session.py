"""The Spark session: the one place that says how Spark is set up, for a laptop, a test, a job and a night alike.

Owns the settings on which results depend (time zone, ANSI arithmetic, Delta) and those that keep small lakes quick; what is
tuned stands in conf/base.yml, and what is fitted to each run in `lakesmith.lake.tuning`. Under
`spark-submit` the JVM is already up, so jars can only be checked there, not added.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError, SparkLost
from lakesmith.lake.catalog import register_for_session
from lakesmith.lake.jars import delta_on_classpath, jar_paths, s3_on_classpath
from lakesmith.lake.java import java_home
from lakesmith.lake.tuning import SHUFFLE_PARTITIONS, shuffle_partitions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["DeltaMissing", "S3AMissing", "is_alive", "session", "session_settings"]


class DeltaMissing(ConfigurationError):
    """Spark is running without Delta's jars, and it is too late to add them."""

    def __init__(self) -> None:
        super().__init__(
            "Spark was started without the Delta jars. Add them to the command: "
            "spark-submit --jars .jars/delta-spark_2.13-4.0.1.jar,.jars/delta-storage-4.0.1.jar ... "
            "(or --packages io.delta:delta-spark_2.13:4.0.1); `make env` writes them into spark-defaults.conf"
        )


class S3AMissing(ConfigurationError):
    """Spark is running without Hadoop's S3A, the lake or the landing files are in S3, and it is too late to add it."""

    def __init__(self) -> None:
        super().__init__(
            "Spark was started without the jars of S3A, and the settings name places in S3. Let `lakesmith submit` compose the "
            "command, or add them to it: spark-submit --jars $(ls .jars/*.jar .jars/s3/*.jar | paste -sd,) ... (`make env` "
            "fetches them)"
        )


# Rows must not depend on where or when they are computed; these hold in every session and no setting overrides them.
_FIXED = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Days before 1582 are written as they are, not shifted between calendars.
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    # Files are sized by the staging step; Delta must not rewrite what it was given.
    "spark.databricks.delta.optimizeWrite.enabled": "false",
    "spark.databricks.delta.autoCompact.enabled": "false",
}

# What follows from how Lakesmith works. What a team may want otherwise stands in conf/base.yml.
_QUICK = {
    # The Delta log of a staged batch or of a table of some thousand files is small: one task reads it.
    "spark.databricks.delta.snapshotPartitions": "1",
    # A night generates some hundred classes; with Spark's 100 each table's would be compiled again every night.
    "spark.sql.codegen.cache.maxEntries": "2000",
    "spark.ui.showConsoleProgress": "false",
}


def session_settings(settings: Settings) -> dict[str, str]:
    """Every Spark setting of a session in this environment, jars and master left out."""
    chosen = {
        "spark.driver.memory": settings.spark.driver_memory,
        SHUFFLE_PARTITIONS: str(shuffle_partitions(0, settings.spark)),
    }
    if settings.uses_s3:
        chosen |= {f"spark.hadoop.{key}": value for key, value in settings.s3_access.hadoop_conf().items()}
    if settings.event_log is not None:
        chosen |= {"spark.eventLog.enabled": "true", "spark.eventLog.dir": settings.event_log}
    return {**_QUICK, **chosen, **settings.spark.revealed_conf, **_FIXED}


def session(settings: Settings, name: str = "lakesmith", *, by_name: bool = True) -> SparkSession:
    """The running session, or a new one.

    Args:
        name: what Spark's own pages call the application.
        by_name: also register the lake's tables, so that SQL finds them as `layer.name`. A run reads by path and does
            without.

    Raises:
        DeltaMissing: the JVM that `spark-submit` started lacks Delta.
        S3AMissing: likewise, of S3.
        JarsMissing: a session of our own needs jars that were never fetched.
        ConfigurationError: `spark.conf` tries to change a setting on which results depend.
        SparkLost: the JVM ended meanwhile.
    """
    _refuse_fixed(settings.spark.conf)
    from py4j.protocol import Py4JNetworkError
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    options = session_settings(settings)
    if settings.event_log is not None and "://" not in settings.event_log:
        # Spark does not begin without it.
        Path(settings.event_log).mkdir(parents=True, exist_ok=True)
    if "PYSPARK_GATEWAY_PORT" in os.environ or SparkContext._active_spark_context is not None:
        # spark-submit (or whoever made the context) has chosen memory, master and jars; the rest is ours.
        SparkContext._ensure_initialized()
        if not delta_on_classpath(SparkContext._gateway):
            raise DeltaMissing
        if settings.uses_s3 and not s3_on_classpath(SparkContext._gateway):
            raise S3AMissing
        options.pop("spark.driver.memory")
    else:
        home = java_home()
        if home is not None:
            os.environ["JAVA_HOME"] = str(home)
        jars = jar_paths(settings.jars_dir, s3=settings.uses_s3)
        options["spark.jars"] = ",".join(str(path) for path in jars)
        if settings.spark.master is not None:
            options["spark.master"] = settings.spark.master
        # Workers otherwise take whatever python3 comes first on PATH; only spark-submit reads spark.pyspark.python.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name)
    for key, value in options.items():
        builder = builder.config(key, value)
    try:
        with _pythons_interrupt():
            spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("ERROR")
        if settings.uses_s3:
            # A context that was up before has read its own already.
            hadoop = spark.sparkContext._jsc.hadoopConfiguration()
            for key, value in settings.s3_access.hadoop_conf().items():
                hadoop.set(key, value)
    except (Py4JNetworkError, ConnectionError) as error:
        raise SparkLost from error
    if by_name:
        register_for_session(spark, settings)
    return spark


def is_alive(spark: SparkSession) -> bool:
    """True while the session's JVM answers and its context was not stopped."""
    from py4j.protocol import Py4JError

    try:
        return not spark.sparkContext._jsc.sc().isStopped()
    except (Py4JError, OSError, AttributeError):
        # A JVM that is gone, in one of the ways in which py4j says so; without a context there is no `_jsc`.
        return False


@contextmanager
def _pythons_interrupt() -> Iterator[None]:
    """Keeps Python's handler of Ctrl-C.

    PySpark's own calls the JVM in the midst of another call to it, which then fails like a job would, and the
    batches at work would be recorded as failed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _refuse_fixed(conf: Mapping[str, object]) -> None:
    clash = sorted(conf.keys() & _FIXED.keys())
    if clash:
        raise ConfigurationError(
            f"spark.conf sets {', '.join(clash)}, on which the rows depend; they are the same everywhere. "
            f"Remove them from the settings (see them with: lakesmith config show)"
        )

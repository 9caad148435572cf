"""What Spark did: jobs, stages, tasks, scans, rows, bytes. Counts are exact, so that tests may hold them; times are not.

Owns reading Spark's own bookkeeping (the status stores behind its pages), which is kept whether or not the pages are served.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

__all__ = ["Scan", "SparkWork", "counted"]

# As Delta reads its logs; no table of Lakesmith is JSON.
_OF_LOGS = "Scan json"


@dataclass(frozen=True)
class Scan:
    """One reading of files by a query.

    Args:
        what: as Spark's plan names it, such as `Scan parquet`.
        files, rows: that it read.
        bytes: the size of those files, of which a columnar format reads a part.
    """

    what: str
    files: int
    rows: int
    bytes: int


@dataclass
class SparkWork:
    """All that Spark did in a while.

    Args:
        log_jobs: of the jobs, those that only read Delta's logs.
        shuffle_bytes: written for other stages to read.
        scans: of data files, in the order of their queries.
    """

    jobs: int = 0
    log_jobs: int = 0
    stages: int = 0
    tasks: int = 0
    rows_read: int = 0
    bytes_read: int = 0
    rows_written: int = 0
    bytes_written: int = 0
    shuffle_bytes: int = 0
    spilled_bytes: int = 0
    cpu_seconds: float = 0.0
    scans: list[Scan] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@contextmanager
def counted(spark: SparkSession) -> Iterator[SparkWork]:
    """Counts what Spark does inside the block, by whomever; the figures are there when it ends."""
    context = spark._jsc.sc()
    queries = spark._jsparkSession.sharedState().statusStore()
    first_job, first_query = context.dagScheduler().numTotalJobs(), _next_query(context, queries)
    work = SparkWork()
    try:
        yield work
    finally:
        context.listenerBus().waitUntilEmpty()
        _add_jobs(work, context, first_job)
        _add_scans(work, queries, first_query)


def _next_query(context: Any, queries: Any) -> int:
    context.listenerBus().waitUntilEmpty()
    known = queries.executionsList()
    return max((known.apply(at).executionId() for at in range(known.size())), default=-1) + 1


def _add_jobs(work: SparkWork, context: Any, first: int) -> None:
    store = context.statusStore()
    for number in range(first, context.dagScheduler().numTotalJobs()):
        job = store.job(number)
        work.jobs += 1
        ran = _stages_that_ran(store, job)
        described = job.description().get() if job.description().isDefined() else ""
        work.log_jobs += described.startswith("Delta: ") or "DatabricksLogging" in job.name()
        work.stages += len(ran)
        for stage in ran:
            work.tasks += stage.numCompleteTasks()
            work.rows_read += stage.inputRecords()
            work.bytes_read += stage.inputBytes()
            work.rows_written += stage.outputRecords()
            work.bytes_written += stage.outputBytes()
            work.shuffle_bytes += stage.shuffleWriteBytes()
            work.spilled_bytes += stage.diskBytesSpilled()
            work.cpu_seconds += stage.executorCpuTime() / 1e9


def _stages_that_ran(store: Any, job: Any) -> list[Any]:
    """The stages of a job without those that it found done already.

    Raises:
        AssertionError: Spark has thrown some of them away (`spark.ui.retainedStages`): count a shorter while.
    """
    ran = []
    for at in range(job.stageIds().size()):
        try:
            stage = store.lastStageAttempt(job.stageIds().apply(at))
        except Py4JJavaError:
            continue
        if str(stage.status()) == "COMPLETE":
            ran.append(stage)
    if len(ran) != job.numCompletedStages():
        raise AssertionError(
            f"job {job.jobId()} had {job.numCompletedStages()} stages, {len(ran)} are still known"
        )
    return ran


def _add_scans(work: SparkWork, queries: Any, first: int) -> None:
    known = queries.executionsList()
    numbers = sorted(known.apply(at).executionId() for at in range(known.size()))
    for number in numbers:
        if number < first:
            continue
        nodes = queries.planGraph(number).allNodes()
        values = queries.executionMetrics(number)
        for at in range(nodes.size()):
            node = nodes.apply(at)
            if not node.name().startswith("Scan ") or node.name().startswith(_OF_LOGS):
                continue
            measured = _measures(node, values)
            if "number of files read" in measured:
                work.scans.append(
                    Scan(
                        node.name().strip(),
                        int(measured["number of files read"]),
                        int(measured.get("number of output rows", 0)),
                        int(measured.get("size of files read", 0)),
                    )
                )


def _measures(node: Any, values: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for at in range(node.metrics().size()):
        metric = node.metrics().apply(at)
        value = values.get(metric.accumulatorId())
        if value.isDefined():
            found[metric.name()] = _number(value.get())
    return found


_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def _number(text: str) -> float:
    """The number in a metric as Spark writes it: `1,234`, or `3.4 MiB`, or a total above a line of details."""
    words = text.strip().split("\n")[-1].split()
    value = float(words[0].replace(",", ""))
    return value * _UNITS.get(words[1], 1) if len(words) > 1 else value

"""What job runs cost, as entries of `ops.runs`: what EMR Serverless counted, times the prices of the settings.

The service knows that only some time after the end, and the process that waits for it may be gone by then. So nobody's word is
needed: whoever submits next looks at all job runs of the last days and adds those that have no entry yet, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lakesmith.config.sections.aws import EmrPrices
from lakesmith.ledger.ops import in_order
from lakesmith.ledger.records import RunOutcome, RunRecord
from lakesmith.shipping.emr_request import ENVIRONMENT_TAG, NAME_PREFIX, SUBMISSION_TAG

if TYPE_CHECKING:
    import pyarrow as pa

    from lakesmith.aws.emr import EmrServerless, JobRun, Usage
    from lakesmith.ledger.ops import Ops

__all__ = ["LOOK_BACK", "cost", "entries", "settle"]

LOOK_BACK = timedelta(days=7)
"""How long a job run waits for somebody to write its cost down."""

_COUNTS_NOTHING: dict[str, Any] = {
    "outcome": RunOutcome.BILLED,
    "exit_code": 0,
    "retryable": False,
    "error": "",
    "batches": 0,
    "batches_published": 0,
    "batches_rejected": 0,
    "rows_read": None,
    "rows_published": 0,
    "rows_quarantined": 0,
    "rows_dropped": 0,
    "version": None,
    "spark_jobs": 0,
}
"""What an entry of cost says of all else, so that sums over all entries stay right."""


def cost(used: Usage, prices: EmrPrices) -> float | None:
    """What was used, in money; None without prices."""
    if prices.vcpu_hour is None or prices.memory_gb_hour is None or prices.storage_gb_hour is None:
        return None
    return (
        used.vcpu_hours * prices.vcpu_hour
        + used.memory_gb_hours * prices.memory_gb_hour
        + used.storage_gb_hours * prices.storage_gb_hour
    )


def settle(
    emr: EmrServerless,
    ops: Ops,
    *,
    prices: EmrPrices,
    environment: str,
    outcome: Callable[[str], Mapping[str, Any] | None],
    moment: datetime,
) -> Sequence[RunRecord]:
    """Adds an entry for each run of the job runs that have ended, are counted and have none.

    Args:
        environment: whose job runs, as they are tagged.
        outcome: reads the outcome record that the driver of a submission left.
        moment: the present.

    Returns:
        The entries that were added.

    Raises:
        AwsError: the service did not tell; what lacks is added by the next one.
        CommitConflict: others kept writing; likewise.
    """
    billed = set(ops.read(RunRecord, columns=["job_run"])["job_run"].to_pylist())
    open_bills = []
    for found in emr.ended_since(moment - LOOK_BACK):
        if not found.name.startswith(NAME_PREFIX) or found.id in billed:
            continue
        whole = emr.look(found.id)
        if whole.used is not None and whole.tags.get(ENVIRONMENT_TAG) == environment:
            record = outcome(whole.tags.get(SUBMISSION_TAG, "")) or {}
            held = {run for table in record.get("tables", ()) for run in table.get("runs", ())}
            open_bills.append((whole, held))

    def lacking(rows: pa.Table) -> Sequence[RunRecord]:
        runs = [RunRecord.from_row(row) for row in in_order(rows, by="started_at")]
        known = {run.job_run for run in runs}
        return [
            entry
            for job_run, held in open_bills
            if job_run.id not in known
            for entry in entries(job_run, _held(job_run, held, runs), prices, environment)
        ]

    return ops.append_once(RunRecord, RunRecord.schema.names, lacking) if open_bills else ()


def _held(job_run: JobRun, named: set[str], runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs that a job run held. Without the driver's record, those that Spark knows by the job run's id."""
    return [
        run
        for run in runs
        if run.outcome is not RunOutcome.BILLED
        and (run.run_id in named or (not named and run.spark_application == job_run.id))
    ]


def entries(
    job_run: JobRun, runs: Sequence[RunRecord], prices: EmrPrices, environment: str
) -> list[RunRecord]:
    """What a job run cost, shared out among its runs by the time that each took; the shares add up to the whole.

    Args:
        job_run: with what it used.
        runs: that it held; without any the whole is one entry that names no table.
    """
    assert job_run.used is not None
    if not runs:
        begun = job_run.created_at or job_run.ended_at
        assert begun is not None
        runs = [
            RunRecord(
                run_id=job_run.id,
                table="",
                first=begun.date(),
                last=begun.date(),
                started_at=begun,
                finished_at=max(job_run.ended_at or begun, begun),
                job=job_run.name,
                code_version="",
                lakesmith_version="",
                environment=environment,
                spark_application=job_run.id,
                **_COUNTS_NOTHING,
            )
        ]
    whole, total = job_run.used, cost(job_run.used, prices)
    found = []
    for run, share in zip(runs, _shares([run.seconds for run in runs]), strict=True):
        found.append(
            replace(
                run,
                warnings=(),
                **_COUNTS_NOTHING,
                job_run=job_run.id,
                vcpu_hours=whole.vcpu_hours * share,
                memory_gb_hours=whole.memory_gb_hours * share,
                storage_gb_hours=whole.storage_gb_hours * share,
                cost=total * share if total is not None else None,
                currency=prices.currency if total is not None else "",
            )
        )
    return found


def _shares(seconds: Sequence[float]) -> Iterator[float]:
    """The part of each; equal ones where nothing took any time."""
    total = sum(seconds)
    for each in seconds:
        yield each / total if total > 0 else 1 / len(seconds)

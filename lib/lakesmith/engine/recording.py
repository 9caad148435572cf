"""What a run writes down, as records: of its batches, of the rules it judged, and of itself.

Owns how audits and errors become records, and that no value of the data gets into them. Appending them is the
ledger's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from lakesmith.contracts.model import Contract, Rows
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs
from lakesmith.errors import ExitCode, LakesmithError, Stopped, exit_code_of, is_retryable
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.live import NO_FILES
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import (
    EMPTY_DIGEST,
    BatchOutcome,
    BatchRecord,
    InputRead,
    QualityRecord,
    RunOutcome,
    RunRecord,
)

if TYPE_CHECKING:
    from lakesmith.engine.audit import BatchAudit

__all__ = [
    "RunIdentity",
    "audited_batch",
    "bounded",
    "failed_batch",
    "new_run_id",
    "quality_records",
    "run_record",
    "without_values",
]

_SHOWN = 5


@dataclass(frozen=True)
class RunIdentity:
    """Which run it is that writes.

    Args:
        batches: all that the run set out to compute, in order.
    """

    run_id: str
    contract: Contract
    batches: tuple[date, ...]
    started: datetime


def new_run_id() -> str:
    """The name of a run: when it began, and something that no other has."""
    return f"{now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def audited_batch(
    run: RunIdentity, context: Context, found: BatchAudit, pinned: PinnedInputs, settings: Mapping[str, Any]
) -> BatchRecord:
    """What would be written down of a batch if it were published; publishing settles the rest."""
    day = found.batch_date
    preserving = run.contract.rows is Rows.PRESERVING
    return BatchRecord(
        table=run.contract.table,
        batch_date=day,
        recorded_at=now(),
        run_id=run.run_id,
        outcome=BatchOutcome.PUBLISHED if found.passed else BatchOutcome.REJECTED,
        version=None,
        digest=found.digest,
        rows=found.rows,
        read=found.accounting.read if preserving else pinned.rows_read(day),
        quarantined=found.accounting.quarantined,
        dropped=found.accounting.dropped,
        fingerprints=context.fingerprints(run.contract.table, SCHEME),
        inputs=pinned.reads(day),
        settings=settings,
        files=NO_FILES,
        reason=bounded(found.refusals),
    )


def failed_batch(
    run: RunIdentity, context: Context, day: date, error: Exception, inputs: tuple[InputRead, ...] = ()
) -> BatchRecord:
    """A batch that never came to an audit, and why.

    Args:
        inputs: what it had read; none where it did not come so far.
    """
    return BatchRecord(
        table=run.contract.table,
        batch_date=day,
        recorded_at=now(),
        run_id=run.run_id,
        outcome=BatchOutcome.FAILED,
        version=None,
        digest=EMPTY_DIGEST,
        rows=0,
        read=None,
        quarantined=0,
        dropped={},
        fingerprints=context.fingerprints(run.contract.table, SCHEME),
        inputs=inputs,
        settings={},
        files=NO_FILES,
        reason=without_values(error),
    )


def quality_records(run: RunIdentity, audits: Mapping[date, BatchAudit]) -> list[QualityRecord]:
    """One record for each expectation and batch."""
    moment = now()
    return [
        QualityRecord(
            run_id=run.run_id,
            table=run.contract.table,
            batch_date=day,
            recorded_at=moment,
            rule=result.rule,
            expectation_type=result.type,
            severity=str(result.severity),
            success=result.success,
            unexpected_count=result.unexpected_count,
            element_count=result.element_count,
            result=result.native(),
        )
        for day, found in audits.items()
        for result in found.results
    ]


def run_record(
    run: RunIdentity,
    context: Context,
    records: Sequence[BatchRecord],
    *,
    version: int | None = None,
    error: BaseException | None = None,
    warnings: Sequence[str] = (),
) -> RunRecord:
    """The record of a whole run.

    Args:
        records: what came of its batches; none when an error ended it that trying again can mend.
        version: the table version that it made; None when it made none.
        error: what ended it early.
    """
    refused = sum(not r.outcome.stands for r in records)
    published = [r for r in records if r.outcome is BatchOutcome.PUBLISHED]
    changed = version is not None or any(r.outcome is BatchOutcome.EMPTY for r in records)
    if error is not None:
        outcome = RunOutcome.STOPPED if isinstance(error, Stopped) else RunOutcome.FAILED
        code = exit_code_of(error)
    elif not refused:
        outcome, code = (RunOutcome.PUBLISHED if changed else RunOutcome.UNCHANGED), ExitCode.DONE
    elif refused < len(records):
        outcome, code = RunOutcome.PARTIAL, ExitCode.PARTIAL
    else:
        outcome, code = RunOutcome.REJECTED, ExitCode.REJECTED
    return RunRecord(
        run_id=run.run_id,
        table=run.contract.table,
        first=run.batches[0],
        last=run.batches[-1],
        started_at=run.started,
        finished_at=now(),
        outcome=outcome,
        exit_code=int(code),
        retryable=is_retryable(error),
        error=without_values(error) if error is not None else "",
        batches=len(run.batches),
        batches_published=len(published),
        batches_rejected=refused,
        rows_read=sum(r.read or 0 for r in records),
        rows_published=sum(r.rows for r in published),
        rows_quarantined=sum(r.quarantined for r in records),
        rows_dropped=sum(sum(r.dropped.values()) for r in records),
        version=version,
        job=run.contract.job,
        code_version=context.code_version,
        lakesmith_version=context.lakesmith_version,
        environment=context.settings.environment,
        spark_application=context.spark.sparkContext.applicationId if context.spark_is_alive else "",
        spark_jobs=_spark_jobs(context, run.run_id),
        log=context.log,
        spark_ui=_spark_ui(context),
        warnings=tuple(warnings),
    )


def without_values(error: BaseException) -> str:
    """An error for the ledger.

    Lakesmith's own say counts and names only; of others only the kind is kept, since Spark's messages quote data.
    """
    if isinstance(error, LakesmithError | Stopped):
        return f"{type(error).__name__}: {error}"
    condition = getattr(error, "getCondition", None)
    named = condition() if callable(condition) else None
    return f"{type(error).__name__}{f' [{named}]' if named else ''}: see the log of the run"


def _spark_jobs(context: Context, run_id: str) -> int:
    if not context.spark_is_alive:
        return 0
    return len(context.spark.sparkContext.statusTracker().getJobIdsForGroup(run_id))


def _spark_ui(context: Context) -> str:
    """Where Spark shows what the run did: in its history server, else the application's own page while that is up."""
    if not context.spark_is_alive:
        return ""
    spark, history = context.spark.sparkContext, context.settings.spark.history_url
    if history is not None:
        return f"{history.rstrip('/')}/history/{spark.applicationId}/"
    return spark.uiWebUrl or ""


def bounded(reasons: Sequence[str]) -> str:
    """The first few reasons, whatever the data does."""
    more = len(reasons) - _SHOWN
    shown = "; ".join(reasons[:_SHOWN])
    return f"{shown}; and {more} more" if more > 0 else shown

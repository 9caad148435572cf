"""Running one table: the lease, which batches need it and can be run, and what to do when one of them is in the way.

Owns the loop around attempts. The steps of one attempt are `lakesmith.engine.attempt`. The same function serves a
laptop, a test, a cluster, a night and a backfill.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract, Mode
from lakesmith.engine.attempt import Attempt
from lakesmith.engine.auditing_again import AuditAgain
from lakesmith.engine.context import Context
from lakesmith.engine.execution import Execution
from lakesmith.engine.forcing import record_forced
from lakesmith.engine.logs import about_run
from lakesmith.engine.outcome import TableResult
from lakesmith.engine.recording import RunIdentity, failed_batch, new_run_id, run_record
from lakesmith.engine.repeating import NothingToRepeat, last_scores
from lakesmith.errors import DataRejected, LakesmithError, SparkLost, Stopped, is_retryable
from lakesmith.faults import Side, Step, reached, step
from lakesmith.jobs import Job
from lakesmith.lake.landing import translate
from lakesmith.lake.lease import hold
from lakesmith.ledger.commits import unanswered
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchRecord, InputRead
from lakesmith.ledger.state import BatchState, State

__all__ = ["run_table"]

log = logging.getLogger(__name__)


def run_table(
    context: Context,
    contract: Contract,
    wanted: Sequence[date],
    *,
    job: Job | None = None,
    force: bool = False,
    audits: Sequence[date] = (),
) -> TableResult:
    """Runs a table for some batches, as far as they need it and can be run.

    Nothing is raised: what went wrong is in the result, a signal to stop included.

    Args:
        wanted: the batches, in order.
        job: the table's job; None loads it from the file that the contract names.
        force: compute fresh batches too. Rows that come out equal are still not published again.
        audits: fresh batches to audit again where that is due; their transform is not run.
    """
    result = TableResult(contract.table)
    groups = (
        [[day] for day in wanted] if contract.mode is Mode.PER_BATCH else [list(wanted)] if wanted else []
    )
    try:
        reached(Side.BEFORE, Step.LEASE, contract.table)
        with hold(context.lake, contract.table, new_run_id(), context.settings.lease):
            reached(Side.AFTER, Step.LEASE, contract.table)
            again = set(audits)
            for group in groups:
                _run_group(context, contract, group, job, result, again, force=force)
            if again:
                _audit_again(context, contract, sorted(again), result)
        if force:
            record_forced(context, contract, wanted, result)
    except Stopped as error:
        result.error = error
    except Exception as error:
        # Around the runs: a lease, a table or an input that cannot be opened, a record that cannot be written.
        _log_foreign(contract, error)
        result.error = error
    return result


def _run_group(
    context: Context,
    contract: Contract,
    wanted: Sequence[date],
    job: Job | None,
    result: TableResult,
    again: set[date],
    *,
    force: bool,
) -> None:
    """Runs batches together; one whose landing file turns out to be broken does not keep the others waiting."""
    runnable: list[BatchState] = []
    unserved: dict[date, str] = {}
    states = _judged(context, contract, wanted)
    for state in states:
        if state.held:
            # A person restored it, and no run may take that back.
            result.unchanged += 1
        elif state.state is State.BLOCKED and state.runnable:
            unserved[state.batch_date] = state.reason
        elif state.runnable or (force and (state.state is State.FRESH or state.behind)):
            runnable.append(state)
        elif state.audit:
            # It was to be run since an input was; that came out equal, and its own suite has changed all the same.
            again.add(state.batch_date)
        elif state.state in (State.FRESH, State.CLOSED) or state.behind:
            result.unchanged += 1
        else:
            result.waiting.append(state)
    if runnable:
        # What is wrong with Spark itself is no batch's failure.
        _ = context.spark
    while runnable:
        broken, repeating = _attempt(context, contract, runnable, job, result)
        unserved |= repeating
        if broken is None:
            break
        runnable = [state for state in runnable if state.batch_date != broken]
    if result.error is None:
        for state in states:
            if state.batch_date in unserved:
                _repeat(context, contract, state, unserved[state.batch_date], result)


def _audit_again(context: Context, contract: Contract, wanted: Sequence[date], result: TableResult) -> None:
    """One run that judges what is published, where that is still due."""
    states = [state for state in _judged(context, contract, wanted) if state.audit]
    result.unchanged += len(wanted) - len(states)
    if states:
        run = RunIdentity(new_run_id(), contract, tuple(s.batch_date for s in states), now())
        again = AuditAgain(context, run, states)
        _ = context.spark
        _recorded(context, again, again.execute, result)


def _judged(context: Context, contract: Contract, wanted: Sequence[date]) -> list[BatchState]:
    """The batches as they stand now that the lease is held."""
    context.ledger.refresh([*contract.written_tables, *context.project.graph.parents(contract.table)])
    nights = BatchRange(min(wanted), max(wanted)).shifted(contract.lag_days)
    states = context.judge.judge(nights, [contract.table]).get(contract.table, {})
    return [states[day] for day in wanted if day in states]


def _attempt(
    context: Context, contract: Contract, states: Sequence[BatchState], job: Job | None, result: TableResult
) -> tuple[date | None, Mapping[date, str]]:
    """One run.

    Returns:
        The batch that ended it, when the others can do without; and the batches that no model could score, with the reason.
    """
    attempt = _new_attempt(context, contract, states)
    broken = _recorded(context, attempt, lambda: attempt.execute(job), result)
    return broken, attempt.unserved


def _repeat(
    context: Context, contract: Contract, state: BatchState, reason: str, result: TableResult
) -> None:
    """A run of a batch that nothing can score, by the last scores before it; without such it fails, or waits where it waited."""
    source = last_scores(context, contract, state.batch_date)
    attempt = _new_attempt(context, contract, [state])
    if source is not None:
        _recorded(context, attempt, lambda: attempt.repeat(source, reason), result)
    elif state.state is State.BLOCKED:
        result.waiting.append(state)
    else:
        error = NothingToRepeat(contract.table, state.batch_date, reason)
        _ended(context, attempt.run, error, result)


def _new_attempt(context: Context, contract: Contract, states: Sequence[BatchState]) -> Attempt:
    run = RunIdentity(new_run_id(), contract, tuple(s.batch_date for s in states), now())
    return Attempt(context, run, states)


def _recorded(
    context: Context,
    attempt: Execution,
    carry_out: Callable[[], tuple[list[BatchRecord], int | None]],
    result: TableResult,
) -> date | None:
    """Carries an attempt out and writes down what came of it. Returns the batch that ended it, when others can do without."""
    run = attempt.run
    with about_run(run.run_id, run.contract.table, run.batches, len(result.runs) + 1):
        log.info("%s: run %s of %d batches begins", run.contract.table, run.run_id, len(run.batches))
        known = len(result.runs)
        try:
            return _carried_out(context, attempt, carry_out, result)
        finally:
            for record in result.runs[known:]:
                log.info(
                    "%s: run %s is %s after %.1f s",
                    record.table,
                    record.run_id,
                    record.outcome,
                    record.seconds,
                )


def _carried_out(
    context: Context,
    attempt: Execution,
    carry_out: Callable[[], tuple[list[BatchRecord], int | None]],
    result: TableResult,
) -> date | None:
    run = attempt.run
    context.events.run_started(run)
    try:
        records, version = carry_out()
    except Stopped as error:
        if context.spark_is_alive:
            context.spark.sparkContext.cancelJobGroup(run.run_id)
        result.runs.append(context.ledger.record_run(run_record(run, context, (), error=error)))
        context.events.run_ended(run, result.runs[-1])
        raise
    except Exception as error:
        lost = context.spark_started and not context.spark_is_alive
        known = SparkLost() if lost else translate(error) or _unanswered(error, run.contract) or error
        return _ended(context, run, known, result, attempt.reads)
    for record in records:
        _note(result, record)
    result.unchanged += len(attempt.unchanged)
    result.warnings.update(attempt.batch_warnings)
    done = [*records, *attempt.unchanged]
    if not done and attempt.unserved:
        # What stands in for the model is a run of its own.
        context.events.run_ended(run, None)
        return None
    with step(Step.RECORD, run.contract.table):
        whole = run_record(run, context, done, version=version, warnings=attempt.warnings)
        result.runs.append(context.ledger.record_run(whole))
    context.events.run_ended(run, whole, done)
    return None


def _unanswered(error: Exception, contract: Contract) -> LakesmithError | None:
    return unanswered(error, f"run {contract.table}", "What was not published before is not there.")


def _ended(
    context: Context,
    run: RunIdentity,
    error: Exception,
    result: TableResult,
    reads: Mapping[date, tuple[InputRead, ...]] = MappingProxyType({}),
) -> date | None:
    """Writes down that an error ended a run: its batches failed, unless trying again as they are can help."""
    alone = error.batch_date if isinstance(error, DataRejected) else None
    if alone is not None:
        run = replace(run, batches=(alone,))
    else:
        result.error = error
    _log_foreign(run.contract, error)
    records = (
        ()
        if is_retryable(error)
        else tuple(failed_batch(run, context, day, error, reads.get(day, ())) for day in run.batches)
    )
    context.ledger.record(records)
    for record in records:
        _note(result, record)
    result.runs.append(context.ledger.record_run(run_record(run, context, records, error=error)))
    context.events.run_ended(run, result.runs[-1])
    return alone


def _log_foreign(contract: Contract, error: Exception) -> None:
    """The traceback of what is not Lakesmith's own goes to the log, and only there: its message may quote rows."""
    if not isinstance(error, LakesmithError):
        log.error("%s: the run failed", contract.table, exc_info=error)


def _note(result: TableResult, record: BatchRecord) -> None:
    result.batches[record.batch_date] = record.outcome
    if not record.outcome.stands:
        result.reasons[record.batch_date] = record.reason

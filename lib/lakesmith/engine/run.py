"""One run of one table: lease, pinned read, transform, stage, audit, publish, record.

Owns the order of those steps and what is written down of them. The same function serves a laptop, a test, a cluster, a night
and a backfill.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract, Mode, Rows
from lakesmith.engine.context import Context
from lakesmith.engine.outcome import TableResult
from lakesmith.engine.pinning import PinnedInputs, pin_inputs
from lakesmith.errors import ExitCode, LakesmithError
from lakesmith.jobs import Job
from lakesmith.ledger.live import files_digest
from lakesmith.ledger.ops import now
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import (
    EMPTY_DIGEST,
    BatchOutcome,
    BatchRecord,
    QualityRecord,
    RunOutcome,
    RunRecord,
)
from lakesmith.ledger.state import BatchState, State

if TYPE_CHECKING:
    from lakesmith.engine.audit import BatchAudit
    from lakesmith.lake.staging import Staged, StagedFile

__all__ = ["run_table"]

log = logging.getLogger(__name__)

_SHOWN = 5


def run_table(
    context: Context,
    contract: Contract,
    wanted: Sequence[date],
    *,
    job: Job | None = None,
    force: bool = False,
) -> TableResult:
    """Runs a table for some batches, as far as they need it and can be run.

    What goes wrong with the data or the job is in the result; only a defect of Lakesmith itself, or a process that is told
    to stop, raises.

    Args:
        wanted: the batches, in order.
        job: the table's job; None loads it from the file that the contract names.
        force: compute fresh batches too. Rows that come out equal are still not published again.
    """
    from lakesmith.lake.lease import hold

    result = TableResult(contract.table)
    groups = [[day] for day in wanted] if contract.mode is Mode.PER_BATCH else [list(wanted)]
    run_id = _new_run_id()
    try:
        with hold(context.lake, contract.table, run_id, timedelta(seconds=context.settings.lease.wait)):
            for group in groups:
                _run_group(context, contract, group, result, job, run_id, force=force)
                run_id = _new_run_id()
    except LakesmithError as error:
        # Before any run began: a lease, a table or an input that cannot be opened.
        result.error = error
    return result


def _run_group(
    context: Context,
    contract: Contract,
    wanted: Sequence[date],
    result: TableResult,
    job: Job | None,
    run_id: str,
    *,
    force: bool,
) -> None:
    states = _judged(context, contract, wanted)
    runnable = [s for s in states if s.runnable or (force and s.state is State.FRESH)]
    result.waiting += [s for s in states if s not in runnable and s.state not in (State.FRESH, State.CLOSED)]
    result.unchanged += len(states) - len(runnable) - sum(1 for s in states if s in result.waiting)
    if runnable:
        _Run(context, contract, run_id, runnable).execute(job, result)


def _judged(context: Context, contract: Contract, wanted: Sequence[date]) -> list[BatchState]:
    """The batches as they stand now that the lease is held."""
    related = [contract.table, contract.quarantine_table, *context.project.graph.parents(contract.table)]
    context.ledger.refresh(related)
    nights = BatchRange(min(wanted), max(wanted)).shifted(contract.lag_days)
    states = context.judge.judge(nights, [contract.table]).get(contract.table, {})
    return [states[day] for day in wanted if day in states]


def _new_run_id() -> str:
    return f"{now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


@dataclass
class _Run:
    """One run while it is under way."""

    context: Context
    contract: Contract
    run_id: str
    states: Sequence[BatchState]

    def __post_init__(self) -> None:
        self.started = now()
        self.batches = [state.batch_date for state in self.states]
        self.warnings = [
            f"{table} {day} failed and is left out of {state.batch_date}"
            for state in self.states
            for table, day in state.left_out
        ]

    def execute(self, job: Job | None, result: TableResult) -> None:
        """Does the run and writes down what came of it, whatever that is."""
        try:
            records, version = self._steps(job, result)
        except Exception as error:
            self._failed(error, result)
            return
        for record in records:
            result.batches[record.batch_date] = record.outcome
            if not record.outcome.stands:
                result.reasons[record.batch_date] = record.reason
        refused = sum(not record.outcome.stands for record in records)
        changed = version is not None or any(r.outcome is BatchOutcome.EMPTY for r in records)
        outcome = (
            RunOutcome.REJECTED
            if refused == len(self.batches)
            else RunOutcome.PARTIAL
            if refused
            else RunOutcome.PUBLISHED
            if changed
            else RunOutcome.UNCHANGED
        )
        code = (
            ExitCode.DONE
            if not refused
            else ExitCode.PARTIAL
            if outcome is RunOutcome.PARTIAL
            else ExitCode.REJECTED
        )
        self._record_run(result, outcome, code, records, version=version)

    def _steps(self, job: Job | None, result: TableResult) -> tuple[list[BatchRecord], int | None]:
        # Here, not above: a night with nothing to do must not pay for importing Spark.
        from lakesmith.engine.audit import audit
        from lakesmith.engine.transforming import (
            SettingsRead,
            load_job,
            rows_with_outcome,
            transform_inputs,
            transformed,
        )
        from lakesmith.lake.staging import stage
        from lakesmith.lake.tables import ensure_table
        from lakesmith.quality.gate import Gate

        context, contract = self.context, self.contract
        job = job or load_job(context.project.root, contract)
        # A contract that does not fit the table is found before any work, not after it.
        ensure_table(context.lake, contract)
        pinned = pin_inputs(context, contract, self.states)
        context.spark.sparkContext.setJobGroup(
            self.run_id, f"{contract.table} {BatchRange(self.batches[0], self.batches[-1])}"
        )
        settings = SettingsRead(context.settings.parameters)
        inputs = transform_inputs(context, contract, pinned, self.batches)
        frame = transformed(job, contract, inputs, self.batches, settings)
        staged = stage(
            rows_with_outcome(contract, frame),
            contract,
            context.lake,
            self.run_id,
            self.batches,
            expected_rows={day: pinned.expected_rows(day) for day in self.batches},
            rows_per_file=context.settings.staging.rows_per_file,
        )
        same_day = {t.input.name: inputs[t.input.name] for t in pinned.tables if t.input.window.is_same_day}
        audits = audit(
            context.spark,
            context.lake,
            contract,
            Gate.compile(contract),
            staged,
            self.batches,
            same_day,
            {day: pinned.rows_read(day) for day in self.batches},
            idle={day for day in self.batches if pinned.holds_nothing_for(day)},
        )
        self._record_quality(audits)
        result.warnings.update({day: found.warnings for day, found in audits.items() if found.warnings})
        records = {day: self._batch_record(found, pinned, settings.read) for day, found in audits.items()}
        self._publish_quarantine(staged, audits, records, pinned)
        return self._publish(staged, audits, records, pinned)

    def _batch_record(
        self, found: BatchAudit, pinned: PinnedInputs, settings: Mapping[str, object]
    ) -> BatchRecord:
        """What would be written down of a batch if it were published; the outcome is settled afterwards."""
        contract, day = self.contract, found.batch_date
        preserving = contract.rows is Rows.PRESERVING
        read = found.accounting.read if preserving else pinned.rows_read(day)
        return BatchRecord(
            table=contract.table,
            batch_date=day,
            recorded_at=now(),
            run_id=self.run_id,
            outcome=BatchOutcome.PUBLISHED if found.passed else BatchOutcome.REJECTED,
            version=None,
            digest=found.digest,
            rows=found.rows,
            read=read,
            quarantined=found.accounting.quarantined,
            dropped=found.accounting.dropped,
            fingerprints=self.context.fingerprints(contract.table, _scheme()),
            inputs=pinned.reads(day),
            settings=settings,
            files=files_digest(()),
            reason=_bounded(found.refusals),
        )

    def _publish_quarantine(
        self,
        staged: Staged,
        audits: Mapping[date, BatchAudit],
        records: Mapping[date, BatchRecord],
        pinned: PinnedInputs,
    ) -> None:
        """Rejected rows become visible first, with the reasons, also when their batch is rejected."""
        from lakesmith.lake.publishing import lift
        from lakesmith.lake.staging import RowOutcome
        from lakesmith.lake.tables import quarantine_contract

        if not self.contract.suite.row_rules:
            return
        target = quarantine_contract(self.contract)
        history = self.context.ledger.history(target.table)
        changed: dict[date, BatchRecord] = {}
        for day, found in audits.items():
            standing = history.standing(day)
            if found.quarantine_digest != (standing.digest if standing is not None else EMPTY_DIGEST):
                changed[day] = replace(
                    records[day],
                    table=target.table,
                    outcome=BatchOutcome.PUBLISHED,
                    digest=found.quarantine_digest,
                    rows=found.accounting.quarantined,
                    read=None,
                    quarantined=0,
                    dropped={},
                    reason="",
                )
        if changed:
            files = lift(self.context.lake, self.contract, target, staged.of(RowOutcome.QUARANTINED, changed))
            self._commit(target, files, changed, pinned)

    def _publish(
        self,
        staged: Staged,
        audits: Mapping[date, BatchAudit],
        records: Mapping[date, BatchRecord],
        pinned: PinnedInputs,
    ) -> tuple[list[BatchRecord], int | None]:
        """Publishes what passed and differs, confirms what passed and does not, records what was rejected."""
        from lakesmith.lake.staging import RowOutcome

        ledger, table = self.context.ledger, self.contract.table
        live = ledger.live(table)
        newest = live.version if live is not None else None
        publish: dict[date, BatchRecord] = {}
        others: list[BatchRecord] = []
        unchanged: list[BatchRecord] = []
        for state in self.states:
            day, record = state.batch_date, records[state.batch_date]
            standing = ledger.history(table).standing(day)
            if not audits[day].passed:
                others.append(replace(record, version=newest))
            elif state.state is State.FOREIGN or standing is None or standing.digest != record.digest:
                if record.rows or (live is not None and day in live.batches):
                    publish[day] = record
                else:
                    others.append(replace(record, outcome=BatchOutcome.EMPTY, version=newest))
            else:
                confirmed = replace(
                    record, outcome=BatchOutcome.CONFIRMED, version=standing.version, files=standing.files
                )
                (
                    unchanged
                    if _same_provenance(standing, record, ledger.history(table).last(day))
                    else others
                ).append(confirmed)
        version = None
        published: list[BatchRecord] = []
        if publish:
            version, published = self._commit(
                self.contract, staged.of(RowOutcome.PUBLISHED, publish), publish, pinned
            )
        ledger.record(others)
        return [*published, *others, *unchanged], version

    def _commit(
        self,
        contract: Contract,
        files: Sequence[StagedFile],
        records: Mapping[date, BatchRecord],
        pinned: PinnedInputs,
    ) -> tuple[int, list[BatchRecord]]:
        """Publishes batches in one commit that carries their records, then appends those to the ledger."""
        from lakesmith.lake.publishing import publish

        paths: dict[date, list[str]] = {day: [] for day in records}
        for file in files:
            paths[file.batch_date].append(file.path)

        def provenance(version: int) -> Provenance:
            return Provenance(
                run_id=self.run_id,
                table=contract.table,
                job=self.contract.job,
                code_version=self.context.code_version,
                lakesmith_version=self.context.lakesmith_version,
                environment=self.context.settings.environment,
                started_at=self.started,
                batches=tuple(
                    replace(record, version=version, files=files_digest(paths[day]))
                    for day, record in records.items()
                ),
            )

        version = publish(
            self.context.lake,
            contract,
            files,
            sorted(records),
            provenance=provenance,
            inputs_unchanged=lambda: pinned.check_unchanged(self.context),
            attempts=self.context.settings.publish.attempts,
        )
        return version, list(self.context.ledger.record(provenance(version).batches))

    def _record_quality(self, audits: Mapping[date, BatchAudit]) -> None:
        moment = now()
        self.context.ledger.ops.append(
            [
                QualityRecord(
                    run_id=self.run_id,
                    table=self.contract.table,
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
        )

    def _failed(self, error: Exception, result: TableResult) -> None:
        """An error ended the run: its batches failed, unless trying again as they are can help."""
        from lakesmith.lake.landing import translate

        error = translate(error) or error
        result.error = error
        retryable = isinstance(error, LakesmithError) and error.retryable
        code = error.exit_code if isinstance(error, LakesmithError) else ExitCode.FAILED
        if not isinstance(error, LakesmithError):
            log.error("%s: the run failed", self.contract.table, exc_info=error)
        records: list[BatchRecord] = []
        if not retryable:
            fingerprints = self.context.fingerprints(self.contract.table, _scheme())
            records = [
                BatchRecord(
                    table=self.contract.table,
                    batch_date=day,
                    recorded_at=now(),
                    run_id=self.run_id,
                    outcome=BatchOutcome.FAILED,
                    version=None,
                    digest=EMPTY_DIGEST,
                    rows=0,
                    read=None,
                    quarantined=0,
                    dropped={},
                    fingerprints=fingerprints,
                    inputs=(),
                    settings={},
                    files=files_digest(()),
                    reason=_without_values(error),
                )
                for day in self.batches
            ]
            self.context.ledger.record(records)
            for record in records:
                result.batches[record.batch_date] = record.outcome
                result.reasons[record.batch_date] = record.reason
        self._record_run(
            result, RunOutcome.FAILED, code, records, error=_without_values(error), retryable=retryable
        )

    def _record_run(
        self,
        result: TableResult,
        outcome: RunOutcome,
        code: ExitCode,
        records: Sequence[BatchRecord],
        *,
        version: int | None = None,
        error: str = "",
        retryable: bool = False,
    ) -> None:
        standing = [r for r in records if r.outcome.stands]
        record = RunRecord(
            run_id=self.run_id,
            table=self.contract.table,
            first=self.batches[0],
            last=self.batches[-1],
            started_at=self.started,
            finished_at=now(),
            outcome=outcome,
            exit_code=int(code),
            retryable=retryable,
            error=error,
            batches=len(self.batches),
            batches_published=sum(r.outcome is BatchOutcome.PUBLISHED for r in standing),
            batches_rejected=len(records) - len(standing),
            rows_read=sum(r.read or 0 for r in records),
            rows_published=sum(r.rows for r in standing if r.outcome is BatchOutcome.PUBLISHED),
            rows_quarantined=sum(r.quarantined for r in records),
            rows_dropped=sum(sum(r.dropped.values()) for r in records),
            version=version,
            job=self.contract.job,
            code_version=self.context.code_version,
            lakesmith_version=self.context.lakesmith_version,
            environment=self.context.settings.environment,
            spark_application=self.context.spark.sparkContext.applicationId
            if self.context.spark_started
            else "",
            spark_jobs=self._spark_jobs(),
            warnings=tuple(self.warnings),
        )
        self.context.ledger.ops.append([record])
        result.runs.append(record)

    def _spark_jobs(self) -> int:
        if not self.context.spark_started:
            return 0
        return len(self.context.spark.sparkContext.statusTracker().getJobIdsForGroup(self.run_id))


def _scheme() -> int:
    from lakesmith.ledger.fingerprint import SCHEME

    return SCHEME


def _same_provenance(standing: BatchRecord, record: BatchRecord, last: BatchRecord | None) -> bool:
    """True when a confirmation would say nothing new: versions of inputs may differ, what was read of them not."""

    def read(of: BatchRecord) -> list[tuple[str, str, str, tuple[str, ...]]]:
        return [(i.name, i.target, i.digest, i.left_out) for i in of.inputs]

    return (
        last is standing
        and standing.fingerprints == record.fingerprints
        and read(standing) == read(record)
        and dict(standing.settings) == dict(record.settings)
        and (standing.read, standing.quarantined, dict(standing.dropped))
        == (record.read, record.quarantined, dict(record.dropped))
    )


def _bounded(reasons: Sequence[str]) -> str:
    """The first few reasons, whatever the data does."""
    more = len(reasons) - _SHOWN
    shown = "; ".join(reasons[:_SHOWN])
    return f"{shown}; and {more} more" if more > 0 else shown


def _without_values(error: Exception) -> str:
    """An error for the ledger.

    Lakesmith's own say counts and names only; of others only the kind is kept, since Spark's messages quote data.
    """
    if isinstance(error, LakesmithError):
        return f"{type(error).__name__}: {error}"
    condition = getattr(error, "getCondition", None)
    named = condition() if callable(condition) else None
    return f"{type(error).__name__}{f' [{named}]' if named else ''}: see the log of the run"

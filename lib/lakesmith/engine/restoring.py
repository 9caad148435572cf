"""Restoring: an old state of a batch published anew, as a commit that says so.

Owns the order of the steps, which are those of every table (staged, audited, lifted), and what is written down. The new record
has the old one's inputs and fingerprints, so that the batch's state follows from what its rows were made of; and it names who
restored it, by which no run touches the batch until it is released. The rows themselves are `lakesmith.engine.restored_rows`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date

from lakesmith.contracts.model import Contract
from lakesmith.engine.context import Context
from lakesmith.engine.recording import RunIdentity, new_run_id, quality_records, run_record
from lakesmith.errors import SparkLost, Stopped
from lakesmith.faults import Side, Step, reached, step
from lakesmith.lake.lease import hold
from lakesmith.lake.past import PastBatch, UnknownVersion, distinct_states, past_batch, quarantined_with
from lakesmith.lake.tables import ensure_table
from lakesmith.ledger.audit_trail import Action, AuditRecord, actor
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import EMPTY_DIGEST, BatchOutcome, BatchRecord, Fingerprints, Restored
from lakesmith.ledger.state import BatchState, State

__all__ = ["Restoration", "RestorePlan", "plan_restore", "release", "restore"]


@dataclass(frozen=True)
class RestorePlan:
    """What a restore would do.

    Args:
        past: the batch at the version to go back to.
        record: of its rows.
        quarantined: the batch's quarantine at that time; None when nothing was in it.
        present: what the table holds now; None when it holds nothing of Lakesmith's.
        needed: False when readers see these very rows already, with the same rows in quarantine.
    """

    contract: Contract
    past: PastBatch
    record: BatchRecord
    quarantined: PastBatch | None
    present: BatchRecord | None
    needed: bool

    @property
    def day(self) -> date:
        """The batch."""
        return self.past.batch_date


@dataclass(frozen=True)
class Restoration:
    """What a restore came to.

    Args:
        record: what the ledger says of the batch now.
        version: that the restore made; None when only the quarantine, or nothing, had to change.
        run_id: of the restore; empty when nothing had to be done.
        warnings: of the suite, which stopped nothing.
        remarks: what could not be judged any more.
    """

    plan: RestorePlan
    record: BatchRecord
    version: int | None = None
    run_id: str = ""
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def plan_restore(context: Context, contract: Contract, day: date, version: int) -> RestorePlan:
    """Looks up what a batch was at a version, and whether that can still be read. Starts no JVM.

    Raises:
        UnknownVersion: the table has no such version, or the version no such batch of Lakesmith's.
        VersionGone: the rows, or those that were in quarantine then, can no longer be read.
    """
    # The live files first: reading them records what a crash left unrecorded.
    live = context.ledger.live(contract.table)
    history = context.ledger.history(contract.table)
    past = past_batch(context.lake, history, contract.table, day, version)
    if past.record is None:
        what = "was written by somebody else than Lakesmith" if past.paths else "does not hold the batch"
        versions = ", ".join(str(r.version) for r in distinct_states(history, day) if r.version is not None)
        raise UnknownVersion(
            f"{contract.table} {day} cannot be restored from version {version}, which {what}. "
            f"{f'It got other rows in version {versions}.' if versions else 'It was never published.'}"
        )
    quarantine_was, quarantine_is = _quarantines(context, contract, past.record)
    quarantined = None
    if quarantine_was is not None and quarantine_was.rows and quarantine_was.version is not None:
        table = contract.quarantine_table
        quarantined = past_batch(
            context.lake, context.ledger.history(table), table, day, quarantine_was.version
        )
    standing = history.standing(day)
    untouched = standing is not None and live is not None and live.files_of(day) == standing.files
    same = untouched and standing is not None and standing.digest == past.record.digest
    quarantine_same = _digest(quarantine_was) == _digest(quarantine_is)
    return RestorePlan(
        contract, past, past.record, quarantined, standing, needed=not (same and quarantine_same)
    )


def restore(context: Context, contract: Contract, day: date, version: int, why: str = "") -> Restoration:
    """Publishes an old state of a batch anew, with the rows that were in quarantine then.

    Args:
        version: of the table, at which the batch had that state.
        why: for the record, in words.

    Returns:
        What was done; nothing when the batch holds these rows already.

    Raises:
        UnknownVersion, VersionGone: as `plan_restore`.
        NotRestored: the rows do not pass today's suite, or are not those that were recorded.
        LeaseHeld: a run works on the table.
        CommitConflict: others committed first, each time.
    """
    run = RunIdentity(new_run_id(), contract, (day,), now())
    reached(Side.BEFORE, Step.LEASE, contract.table)
    with _lease(context, contract, run.run_id):
        reached(Side.AFTER, Step.LEASE, contract.table)
        context.ledger.refresh([contract.table, contract.quarantine_table])
        plan = plan_restore(context, contract, day, version)
        if not plan.needed:
            assert plan.present is not None
            _complete_trail(context, plan.present)
            return Restoration(plan, plan.present)
        try:
            done = _carry_out(context, run, plan, why)
        except (Exception, Stopped) as error:
            lost = context.spark_started and not context.spark_is_alive
            if isinstance(error, Stopped) and not lost:
                context.spark.sparkContext.cancelJobGroup(run.run_id)
            known = SparkLost() if lost else error
            context.ledger.record_run(run_record(run, context, (), error=known))
            if known is error:
                raise
            raise known from error
    context.ledger.ops.append([_trail(done.record, plan.present)])
    return done


def release(context: Context, contract: Contract, day: date, why: str = "") -> BatchRecord:
    """Gives a restored batch back to the nights: from now on a run repairs it like any other. Starts no JVM.

    Raises:
        UnknownVersion: nobody restored it, or somebody released it before.
    """
    run_id = new_run_id()
    with _lease(context, contract, run_id):
        context.ledger.refresh([contract.table])
        context.ledger.live(contract.table)
        standing = context.ledger.history(contract.table).standing(day)
        if standing is None or standing.restored is None:
            raise UnknownVersion(
                f"{contract.table} {day} is not held: nobody restored it, or it was released before. "
                f"See its state: lakesmith status --table {contract.table}"
            )
        released = replace(
            standing, outcome=BatchOutcome.CONFIRMED, run_id=run_id, recorded_at=now(), restored=None
        )
        (recorded,) = context.ledger.record([released])
    details = {"released": True, "restored": standing.restored.version, "restored_by": standing.restored.who}
    trail = AuditRecord(now(), actor(), Action.RESTORE, contract.table, day, day, why, details=details)
    context.ledger.ops.append([trail])
    return recorded


def _lease(context: Context, contract: Contract, run_id: str) -> AbstractContextManager[None]:
    return hold(context.lake, contract.table, run_id, context.settings.lease)


def _quarantines(
    context: Context, contract: Contract, record: BatchRecord
) -> tuple[BatchRecord | None, BatchRecord | None]:
    """What the batch's quarantine held with a record, and what it holds now; None for nothing."""
    if not contract.suite.row_rules:
        return None, None
    table = contract.quarantine_table
    context.ledger.live(table)
    history = context.ledger.history(table)
    return quarantined_with(history, record), history.standing(record.batch_date)


def _digest(record: BatchRecord | None) -> str:
    return record.digest if record is not None else EMPTY_DIGEST


def _carry_out(context: Context, run: RunIdentity, plan: RestorePlan, why: str) -> Restoration:
    # Here, not above: a restore that has nothing to do must not pay for importing Spark.
    from lakesmith.engine.publication import Publication
    from lakesmith.engine.restored_rows import audited, old_rows
    from lakesmith.lake.staging import stage

    contract, day, table = plan.contract, plan.day, plan.contract.table
    ensure_table(context.lake, contract)
    context.spark.sparkContext.setJobGroup(run.run_id, f"{table} {day} from version {plan.past.version}")
    with step(Step.READ, table):
        frame = old_rows(context, plan)
    with step(Step.STAGE, table):
        staged = stage(
            frame,
            contract,
            context.lake,
            run.run_id,
            [day],
            expected_rows={day: plan.record.rows + plan.record.quarantined},
            rows_per_file=context.settings.staging.rows_per_file,
        )
    with step(Step.AUDIT, table):
        found, remarks = audited(context, plan, staged)
        context.ledger.ops.append(quality_records(run, {day: found}))
    record = replace(
        plan.record,
        recorded_at=now(),
        run_id=run.run_id,
        outcome=BatchOutcome.PUBLISHED,
        version=None,
        # Columns may have come since, and with them the digest is another.
        digest=found.digest,
        fingerprints=_fingerprints(context, plan.record),
        reason="",
        restored=Restored(plan.past.version, plan.record.run_id, actor(), why),
    )
    publication = Publication(
        context,
        run,
        [BatchState(table, day, State.STALE)],
        staged,
        {day: found},
        {day: record},
        # What is restored was read long ago, and its record says what.
        inputs_unchanged=lambda: None,
    )
    records, version = publication.carry_out()
    done = [*records, *publication.unchanged]
    said = f"restored from version {plan.past.version} by {actor()}{f': {why}' if why else ''}"
    with step(Step.RECORD, table):
        context.ledger.record_run(run_record(run, context, done, version=version, warnings=[said, *remarks]))
    return Restoration(plan, done[0], version, run.run_id, found.warnings, tuple(remarks))


def _fingerprints(context: Context, record: BatchRecord) -> Fingerprints:
    """What computed the rows then; what judged them is of today."""
    today = context.fingerprints(record.table, record.fingerprints.scheme)
    return replace(record.fingerprints, audit=today.audit, doc=today.doc)


def _trail(record: BatchRecord, before: BatchRecord | None) -> AuditRecord:
    assert record.restored is not None
    details = {
        "restored": record.restored.version,
        "restored_run": record.restored.run_id,
        "version": record.version,
        "rows": record.rows,
        "quarantined": record.quarantined,
    }
    if before is not None:
        details |= {"before": before.version, "before_run": before.run_id, "rows_before": before.rows}
    return AuditRecord(
        recorded_at=now(),
        who=record.restored.who,
        action=Action.RESTORE,
        table=record.table,
        first=record.batch_date,
        last=record.batch_date,
        why=record.restored.why,
        run_ids=(record.run_id,),
        details=details,
    )


def _complete_trail(context: Context, present: BatchRecord) -> None:
    """Writes down a restore that ended between its commit and the trail."""
    if present.restored is None:
        return
    trail = context.ledger.ops.records(AuditRecord, tables=[present.table])
    if not any(present.run_id in record.run_ids for record in trail):
        context.ledger.ops.append([_trail(present, None)])

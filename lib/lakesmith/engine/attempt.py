"""One attempt at some batches of a table: read, transform, stage, audit, publish, record.

Owns the order of those steps and which batches are published, confirmed or refused. The lease is held by the caller, who
also writes down how the run ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pyspark.sql import DataFrame

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract
from lakesmith.engine.audit import BatchAudit, audit
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, pin_inputs
from lakesmith.engine.recording import RunIdentity, audited_batch, failed_batch, quality_records
from lakesmith.engine.transforming import (
    SettingsRead,
    load_job,
    rows_with_outcome,
    transform_inputs,
    transformed,
)
from lakesmith.jobs import Job
from lakesmith.lake.landing import inspect_headers
from lakesmith.lake.publishing import lift, publish
from lakesmith.lake.staging import RowOutcome, Staged, StagedFile, stage
from lakesmith.lake.tables import ensure_table, quarantine_contract
from lakesmith.ledger.live import files_digest
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import EMPTY_DIGEST, BatchOutcome, BatchRecord
from lakesmith.ledger.state import BatchState, State
from lakesmith.quality.gate import Gate

__all__ = ["Attempt"]


@dataclass
class Attempt:
    """One attempt while it is under way.

    Args:
        states: the batches to compute, as judged a moment ago.
        unchanged: afterwards, what was computed and found there already, provenance included.
        warnings: afterwards, what an operator should hear of although it stopped nothing.
        batch_warnings: afterwards, the failed warnings of each batch's suite.
    """

    context: Context
    run: RunIdentity
    states: Sequence[BatchState]
    unchanged: list[BatchRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    batch_warnings: dict[date, tuple[str, ...]] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        """The table's contract."""
        return self.run.contract

    def execute(self, job: Job | None) -> tuple[list[BatchRecord], int | None]:
        """Does the run.

        Args:
            job: the table's job; None loads it from the file that the contract names.

        Returns:
            The records that were appended, and the version that was made, if any.
        """
        self.warnings += [
            f"{table} {day} failed and is left out of {state.batch_date}"
            for state in self.states
            for table, day in state.left_out
        ]
        job = job or load_job(self.context.project.root, self.contract)
        # A contract that does not fit the table is found before any work, not after it.
        ensure_table(self.context.lake, self.contract)
        pinned = pin_inputs(self.context, self.contract, self.states)
        failed = self._without_broken_files(pinned)
        if not self.states:
            return failed, None
        batches = [state.batch_date for state in self.states]
        self.context.spark.sparkContext.setJobGroup(
            self.run.run_id, f"{self.contract.table} {BatchRange(batches[0], batches[-1])}"
        )
        settings = SettingsRead(self.context.settings.parameters)
        inputs = transform_inputs(self.context, self.contract, pinned, batches)
        frame = transformed(job, self.contract, inputs, batches, settings)
        staged = stage(
            rows_with_outcome(self.contract, frame),
            self.contract,
            self.context.lake,
            self.run.run_id,
            batches,
            expected_rows={day: pinned.expected_rows(day) for day in batches},
            rows_per_file=self.context.settings.staging.rows_per_file,
        )
        audits = self._audit(staged, batches, pinned, inputs)
        records = {
            day: audited_batch(self.run, self.context, found, pinned, settings.read)
            for day, found in audits.items()
        }
        self._publish_quarantine(staged, audits, records, pinned)
        done, version = self._publish(staged, audits, records, pinned)
        return [*failed, *done], version

    def _without_broken_files(self, pinned: PinnedInputs) -> list[BatchRecord]:
        """Fails the batches whose files cannot be read, so that the others need not wait for them."""
        broken: dict[date, Exception] = {}
        for source in pinned.sources:
            declared = self.context.project.graph.sources[source.input.target]
            for seen in inspect_headers(
                declared, self.context.settings.landing_root, list(source.manifests.values())
            ):
                if seen.error is not None:
                    broken[seen.batch_date] = seen.error
                if seen.unknown:
                    self.warnings.append(
                        f"{declared.name}/{seen.path} has columns that {declared.file} does not name, kept in `extra`: "
                        f"{', '.join(seen.unknown)}"
                    )
        self.states = [state for state in self.states if state.batch_date not in broken]
        records = [failed_batch(self.run, self.context, day, error) for day, error in sorted(broken.items())]
        return list(self.context.ledger.record(records))

    def _audit(
        self,
        staged: Staged,
        batches: Sequence[date],
        pinned: PinnedInputs,
        inputs: Mapping[str, DataFrame],
    ) -> dict[date, BatchAudit]:
        audits = audit(
            self.context.spark,
            self.context.lake,
            self.contract,
            Gate.compile(self.contract),
            staged,
            batches,
            {t.input.name: inputs[t.input.name] for t in pinned.tables if t.input.window.is_same_day},
            {day: pinned.rows_read(day) for day in batches},
            idle={day for day in batches if pinned.holds_nothing_for(day)},
        )
        self.context.ledger.ops.append(quality_records(self.run, audits))
        self.batch_warnings = {day: found.warnings for day, found in audits.items() if found.warnings}
        return audits

    def _publish_quarantine(
        self,
        staged: Staged,
        audits: Mapping[date, BatchAudit],
        records: Mapping[date, BatchRecord],
        pinned: PinnedInputs,
    ) -> None:
        """Rejected rows become visible first, with the reasons, also when their batch is rejected."""
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
        """Publishes what passed and differs, confirms what passed and does not, records what was refused."""
        history = self.context.ledger.history(self.contract.table)
        live = self.context.ledger.live(self.contract.table)
        newest = live.version if live is not None else None
        to_publish: dict[date, BatchRecord] = {}
        others: list[BatchRecord] = []
        for state in self.states:
            day, record = state.batch_date, records[state.batch_date]
            standing = history.standing(day)
            if not audits[day].passed:
                others.append(replace(record, version=newest))
            elif state.state is State.FOREIGN or standing is None or standing.digest != record.digest:
                if record.rows or (live is not None and day in live.batches):
                    to_publish[day] = record
                else:
                    others.append(replace(record, outcome=BatchOutcome.EMPTY, version=newest))
            else:
                confirmed = replace(
                    record, outcome=BatchOutcome.CONFIRMED, version=standing.version, files=standing.files
                )
                says_nothing_new = history.last(day) is standing and _same_provenance(standing, record)
                (self.unchanged if says_nothing_new else others).append(confirmed)
        version = None
        published: list[BatchRecord] = []
        if to_publish:
            files = staged.of(RowOutcome.PUBLISHED, to_publish)
            version, published = self._commit(self.contract, files, to_publish, pinned)
        return [*published, *self.context.ledger.record(others)], version

    def _commit(
        self,
        target: Contract,
        files: Sequence[StagedFile],
        records: Mapping[date, BatchRecord],
        pinned: PinnedInputs,
    ) -> tuple[int, list[BatchRecord]]:
        """Publishes batches in one commit that carries their records, then appends those to the ledger."""
        paths: dict[date, list[str]] = {day: [] for day in records}
        for file in files:
            paths[file.batch_date].append(file.path)

        def provenance(version: int) -> Provenance:
            return Provenance(
                run_id=self.run.run_id,
                table=target.table,
                job=self.contract.job,
                code_version=self.context.code_version,
                lakesmith_version=self.context.lakesmith_version,
                environment=self.context.settings.environment,
                started_at=self.run.started,
                batches=tuple(
                    replace(record, version=version, files=files_digest(paths[day]))
                    for day, record in records.items()
                ),
            )

        version = publish(
            self.context.lake,
            target,
            files,
            sorted(records),
            provenance=provenance,
            inputs_unchanged=lambda: pinned.check_unchanged(self.context),
            attempts=self.context.settings.publish.attempts,
        )
        return version, list(self.context.ledger.record(provenance(version).batches))


def _same_provenance(standing: BatchRecord, record: BatchRecord) -> bool:
    """True when a confirmation would say nothing new: versions of inputs may differ, what was read of them not."""

    def told(of: BatchRecord) -> tuple[object, ...]:
        reads = [(i.name, i.target, i.digest, i.left_out) for i in of.inputs]
        return of.fingerprints, reads, dict(of.settings), of.read, of.quarantined, dict(of.dropped)

    return told(standing) == told(record)

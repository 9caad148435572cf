"""What becomes of audited batches: the quarantine first, then what passed and differs, then what is only written down.

Owns which batches are published, confirmed or refused, and that each commit carries its own records. It needs no Spark:
everything is staged and judged by now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from lakesmith.contracts.model import Contract
from lakesmith.engine.audit import BatchAudit
from lakesmith.engine.context import Context
from lakesmith.engine.recording import RunIdentity
from lakesmith.faults import Step, step
from lakesmith.lake.publishing import lift, publish
from lakesmith.lake.staging import Part, RowOutcome, Staged, StagedFile
from lakesmith.lake.tables import quarantine_contract
from lakesmith.ledger.live import NO_FILES, files_digest, files_of
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import EMPTY_DIGEST, BatchOutcome, BatchRecord
from lakesmith.ledger.state import BatchState

__all__ = ["Publication", "same_provenance"]


@dataclass
class Publication:
    """The end of one attempt.

    Args:
        states: the batches of the run, as judged before it.
        staged: what the run wrote.
        audits: of every batch.
        records: what would be written down of each batch if it were published.
        inputs_unchanged: raises when something that was read has been replaced since.
        unchanged: afterwards, what was computed and found there already, provenance included.
    """

    context: Context
    run: RunIdentity
    states: Sequence[BatchState]
    staged: Staged
    audits: Mapping[date, BatchAudit]
    records: Mapping[date, BatchRecord]
    inputs_unchanged: Callable[[], None]
    unchanged: list[BatchRecord] = field(default_factory=list)

    @property
    def contract(self) -> Contract:
        """The table's contract."""
        return self.run.contract

    def carry_out(self) -> tuple[list[BatchRecord], int | None]:
        """Publishes and records.

        Returns:
            The records that were appended for the table, and the version that was made, if any.
        """
        if self.contract.suite.row_rules:
            self._publish_quarantine()
        return self._publish()

    def _publish_quarantine(self) -> None:
        """Rejected rows become visible first, with the reasons, also when their batch is rejected."""
        target = quarantine_contract(self.contract)
        changed: dict[date, BatchRecord] = {}
        for day, found in self.audits.items():
            standing, touched = self._standing(target, day)
            if touched or found.quarantine_digest != (
                standing.digest if standing is not None else EMPTY_DIGEST
            ):
                changed[day] = replace(
                    self.records[day],
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
            with step(Step.QUARANTINE, target.table):
                staged = self.staged.of(RowOutcome.QUARANTINED, changed)
                files = lift(self.context.lake, self.contract, target, staged)
                provenance = self._commit(target, files, changed)
            self._record(provenance.batches, target)

    def _publish(self) -> tuple[list[BatchRecord], int | None]:
        """Publishes what passed and differs, confirms what passed and does not, records what was refused."""
        history = self.context.ledger.history(self.contract.table)
        live = self.context.ledger.live(self.contract.table)
        newest = live.version if live is not None else None
        to_publish: dict[date, BatchRecord] = {}
        others: list[BatchRecord] = []
        for state in self.states:
            day, record = state.batch_date, self.records[state.batch_date]
            standing, touched = self._standing(self.contract, day)
            if not self.audits[day].passed:
                others.append(replace(record, version=newest))
            elif touched or standing is None or standing.digest != record.digest:
                if record.rows or (live is not None and day in live.batches):
                    to_publish[day] = record
                else:
                    others.append(replace(record, outcome=BatchOutcome.EMPTY, version=newest))
            else:
                confirmed = replace(
                    record, outcome=BatchOutcome.CONFIRMED, version=standing.version, files=standing.files
                )
                says_nothing_new = history.last(day) is standing and same_provenance(standing, record)
                (self.unchanged if says_nothing_new else others).append(confirmed)
        version = None
        published: Sequence[BatchRecord] = ()
        if to_publish:
            with step(Step.PUBLISH, self.contract.table):
                files = self.staged.of(RowOutcome.PUBLISHED, to_publish)
                provenance = self._commit(self.contract, files, to_publish)
                version, published = provenance.batches[0].version, provenance.batches
        return self._record([*published, *others], self.contract), version

    def _standing(self, target: Contract, day: date) -> tuple[BatchRecord | None, bool]:
        """What a table should hold for a batch, and whether somebody else has changed its files since."""
        # The live files first: reading them records what a crash left unrecorded.
        live = self.context.ledger.live(target.table)
        standing = self.context.ledger.history(target.table).standing(day)
        return standing, files_of(live, day) != (standing.files if standing is not None else NO_FILES)

    def _record(self, records: Sequence[BatchRecord], target: Contract) -> list[BatchRecord]:
        with step(Step.RECORD, target.table):
            return list(self.context.ledger.record(records))

    def _commit(
        self, target: Contract, files: Sequence[StagedFile], records: Mapping[date, BatchRecord]
    ) -> Provenance:
        """Publishes batches in one commit that carries their records; returns those with the version it made."""
        paths: dict[Part, list[str]] = {day: [] for day in records}
        for file in files:
            paths[file.part].append(file.path)

        def provenance(version: int) -> Provenance:
            told = (
                replace(record, version=version, files=files_digest(paths[day]))
                for day, record in records.items()
            )
            run, job = self.run, self.contract.job
            return self.context.provenance(run.run_id, target.table, job, run.started, told)

        version = publish(
            self.context.lake,
            target,
            files,
            sorted(records),
            provenance=provenance,
            inputs_unchanged=self.inputs_unchanged,
            attempts=self.context.settings.publish.attempts,
        )
        return provenance(version)


def same_provenance(standing: BatchRecord, record: BatchRecord) -> bool:
    """True when a confirmation would say nothing new: versions of inputs may differ, what was read of them not."""

    def told(of: BatchRecord) -> tuple[object, ...]:
        reads = [(i.name, i.target, i.digest, i.left_out) for i in of.inputs]
        return of.fingerprints, reads, dict(of.settings), of.read, of.quarantined, dict(of.dropped)

    return told(standing) == told(record)

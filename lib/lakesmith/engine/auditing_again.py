"""Auditing published batches again: what they are judged by has changed, what they are made from has not.

Owns that step. No transform is run and no table gets a version: a batch that passes is confirmed, one that does not has failed,
and its rows stay as they were published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.audit import BatchAudit, audit_published
from lakesmith.engine.execution import Execution
from lakesmith.engine.pinning import pin_inputs
from lakesmith.engine.recording import bounded, quality_records
from lakesmith.engine.transforming import transform_inputs
from lakesmith.faults import Step, step
from lakesmith.lake.reading import read_batches
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, BatchRecord
from lakesmith.quality.gate import Gate

__all__ = ["AuditAgain"]


class AuditAgain(Execution):
    """One run that judges what is published; its batches are all fresh."""

    def execute(self) -> tuple[list[BatchRecord], None]:
        """Judges and records.

        Returns:
            The records that were appended; no version is made.
        """
        table = self.contract.table
        history = self.context.ledger.history(table)
        standing = {
            state.batch_date: record
            for state in self.states
            if (record := history.standing(state.batch_date)) is not None
        }
        audits = self._judged(standing)
        self.batch_warnings = {day: found.warnings for day, found in audits.items() if found.warnings}
        fingerprints = self.context.fingerprints(table, SCHEME)
        newest = history.newest_standing if self.contract.keyed is not None else None
        records = [
            replace(
                record,
                recorded_at=now(),
                run_id=self.run.run_id,
                outcome=BatchOutcome.CONFIRMED if audits[day].passed else BatchOutcome.REJECTED,
                fingerprints=fingerprints,
                # The newest record of a keyed table names the live files of all, whichever batch it is of.
                files=newest.files if newest is not None else record.files,
                reason=bounded(audits[day].refusals),
            )
            for day, record in standing.items()
        ]
        with step(Step.RECORD, table):
            return list(self.context.ledger.record(records)), None

    def _judged(self, standing: Mapping[date, BatchRecord]) -> dict[date, BatchAudit]:
        """What the published rows come to now, batch by batch, with the results written down."""
        table, batches = self.contract.table, list(standing)
        # A record of a keyed table names the digest of its changes.
        target = self.batch_contract
        live = self.context.ledger.live(target.table)
        with step(Step.READ, table):
            pinned = pin_inputs(self.context, self.contract, self.states)
            days = BatchRange(batches[0], batches[-1])
            self.context.spark.sparkContext.setJobGroup(self.run.run_id, f"{table} {days}: audit")
            inputs = transform_inputs(self.context, self.contract, pinned, batches)
            version = live.version if live is not None else None
            published = read_batches(self.context.spark, self.context.lake, target, version, days)
        with step(Step.AUDIT, table):
            audits = audit_published(
                target,
                Gate.compile(target),
                published,
                standing,
                {t.input.name: inputs[t.input.name] for t in pinned.tables if t.input.window.is_same_day},
                idle={day for day in batches if pinned.holds_nothing_for(day)},
            )
            self.context.ledger.ops.append(quality_records(self.run, audits))
        return audits

"""One attempt at some batches of a table: read, transform, stage, audit, publish, record.

Owns the order of those steps. What becomes of audited batches is `lakesmith.engine.publication`; the lease is held by the
caller, who also writes down how the run ended.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from pyspark.sql import DataFrame

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract
from lakesmith.engine.audit import BatchAudit, audit
from lakesmith.engine.columns import note_columns
from lakesmith.engine.dumps import with_small_dumps_refused
from lakesmith.engine.execution import Execution
from lakesmith.engine.intake import TakingIn
from lakesmith.engine.judging import JUDGED, judged_models
from lakesmith.engine.pinning import PinnedInputs, pin_inputs
from lakesmith.engine.profiling import PROFILED, profiled
from lakesmith.engine.publication import Publication
from lakesmith.engine.recording import audited_batch, failed_batch, quality_records
from lakesmith.engine.repeating import pin_nothing, repeated_scores, without_input_rules
from lakesmith.engine.serving import serve
from lakesmith.engine.transforming import (
    SettingsRead,
    changes_with_outcome,
    forgotten_rows,
    load_job,
    rows_with_outcome,
    transform_inputs,
    transformed,
)
from lakesmith.faults import Step, step
from lakesmith.jobs import Job
from lakesmith.lake.keyed import key_bucket
from lakesmith.lake.landing import inspect_headers, reads_evenly
from lakesmith.lake.staging import Staged, stage
from lakesmith.lake.tables import ensure_table
from lakesmith.lake.tuning import fit_to_inputs
from lakesmith.ledger.landing_store import shown
from lakesmith.ledger.records import BatchRecord
from lakesmith.quality.gate import Gate

__all__ = ["Attempt"]

log = logging.getLogger(__name__)

_NAMES_SHOWN, _NAME_SHOWN = 5, 60


class Attempt(Execution):
    """One run that computes its batches."""

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
        table = self.contract.table
        with step(Step.READ, table):
            pinned = pin_inputs(self.context, self.contract, self.states)
            self.reads = {state.batch_date: pinned.reads(state.batch_date) for state in self.states}
            failed = self._without_broken_files(pinned)
            if not self.states:
                return failed, None
            batches = [state.batch_date for state in self.states]
            self.context.spark.sparkContext.setJobGroup(
                self.run.run_id, f"{table} {BatchRange(batches[0], batches[-1])}"
            )
            fit_to_inputs(self.context.spark, pinned.size, self.context.settings.spark)
            given: dict[str, Any] = {}
            if self.contract.profiles:
                inputs: dict[str, DataFrame] = {}
                given[PROFILED] = profiled(self.context, self.contract, pinned, batches)
            elif self.contract.judges:
                inputs = {}
                given[JUDGED] = judged_models(self.context, self.contract, pinned, batches)
            else:
                inputs = transform_inputs(self.context, self.contract, pinned, batches)
            served = serve(self.context, self.contract, pinned, inputs, self.run.run_id)
            self.warnings += served.remarks
            self.unserved = dict(served.unserved)
            self.states = [state for state in self.states if state.batch_date not in served.unserved]
            batches = [state.batch_date for state in self.states]
            if not batches:
                return failed, None
            pinned = served.pinned
        settings = SettingsRead(self.context.settings.of_transforms)
        frame = transformed(job, self.contract, {**inputs, **served.models, **given}, batches, settings)
        untold = note_columns(self.context, self.run, frame)
        self.warnings += [untold] if untold else []
        done, version = self._publish(frame, pinned, inputs, settings, self.contract)
        return [*failed, *done], version

    def repeat(self, source: date, reason: str) -> tuple[list[BatchRecord], int | None]:
        """Publishes the scores of an earlier batch once more as those of the one batch of this run.

        Args:
            source: the earlier batch.
            reason: why nothing can score the batch.

        Returns:
            As `execute`.
        """
        day = self.run.batches[0]
        table = self.contract.table
        said = f"{table} {day} repeats the scores of {source}: {reason}"
        log.warning(said)
        self.warnings.append(said)
        with step(Step.READ, table):
            self.context.spark.sparkContext.setJobGroup(self.run.run_id, f"{table} {day}")
            live = self.context.ledger.live(table)
            pinned = pin_nothing(self.contract, day, source, reason)
            frame = repeated_scores(self.context, self.contract, live.version if live else None, source, day)
        settings = SettingsRead(self.context.settings.of_transforms)
        return self._publish(frame, pinned, {}, settings, without_input_rules(self.contract))

    def _publish(
        self,
        frame: DataFrame,
        pinned: PinnedInputs,
        inputs: Mapping[str, DataFrame],
        settings: SettingsRead,
        judged_by: Contract,
    ) -> tuple[list[BatchRecord], int | None]:
        """Stages, audits, publishes and records what was computed.

        Args:
            judged_by: the contract with the rules that the batches must keep.
        """
        batches = [state.batch_date for state in self.states]
        keyed = self.contract.keyed is not None
        target = self.batch_contract
        with step(Step.STAGE, target.table):
            outcome = changes_with_outcome if keyed else rows_with_outcome
            rows = outcome(self.contract, frame)
            left_out = forgotten_rows(self.context, self.contract, pinned, batches)
            live = self.context.ledger.live(target.table)
            staged = stage(
                rows if left_out is None else rows.unionByName(left_out),
                target,
                self.context.lake,
                self.run.run_id,
                batches,
                expected_rows={day: pinned.expected_rows(day, live) for day in batches},
                rows_per_file=self.context.settings.staging.rows_per_file,
                computed_from=pinned.rows_in_reach if self._reads_evenly(pinned) else None,
            )
        with step(Step.AUDIT, target.table):
            audits = self._audit(staged, batches, pinned, inputs, target if keyed else judged_by)
        records = {
            day: audited_batch(self.run, self.context, found, pinned, settings.read)
            for day, found in audits.items()
        }
        publication = Publication(
            self.context,
            replace(self.run, contract=target),
            self.states,
            staged,
            audits,
            {day: replace(record, table=target.table) for day, record in records.items()},
            inputs_unchanged=lambda: pinned.check_unchanged(self.context),
        )
        done, version = publication.carry_out()
        self.unchanged = publication.unchanged
        if not keyed:
            return done, version
        touched = {day: found.buckets for day, found in audits.items() if found.passed}
        taking_in = TakingIn(self.context, self.run, self.states, records, touched)
        done, version = taking_in.carry_out()
        self.unchanged = taking_in.unchanged
        return done, version

    def _reads_evenly(self, pinned: PinnedInputs) -> bool:
        graph = self.context.project.graph
        return all(
            reads_evenly(graph.sources[source.input.target], list(source.manifests.values()))
            for source in pinned.sources
        )

    def _without_broken_files(self, pinned: PinnedInputs) -> list[BatchRecord]:
        """Fails the batches whose files cannot be read, so that the others need not wait for them."""
        broken: dict[date, Exception] = {}
        for source in pinned.sources:
            declared = self.context.project.graph.sources[source.input.target]
            if declared.is_external:
                continue
            settings = self.context.settings
            manifests = list(source.manifests.values())
            for seen in inspect_headers(declared, settings.landing_root, manifests, s3=settings.s3_access):
                if seen.error is not None:
                    broken[seen.batch_date] = seen.error
                if seen.unknown:
                    self.warnings.append(
                        f"{declared.name}/{shown(seen.path)} has columns that {declared.file} does not name, kept in `extra`: "
                        f"{_named(seen.unknown)}"
                    )
        self.states = [state for state in self.states if state.batch_date not in broken]
        records = [
            failed_batch(self.run, self.context, day, error, self.reads[day])
            for day, error in sorted(broken.items())
        ]
        return list(self.context.ledger.record(records))

    def _audit(
        self,
        staged: Staged,
        batches: Sequence[date],
        pinned: PinnedInputs,
        inputs: Mapping[str, DataFrame],
        judged_by: Contract,
    ) -> dict[date, BatchAudit]:
        idle = {day for day in batches if pinned.holds_nothing_for(day)}
        audits = audit(
            self.context.spark,
            self.context.lake,
            self.batch_contract,
            Gate.compile(judged_by),
            staged,
            batches,
            {
                t.input.name: inputs[t.input.name]
                for t in pinned.tables
                if t.input.window.is_same_day and t.input.name in inputs
            },
            {day: pinned.rows_read(day) for day in batches},
            idle=idle,
            bucket=key_bucket(self.contract) if self.contract.keyed is not None else None,
        )
        if self.contract.keyed is not None and self.contract.keyed.full_dump is not None:
            history = self.context.ledger.history(self.batch_contract.table)
            audits = with_small_dumps_refused(self.contract.keyed.full_dump, audits, history, idle)
        self.context.ledger.ops.append(quality_records(self.run, audits))
        self.batch_warnings = {day: found.warnings for day, found in audits.items() if found.warnings}
        return audits


def _named(columns: Sequence[str]) -> str:
    """Names from a file's header, of which anybody may have written any number of any length."""
    named = ", ".join(shown(name[:_NAME_SHOWN]) for name in columns[:_NAMES_SHOWN])
    more = len(columns) - _NAMES_SHOWN
    return f"{named} and {more} more" if more > 0 else named

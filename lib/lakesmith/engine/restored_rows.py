"""The rows of a restore: read as they were, held to what was recorded of them, and judged by today's suite.

Owns that what a restore publishes is just what was there. Nothing is computed anew: rows that were in quarantine then are in
quarantine again, whatever today's row rules say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import BATCH_DATE, Column, Contract, QuarantineLimit, Rows
from lakesmith.engine.audit import BatchAudit, audit
from lakesmith.engine.context import Context
from lakesmith.engine.repeating import without_input_rules
from lakesmith.errors import DataRejected, LakesmithError
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.past import UnknownVersion, past_batch
from lakesmith.lake.reading import read_batches, read_staged
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged
from lakesmith.lake.tables import BROKEN_RULES, quarantine_contract
from lakesmith.ledger.records import BatchRecord
from lakesmith.quality.gate import Gate

if TYPE_CHECKING:
    from lakesmith.engine.restoring import RestorePlan

__all__ = ["NotRestored", "audited", "old_rows"]


class NotRestored(DataRejected):
    """The old rows are not those that were recorded, or do not pass today's suite; the table is as it was."""


def old_rows(context: Context, plan: RestorePlan) -> DataFrame:
    """The batch's rows then, and those in quarantine then, ready to stage."""
    days = BatchRange(plan.day, plan.day)
    columns = [*(c.name for c in plan.contract.columns), BROKEN_RULES, BATCH_DATE]
    rows = read_batches(context.spark, context.lake, plan.contract, plan.past.version, days)
    rows = rows.withColumn(BROKEN_RULES, F.lit(None).cast("array<string>")).select(*columns)
    rows = rows.withColumn(OUTCOME, F.lit(str(RowOutcome.PUBLISHED)))
    if plan.quarantined is None:
        return rows
    target = quarantine_contract(plan.contract)
    rejected = read_batches(context.spark, context.lake, target, plan.quarantined.version, days)
    return rows.unionAll(rejected.select(*columns).withColumn(OUTCOME, F.lit(str(RowOutcome.QUARANTINED))))


def audited(context: Context, plan: RestorePlan, staged: Staged) -> tuple[BatchAudit, list[str]]:
    """The audit of what was staged, by today's suite; and what could not be judged.

    Rows were accounted for when they were first published, and sorted by the row rules of that time: both are kept, since what is
    restored is a state that was there. That they are the same rows is known by their digests.
    """
    contract, day = plan.contract, plan.day
    inputs, remarks = _inputs_then(context, plan)
    audits = audit(
        context.spark,
        context.lake,
        replace(contract, rows=Rows.ANY, quarantine_limit=QuarantineLimit(share=1.0)),
        Gate.compile(contract if inputs is not None else without_input_rules(contract)),
        staged,
        [day],
        inputs or {},
        {day: plan.record.read},
        # An empty batch was not judged then, either.
        idle={day} if not plan.record.rows else (),
    )
    found = audits[day]
    _check_same_rows(context, plan, staged, found)
    if not found.passed:
        raise NotRestored(
            f"{contract.table} {day}: the rows of version {plan.past.version} do not pass the suite as it is now: "
            f"{'; '.join(found.refusals)}. Nothing was restored. Restore another version, or change {contract.suite.file}."
        )
    return found, remarks


def _inputs_then(context: Context, plan: RestorePlan) -> tuple[dict[str, DataFrame] | None, list[str]]:
    """The inputs of the batch's own day as it read them, for rules across tables; None when they are gone."""
    contract, day = plan.contract, plan.day
    if _looks_at_no_other_table(contract):
        return {}, []
    frames: dict[str, DataFrame] = {}
    reads = {read.name: read for read in plan.record.inputs}
    for entry in contract.inputs:
        read = reads.get(entry.name)
        if entry.table is None or not entry.window.is_same_day:
            continue
        try:
            if read is None or read.version is None:
                raise UnknownVersion(f"it read no version of {entry.table}.")
            past_batch(context.lake, context.ledger.history(entry.table), entry.table, day, read.version)
        except LakesmithError as error:
            return None, [f"rules that compare the batch with {entry.table} were not judged: {error}"]
        target = context.project.graph.contracts[entry.table]
        frames[entry.name] = read_batches(
            context.spark, context.lake, target, read.version, BatchRange(day, day)
        )
    return frames, []


def _looks_at_no_other_table(contract: Contract) -> bool:
    """True when no rule of the suite looks at another table."""
    return without_input_rules(contract).suite == contract.suite


def _check_same_rows(context: Context, plan: RestorePlan, staged: Staged, found: BatchAudit) -> None:
    """Holds what was staged to the digests that were recorded when the rows were published.

    Raises:
        NotRestored: they are other rows.
    """
    contract = plan.contract
    sides = [(RowOutcome.PUBLISHED, contract, contract.table, plan.record, found.digest)]
    if plan.quarantined is not None and plan.quarantined.record is not None:
        target, record = quarantine_contract(contract), plan.quarantined.record
        sides.append((RowOutcome.QUARANTINED, target, target.table, record, found.quarantine_digest))
    for outcome, of, table, record, digest in sides:
        if digest == record.digest:
            continue
        frame = read_staged(context.spark, context.lake, contract, staged)
        if record.digest not in {
            _digest_over(frame, outcome, columns) for columns in _columns_then(context, of, table, record)
        }:
            raise NotRestored(
                f"{table} {plan.day}: the rows of version {record.version} are not those that run {record.run_id} "
                f"recorded (digest {record.digest[:8]}). Nothing was restored; restore another version."
            )


def _columns_then(
    context: Context, contract: Contract, table: str, record: BatchRecord
) -> list[list[Column]]:
    """The columns that a record's digest was made over: those of that version, in the order of today's contract or their own."""
    opened = context.lake.open(table, record.version)
    names = [field.name for field in opened.schema().fields] if opened is not None else []
    by_contract = [c for c in contract.columns if c.name in names]
    return [by_contract, sorted(by_contract, key=lambda c: names.index(c.name))]


def _digest_over(frame: DataFrame, outcome: str, columns: Sequence[Column]) -> str:
    aggregates = [column.alias(name) for name, column in digest_aggregates(columns).items()]
    row = frame.where(F.col(OUTCOME) == str(outcome)).agg(*aggregates).first()
    return digest_of(columns, row.asDict() if row is not None else None)[0]

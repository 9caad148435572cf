"""Taking a person's rows out of batches that no run can compute anew: their file is gone, or what they need is broken.

Owns that such a batch keeps all else, its state included: what was stale stays stale, what failed stays failed, what is foreign
stays foreign. It goes through the one publish path. Batches that can be run are run instead (`lakesmith.engine.forgetting`). Of a
keyed table the changes are rewritten so, and its rows follow from them as ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.contracts.subjects import SubjectColumns
from lakesmith.engine.context import Context
from lakesmith.engine.intake import TakingIn
from lakesmith.engine.recording import RunIdentity
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.landing import Erasure
from lakesmith.lake.lease import hold
from lakesmith.lake.publishing import publish
from lakesmith.lake.reading import read_batches
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged, stage
from lakesmith.lake.tables import changes_contract, quarantine_contract
from lakesmith.ledger.forgotten import FORGOTTEN
from lakesmith.ledger.live import LiveTable, files_digest
from lakesmith.ledger.ops import now
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, BatchRecord

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["make_keyed_without", "rewrite_without"]

_JOB = "lakesmith forget"


def rewrite_without(
    context: Context, contract: Contract, table: str, rows: Mapping[date, int], form: str, run_id: str
) -> None:
    """Publishes batches of a table once more, without the rows of a person.

    Args:
        contract: of the table, or of the one whose quarantine it is.
        table: either.
        rows: batch -> rows of the person.
        form: the canonical id.

    Raises:
        LakesmithError: the lease is held, or others keep committing.
    """
    target = contract if table == contract.table else quarantine_contract(contract)
    with hold(context.lake, contract.table, run_id, context.settings.lease):
        _rewrite(context, contract, target, rows, form, run_id)


def make_keyed_without(
    context: Context, contract: Contract, table: str, rows: Mapping[date, int], form: str, run_id: str
) -> None:
    """Takes a person out of the changes of a keyed table, and makes its rows anew from what is left.

    Args:
        contract: of the keyed table.
        table: that of its changes.
        rows: batch -> changes of the person; none when only the table itself still holds them.
        form: the canonical id.

    Raises:
        LakesmithError: the lease is held, others keep committing, or changes that are needed are somebody else's.
    """
    assert contract.keyed is not None
    with hold(context.lake, contract.table, run_id, context.settings.lease):
        if rows:
            _rewrite(context, contract, changes_contract(contract), rows, form, run_id)
        context.ledger.refresh([contract.table, table])
        history = context.ledger.history(contract.table)
        failed = [last for day in rows if (last := history.last(day)) is not None and not last.outcome.stands]
        every = frozenset(range(contract.keyed.buckets))
        touched = dict.fromkeys(context.ledger.history(table).records, every)
        run = RunIdentity(run_id, contract, tuple(sorted(rows)), now())
        TakingIn(context, run, (), {}, touched).carry_out()
        # What failed since the changes were published failed all the same.
        context.ledger.record(replace(last, recorded_at=now()) for last in failed)


def _rewrite(
    context: Context,
    contract: Contract,
    target: Contract,
    rows: Mapping[date, int],
    form: str,
    run_id: str,
) -> None:
    """Publishes batches of one table without the rows of a person; the lease is held."""
    table, days = target.table, sorted(rows)
    context.ledger.refresh([table])
    live = context.ledger.live(table)
    if live is None:
        return
    erasure = Erasure(frozenset({form}), SubjectColumns.of(target))

    def others(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return (erasure.apply(batch) for batch in batches)

    found = read_batches(context.spark, context.lake, target, live.version, BatchRange(days[0], days[-1]))
    found = found.where(F.col(BATCH_DATE).isin(days))
    kept = found.mapInArrow(others, found.schema)
    staged = stage(
        kept.withColumn(OUTCOME, F.lit(str(RowOutcome.PUBLISHED))),
        target,
        context.lake,
        run_id,
        days,
        expected_rows={day: live.batches[day].rows or 0 for day in days},
        rows_per_file=context.settings.staging.rows_per_file,
    )
    aggregates = [column.alias(name) for name, column in digest_aggregates(target.columns).items()]
    counted = kept.groupBy(BATCH_DATE).agg(*aggregates).collect()
    digests = {row[BATCH_DATE]: digest_of(target.columns, row.asDict()) for row in counted}
    _publish(context, contract, target, live, staged, days, digests, rows, run_id)


def _publish(
    context: Context,
    contract: Contract,
    target: Contract,
    live: LiveTable,
    staged: Staged,
    days: Sequence[date],
    digests: Mapping[date, tuple[str, int]],
    rows: Mapping[date, int],
    run_id: str,
) -> None:
    history = context.ledger.history(target.table)
    empty = digest_of(target.columns, None)
    files = staged.of(RowOutcome.PUBLISHED)
    moment = now()
    records: list[BatchRecord] = []
    failed: list[BatchRecord] = []
    for day in days:
        standing, last = history.standing(day), history.last(day)
        if standing is None or standing.files != live.files_of(day):
            # Somebody else's rows: nothing is recorded, so that they stay foreign.
            continue
        digest, left = digests.get(day, empty)
        records.append(
            replace(
                standing,
                recorded_at=moment,
                run_id=run_id,
                outcome=BatchOutcome.PUBLISHED,
                digest=digest,
                rows=left,
                dropped={**standing.dropped, FORGOTTEN: standing.dropped.get(FORGOTTEN, 0) + rows[day]}
                if standing.read is not None
                else standing.dropped,
                files=files_digest(f.path for f in files if f.part == day),
            )
        )
        if last is not None and not last.outcome.stands:
            failed.append(replace(last, recorded_at=moment))

    def provenance(version: int) -> Provenance:
        told = (replace(record, version=version) for record in records)
        return context.provenance(run_id, target.table, _JOB, moment, told)

    version = publish(
        context.lake,
        target,
        files,
        days,
        provenance=provenance,
        inputs_unchanged=lambda: None,
        attempts=context.settings.publish.attempts,
    )
    context.ledger.record(provenance(version).batches)
    # What failed since the rows were published failed all the same.
    context.ledger.record(failed)

"""The audit: every staged batch judged by itself, before anybody can see it; and a published one anew, when its suite changed.

Owns putting together what the files' statistics say, one grouped scan of the staged rows (digest and as much of the suite as
aggregates answer), the row accounting and the quarantine limit. What a suite means is `lakesmith.quality`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Contract, Rows
from lakesmith.errors import LakesmithError
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.reading import read_staged
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged
from lakesmith.lake.tables import BROKEN_RULES, quarantine_contract
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.records import EMPTY_DIGEST, BatchRecord
from lakesmith.quality.accounting import Accounting
from lakesmith.quality.gate import BatchVerdict, Gate
from lakesmith.quality.log_statistics import log_statistics
from lakesmith.quality.results import Result

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

__all__ = ["BatchAudit", "audit", "audit_published"]

_BUCKETS = "key_buckets"
_LAST_RECORD, _FIRST_FILE, _LAST_FILE = "last_record", "first_file", "last_file"


@dataclass(frozen=True)
class BatchAudit:
    """What is known of one staged batch.

    Args:
        rows: to be published.
        digest: of those rows.
        quarantine_digest: of the quarantined rows with the rules that they broke.
        refusals: why the batch must not be published; empty when it may.
        warnings: what it is published in spite of.
        buckets: of the keys of those rows, where they are changes of a keyed table.
    """

    batch_date: date
    rows: int
    digest: str
    accounting: Accounting
    quarantine_digest: str
    results: tuple[Result, ...]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    buckets: frozenset[int] = frozenset()

    @property
    def passed(self) -> bool:
        """True when the batch may be published."""
        return not self.refusals


def audit(
    spark: SparkSession,
    lake: LakeLocation,
    contract: Contract,
    gate: Gate,
    staged: Staged,
    batches: Sequence[date],
    inputs: Mapping[str, DataFrame],
    rows_read: Mapping[date, int | None],
    idle: Collection[date],
    bucket: Column | None = None,
) -> dict[date, BatchAudit]:
    """Judges every batch of a run from what was staged.

    Args:
        inputs: the pinned inputs of the batches' own day, for rules across tables.
        rows_read: of each batch; None where the records of landing files are counted from what was staged.
        idle: batches whose inputs hold nothing, as on a closed day. Empty ones of them are not judged: a suite speaks of rows,
            and "at least one" is asked of the table that lands.
        bucket: of a row's key, where the rows are changes of a keyed table.

    Raises:
        LakesmithError: the scan and the files' statistics disagree on how many rows there are.
    """
    frame = read_staged(spark, lake, contract, staged)
    published = frame.where(F.col(OUTCOME) == str(RowOutcome.PUBLISHED)).select(
        *[c.name for c in contract.columns], BATCH_DATE
    )
    counted = staged.rows(RowOutcome.PUBLISHED)
    quarantined, dropped = staged.rows(RowOutcome.QUARANTINED), staged.rows(RowOutcome.DROPPED)
    judged = [
        day for day in batches if day not in idle or day in counted or day in quarantined or day in dropped
    ]
    aggregates = digest_aggregates(contract.columns)
    if bucket is not None:
        aggregates[_BUCKETS] = F.collect_set(bucket)
    uncounted = any(rows_read[day] is None for day in judged)
    if uncounted:
        aggregates |= {
            _LAST_RECORD: F.max("record_no"),
            _FIRST_FILE: F.min("source_file"),
            _LAST_FILE: F.max("source_file"),
        }
    log = log_statistics(
        ((f.part, f.stats) for f in staged.of(RowOutcome.PUBLISHED) if isinstance(f.part, date)), gate.columns
    )
    verdicts = gate.evaluate(published, judged, inputs, aggregates, log) if judged else {}
    reasons = _reasons_to_drop(frame) if dropped else {}
    quarantine_digests = _quarantine_digests(frame, contract) if quarantined else {}
    records: dict[date, int] = {}
    if uncounted:
        left_out = {*quarantined, *dropped}
        records = {
            day: last
            for day, verdict in verdicts.items()
            if day not in left_out and (last := _last_of_one_file(verdict.extras)) is not None
        }
        several = [day for day in judged if day not in records]
        records |= _records_numbered(frame.where(F.col(BATCH_DATE).isin(several))) if several else {}
    audits: dict[date, BatchAudit] = {}
    for day in batches:
        verdict = verdicts.get(day, BatchVerdict(day, ()))
        digest, rows = digest_of(contract.columns, verdict.extras or None)
        if rows != counted.get(day, 0):
            raise LakesmithError(
                f"{contract.table} {day}: the scan found {rows} rows, the staged files' statistics say {counted.get(day, 0)}. "
                f"Something changed the files under {staged.folder}; nothing was published. Run again."
            )
        accounting = Accounting(
            read=0,
            published=rows,
            quarantined=quarantined.get(day, 0),
            dropped=reasons.get(day, {}),
        )
        counted_read = rows_read[day]
        if contract.rows is not Rows.PRESERVING:
            # Nothing ties what was read to what came out; the limit is a share of the latter.
            counted_read = accounting.accounted
        accounting = replace(accounting, read=records.get(day, 0) if counted_read is None else counted_read)
        audits[day] = _concluded(
            contract, verdict, digest, rows, accounting, quarantine_digests.get(day, EMPTY_DIGEST)
        )
    return audits


def audit_published(
    contract: Contract,
    gate: Gate,
    published: DataFrame,
    standing: Mapping[date, BatchRecord],
    inputs: Mapping[str, DataFrame],
    idle: Collection[date],
) -> dict[date, BatchAudit]:
    """Judges published batches anew, by what their contract and suite demand now.

    Args:
        published: the rows of those batches, and maybe of others.
        standing: the record of each batch.
        inputs, idle: as for `audit`.

    Raises:
        LakesmithError: the rows that are there are not those that the records name.
    """
    judged = [day for day, record in standing.items() if record.rows or day not in idle]
    wanted = published.where(F.col(BATCH_DATE).isin(judged))
    verdicts = gate.evaluate(wanted, judged, inputs, digest_aggregates(contract.columns)) if judged else {}
    audits: dict[date, BatchAudit] = {}
    for day, record in standing.items():
        verdict = verdicts.get(day, BatchVerdict(day, ()))
        digest, rows = digest_of(contract.columns, verdict.extras or None)
        if digest != record.digest:
            raise LakesmithError(
                f"{contract.table} {day}: the published files hold other rows than run {record.run_id} wrote "
                f"({rows:,} rows, recorded were {record.rows:,}). Look at the disk, then write the batch anew: "
                f"lakesmith run --date {day + timedelta(contract.lag_days)} --table {contract.table} --force"
            )
        accounting = Accounting(
            read=rows + record.quarantined + sum(record.dropped.values())
            if record.read is None or contract.rows is not Rows.PRESERVING
            else record.read,
            published=rows,
            quarantined=record.quarantined,
            dropped=record.dropped,
        )
        audits[day] = _concluded(contract, verdict, digest, rows, accounting, EMPTY_DIGEST)
    return audits


def _concluded(
    contract: Contract,
    verdict: BatchVerdict,
    digest: str,
    rows: int,
    accounting: Accounting,
    quarantine_digest: str,
) -> BatchAudit:
    refusals = [
        *accounting.discrepancies(),
        *(result.summary() for result in verdict.failures),
        *accounting.over_limit(contract.quarantine_limit),
    ]
    return BatchAudit(
        batch_date=verdict.batch_date,
        rows=rows,
        digest=digest,
        accounting=accounting,
        quarantine_digest=quarantine_digest,
        results=verdict.results,
        refusals=tuple(refusals),
        warnings=tuple(result.summary() for result in verdict.warnings),
        buckets=frozenset(verdict.extras.get(_BUCKETS) or ()),
    )


def _reasons_to_drop(frame: DataFrame) -> dict[date, dict[str, int]]:
    """Rows that the transform dropped, by batch and reason."""
    counts = (
        frame.where(F.col(OUTCOME) == str(RowOutcome.DROPPED))
        .select(BATCH_DATE, F.explode(BROKEN_RULES).alias("reason"))
        .groupBy(BATCH_DATE, "reason")
        .count()
        .collect()
    )
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in sorted(counts):
        found[row[BATCH_DATE]][row["reason"]] = row["count"]
    return found


def _quarantine_digests(frame: DataFrame, contract: Contract) -> dict[date, str]:
    columns = quarantine_contract(contract).columns
    aggregates = [column.alias(name) for name, column in digest_aggregates(columns).items()]
    rows = (
        frame.where(F.col(OUTCOME) == str(RowOutcome.QUARANTINED))
        .groupBy(BATCH_DATE)
        .agg(*aggregates)
        .collect()
    )
    return {row[BATCH_DATE]: digest_of(columns, row.asDict())[0] for row in rows}


def _last_of_one_file(found: Mapping[str, Any]) -> int | None:
    """The number of the last published record; None where a batch has no rows, or those of several files."""
    last: int | None = found[_LAST_RECORD]
    return last if found[_FIRST_FILE] == found[_LAST_FILE] else None


def _records_numbered(frame: DataFrame) -> dict[date, int]:
    """Records of each batch's files, from their numbering: a record lost or doubled on the way leaves another number."""
    files = frame.groupBy(BATCH_DATE, "source_file").agg(F.max("record_no").alias("last"))
    rows = files.groupBy(BATCH_DATE).agg(F.sum("last").alias("records")).collect()
    return {row[BATCH_DATE]: row["records"] for row in rows}

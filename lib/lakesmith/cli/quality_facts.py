"""What the ledger knows of the quality of a table's batches, as values for people and JSON. Starts no JVM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.quarantined import quarantined
from lakesmith.ledger.records import BatchRecord, QualityRecord
from lakesmith.ledger.rule_results import RESULT_COLUMNS, RuleResult

if TYPE_CHECKING:
    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context
    from lakesmith.ledger.state import BatchState

__all__ = [
    "BatchFacts",
    "TroubledBatch",
    "TroubledBatches",
    "batch_facts",
    "quarantined_rules",
    "troubled_batches",
]


@dataclass(frozen=True)
class BatchFacts:
    """Everything of one batch.

    Args:
        night: the night that owns it.
        state: as the ledger judges it now.
        attempt: the newest record; None when nothing was ever tried.
        audited_by: the run whose results are shown; empty when none reached its audit.
        results: of that run.
        quarantined: rows now in quarantine by rule; a row that broke two counts in both.
        quarantine_rows: rows now in quarantine.
        visible: the record of what readers see; None when they see nothing.
    """

    table: str
    batch_date: date
    night: date
    state: BatchState
    attempt: BatchRecord | None
    audited_by: str
    audited_at: datetime | None
    results: tuple[RuleResult, ...]
    quarantine_table: str
    quarantined: Mapping[str, int]
    quarantine_rows: int
    visible: BatchRecord | None

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        attempt, visible = self.attempt, self.visible
        return {
            "table": self.table,
            "batch_date": self.batch_date.isoformat(),
            "night": self.night.isoformat(),
            "state": str(self.state.state),
            "reason": self.state.reason,
            "last_attempt": None
            if attempt is None
            else {
                "run_id": attempt.run_id,
                "recorded_at": attempt.recorded_at.isoformat(),
                "outcome": str(attempt.outcome),
                "reason": attempt.reason,
                "read": attempt.read,
                "rows": attempt.rows,
                "quarantined": attempt.quarantined,
                "dropped": dict(sorted(attempt.dropped.items())),
            },
            "audited_by": self.audited_by or None,
            "results": [result.to_json() for result in self.results],
            "quarantine": {
                "table": self.quarantine_table,
                "rows": self.quarantine_rows,
                "by_rule": dict(self.quarantined),
            },
            "visible": None
            if visible is None
            else {
                "run_id": visible.run_id,
                "version": visible.version,
                "rows": visible.rows,
                "digest": visible.digest,
                "recorded_at": visible.recorded_at.isoformat(),
            },
        }


@dataclass(frozen=True)
class TroubledBatch:
    """A batch whose last audit found something.

    Args:
        reason: of the last attempt, when that was rejected or failed.
        broken: the rules that failed.
    """

    batch_date: date
    night: date
    outcome: str
    reason: str
    broken: tuple[RuleResult, ...]


@dataclass(frozen=True)
class TroubledBatches:
    """The latest batches in trouble.

    Args:
        total: how many there are in all.
        audited: how many batches were ever audited.
        quarantined: rows in quarantine over all batches, by the records that stand.
    """

    table: str
    total: int
    audited: int
    quarantined: int
    shown: tuple[TroubledBatch, ...]

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "table": self.table,
            "batches_audited": self.audited,
            "batches_in_trouble": self.total,
            "rows_quarantined": self.quarantined,
            "batches": [
                {
                    "batch_date": batch.batch_date.isoformat(),
                    "night": batch.night.isoformat(),
                    "outcome": batch.outcome,
                    "reason": batch.reason,
                    "broken": [result.to_json() for result in batch.broken],
                }
                for batch in self.shown
            ],
        }


def batch_facts(context: Context, contract: Contract, day: date) -> BatchFacts:
    """Everything that is known of one batch."""
    night = BatchRange(day, day).shifted(contract.lag_days)
    history = context.ledger.history(contract.table)
    state = context.judge.judge(night, [contract.table])[contract.table][day]
    attempt = history.last(day)
    rows = _audits(context, contract).filter(pc.field("batch_date") == day)
    newest = max(rows.to_pylist(), key=lambda row: row["recorded_at"], default=None)
    results = tuple(
        RuleResult.of(row) for row in rows.to_pylist() if newest and row["run_id"] == newest["run_id"]
    )
    if newest is None or (
        attempt is not None and not attempt.outcome.stands and attempt.run_id != newest["run_id"]
    ):
        # The last attempt never reached its audit, and an older one's results are not its.
        newest, results = None, ()
    quarantined, quarantine_rows = _quarantine(context, contract, day)
    return BatchFacts(
        table=contract.table,
        batch_date=day,
        night=night.first,
        state=state,
        attempt=attempt,
        audited_by=newest["run_id"] if newest else "",
        audited_at=newest["recorded_at"] if newest else None,
        results=results,
        quarantine_table=contract.quarantine_table,
        quarantined=quarantined,
        quarantine_rows=quarantine_rows,
        visible=history.standing(day),
    )


def _audits(context: Context, contract: Contract) -> pa.Table:
    """The results of all audits of a table, or of those until the night as of which is read."""
    rows = context.ledger.ops.read(QualityRecord, columns=RESULT_COLUMNS, tables=[contract.table])
    night = context.night
    return rows if night is None else rows.filter(pc.field("recorded_at") <= pa.scalar(night.recorded_at))


def quarantined_rules(context: Context, contract: Contract) -> dict[str, int]:
    """Rows in quarantine by rule, over all batches of a table, most first."""
    return _quarantine(context, contract, None)[0]


def _quarantine(context: Context, contract: Contract, day: date | None) -> tuple[dict[str, int], int]:
    """Rows in quarantine by rule, most first, and in all."""
    opened = context.ledger.open(contract.quarantine_table)
    found = quarantined(opened, contract, BatchRange(day, day) if day is not None else None)
    return found.rules, found.total


def troubled_batches(context: Context, contract: Contract, most: int) -> TroubledBatches:
    """The latest batches whose last audit found something, or whose last attempt came to nothing.

    Args:
        most: how many of them, the newest first.
    """
    history = context.ledger.history(contract.table)
    newest: dict[date, tuple[datetime, str]] = {}
    by_run: dict[tuple[date, str], list[RuleResult]] = {}
    for row in _audits(context, contract).to_pylist():
        day, run_id = row["batch_date"], row["run_id"]
        newest[day] = max(newest.get(day, (row["recorded_at"], run_id)), (row["recorded_at"], run_id))
        if not row["success"]:
            by_run.setdefault((day, run_id), []).append(RuleResult.of(row))
    found: list[TroubledBatch] = []
    for day in sorted({*newest, *history.records}, reverse=True):
        attempt = history.last(day)
        failed = attempt is not None and not attempt.outcome.stands
        audited = newest.get(day)
        broken = by_run.get((day, audited[1]), []) if audited else []
        if failed and attempt is not None and audited and audited[1] != attempt.run_id:
            broken = []
        if failed or broken:
            found.append(
                TroubledBatch(
                    batch_date=day,
                    night=BatchRange(day, day).shifted(contract.lag_days).first,
                    outcome=str(attempt.outcome) if attempt is not None else "unrecorded",
                    reason=attempt.reason if attempt is not None and failed else "",
                    broken=tuple(broken),
                )
            )
    standing = [record for day in history.records if (record := history.last(day)) is not None]
    return TroubledBatches(
        table=contract.table,
        total=len(found),
        audited=len(newest),
        quarantined=sum(record.quarantined for record in standing),
        shown=tuple(found[:most]),
    )

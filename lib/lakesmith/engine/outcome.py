"""What came of runs, and the exit code that says so.

Owns the meaning of the exit codes over many batches and tables. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from lakesmith.contracts.days import BatchRange
from lakesmith.errors import ExitCode, InputMissing, Stopped, exit_code_of, is_retryable
from lakesmith.ledger.records import BatchOutcome, RunRecord
from lakesmith.ledger.state import BatchState

if TYPE_CHECKING:
    from lakesmith.alerts.check import Checked

__all__ = ["NightResult", "TableResult"]

_STOPPED = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
_MAYBE_RETRYABLE = (ExitCode.FAILED, *_STOPPED)


@dataclass
class TableResult:
    """What was done for one table.

    Args:
        batches: what came of every batch that was run.
        reasons: why a batch was rejected or failed.
        waiting: batches that could not be run, as judged when the table's turn came.
        unchanged: batches that needed no run when the table's turn came, or whose rows and provenance were there already.
        runs: one record for each run, in order.
        error: what ended the table's runs early; None when nothing did.
        warnings: by batch.
    """

    table: str
    batches: dict[date, BatchOutcome] = field(default_factory=dict)
    reasons: dict[date, str] = field(default_factory=dict)
    waiting: list[BatchState] = field(default_factory=list)
    unchanged: int = 0
    runs: list[RunRecord] = field(default_factory=list)
    error: BaseException | None = None
    warnings: dict[date, tuple[str, ...]] = field(default_factory=dict)

    def with_outcome(self, *outcomes: BatchOutcome) -> list[date]:
        """The batches that came to one of these."""
        return [day for day, outcome in self.batches.items() if outcome in outcomes]

    @property
    def is_whole(self) -> bool:
        """True when nothing that was due is left undone."""
        return not (
            self.waiting or self.error or self.with_outcome(BatchOutcome.REJECTED, BatchOutcome.FAILED)
        )


@dataclass(frozen=True)
class NightResult:
    """What a run or a backfill came to.

    Args:
        tables: in the order in which their turn came.
        seconds: wall time.
        decisions: what the night's scores meant for the versions in use, in words.
        alerts: what is wrong after it; None where that was not looked at.
    """

    nights: BatchRange
    tables: Mapping[str, TableResult]
    seconds: float
    decisions: tuple[str, ...] = ()
    alerts: Checked | None = None

    @property
    def spark_jobs(self) -> int:
        """How many jobs Spark ran."""
        return sum(run.spark_jobs for result in self.tables.values() for run in result.runs)

    @property
    def exit_code(self) -> ExitCode:
        """One code for all; the first of these that applies.

        130 or 143 when a signal ended it; 1 or 2 for an error; 3 for rejected batches, 6 when a range
        published others; 5 for a lease; 4 for what is missing. What is blocked only because something else in this
        very run was rejected or failed changes nothing.
        """
        errors = [exit_code_of(result.error) for result in self.tables.values() if result.error is not None]
        stopped = [code for code in errors if code in _STOPPED]
        if stopped:
            return stopped[0]
        hard = [code for code in errors if code not in (ExitCode.BUSY, ExitCode.MISSING, ExitCode.REJECTED)]
        if hard:
            return hard[0]
        # What an input kept from being computed is written down as failed, too; nobody rejected it.
        failed = [
            result
            for result in self.tables.values()
            if result.with_outcome(BatchOutcome.FAILED) and not isinstance(result.error, InputMissing)
        ]
        if ExitCode.REJECTED in errors or failed or self._any(BatchOutcome.REJECTED):
            # A single night has several batches of a table where it looks back.
            several = len(self.nights) > 1 or any(len(found.batches) > 1 for found in self.tables.values())
            others = several and self._any(BatchOutcome.PUBLISHED, BatchOutcome.CONFIRMED, BatchOutcome.EMPTY)
            return ExitCode.PARTIAL if others else ExitCode.REJECTED
        if ExitCode.BUSY in errors:
            return ExitCode.BUSY
        if ExitCode.MISSING in errors or any(result.waiting for result in self.tables.values()):
            return ExitCode.MISSING
        return ExitCode.DONE

    @property
    def retryable(self) -> bool:
        """True when the same command can end better later without anybody mending anything."""
        code = self.exit_code
        if code in (ExitCode.BUSY, ExitCode.MISSING):
            return True
        errors = [result.error for result in self.tables.values() if result.error is not None]
        return code in _MAYBE_RETRYABLE and all(is_retryable(error) for error in errors)

    @property
    def stopped(self) -> bool:
        """True when a signal ended it; tables after that were not looked at."""
        return any(isinstance(result.error, Stopped) for result in self.tables.values())

    @property
    def is_complete(self) -> bool:
        """True when nothing that was due failed, was rejected, is missing or blocked."""
        return all(result.is_whole for result in self.tables.values())

    def _any(self, *outcomes: BatchOutcome) -> bool:
        return any(result.with_outcome(*outcomes) for result in self.tables.values())

    def to_json(self) -> dict[str, object]:
        """The outcome for `--json` and `--outcome`, for callers that cannot see an exit code."""
        return {
            "from": self.nights.first.isoformat(),
            "to": self.nights.last.isoformat(),
            "exit_code": int(self.exit_code),
            "outcome": self.exit_code.name.lower(),
            "retryable": self.retryable,
            "complete": self.is_complete,
            "seconds": round(self.seconds, 3),
            "spark_jobs": self.spark_jobs,
            "models": list(self.decisions),
            "tables": [_table_json(result) for result in self.tables.values()],
            "alerts": self.alerts.to_json() if self.alerts is not None else None,
        }


def _table_json(result: TableResult) -> dict[str, object]:
    return {
        "table": result.table,
        "runs": [run.run_id for run in result.runs],
        "published": _iso(result.with_outcome(BatchOutcome.PUBLISHED, BatchOutcome.EMPTY)),
        "confirmed": _iso(result.with_outcome(BatchOutcome.CONFIRMED)),
        "unchanged": result.unchanged,
        "rejected": {day.isoformat(): reason for day, reason in sorted(result.reasons.items())},
        "waiting": [
            {"batch_date": s.batch_date.isoformat(), "state": str(s.state), "reason": s.reason}
            for s in result.waiting
        ],
        "warnings": {day.isoformat(): list(found) for day, found in sorted(result.warnings.items())},
        "remarks": [remark for run in result.runs for remark in run.warnings],
        "rows_published": sum(run.rows_published for run in result.runs),
        "rows_quarantined": sum(run.rows_quarantined for run in result.runs),
        "rows_dropped": sum(run.rows_dropped for run in result.runs),
        "error": f"{type(result.error).__name__}: {result.error}" if result.error is not None else None,
    }


def _iso(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in sorted(days)]

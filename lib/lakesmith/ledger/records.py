"""What the ledger writes down: runs, batches, quality results and nights, as frozen values with one JSON form.

Owns the columns of the `ops` tables. Writing and reading those tables is `lakesmith.ledger.ops`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Self

import pyarrow as pa

__all__ = [
    "EMPTY_DIGEST",
    "BatchOutcome",
    "BatchRecord",
    "Fingerprints",
    "InputRead",
    "NightRecord",
    "QualityRecord",
    "Record",
    "Restored",
    "RunOutcome",
    "RunRecord",
]

EMPTY_DIGEST = "empty"
"""The digest of a batch without rows, whatever its columns: an empty day equals an empty day."""


class BatchOutcome(StrEnum):
    """What one attempt at one batch came to.

    `published` made a table version; `confirmed` found the rows already there; `empty` holds no rows and removed none;
    `rejected` failed its audit; `failed` never reached it.
    """

    PUBLISHED = "published"
    CONFIRMED = "confirmed"
    EMPTY = "empty"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def stands(self) -> bool:
        """True when the entry says what the table holds for the batch."""
        return self in (BatchOutcome.PUBLISHED, BatchOutcome.CONFIRMED, BatchOutcome.EMPTY)


class RunOutcome(StrEnum):
    """What a run came to, over all its batches; `billed` is no outcome but an entry with what a run cost."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    REJECTED = "rejected"
    FAILED = "failed"
    STOPPED = "stopped"
    BILLED = "billed"


@dataclass(frozen=True)
class Fingerprints:
    """What a batch was computed by: `data` decides staleness, `audit` and `doc` do not.

    Args:
        scheme: the number of the algorithm that made them.
    """

    scheme: int
    data: str
    audit: str
    doc: str


@dataclass(frozen=True)
class InputRead:
    """What one batch read of one input.

    Args:
        name: the input's name in the contract.
        target: the table or source.
        version: the table version that was pinned; None for a source.
        digest: of the batches in the window (of the manifest, for a source).
        left_out: days in the window that had failed and never been published.
        files: for a source, its manifest; for a model, the versions that scored, each with its share.
        window: of a table, the first and the last day that the batch was allowed to read; none where there were none, and in
            records from before this was written down.
    """

    name: str
    target: str
    version: int | None
    digest: str
    left_out: tuple[str, ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()
    window: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What a record says of one input; keys that a newer version wrote are passed over."""
        lists = {name: tuple(data.get(name, ())) for name in ("left_out", "files", "window")}
        return cls(data["name"], data["target"], data["version"], data["digest"], **lists)


@dataclass(frozen=True)
class Restored:
    """Where a batch's rows come from when a person brought an old state back.

    Args:
        version: the table version that was restored.
        run_id: the run that had computed those rows.
        who: see `lakesmith.ledger.audit_trail.actor`.
        why: in the person's own words.
    """

    version: int
    run_id: str
    who: str
    why: str = ""


class Record:
    """A row of an `ops` table; nested values are kept as JSON text, so that the schema stays flat."""

    schema: ClassVar[pa.Schema]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it; a kind with nested values has its own way."""
        return cls(**row)

    def to_row(self) -> dict[str, Any]:
        """The row as pyarrow takes it."""
        row: dict[str, Any] = {}
        for column in fields(self):  # type: ignore[arg-type]  # every Record is a dataclass
            value = getattr(self, column.name)
            if isinstance(value, tuple | Mapping | Fingerprints | Restored):
                value = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
            row[column.name] = str(value) if isinstance(value, StrEnum) else value
        return row


@dataclass(frozen=True)
class BatchRecord(Record):
    """One attempt at one batch of one table; the last that stands says what the table holds.

    Args:
        version: the table version in which the batch is visible as described; None when the table has none yet.
        digest: of the batch's rows (see `lakesmith.lake.digest`); the staged ones' for a rejected batch.
        rows: published (staged, for a rejected batch).
        read: rows of the batch that the job read; None where the contract does not account for rows.
        dropped: rows dropped, by reason.
        files: digest of the paths of the batch's live files.
        settings: the settings that the transform read, with their values.
        reason: why the batch was rejected or failed; counts and names only.
        restored: for a batch that a person brought back; no run touches it until it is released.
    """

    table: str
    batch_date: date
    recorded_at: datetime
    run_id: str
    outcome: BatchOutcome
    version: int | None
    digest: str
    rows: int
    read: int | None
    quarantined: int
    dropped: Mapping[str, int]
    fingerprints: Fingerprints
    inputs: tuple[InputRead, ...]
    settings: Mapping[str, Any]
    files: str
    reason: str = ""
    restored: Restored | None = None

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("table", pa.string()),
            ("batch_date", pa.date32()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("run_id", pa.string()),
            ("outcome", pa.string()),
            ("version", pa.int64()),
            ("digest", pa.string()),
            ("rows", pa.int64()),
            ("read", pa.int64()),
            ("quarantined", pa.int64()),
            ("dropped", pa.string()),
            ("fingerprints", pa.string()),
            ("inputs", pa.string()),
            ("settings", pa.string()),
            ("files", pa.string()),
            ("reason", pa.string()),
            ("restored", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        # Absent from the provenance of commits that are older than restores.
        restored = row.get("restored")
        return cls(
            **{
                **row,
                "outcome": BatchOutcome(row["outcome"]),
                "dropped": json.loads(row["dropped"]),
                "fingerprints": _fingerprints(row["fingerprints"]),
                "inputs": tuple(InputRead.from_json(read) for read in json.loads(row["inputs"])),
                "settings": json.loads(row["settings"]),
                "restored": Restored(**json.loads(restored)) if restored else None,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """The record as a commit's provenance carries it."""
        row = self.to_row()
        return {
            **row,
            "batch_date": row["batch_date"].isoformat(),
            "recorded_at": row["recorded_at"].isoformat(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record that a commit's provenance carries."""
        return cls.from_row(
            {
                **data,
                "batch_date": date.fromisoformat(data["batch_date"]),
                "recorded_at": datetime.fromisoformat(data["recorded_at"]),
            }
        )


@dataclass(frozen=True)
class RunRecord(Record):
    """One run: one job, one table, some batches. What it cost is an entry of its own, since that is known only later.

    An entry of outcome `billed` repeats the run's names and times, counts nothing, and alone has a `job_run`, hours and a cost:
    sums over all entries are right. Where a job run of the platform held no run, its entry has no table.

    Args:
        first, last: the earliest and the latest batch.
        exit_code: what the process would answer for this run alone.
        error: the type of the error and its message; empty when there was none.
        version: the table version that the run made; None when it made none.
        spark_application: the id under which Spark's own history knows the run.
        spark_jobs: how many jobs Spark ran for it.
        log: the file with its log; empty where none was kept, and in records from before this was written down.
        spark_ui: the page on which Spark shows it; likewise.
        job_run: of `billed`, the platform's id of what was paid for.
        vcpu_hours, memory_gb_hours, storage_gb_hours: of `billed`, the run's share of what the platform counted.
        cost: of `billed`, these times the prices of the settings; None where there are none.
        currency: of the cost.
    """

    run_id: str
    table: str
    first: date
    last: date
    started_at: datetime
    finished_at: datetime
    outcome: RunOutcome
    exit_code: int
    retryable: bool
    error: str
    batches: int
    batches_published: int
    batches_rejected: int
    rows_read: int | None
    rows_published: int
    rows_quarantined: int
    rows_dropped: int
    version: int | None
    job: str
    code_version: str
    lakesmith_version: str
    environment: str
    spark_application: str
    spark_jobs: int
    warnings: tuple[str, ...] = ()
    log: str = ""
    spark_ui: str = ""
    job_run: str = ""
    vcpu_hours: float | None = None
    memory_gb_hours: float | None = None
    storage_gb_hours: float | None = None
    cost: float | None = None
    currency: str = ""

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("run_id", pa.string()),
            ("table", pa.string()),
            ("first", pa.date32()),
            ("last", pa.date32()),
            ("started_at", pa.timestamp("us", tz="UTC")),
            ("finished_at", pa.timestamp("us", tz="UTC")),
            ("outcome", pa.string()),
            ("exit_code", pa.int32()),
            ("retryable", pa.bool_()),
            ("error", pa.string()),
            ("batches", pa.int64()),
            ("batches_published", pa.int64()),
            ("batches_rejected", pa.int64()),
            ("rows_read", pa.int64()),
            ("rows_published", pa.int64()),
            ("rows_quarantined", pa.int64()),
            ("rows_dropped", pa.int64()),
            ("version", pa.int64()),
            ("job", pa.string()),
            ("code_version", pa.string()),
            ("lakesmith_version", pa.string()),
            ("environment", pa.string()),
            ("spark_application", pa.string()),
            ("spark_jobs", pa.int64()),
            ("warnings", pa.string()),
            ("log", pa.string()),
            ("spark_ui", pa.string()),
            ("job_run", pa.string()),
            ("vcpu_hours", pa.float64()),
            ("memory_gb_hours", pa.float64()),
            ("storage_gb_hours", pa.float64()),
            ("cost", pa.float64()),
            ("currency", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        warnings = tuple(json.loads(row["warnings"] or "[]"))
        # Null in the rows of versions that did not write them down.
        links = {name: row.get(name) or "" for name in ("log", "spark_ui", "job_run", "currency")}
        return cls(**{**row, "outcome": RunOutcome(row["outcome"]), "warnings": warnings, **links})

    @property
    def seconds(self) -> float:
        """Wall time; 0 where the clock was set back in between."""
        return max(0.0, (self.finished_at - self.started_at).total_seconds())


@dataclass(frozen=True)
class QualityRecord(Record):
    """One expectation judged on one batch; `result` is the native validation result without values of subjects."""

    run_id: str
    table: str
    batch_date: date
    recorded_at: datetime
    rule: str
    expectation_type: str
    severity: str
    success: bool
    unexpected_count: int | None
    element_count: int | None
    result: Mapping[str, Any]

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("run_id", pa.string()),
            ("table", pa.string()),
            ("batch_date", pa.date32()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("rule", pa.string()),
            ("expectation_type", pa.string()),
            ("severity", pa.string()),
            ("success", pa.bool_()),
            ("unexpected_count", pa.int64()),
            ("element_count", pa.int64()),
            ("result", pa.string()),
        ]
    )


@dataclass(frozen=True)
class NightRecord(Record):
    """A run or backfill of the whole graph: the version of every table when it ended.

    Args:
        complete: nothing failed, was rejected, missing or blocked.
        versions: table -> version, quarantine tables included; those never published are left out.
        troubles: table -> why it is not whole.
    """

    first: date
    last: date
    recorded_at: datetime
    complete: bool
    versions: Mapping[str, int]
    troubles: Mapping[str, str] = field(default_factory=dict)

    schema: ClassVar[pa.Schema] = pa.schema(
        [
            ("first", pa.date32()),
            ("last", pa.date32()),
            ("recorded_at", pa.timestamp("us", tz="UTC")),
            ("complete", pa.bool_()),
            ("versions", pa.string()),
            ("troubles", pa.string()),
        ]
    )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The record of a row as pyarrow gives it."""
        return cls(
            **{**row, "versions": json.loads(row["versions"]), "troubles": json.loads(row["troubles"])}
        )


@cache
def _fingerprints(text: str) -> Fingerprints:
    """Of thousands of records that differ in a few: most were made by the same code."""
    return Fingerprints(**json.loads(text))


def _plain(value: Any) -> Any:
    if isinstance(value, Fingerprints | InputRead | Restored):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value

"""Extraction: the answer of a database to a day's query becomes that day's landing file, once.

Owns the order of the steps, on which it hangs that nobody sees half an extract: read into a hidden folder, hash, write the
manifest, and put the file in its place by one rename. A day that was extracted is left alone, without a question to the database,
until somebody asks for it again; what is there then is kept. An extraction that was killed just before its rename is finished by
whoever comes next, and what was killed before that is made anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path

import pyarrow.parquet as pq

from lakesmith.config.sections.outside import ConnectionSettings
from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import OnMissing, Source
from lakesmith.engine.context import Context
from lakesmith.engine.recording import new_run_id
from lakesmith.errors import ConfigurationError, ExitCode, InputMissing, LakesmithError, UsageError
from lakesmith.faults import Step, step
from lakesmith.lake.lease import hold
from lakesmith.ledger.audit_trail import Action, AuditRecord, actor
from lakesmith.ledger.extracts import (
    EXTRACTING,
    REPLACED,
    Extract,
    ExtractAltered,
    ExtractedFolder,
    ManifestBroken,
    Snapshot,
    extract_path,
    manifest_path,
    staged_path,
)
from lakesmith.ledger.ops import now

__all__ = ["DayExtract", "ExtractOutcome", "Extraction", "NoRows", "databases", "days_to_extract", "extract"]


class NoRows(InputMissing):
    """A query has no row for a day on which its source is open (a retry can help)."""

    retryable = True

    def __init__(self, source: str, day: date, file: str) -> None:
        self.source, self.batch_date = source, day
        super().__init__(
            f"{source} {day}: the query has no row for an open day; nothing was landed. Extract it later, or, if "
            f"that is how it is, say `missing: empty`, or add the day to `closed`, in {file}."
        )


class ExtractOutcome(StrEnum):
    """What became of one day of a source."""

    LANDED = "landed"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    ALREADY = "already"
    CLOSED = "closed"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True)
class DayExtract:
    """One day of a source.

    Args:
        extract: what stands there now; None where nothing does.
        error: why it failed.
    """

    source: str
    batch_date: date
    outcome: ExtractOutcome
    extract: Extract | None = None
    error: LakesmithError | None = None

    def to_json(self) -> dict[str, object]:
        """For `--json` and `--outcome`."""
        found = self.extract
        return {
            "source": self.source,
            "batch_date": self.batch_date.isoformat(),
            "outcome": str(self.outcome),
            "run_id": found.run_id if found else None,
            "rows": found.file.rows if found else None,
            "size": found.file.size if found else None,
            "sha256": found.file.sha256 if found else None,
            "extracted_at": found.extracted_at.isoformat() if found else None,
            "snapshot": found.snapshot if found else None,
            "error": f"{type(self.error).__name__}: {self.error}" if self.error else None,
        }


@dataclass(frozen=True)
class Extraction:
    """What an extraction came to, day by day."""

    days: tuple[DayExtract, ...]

    @property
    def exit_code(self) -> ExitCode:
        """One code for all: 1 or 2 for an error, 3 for a refused answer (6 when other days were landed), then 5, then 4."""
        codes = [each.error.exit_code for each in self.days if each.error is not None]
        late = (ExitCode.REJECTED, ExitCode.BUSY, ExitCode.MISSING)
        hard = [code for code in codes if code not in late]
        if hard:
            return hard[0]
        if ExitCode.REJECTED in codes:
            landed = (ExitCode.PARTIAL for each in self.days if each.outcome in _DONE_NOW)
            return next(landed, ExitCode.REJECTED)
        return next((code for code in late if code in codes), ExitCode.DONE)

    @property
    def retryable(self) -> bool:
        """True when the same command can end better later without anybody mending anything."""
        errors = [each.error for each in self.days if each.error is not None]
        return bool(errors) and all(error.retryable for error in errors)

    def to_json(self) -> dict[str, object]:
        """The outcome for `--json` and `--outcome`."""
        return {
            "exit_code": int(self.exit_code),
            "outcome": self.exit_code.name.lower(),
            "retryable": self.retryable,
            "complete": all(each.outcome not in _UNDONE for each in self.days),
            "days": [each.to_json() for each in self.days],
        }


_ROW_GROUP = 1 << 17
_DONE_NOW = (ExtractOutcome.LANDED, ExtractOutcome.REPLACED, ExtractOutcome.UNCHANGED)
_UNDONE = (ExtractOutcome.FAILED, ExtractOutcome.NOT_TRIED)


def databases(context: Context, named: Sequence[str]) -> list[Source]:
    """The sources that are databases: those that are named, else all.

    Raises:
        UsageError: a name is that of no such source, or there is none.
    """
    known = {name: source for name, source in context.project.graph.sources.items() if source.extraction}
    for name in named:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UsageError(
                f"{name!r} is no source of kind jdbc; there are: {listed}. They are declared in conf/sources."
            )
    if not known:
        raise UsageError("no source is of kind jdbc, so there is nothing to extract; see docs/databases.md.")
    return [known[name] for name in dict.fromkeys(named or known)]


def days_to_extract(first: date | None, last: date | None) -> BatchRange:
    """The days that are asked for; without any the last one that is over, in UTC.

    Raises:
        UsageError: a day has not begun, or the range ends before it starts.
    """
    today = now().date()
    yesterday = today - timedelta(1)
    days = BatchRange(first or last or yesterday, last or first or yesterday)
    if days.last > today:
        raise UsageError(
            f"{days.last} has not begun yet (it is {today} in UTC), and a day is extracted once. "
            f"Give a day that is over, or none for {yesterday}."
        )
    return days


def extract(
    context: Context, sources: Iterable[Source], days: BatchRange, *, again: bool = False, why: str = ""
) -> Extraction:
    """Lands what was not landed yet.

    Args:
        again: extract also what was; the file that is there is kept aside.
        why: of that, in the person's own words.

    Raises:
        ConfigurationError: the landing root is no folder, into which an extract could be renamed whole.
    """
    root = context.settings.landing_root
    if "://" in root:
        raise ConfigurationError(
            f"databases are extracted into folders, and the landing root is {root}. Extract with LAKESMITH__LANDING_ROOT set to "
            f"a folder, and bring its files to {root}, manifests included."
        )
    found: list[DayExtract] = []
    for source in sources:
        stopped = False
        for day in days:
            if day < source.start:
                continue
            if stopped:
                found.append(DayExtract(source.name, day, ExtractOutcome.NOT_TRIED))
                continue
            try:
                found.append(_Day(context, source, day, again=again, why=why).carry_out())
            except LakesmithError as error:
                found.append(DayExtract(source.name, day, ExtractOutcome.FAILED, error=error))
                # What ails a day ails no other; what ails the database, the query or this machine does.
                stopped = getattr(error, "batch_date", None) is None
    return Extraction(tuple(found))


@dataclass(frozen=True)
class _Day:
    """One day of a source, while it is looked at."""

    context: Context
    source: Source
    day: date
    again: bool
    why: str

    def carry_out(self) -> DayExtract:
        """Lands the day unless it is there."""
        if self.source.calendar.is_closed(self.day):
            return self._came_to(ExtractOutcome.CLOSED)
        if not self.again and (standing := self._standing()) is not None:
            return self._came_to(ExtractOutcome.ALREADY, standing)
        run_id = new_run_id()
        with hold(self.context.lake, self._lease, run_id, self.context.settings.lease):
            return self._land(run_id)

    @property
    def _lease(self) -> str:
        return f"extract.{self.source.name}"

    @property
    def _root(self) -> Path:
        return Path(self.context.settings.landing_root) / self.source.name

    @property
    def _folder(self) -> ExtractedFolder:
        folder = self.context.folder(self.source.name)
        assert isinstance(folder, ExtractedFolder)
        return folder

    def _came_to(self, outcome: ExtractOutcome, extract: Extract | None = None) -> DayExtract:
        return DayExtract(self.source.name, self.day, outcome, extract)

    def _standing(self) -> Extract | None:
        """The extract whose file is in its place; None when there is none, or it is about to be replaced.

        Raises:
            ExtractAltered: the file is another one.
        """
        found, there = self._folder.extract(self.day), self._file(extract_path(self.day))
        if there is None:
            return None
        if found is not None and there.sha256 == found.file.sha256:
            return found
        staged = self._file(staged_path(self.day))
        if found is not None and staged is not None and staged.sha256 == found.file.sha256:
            return None
        raise ExtractAltered(
            self.source.name, self.day, found.file.sha256 if found is not None else None, there.sha256
        )

    def _land(self, run_id: str) -> DayExtract:
        """As the holder of the lease: finishes what was left, or makes the extract."""
        left = self._finish_what_was_left()
        if not self.again:
            if left is not None:
                return left
            if (standing := self._standing()) is not None:  # landed while we waited
                return self._came_to(ExtractOutcome.ALREADY, standing)
        self._clear_what_was_left()
        made = self._read(run_id)
        there = self._file(extract_path(self.day))
        if there is not None and there.sha256 == made.file.sha256 and self._manifest_names(there):
            (self._root / staged_path(self.day)).unlink()
            self._leave_trail(run_id, changed=False)
            return self._came_to(ExtractOutcome.UNCHANGED, self._folder.extract(self.day))
        if there is not None:
            self._keep_aside(there)
        self._put(manifest_path(self.day), made.to_text())
        self._publish()
        self._leave_trail(run_id, changed=there is not None)
        return self._came_to(ExtractOutcome.REPLACED if there is not None else ExtractOutcome.LANDED, made)

    def _finish_what_was_left(self) -> DayExtract | None:
        """Puts a whole extract into its place that a crash kept from it; None when there is none."""
        staged = self._file(staged_path(self.day))
        try:
            found = self._folder.extract(self.day)
        except ManifestBroken:
            if self.again:
                return None
            raise
        if staged is None or found is None or staged.sha256 != found.file.sha256:
            return None
        self._publish()
        replaced = found.replaces is not None
        return self._came_to(ExtractOutcome.REPLACED if replaced else ExtractOutcome.LANDED, found)

    def _clear_what_was_left(self) -> None:
        """Removes what killed extractions were at; a whole extract of another day stays for whoever extracts that."""
        for path in (self._root / EXTRACTING).glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.suffix == ".part" or path == self._root / staged_path(self.day):
                path.unlink()

    def _manifest_names(self, there: Snapshot) -> bool:
        try:
            found = self._folder.extract(self.day)
        except ManifestBroken:
            return False
        return found is not None and found.file.sha256 == there.sha256

    def _read(self, run_id: str) -> Extract:
        """Asks the database, and leaves its answer as a whole file beside the day's place."""
        from lakesmith.lake.databases import query_answer

        connection = self._connection()
        folder = self._root / EXTRACTING / run_id
        with (
            step(Step.READ, self._lease),
            query_answer(self.context.spark, self.source, connection, self.day) as answer,
        ):
            names = [f"`{name.replace('`', '``')}`" for name, _ in answer.columns]
            # By all columns: an equal answer is an equal file, whatever order the database gives it in.
            answer.frame.sortWithinPartitions(*names).write.option("compression", "zstd").parquet(str(folder))
        with step(Step.STAGE, self._lease):
            (part,) = folder.glob("part-*.parquet")
            rows = pq.read_metadata(part).num_rows
            if rows == 0 and self.source.on_missing is OnMissing.ERROR:
                shutil.rmtree(folder)
                raise NoRows(self.source.name, self.day, self.source.file)
            whole = folder / "whole"
            _write_anew(part, whole)
            _to_disk(whole)
            whole.replace(self._root / staged_path(self.day))
            shutil.rmtree(folder)
        file = self._file(staged_path(self.day))
        assert file is not None, "it was put there a moment ago"
        assert self.source.extraction is not None
        return Extract(
            source=self.source.name,
            batch_date=self.day,
            run_id=run_id,
            connection=self.source.extraction.connection,
            database=answer.database,
            query=answer.query,
            query_digest=_digest_of(answer.query, answer.columns),
            snapshot=answer.snapshot,
            database_time=answer.database_time,
            extracted_at=now(),
            columns=answer.columns,
            file=Snapshot(extract_path(self.day), file.size, file.modified_ns, file.sha256, rows),
            replaces=self._replaced(),
            who=actor() if self.again else "",
            why=self.why,
        )

    def _connection(self) -> ConnectionSettings:
        assert self.source.extraction is not None
        name = self.source.extraction.connection
        found: Mapping[str, ConnectionSettings] = self.context.settings.connections
        if name not in found:
            known = ", ".join(found) or "none"
            raise ConfigurationError(
                f"{self.source.file}: the settings have no connection {name!r}; there are: {known}. Set "
                f"LAKESMITH__CONNECTIONS__{name.upper()}__URL, __USER and __PASSWORD, or connections.{name} in "
                f"conf/{self.context.settings.environment}.yml."
            )
        return found[name]

    def _replaced(self) -> Snapshot | None:
        there = self._file(extract_path(self.day))
        if there is None or not self._manifest_names(there):
            return there
        found = self._folder.extract(self.day)
        return found.file if found is not None else there

    def _keep_aside(self, there: Snapshot) -> None:
        """Keeps the file that is about to be replaced, with its manifest if it is the one that this names."""
        aside = self._root / REPLACED / str(self.day)
        aside.mkdir(parents=True, exist_ok=True)
        name = there.sha256[:16]
        file = self._root / extract_path(self.day)
        kept = aside / f"{name}.parquet"
        if not kept.exists():
            part = aside / f".{name}.part"
            shutil.copy2(file, part)
            _to_disk(part)
            part.replace(kept)
        if self._manifest_names(there):
            shutil.copy2(self._root / manifest_path(self.day), aside / f"{name}.manifest.json")

    def _put(self, path: str, text: str) -> None:
        """Writes a small file so that it is there whole or not at all."""
        part = self._root / EXTRACTING / f"{path}.part"
        part.write_text(text, encoding="utf-8")
        _to_disk(part)
        with step(Step.PUT, self._lease):
            part.replace(self._root / path)

    def _publish(self) -> None:
        with step(Step.PUBLISH, self._lease):
            (self._root / staged_path(self.day)).replace(self._root / extract_path(self.day))
            _to_disk(self._root)

    def _leave_trail(self, run_id: str, *, changed: bool) -> None:
        """Writes down that a person had a day extracted again."""
        if not self.again:
            return
        with step(Step.RECORD, self._lease):
            details = {"changed": changed}
            trail = AuditRecord(
                now(),
                actor(),
                Action.EXTRACT,
                self.source.name,
                self.day,
                self.day,
                self.why,
                (run_id,),
                details,
            )
            self.context.ledger.ops.append([trail])

    def _file(self, path: str) -> Snapshot | None:
        """A file of the source's folder by its content; None when it is not there."""
        try:
            with (self._root / path).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                found = os.fstat(stream.fileno())
        except FileNotFoundError:
            return None
        return Snapshot(path, found.st_size, found.st_mtime_ns, digest, None)


def _digest_of(query: str, columns: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(repr((query, tuple(columns))).encode()).hexdigest()


def _write_anew(written: Path, anew: Path) -> None:
    """The same rows as bytes that hang on them alone.

    Spark's writer lists the encodings of a column in the order of a hash table, which is another one in each JVM.
    """
    opened = pq.ParquetFile(written)
    with pq.ParquetWriter(
        anew, opened.schema_arrow.remove_metadata(), compression="zstd", store_schema=False
    ) as writer:
        for rows in opened.iter_batches(_ROW_GROUP, use_threads=False):
            writer.write_batch(rows)


def _to_disk(path: Path) -> None:
    """Has a file's content, or a folder's names, outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

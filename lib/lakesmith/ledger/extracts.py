"""Extracts: what was landed of a database, and whether a landing file still is that.

Owns the manifest beside each extract (`2011-03-01.manifest.json`), the names of an extract's files, and the landing folder of a
source that is a database. Making an extract is `lakesmith.engine.extracting`.

    2011-03-01.parquet             the day's file: what counts, read like any landing file
    2011-03-01.manifest.json       what it is: query, moment, rows, SHA-256; written before the file is put in its place
    .extracting/2011-03-01.parquet a whole extract that is about to be put there
    .extracting/<run>/             one that is being read
    .replaced/2011-03-01/          what `--again` put another extract in the place of

The file appears by one rename. Between the writing of its manifest and that rename the day is what it was before: without a file,
or with the file that the manifest says it replaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from lakesmith.errors import DataRejected, InputMissing, LakesmithError
from lakesmith.ledger.landing_store import FileFacts, LandingStore
from lakesmith.ledger.manifest import (
    DayFiles,
    DayState,
    InputIncomplete,
    LandingCandidate,
    LandingFile,
    LandingFolder,
    Manifest,
)

__all__ = [
    "EXTRACTING",
    "REPLACED",
    "Extract",
    "ExtractAltered",
    "ExtractedFolder",
    "ManifestBroken",
    "Snapshot",
    "extract_path",
    "manifest_path",
    "read_extract",
    "staged_path",
]

EXTRACTING = ".extracting"
"""Where extracts are made, in the source's landing folder."""

REPLACED = ".replaced"
"""Where extracts are kept that another one was put in the place of."""

_FORMAT = 1


class ManifestBroken(InputMissing):
    """The manifest of an extract cannot be read."""

    def __init__(self, source: str, day: date, detail: str) -> None:
        self.source, self.batch_date, self.detail = source, day, detail
        super().__init__(
            f"{source}/{manifest_path(day)} is no manifest of an extract ({detail}). Extract the day anew: "
            f"lakesmith extract {source} --date {day} --again --why TEXT"
        )


class ExtractAltered(DataRejected):
    """A landing file is not the one that was extracted.

    Args:
        source: its name.
        day: the batch.
        expected: the SHA-256 of the manifest; None where there is no manifest.
        found: the SHA-256 of the file.
    """

    def __init__(self, source: str, day: date, expected: str | None, found: str) -> None:
        self.source, self.batch_date, self.expected, self.found = source, day, expected, found
        file = f"{source}/{extract_path(day)}"
        why = (
            f"its manifest says SHA-256 {expected}, the file has {found}: it was altered after its extraction"
            if expected
            else f"it has no manifest, so that `lakesmith extract` did not land it (SHA-256 {found})"
        )
        super().__init__(
            f"{file}: {why}. Put the file back that was extracted, or extract the day anew: "
            f"lakesmith extract {source} --date {day} --again --why TEXT"
        )


@dataclass(frozen=True)
class Snapshot:
    """One Parquet file with all that a query gave.

    Args:
        path: relative to the source's landing folder.
        size: bytes.
        modified_ns: nanoseconds since 1970; says only whether the hash must be taken again to look.
        sha256: of its bytes, in hexadecimal.
        rows: how many it holds; None of a file that was not extracted.
    """

    path: str
    size: int
    modified_ns: int
    sha256: str
    rows: int | None

    def to_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "path": self.path,
            "size": self.size,
            "modified_ns": self.modified_ns,
            "sha256": self.sha256,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Extract:
    """What was landed of a source for a day, and how.

    Args:
        run_id: of the extraction.
        connection: its name in the settings; neither the user nor the password.
        database: the product and its version.
        query: the SQL that was asked.
        query_digest: the SHA-256 of that SQL and of the declared columns.
        snapshot: what moment of the database the rows are of, in words.
        database_time: the database's own clock when it was asked.
        extracted_at: this machine's clock when the answer was there.
        columns: name and type of each.
        file: the day's file.
        replaces: what it is put in the place of; None for the first extract of a day.
        who, why: of an extraction that was asked for again.
    """

    source: str
    batch_date: date
    run_id: str
    connection: str
    database: str
    query: str
    query_digest: str
    snapshot: str
    database_time: datetime
    extracted_at: datetime
    columns: tuple[tuple[str, str], ...]
    file: Snapshot
    replaces: Snapshot | None = None
    who: str = ""
    why: str = ""

    def to_text(self) -> str:
        """The manifest's text."""
        found = {
            "format": _FORMAT,
            "source": self.source,
            "batch_date": self.batch_date.isoformat(),
            "run_id": self.run_id,
            "connection": self.connection,
            "database": self.database,
            "query": self.query,
            "query_digest": self.query_digest,
            "snapshot": self.snapshot,
            "database_time": self.database_time.isoformat(),
            "extracted_at": self.extracted_at.isoformat(),
            "columns": dict(self.columns),
            "files": [self.file.to_json()],
            "replaces": self.replaces.to_json() if self.replaces else None,
            "who": self.who,
            "why": self.why,
        }
        return json.dumps(found, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The extract that `to_text` wrote.

        Raises:
            ValueError: the text is no manifest of a format that this version knows.
        """
        try:
            found: Mapping[str, Any] = json.loads(text)
            if found["format"] != _FORMAT:
                raise ValueError(f"format {found['format']!r}, expected {_FORMAT}")
            files: Sequence[Mapping[str, Any]] = found["files"]
            replaces = found["replaces"]
            return cls(
                source=found["source"],
                batch_date=date.fromisoformat(found["batch_date"]),
                run_id=found["run_id"],
                connection=found["connection"],
                database=found["database"],
                query=found["query"],
                query_digest=found["query_digest"],
                snapshot=found["snapshot"],
                database_time=datetime.fromisoformat(found["database_time"]),
                extracted_at=datetime.fromisoformat(found["extracted_at"]),
                columns=tuple(found["columns"].items()),
                file=Snapshot(**files[0]),
                replaces=Snapshot(**replaces) if replaces else None,
                who=found["who"],
                why=found["why"],
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def extract_path(day: date) -> str:
    """The day's file, relative to the source's landing folder."""
    return f"{day}.parquet"


def manifest_path(day: date) -> str:
    """Its manifest, likewise."""
    return f"{day}.manifest.json"


def staged_path(day: date) -> str:
    """A whole extract that is about to become the day's file, likewise."""
    return f"{EXTRACTING}/{day}.parquet"


def read_extract(store: LandingStore, source: str, day: date) -> Extract | None:
    """What the manifest of a day says; None when there is none.

    Raises:
        ManifestBroken: it is there and cannot be read.
    """
    name = manifest_path(day)
    if not store.has(f"{source}/{name}"):
        return None
    with store.open(f"{source}/{name}") as stream:
        text = stream.read()
    try:
        return Extract.from_text(text.decode())
    except ValueError as error:
        raise ManifestBroken(source, day, str(error)) from error


class ExtractedFolder(LandingFolder):
    """The landing folder of a source that is a database: a file counts if it is what its manifest says."""

    def extract(self, day: date) -> Extract | None:
        """What the manifest of a day says, whether or not its file is there; None when there is none.

        Raises:
            ManifestBroken: the manifest cannot be read.
        """
        return read_extract(self._store, self.source.name, day)

    def pin(self, day: date | DayFiles, known: Manifest | None = None) -> Manifest:
        """The day's file by its content; see `LandingFolder.pin`.

        Raises:
            ExtractAltered: the file is not the one that was extracted.
        """
        pinned = super().pin(day, known)
        for file in pinned.files:
            self._check(pinned.batch_date, file)
        return pinned

    def _judge(
        self, day: date, paths: Sequence[str], marked: bool, now_ns: int, known: Mapping[str, FileFacts]
    ) -> DayFiles:
        found = super()._judge(day, paths, marked, now_ns, known)
        if found.state is not DayState.PRESENT:
            return found
        (candidate,) = found.files
        try:
            extract = self.extract(day)
            if extract is None or not _looks_like(candidate, extract.file):
                # Copied or altered: only its content tells.
                self._check(day, self._pin(candidate, None))
        except LakesmithError as error:
            return DayFiles(day, DayState.INCOMPLETE, str(error), found.files, error)
        return found

    def _without_files(self, day: date, written: date | None) -> DayFiles:
        if self.source.calendar.is_closed(day):
            return super()._without_files(day, written)
        name = self.source.name
        command = f"lakesmith extract {name} --date {day}"
        error = InputIncomplete(f"{name} {day} was not extracted yet. Extract it: {command}")
        return DayFiles(day, DayState.INCOMPLETE, f"not extracted yet; extract it: {command}", error=error)

    def _check(self, day: date, file: LandingFile) -> None:
        extract = self.extract(day)
        if extract is not None and file.sha256 == extract.file.sha256:
            return
        under_way = extract is not None and self._is_under_way(day, extract, file)
        if not under_way:
            raise ExtractAltered(self.source.name, day, extract.file.sha256 if extract else None, file.sha256)

    def _is_under_way(self, day: date, extract: Extract, file: LandingFile) -> bool:
        """True while the file is still the one that the manifest's own is about to replace."""
        replaced = extract.replaces is not None and extract.replaces.sha256 == file.sha256
        return replaced and self._store.has(f"{self.source.name}/{staged_path(day)}")


def _looks_like(found: LandingCandidate, known: Snapshot) -> bool:
    return (found.size, found.modified_ns) == (known.size, known.modified_ns)

"""Manifests: which landing files make up a batch of a source, pinned by content.

Owns the matching of path patterns, the state of a source's day and the content hash. Reading records out of
the files is `lakesmith.lake.records`; how a file is reached, and that nothing outside the landing root is, is
`lakesmith.ledger.landing_store`.

What counts as a file of a day:

- `{batch_date}` in a pattern stands for YYYY-MM-DD, `*` for any part of one name; as in a shell, a leading
  `*` does not match a name that starts with a dot. A name whose date no calendar has is no file of any day.
- A file that two patterns match counts once; the marker file never does. `X` beside `X.gz` is one file
  delivered twice, or gzip at work: the day is incomplete.
- A file without a date in its name (an undated source) belongs to the day, in UTC, on which it was last written, and to the first
  day of history if that was before: it is all that the source holds since then. On other days nothing is due.
- What is named like a file of the day but can't be one (a folder, a link to nothing, a link out of the
  landing root) makes the day incomplete, with the error that `pin` then raises.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from lakesmith.aws.s3 import S3_BY_DEFAULT, S3Access
from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import OnMissing, Source
from lakesmith.errors import ConfigurationError, InputChanged, InputMissing, LakesmithError
from lakesmith.ledger.landing_store import Entry, FileFacts, LandingUnreadable, landing_store, shown

__all__ = [
    "DayFiles",
    "DayState",
    "InputIncomplete",
    "LandingCandidate",
    "LandingFile",
    "LandingFolder",
    "Manifest",
]

_GZIP = ".gz"
_PATTERN_PARTS = re.compile(r"\{batch_date\}|\*|[^{*]+|\{")


class InputIncomplete(InputMissing):
    """The files of a day are not all there yet (a retry can help)."""

    retryable = True


class DayState(StrEnum):
    """What the landing folder holds for a day."""

    PRESENT = "present"
    INCOMPLETE = "incomplete"
    MISSING = "missing"
    CLOSED = "closed"


@dataclass(frozen=True)
class LandingCandidate:
    """A file found for a day, not read yet.

    Args:
        path: relative to the source's landing folder, with `/`.
        size: bytes.
        modified_ns: nanoseconds since 1970.
        etag: the store's own mark of the content; empty where it has none.
    """

    path: str
    size: int
    modified_ns: int
    etag: str = ""

    @property
    def facts(self) -> FileFacts:
        """What the store said of it."""
        return FileFacts(self.size, self.modified_ns, self.etag)


@dataclass(frozen=True)
class LandingFile:
    """A file of a batch, pinned.

    Args:
        path: relative to the source's landing folder, with `/`.
        size: bytes.
        modified_ns: nanoseconds since 1970; says only whether the hash must be taken again.
        sha256: of the file's bytes as they are (compressed ones too), in hexadecimal.
        etag: the store's own mark of the content, which says so, too; empty where it has none.
    """

    path: str
    size: int
    modified_ns: int
    sha256: str
    etag: str = ""

    @property
    def facts(self) -> FileFacts:
        """What the store said of it."""
        return FileFacts(self.size, self.modified_ns, self.etag)


@dataclass(frozen=True)
class DayFiles:
    """What the landing folder holds for one day.

    Args:
        reason: why the day is not present; empty when it is.
        files: what was found, by path; also for an incomplete day.
        error: what pinning the day raises; None for a day that can be pinned.
    """

    batch_date: date
    state: DayState
    reason: str = ""
    files: tuple[LandingCandidate, ...] = ()
    error: LakesmithError | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Manifest:
    """The files of one batch of a source, by path; none on a closed day."""

    source: str
    batch_date: date
    files: tuple[LandingFile, ...] = ()

    @property
    def digest(self) -> str:
        """Names and contents in one hash; times and sizes do not enter it."""
        named = json.dumps([[file.path, file.sha256] for file in self.files], separators=(",", ":"))
        return hashlib.sha256(named.encode()).hexdigest()

    def to_files(self) -> tuple[dict[str, Any], ...]:
        """The files as JSON values, for a record of the ledger."""
        return tuple(
            {key: value for key, value in asdict(file).items() if value != ""} for file in self.files
        )

    @classmethod
    def from_files(cls, source: str, batch_date: date, files: Iterable[Mapping[str, Any]]) -> Self:
        """The manifest whose files `to_files` gave."""
        return cls(source, batch_date, tuple(LandingFile(**file) for file in files))


class LandingFolder:
    """The landing folder of one source: `<landing_root>/<source>`.

    Args:
        source: its contract.
        landing_root: the folder that holds a folder per source.
        s3: how S3 is reached, if the root lies there.
        clock: tells the time, for sources whose files must have been stable for a while.

    Raises:
        ConfigurationError: a pattern is absolute or holds `..`.
    """

    def __init__(
        self,
        source: Source,
        landing_root: str | Path,
        s3: S3Access = S3_BY_DEFAULT,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.source = source
        self.landing_root = str(landing_root)
        self._store = landing_store(landing_root, s3)
        self._clock = clock
        self._patterns = [_Pattern(text, source) for text in source.patterns]
        marker = source.completion.marker
        self._markers = [_Pattern(marker, source)] if marker else []

    def days(self, first: date, last: date) -> Mapping[date, DayFiles]:
        """What is there for each day from `first` to `last`, both included; each folder is listed once.

        Raises:
            UsageError: `last` lies before `first`.
            LandingEscape: the source's folder, or a folder that a pattern names, leads out of the landing
                root.
            LandingUnreadable: such a folder may not be listed.
        """
        wanted = BatchRange(first, last)
        # On whatever day an undated file was written, the others are to know.
        found, markers, known = self._scan(None if self.source.undated else wanted)
        now_ns = int(self._clock().timestamp() * 1_000_000_000)
        written = max(found, default=None)
        return {
            day: self._judge(day, found[day], day in markers, now_ns, known)
            if day in found
            else self._without_files(day, written)
            for day in wanted
        }

    def all_days(self) -> list[date]:
        """Every day that has a file, oldest first, whether complete or not.

        Raises:
            LandingEscape: a folder leads out of the landing root.
            LandingUnreadable: a folder may not be listed.
        """
        found, _, _ = self._scan(None)
        return sorted(found)

    def pin(self, day: date | DayFiles, known: Manifest | None = None) -> Manifest:
        """The files of a day with the hash of their contents.

        Args:
            day: a day, or what `days` said of it.
            known: an earlier manifest; a file whose size and time are those of its entry is not read again.
                To look, that is enough; a run that publishes pins without, since a file can be replaced and
                keep both.

        Raises:
            InputMissing: no file on an open day, and the source does not take that for an empty batch.
            InputIncomplete: the day is not complete yet.
            InputChanged: a file was written to while it was hashed.
            LandingEscape: a link leads out of the landing root.
            LandingUnreadable: a folder, a pipe, a link to nothing, or a file without permission.
        """
        if not isinstance(day, DayFiles):
            day = self.days(day, day)[day]
        if day.error is not None:
            raise day.error
        entries = {file.path: file for file in known.files} if known else {}
        pinned = [self._pin(candidate, entries.get(candidate.path)) for candidate in day.files]
        return Manifest(self.source.name, day.batch_date, tuple(pinned))

    def _pin(self, found: LandingCandidate, known: LandingFile | None) -> LandingFile:
        if known is not None and known.facts == found.facts:
            return known
        path = f"{self.source.name}/{found.path}"
        with self._store.open(path) as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        facts = self._store.facts(path)
        if facts != found.facts or facts.size != size:
            raise InputChanged(
                f"the landing file {path!r} was written to while it was read. "
                f"Run again once it is complete; "
                f"`complete: {{stable_for: 10m}}` in {self.source.file} waits for that."
            )
        return LandingFile(found.path, size, facts.modified_ns, digest, facts.etag)

    def _scan(
        self, wanted: BatchRange | None
    ) -> tuple[dict[date, list[str]], set[date], dict[str, FileFacts]]:
        """The paths found for each day, the days that have a marker, and what listings told of files by the way."""
        listed: dict[str, list[Entry]] = {}
        marked = {
            path: day for pattern in self._markers for path, day in self._matches(pattern, wanted, listed)
        }
        found: dict[date, set[str]] = {}
        for pattern in self._patterns:
            for path, day in self._matches(pattern, wanted, listed):
                if path not in marked:
                    found.setdefault(day, set()).add(path)
        known = {
            f"{folder}/{entry.name}" if folder else entry.name: entry.facts
            for folder, entries in listed.items()
            for entry in entries
            if entry.facts is not None
        }
        return {day: sorted(paths) for day, paths in found.items()}, set(marked.values()), known

    def _matches(
        self, pattern: _Pattern, wanted: BatchRange | None, listed: dict[str, list[Entry]]
    ) -> list[tuple[str, date]]:
        """The paths that a pattern matches, with their days; `listed` remembers folders already listed."""
        level: list[tuple[str, date | None]] = [("", None)]
        for depth, matcher in enumerate(pattern.parts):
            last = depth == len(pattern.parts) - 1
            below: list[tuple[str, date | None]] = []
            for folder, known in level:
                if folder not in listed:
                    listed[folder] = self._store.entries(f"{self.source.name}/{folder}".rstrip("/"))
                for entry in listed[folder]:
                    if not last and not entry.folder:
                        continue
                    name = entry.name
                    matched, day = matcher(name)
                    if not matched or (day and known and day != known):
                        continue
                    day = day or known
                    if day is None or wanted is None or day in wanted:
                        below.append((f"{folder}/{name}" if folder else name, day))
            level = below
        if self.source.undated:
            dated = [(path, self._written_on(path)) for path, _ in level]
            return [(path, day) for path, day in dated if wanted is None or day in wanted]
        return [(path, day) for path, day in level if day is not None]

    def _written_on(self, path: str) -> date:
        """The day to which an undated file belongs; of one that cannot be looked at today, since it is now that it is broken."""
        try:
            modified_ns = self._store.facts(f"{self.source.name}/{path}").modified_ns
        except LakesmithError:
            return self._clock().date()
        return self._day_of(modified_ns)

    def _day_of(self, modified_ns: int) -> date:
        written = datetime.fromtimestamp(modified_ns // 1_000_000_000, UTC).date()
        return max(written, self.source.start)

    def _judge(
        self, day: date, paths: Sequence[str], marked: bool, now_ns: int, known: Mapping[str, FileFacts]
    ) -> DayFiles:
        files: list[LandingCandidate] = []
        for path in paths:
            try:
                _check_name(path)
                facts = known.get(path) or self._store.facts(f"{self.source.name}/{path}")
            except LakesmithError as error:
                return DayFiles(day, DayState.INCOMPLETE, str(error), tuple(files), error)
            if self.source.undated and self._day_of(facts.modified_ns) != day:
                changed = InputIncomplete(f"{self.source.name} {day}: {path} is being replaced. Run again.")
                return DayFiles(day, DayState.INCOMPLETE, str(changed), (), changed)
            files.append(LandingCandidate(path, facts.size, facts.modified_ns, facts.etag))
        reason = self._incomplete(day, files, marked, now_ns)
        if reason:
            waiting = InputIncomplete(f"{self.source.name} {day}: {reason}")
            return DayFiles(day, DayState.INCOMPLETE, reason, tuple(files), waiting)
        return DayFiles(day, DayState.PRESENT, files=tuple(files))

    def _without_files(self, day: date, written: date | None) -> DayFiles:
        """What is said of a day without files.

        Args:
            written: of an undated source, the day on which its file was last written; None when there is none.
        """
        if self.source.undated and written is not None:
            said = f"{self.source.patterns[0]} was last written on {written}"
            return DayFiles(day, DayState.CLOSED, said)
        if self.source.calendar.is_closed(day):
            return DayFiles(day, DayState.CLOSED, "closed by the source's calendar")
        looked_for = " or ".join(pattern.on(day) for pattern in self._patterns)
        reason = f"no file {looked_for} in {self.landing_root}/{self.source.name}"
        if self.source.on_missing is OnMissing.EMPTY:
            return DayFiles(day, DayState.MISSING, reason)
        shut = f"or, if the source was shut that day, add it to `closed` in {self.source.file}; "
        shut = "" if self.source.undated else shut
        error = InputMissing(
            f"{self.source.name} has no file for {day}: looked for {looked_for} in "
            f"{self.landing_root}/{self.source.name}. Deliver the file; {shut}"
            f"or point LAKESMITH__LANDING_ROOT at the right folder."
        )
        return DayFiles(day, DayState.MISSING, reason, error=error)

    def _incomplete(self, day: date, files: Sequence[LandingCandidate], marked: bool, now_ns: int) -> str:
        """Why the files are not all there yet; empty when they are."""
        paths = {file.path for file in files}
        for path in sorted(paths):
            if path + _GZIP in paths:
                return (
                    f"{shown(path)} is there twice, plain and as {shown(path + _GZIP)}. Remove one of them."
                )
        if self._markers and not marked:
            return f"the marker {self._markers[0].on(day)} is not there yet. Run again once it is."
        stable_for = self.source.completion.stable_for
        if stable_for is not None:
            newest = max(files, key=lambda file: file.modified_ns)
            age = (now_ns - newest.modified_ns) / 1_000_000_000
            if age < stable_for.total_seconds():
                return (
                    f"{shown(newest.path)} was written {age:.0f} s ago and must rest for "
                    f"{stable_for.total_seconds():.0f} s. Run again later."
                )
        return ""


class _Pattern:
    """A path pattern, compiled: a matcher for each part between the slashes."""

    def __init__(self, text: str, source: Source) -> None:
        names = text.split("/")
        has_day = "{batch_date}" in text
        if any(name in ("", ".", "..") for name in names) or has_day == source.undated:
            raise ConfigurationError(
                f"{source.file or source.name}: the pattern {text!r} must be a path below the source's "
                f"landing folder, without `..`, with {{batch_date}} in it, for example '{{batch_date}}.csv'."
            )
        self.text = text
        self.parts = [_matcher(name) for name in names]

    def on(self, day: date) -> str:
        """The pattern as it reads on a day, for messages."""
        return self.text.replace("{batch_date}", day.isoformat())


def _matcher(pattern: str) -> Callable[[str], tuple[bool, date | None]]:
    """Tells whether a name matches, and the day that it names, if any."""
    spelled = {"{batch_date}": r"(\d{4}-\d{2}-\d{2})", "*": ".*"}
    parts = _PATTERN_PARTS.findall(pattern)
    hidden = r"(?!\.)" if parts[0] == "*" else ""
    regex = re.compile(
        hidden + "".join(spelled.get(part, re.escape(part)) for part in parts), re.DOTALL | re.ASCII
    )

    def match(name: str) -> tuple[bool, date | None]:
        found = regex.fullmatch(name)
        if found is None:
            return False, None
        if not found.groups():
            return True, None
        try:
            days = {date.fromisoformat(text) for text in found.groups()}
        except ValueError:
            return False, None
        return len(days) == 1, days.pop()

    return match


def _check_name(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise LandingUnreadable(shown, "has a name that is not UTF-8") from None

"""Delta tables of others as sources: which days they hold, and what each day's rows are, without Spark.

Owns how such a table is looked at and pinned. It is only ever read. A day of it is one entry of a manifest, as a landing file is:
its name is the day, its hash that of the day's rows, whatever files they are in. `modified_ns` is a number made of the list of
files that may hold the day: while that stays the same, no row is read again. So an append to an old day changes that day, and a
compaction, which rewrites files and changes no row, changes none.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import OnMissing, Source
from lakesmith.errors import InputMissing, LakesmithError, UnsupportedTable
from lakesmith.ledger.manifest import DayFiles, DayState, LandingCandidate, LandingFile, Manifest

__all__ = ["ExternalTable", "ExternalUnreadable"]

# Reader features that both deltalake and Spark read as they are.
_FEATURES = frozenset({"timestampNtz"})
_MODULUS = 1 << 128


class ExternalUnreadable(InputMissing):
    """The Delta table of somebody else is gone, or not as its source declares it."""

    def __init__(self, source: str, path: str, reason: str, file: str) -> None:
        self.source, self.path, self.reason = source, path, reason
        super().__init__(f"{source}: {reason} at {path}. Ask who makes the table, or change {file}.")


@dataclass(frozen=True)
class _Files:
    """The files that may hold rows of a day."""

    paths: tuple[str, ...]
    size: int

    @property
    def number(self) -> int:
        """Another set of files has another number, as good as always."""
        text = "\n".join(sorted(self.paths))
        return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


class ExternalTable:
    """One table of somebody else, at the version that was the newest when it was first looked at.

    Args:
        source: its contract.
        path: a folder or a URI.
        storage_options: what deltalake needs to reach it.
    """

    def __init__(self, source: Source, path: str, storage_options: Mapping[str, str]) -> None:
        self.source = source
        self.path = path
        self._options = dict(storage_options)

    @property
    def version(self) -> int | None:
        """The version that is looked at; None when the table cannot be read."""
        return self._opened.version() if isinstance(self._opened, DeltaTable) else None

    def days(self, first: date, last: date) -> Mapping[date, DayFiles]:
        """What the table holds for each day, both ends included."""
        wanted = BatchRange(first, last)
        if isinstance(self._opened, LakesmithError):
            error = self._opened
            reason = error.reason if isinstance(error, ExternalUnreadable | UnsupportedTable) else str(error)
            return {day: DayFiles(day, DayState.INCOMPLETE, reason, (), error) for day in wanted}
        return {day: self._judge(day) for day in wanted}

    def all_days(self) -> list[date]:
        """Every day that has a row, oldest first; none when the table cannot be read."""
        return sorted(self._held) if isinstance(self._opened, DeltaTable) else []

    def pin(self, day: date | DayFiles, known: Manifest | None = None) -> Manifest:
        """A day with the hash of its rows.

        Args:
            known: an earlier manifest; rows in the files that it was made from are not read again.

        Raises:
            ExternalUnreadable, UnsupportedTable: the table cannot be read, or has no row of the day on an open day.
        """
        if not isinstance(day, DayFiles):
            day = self.days(day, day)[day]
        if day.error is not None:
            raise day.error
        entries = {file.path: file for file in known.files} if known else {}
        pinned = []
        for found in day.files:
            before = entries.get(found.path)
            if before is None or (before.size, before.modified_ns) != (found.size, found.modified_ns):
                digest = self._digest(day.batch_date)
                before = LandingFile(found.path, found.size, found.modified_ns, digest)
            pinned.append(before)
        return Manifest(self.source.name, day.batch_date, tuple(pinned))

    def rows(self, first: date, last: date) -> Mapping[date, int]:
        """How many rows the days have, both ends included; a day without rows is not in it.

        Raises:
            ExternalUnreadable, UnsupportedTable: the table cannot be read.
        """
        name = self.source.date_column
        span = f"BETWEEN DATE '{first.isoformat()}' AND DATE '{last.isoformat()}'"
        counted = self._query(
            f'SELECT "{name}" AS day, count(*) AS found FROM source WHERE "{name}" {span} GROUP BY "{name}"'
        )
        return {row["day"]: row["found"] for batch in counted for row in batch.to_pylist()}

    def _judge(self, day: date) -> DayFiles:
        files = self._held.get(day)
        if files is not None:
            candidate = LandingCandidate(day.isoformat(), files.size, files.number)
            return DayFiles(day, DayState.PRESENT, files=(candidate,))
        if self.source.calendar.is_closed(day):
            return DayFiles(day, DayState.CLOSED, "closed by the source's calendar")
        reason = f"no row with {self.source.date_column} = {day} in version {self.version} of {self.path}"
        if self.source.on_missing is OnMissing.EMPTY:
            return DayFiles(day, DayState.MISSING, reason)
        error = InputMissing(
            f"{self.source.name} has no row for {day}: {reason}. Wait for whoever makes the table; or, if nothing was due "
            f"that day, add it to `closed` in {self.source.file}, or write `missing: empty` there."
        )
        return DayFiles(day, DayState.MISSING, reason, error=error)

    @cached_property
    def _opened(self) -> DeltaTable | LakesmithError:
        """The table, or why it cannot be read."""
        source = self.source
        try:
            table = DeltaTable(self.path, storage_options=self._options)
        except TableNotFoundError:
            return ExternalUnreadable(source.name, self.path, "there is no Delta table", source.file)
        except DeltaError as error:
            return ExternalUnreadable(
                source.name,
                self.path,
                f"the Delta table cannot be opened ({type(error).__name__})",
                source.file,
            )
        protocol = table.protocol()
        features = sorted({*(protocol.reader_features or ())} - _FEATURES)
        if features or protocol.min_reader_version == 2:
            named = ", ".join(features) or "column mapping"
            return UnsupportedTable(
                source.name,
                f"the table at {self.path} uses a Delta feature that only some readers know ({named}), so its days cannot "
                f"be told apart without Spark. Ask who makes it to switch that off, or to offer a copy without it.",
            )
        found = {field["name"]: field["type"] for field in json.loads(table.schema().to_json())["fields"]}
        lost = [c.header for c in source.columns if c.required and c.header not in found]
        if lost:
            reason = f"the Delta table has no column {', '.join(lost)} any more"
            return ExternalUnreadable(source.name, self.path, reason, source.file)
        if found.get(source.date_column) != "date":
            kind = found.get(source.date_column)
            what = f"is of type {kind}, not a date," if kind else "is no column of the Delta table"
            reason = f"date_column {source.date_column} {what}"
            return ExternalUnreadable(source.name, self.path, reason, source.file)
        return table

    @property
    def _table(self) -> DeltaTable:
        if not isinstance(self._opened, DeltaTable):
            raise self._opened
        return self._opened

    @cached_property
    def _held(self) -> Mapping[date, _Files]:
        """The files of every day that has a row."""
        name = self.source.date_column
        actions = pa.RecordBatchReader.from_stream(self._table.get_add_actions(flatten=True)).read_all()
        if not actions.num_rows:
            return {}
        names = actions.column_names
        partitioned = f"partition.{name}" in names
        low, high = (f"partition.{name}",) * 2 if partitioned else (f"min.{name}", f"max.{name}")
        absent = [None] * actions.num_rows
        spans = zip(
            actions["path"].to_pylist(),
            actions["size_bytes"].to_pylist(),
            actions[low].to_pylist() if low in names else absent,
            actions[high].to_pylist() if high in names else absent,
            strict=True,
        )
        exact: dict[date, list[tuple[str, int]]] = defaultdict(list)
        wide: list[tuple[str, int, date | None, date | None]] = []
        for path, size, first, last in spans:
            if first is not None and first == last:
                exact[first].append((path, size))
            elif not partitioned:
                wide.append((path, size, first, last))
        days = {*exact, *(self._counted if wide else ())}
        held = {}
        for day in days:
            files = list(exact.get(day, ()))
            # A file without statistics may hold any day.
            files += [
                (p, s)
                for p, s, low_day, high_day in wide
                if low_day is None or high_day is None or low_day <= day <= high_day
            ]
            held[day] = _Files(tuple(path for path, _ in files), sum(size for _, size in files))
        return held

    @cached_property
    def _counted(self) -> frozenset[date]:
        """The days that have a row, from the column itself: only where a file holds several days."""
        name = self.source.date_column
        rows = self._query(f'SELECT DISTINCT "{name}" AS day FROM source WHERE "{name}" IS NOT NULL')
        return frozenset(row["day"] for batch in rows for row in batch.to_pylist())

    def _digest(self, day: date) -> str:
        """The rows of a day as one hash, whatever their order and their files."""
        fields = {field.name: str(field.type) for field in self._table.schema().fields}
        columns = [column.header for column in self.source.columns if column.header in fields]
        listed = ", ".join(f'"{name}"' for name in columns)
        count = total = 0
        where = f"\"{self.source.date_column}\" = DATE '{day.isoformat()}'"
        for batch in self._query(f"SELECT {listed} FROM source WHERE {where}"):
            for row in batch.to_pylist():
                text = json.dumps([row[name] for name in columns], default=_exact, separators=(",", ":"))
                count += 1
                total += int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
        kinds = [[name, fields[name]] for name in columns]
        whole = json.dumps([kinds, count, total % _MODULUS], separators=(",", ":"))
        return hashlib.sha256(whole.encode()).hexdigest()

    def _query(self, sql: str) -> Iterator[pa.RecordBatch]:
        found = QueryBuilder().register("source", self._table).execute(sql)
        yield from pa.RecordBatchReader.from_stream(found)


def _exact(value: Any) -> Any:
    """A value that JSON does not know, as a text that no other value has."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)

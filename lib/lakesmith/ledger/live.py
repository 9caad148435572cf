"""What a table holds right now, from its Delta log: the live files of every batch at one version."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa
from deltalake import DeltaTable

from lakesmith.contracts.model import BATCH_DATE

__all__ = ["AS_COMMITTED", "NO_FILES", "LiveBatch", "LiveTable", "files_digest"]

NO_FILES = "none"
"""The digest of a batch without live files."""

AS_COMMITTED = "as committed"
"""Stands in a commit's own record for the digest of files that got their names only by the commit itself."""


@dataclass(frozen=True)
class LiveBatch:
    """The live files of one batch.

    Args:
        paths: relative to the table's folder.
        rows: from the files' statistics; None when a file has none.
        size: bytes.
    """

    paths: tuple[str, ...]
    rows: int | None
    size: int

    @cached_property
    def digest(self) -> str:
        """Changes whenever anybody adds, removes or rewrites a file of the batch."""
        return files_digest(self.paths)


@dataclass(frozen=True)
class LiveTable:
    """The live files of a table at one version, by batch."""

    version: int
    batches: Mapping[date, LiveBatch]

    @classmethod
    def of(cls, table: DeltaTable) -> LiveTable:
        """Reads the log of an opened table; no data file is touched."""
        # A stream, since `pa.table` imports pandas to look whether it was given a frame.
        actions = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()
        paths: dict[date, list[str]] = defaultdict(list)
        rows: dict[date, int | None] = defaultdict(int)
        sizes: dict[date, int] = defaultdict(int)
        names = actions.column_names
        counts = actions["num_records"].to_pylist() if "num_records" in names else [None] * actions.num_rows
        days = actions[f"partition.{BATCH_DATE}"].to_pylist() if actions.num_rows else []
        for path, size, day, count in zip(
            actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), days, counts, strict=True
        ):
            paths[day].append(path)
            sizes[day] += size
            so_far = rows[day]
            rows[day] = None if count is None or so_far is None else so_far + count
        return cls(
            version=table.version(),
            batches={
                day: LiveBatch(tuple(sorted(found)), rows[day], sizes[day]) for day, found in paths.items()
            },
        )

    def files_of(self, day: date) -> str:
        """The digest of the batch's live files; `NO_FILES` when it has none."""
        return self.batches[day].digest if day in self.batches else NO_FILES


def files_digest(paths: Iterable[str]) -> str:
    """One text for a set of paths, whatever their order."""
    listed = sorted(paths)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:32] if listed else NO_FILES

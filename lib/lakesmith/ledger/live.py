"""What a table holds right now, from its Delta log: the live files of every batch (or bucket) at one version."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakesmith.contracts.model import BATCH_DATE, KEY_BUCKET

__all__ = ["AS_COMMITTED", "NO_FILES", "LiveBatch", "LiveTable", "files_digest", "files_of"]

NO_FILES = "none"
"""The digest of a batch without live files."""

AS_COMMITTED = "as committed"
"""Stands in a commit's own record for the digest of files that got their names only by the commit itself."""


@dataclass(frozen=True)
class LiveBatch:
    """The live files of one batch, or of one bucket of a keyed table.

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
    """The live files of a table at one version, by batch; those of a keyed table by bucket."""

    version: int
    batches: Mapping[date, LiveBatch]
    buckets: Mapping[int, LiveBatch] = field(default_factory=dict)

    @classmethod
    def of(cls, table: DeltaTable) -> LiveTable:
        """Reads the log of an opened table; no data file is touched."""
        # A stream, since `pa.table` imports pandas to look whether it was given a frame.
        actions = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()
        paths: dict[Any, list[str]] = defaultdict(list)
        rows: dict[Any, int | None] = defaultdict(int)
        sizes: dict[Any, int] = defaultdict(int)
        names = actions.column_names
        counts = actions["num_records"].to_pylist() if "num_records" in names else [None] * actions.num_rows
        by_bucket = f"partition.{KEY_BUCKET}" in names
        column = KEY_BUCKET if by_bucket else BATCH_DATE
        parts = actions[f"partition.{column}"].to_pylist() if actions.num_rows else []
        for path, size, part, count in zip(
            actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), parts, counts, strict=True
        ):
            paths[part].append(path)
            sizes[part] += size
            so_far = rows[part]
            rows[part] = None if count is None or so_far is None else so_far + count
        found = {part: LiveBatch(tuple(sorted(of)), rows[part], sizes[part]) for part, of in paths.items()}
        return cls(table.version(), {}, found) if by_bucket else cls(table.version(), found)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """All live files, relative to the table's folder."""
        parts = (*self.batches.values(), *self.buckets.values())
        return tuple(path for part in parts for path in part.paths)

    @cached_property
    def files(self) -> str:
        """The digest of all live files; `NO_FILES` when there are none."""
        return files_digest(self.paths)

    def rows_about(self, day: date) -> int:
        """The rows of the batch, or of the last one before it; 0 where there is none, or nobody counted them."""
        before = max((held for held in self.batches if held <= day), default=None)
        return self.batches[before].rows or 0 if before is not None else 0

    def files_of(self, day: date) -> str:
        """The digest of the batch's live files; `NO_FILES` when it has none."""
        return self.batches[day].digest if day in self.batches else NO_FILES


def files_of(live: LiveTable | None, day: date) -> str:
    """The digest of a batch's live files, also of a table that was never made."""
    return live.files_of(day) if live is not None else NO_FILES


def files_digest(paths: Iterable[str]) -> str:
    """One text for a set of paths, whatever their order."""
    listed = sorted(paths)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:32] if listed else NO_FILES

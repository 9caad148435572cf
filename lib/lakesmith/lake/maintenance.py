"""Keeping a table's folder in order, by deltalake: small files put together, files that nobody needs removed, checkpoints.

Owns how each is done; who needs which version is `lakesmith.ledger.retention`'s say, the lease the caller's. No row changes. The
commit of a compaction carries the records of its batches like any publish, so that whoever comes next after a crash takes the
new files for ours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import unquote

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.errors import CommitConflict
from lakesmith.faults import Step, step
from lakesmith.lake.tables import STATISTICS_PROPERTY
from lakesmith.ledger.files import lake_files
from lakesmith.ledger.live import LiveTable
from lakesmith.ledger.location import LakeLocation

__all__ = ["Removable", "checkpoint", "compact", "compact_appends", "removable", "remove", "worth_compacting"]

_NO_HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


def worth_compacting(live: LiveTable, ours: Collection[date], file_size: int) -> tuple[date, ...]:
    """The batches that fewer files could hold.

    Args:
        ours: batches that may be touched at all.
        file_size: bytes towards which files are put together.
    """
    return tuple(
        day
        for day, batch in sorted(live.batches.items())
        if day in ours and len(batch.paths) > max(1, math.ceil(batch.size / file_size))
    )


def compact(
    lake: LakeLocation,
    table: str,
    live: LiveTable,
    batches: Sequence[date],
    *,
    file_size: int,
    statistics: str,
    metadata: str,
) -> int | None:
    """Puts the small files of each batch together, in one commit for all of them; a file never spans two batches.

    Args:
        live: what the caller has judged the batches by.
        file_size: bytes towards which files are put together.
        statistics: the columns of which the new files have statistics, as a table property lists them.
        metadata: what the commit says of itself.

    Returns:
        The version that was made, which is a later one when others added files meanwhile; None when deltalake found nothing to
        put together.

    Raises:
        CommitConflict: somebody else replaced rows meanwhile; nothing was changed, and the new files go with the next clean-up.
    """
    opened = _at(lake, table, live.version)
    try:
        if opened.metadata().configuration.get(STATISTICS_PROPERTY) != statistics:
            # A table of an earlier Lakesmith: deltalake would keep statistics of people's data, too.
            opened.alter.set_table_properties(
                {STATISTICS_PROPERTY: statistics},
                raise_if_not_exists=False,
                commit_properties=CommitProperties(max_commit_retries=0),
            )
            opened = _at(lake, table, live.version + 1)
        with step(Step.PUT, table):
            found = opened.optimize.compact(
                partition_filters=[(BATCH_DATE, "in", [day.isoformat() for day in batches])],
                target_size=file_size,
                commit_properties=CommitProperties(
                    custom_metadata={"userMetadata": metadata}, max_commit_retries=0
                ),
                post_commithook_properties=_NO_HOOKS,
            )
    except CommitFailedError as error:
        raise _conflict(table) from error
    return opened.version() if found["numFilesAdded"] else None


def compact_appends(lake: LakeLocation, table: str) -> None:
    """Makes one file of the many small appends to a table that has no batches; appends meanwhile do not conflict with it.

    Raises:
        CommitConflict: another process compacted it first.
    """
    try:
        DeltaTable(lake.path(table), storage_options=dict(lake.storage_options)).optimize.compact()
    except CommitFailedError as error:
        raise _conflict(table) from error


@dataclass(frozen=True)
class Removable:
    """Files that nothing needs any more.

    Args:
        paths: relative to the table's folder.
        size: bytes.
    """

    paths: tuple[str, ...] = ()
    size: int = 0


def removable(
    lake: LakeLocation, table: str, *, keep_for: timedelta, keep_versions: Collection[int]
) -> Removable:
    """The files below a table's folder that no kept version names and that have been of no use for a while.

    Staged files that were never published are among them once they are old enough: nothing but their age tells those of a run
    that died from those of one at work.

    Args:
        keep_for: how long a file stays that no version needs, counted from when it was last live or was written.
        keep_versions: besides the newest.
    """
    paths = _vacuum(lake, table, keep_for, keep_versions, dry_run=True)
    sizes = lake_files(lake).sizes([f"{lake.folder(table)}/{unquote(path)}" for path in paths])
    return Removable(tuple(sorted(paths)), sum(size or 0 for size in sizes))


def remove(
    lake: LakeLocation,
    table: str,
    *,
    keep_for: timedelta,
    keep_versions: Collection[int],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Removes what `removable` names, and folders of runs that nothing is left in.

    Args:
        metadata: what the commits say of themselves in which deltalake notes the removal.
    """
    _vacuum(lake, table, keep_for, keep_versions, dry_run=False, metadata=metadata)
    if "://" not in lake.path(table):
        _remove_empty_folders(Path(lake.path(table)) / "batches", keep_for)


def checkpoint(lake: LakeLocation, table: str) -> bool:
    """Writes a checkpoint of the newest version; False when there is one already."""
    opened = DeltaTable(lake.path(table), storage_options=dict(lake.storage_options))
    path = f"{lake.folder(table)}/_delta_log/{opened.version():020d}.checkpoint.parquet"
    if lake_files(lake).sizes([path]) != [None]:
        return False
    opened.create_checkpoint()
    return True


def _vacuum(
    lake: LakeLocation,
    table: str,
    keep_for: timedelta,
    keep_versions: Collection[int],
    *,
    dry_run: bool,
    metadata: Mapping[str, str] | None = None,
) -> list[str]:
    opened = DeltaTable(lake.path(table), storage_options=dict(lake.storage_options))
    return opened.vacuum(
        retention_hours=math.ceil(keep_for / timedelta(hours=1)),
        dry_run=dry_run,
        # Delta's own minimum of a week is for writers that it does not know; ours are younger than their longest timeout.
        enforce_retention_duration=False,
        full=True,
        keep_versions=sorted(set(keep_versions)),
        commit_properties=CommitProperties(custom_metadata=dict(metadata)) if metadata else None,
        post_commithook_properties=_NO_HOOKS,
    )


def _remove_empty_folders(below: Path, keep_for: timedelta) -> None:
    """What is left of runs: a run at work has written into its folder a moment ago."""
    if not below.is_dir():
        return
    for run in below.iterdir():
        folders = [run, *(path for path in run.rglob("*") if path.is_dir())] if run.is_dir() else []
        newest = max((folder.stat().st_mtime for folder in folders), default=0.0)
        if (
            folders
            and time.time() - newest >= keep_for.total_seconds()
            and not any(p.is_file() for p in run.rglob("*"))
        ):
            for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
                folder.rmdir()


def _at(lake: LakeLocation, table: str, version: int) -> DeltaTable:
    opened = lake.open(table)
    if opened is None or opened.version() != version:
        raise _conflict(table)
    return opened


def _conflict(table: str) -> CommitConflict:
    return CommitConflict(
        f"{table}: somebody else committed while it was being compacted. Run again: lakesmith maintain --table {table}"
    )

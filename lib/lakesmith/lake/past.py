"""The past of one batch: which states it had, and what is left of one of them.

Owns what a version of a table says of a batch: its files, the record that was made with them, and whether they can still be
read. Starts no JVM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakesmith.errors import InputMissing, UsageError
from lakesmith.ledger.files import lake_files
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import NO_FILES, LiveTable
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.records import BatchRecord

__all__ = [
    "NoEarlierState",
    "PastBatch",
    "UnknownVersion",
    "VersionGone",
    "distinct_states",
    "newest_change",
    "past_batch",
    "quarantined_with",
]

_SHOWN = 6


class UnknownVersion(UsageError):
    """The table has no such version, or the version no such batch."""


class NoEarlierState(InputMissing):
    """A batch has had the same rows ever since it was first published, or was never published."""


class VersionGone(InputMissing):
    """The table had that version, and its log or its files have been cleaned up since."""


@dataclass(frozen=True)
class PastBatch:
    """One batch as one version of its table has it.

    Args:
        delta: the table, opened at that version.
        paths: the batch's files, as the log writes them; none for a batch without rows.
        record: the newest that describes just these files; None when somebody else wrote them, or when no record says that the
            batch was empty.
    """

    table: str
    batch_date: date
    version: int
    delta: DeltaTable
    paths: tuple[str, ...]
    record: BatchRecord | None

    @property
    def is_there(self) -> bool:
        """False when neither a file nor a record knows the batch at that version."""
        return bool(self.paths) or self.record is not None


def past_batch(lake: LakeLocation, history: TableHistory, table: str, day: date, version: int) -> PastBatch:
    """A batch at a version of its table, once it is known that its files can be read.

    Args:
        history: the table's records.

    Raises:
        UnknownVersion: there is no such version.
        VersionGone: its log is no longer there, or a file of the batch is not.
    """
    newest = lake.open(table)
    if newest is None:
        raise InputMissing(
            f"{table} was never published, so that it has no versions. See why: lakesmith status --table {table}"
        )
    if not 0 <= version <= newest.version():
        raise UnknownVersion(
            f"{table} has no version {version}: its versions are 0 .. {newest.version()}. {_named(history, day)}"
        )
    try:
        opened = lake.open(table, version)
        live = LiveTable.of(opened) if opened is not None else None
    except DeltaError as error:
        raise VersionGone(
            f"version {version} of {table} can no longer be read: its log was cleaned up. {_named(history, day)}"
        ) from error
    assert opened is not None
    assert live is not None
    paths = live.batches[day].paths if day in live.batches else ()
    _check_files(lake, table, day, version, paths, history)
    return PastBatch(
        table, day, version, opened, paths, _record_of(history, day, version, live.files_of(day))
    )


def distinct_states(history: TableHistory, day: date) -> list[BatchRecord]:
    """The states that readers have seen of a batch, oldest first: the record with which each began."""
    states: list[BatchRecord] = []
    for record in history.records.get(day, ()):
        if record.outcome.stands and (not states or states[-1].digest != record.digest):
            states.append(record)
    return states


def newest_change(history: TableHistory, live: LiveTable | None, table: str, day: date) -> tuple[int, int]:
    """The two newest versions between which a batch got other rows: the former state and the present one.

    Args:
        live: what the table holds now. Where that is somebody else's, it is compared with what was published last.

    Raises:
        NoEarlierState: there are no two.
    """
    standing = history.standing(day)
    if live is not None and live.files_of(day) != (standing.files if standing is not None else NO_FILES):
        if standing is None:
            raise NoEarlierState(
                f"{table} {day} was written by somebody else, and there is nothing of Lakesmith's to compare it with. "
                f"See what is known of it: lakesmith status --table {table}"
            )
        return standing.version or 0, live.version
    if live is None or standing is None:
        raise NoEarlierState(
            f"{table} {day} was never published, so that there is nothing to compare. "
            f"See why: lakesmith status --table {table}"
        )
    states = distinct_states(history, day)
    if len(states) < 2:
        raise NoEarlierState(
            f"{table} {day} has had the same rows ever since it was published (version {standing.version}, "
            f"{states[0].recorded_at:%Y-%m-%d %H:%M:%S} UTC): there is no former state to compare it with."
        )
    # A batch that was empty before the table was made has no version; at version 0 there is nothing in it, either.
    return states[-2].version or 0, live.version if states[-1].version is None else states[-1].version


def quarantined_with(history: TableHistory, record: BatchRecord) -> BatchRecord | None:
    """What a quarantine held when a batch of its table was recorded; None for nothing.

    Args:
        history: the quarantine table's records.
        record: of the batch.
    """
    entries = [r for r in history.records.get(record.batch_date, ()) if r.outcome.stands]
    same_run = [r for r in entries if r.run_id == record.run_id]
    earlier = [r for r in entries if r.recorded_at <= record.recorded_at]
    found = same_run or earlier
    return found[-1] if found else None


def _record_of(history: TableHistory, day: date, version: int, files: str) -> BatchRecord | None:
    """The record that stood at a version; None where it does not describe what the version holds."""
    entries = [
        r
        for r in history.records.get(day, ())
        if r.outcome.stands and (r.version is None or r.version <= version)
    ]
    return entries[-1] if entries and entries[-1].files == files else None


def _check_files(
    lake: LakeLocation, table: str, day: date, version: int, paths: Sequence[str], history: TableHistory
) -> None:
    sizes = lake_files(lake).sizes([f"{lake.folder(table)}/{unquote(path)}" for path in paths])
    gone = sum(size is None for size in sizes)
    if gone:
        raise VersionGone(
            f"{table} {day} can no longer be read at version {version}: {gone} of its {len(paths)} files were vacuumed. "
            f"{_named(history, day)}"
        )


def _named(history: TableHistory, day: date) -> str:
    """The versions that are worth naming for a batch."""
    states = [r for r in distinct_states(history, day) if r.version is not None]
    if not states:
        return f"The batch {day} was never published."
    listed = ", ".join(f"{r.version} ({r.recorded_at:%Y-%m-%d %H:%M} UTC)" for r in states[-_SHOWN:])
    return f"The batch {day} got other rows in version {listed}."

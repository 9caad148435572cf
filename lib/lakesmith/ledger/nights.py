"""Which night a reader reads: the records of `ops.nights`, and with them the version of every table.

Owns what `as of` means, for every reader: SQL, notebooks, Spark, quality. A night is a set of versions, not a filter: the tables
as they were when that night had ended, so that features, labels and scores fit together.
"""

from __future__ import annotations

from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakesmith.contracts.days import parse_night
from lakesmith.errors import LakesmithError, UsageError
from lakesmith.ledger.files import lake_files
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import NightRecord
from lakesmith.ledger.retired import RetiredKind, RetiredRecord

__all__ = ["LATEST", "NightGone", "choose_night", "night_records", "open_night", "retired"]

LATEST = "latest"
"""Stands for the newest version of every table, whatever night made it."""

_SHOWN = 3


class NightGone(LakesmithError):
    """What a night left of a table can no longer be read: its files were removed, or the log of its version."""

    def __init__(self, table: str, night: NightRecord, reason: str) -> None:
        self.table = table
        self.night = night
        self.reason = reason
        super().__init__(
            f"{table} can no longer be read as of the night {night.last}: {reason}. See which nights can: lakesmith nights. "
            f"Or read the newest versions: --as-of latest"
        )


def choose_night(ops: Ops, as_of: str | None) -> NightRecord | None:
    """The record whose versions are read; None for the newest version of every table.

    Args:
        as_of: a night, `YYYY-MM-DD`, of which the newest record counts, a complete one first; `latest`; or None for the
            last complete night that can still be read whole.

    Raises:
        UsageError: no record ends with that night.
    """
    if as_of == LATEST:
        return None
    night = parse_night(as_of) if as_of is not None else None
    records = sorted(night_records(ops), key=lambda record: record.recorded_at, reverse=True)
    complete = [record for record in records if record.complete]
    if night is None:
        gone = {entry.of for entry in retired(ops) if entry.kind is RetiredKind.NIGHT}
        return next((record for record in complete if record.recorded_at not in gone), None)
    found = next((r for r in [*complete, *records] if r.last == night), None)
    if found is None:
        raise UsageError(f"no record ends with the night {night}. {_instead(records)}")
    return found


def night_records(ops: Ops) -> list[NightRecord]:
    """All records of nights, oldest first."""
    return ops.records(NightRecord)


def retired(ops: Ops) -> list[RetiredRecord]:
    """What an erasure made unreadable."""
    return ops.records(RetiredRecord)


def open_night(lake: LakeLocation, ops: Ops, table: str, night: NightRecord) -> DeltaTable | None:
    """A table as a night left it; None when it was not there yet.

    Raises:
        NightGone: that version can no longer be read.
    """
    version = night.versions.get(table)
    if version is None:
        return None
    try:
        opened = lake.open(table, version)
    except DeltaError as error:
        # deltalake's own words are a page of addresses.
        raise NightGone(table, night, f"the log of version {version} is not whole any more") from error
    if opened is None:
        return None
    absent, files = _absent_files(lake, table, opened)
    if absent:
        raise NightGone(table, night, _why_gone(ops, table, night, absent, files))
    return opened


def _absent_files(lake: LakeLocation, table: str, opened: DeltaTable) -> tuple[int, int]:
    """How many files of a version are not there any more, and how many it has."""
    actions = pa.RecordBatchReader.from_stream(opened.get_add_actions(flatten=True)).read_all()
    paths = [f"{lake.folder(table)}/{unquote(path)}" for path in actions["path"].to_pylist()]
    return lake_files(lake).sizes(paths).count(None), len(paths)


def _why_gone(ops: Ops, table: str, night: NightRecord, absent: int, files: int) -> str:
    for entry in retired(ops):
        if entry.kind is RetiredKind.NIGHT and entry.of == night.recorded_at and table in entry.tables:
            return f"{entry.reason} (on {entry.recorded_at:%Y-%m-%d})"
    return (
        f"{absent} of its {files} files are gone. Nights are kept as long as the setting retention.nights says, then "
        f"`lakesmith maintain` removes what only they hold"
    )


def _instead(records: list[NightRecord]) -> str:
    if not records:
        return "None was made yet: that takes a run of all tables. Read the newest versions: --as-of latest"
    nights = sorted({record.last for record in records}, reverse=True)
    listed = ", ".join(str(night) for night in nights[:_SHOWN])
    more = f" and {len(nights) - _SHOWN} earlier" if len(nights) > _SHOWN else ""
    return f"On record: {listed}{more}. Choose one, or the newest versions: --as-of latest"

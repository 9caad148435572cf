"""The ledger of one lake: what every table holds, and how it came to be.

Owns reading the records together with the tables' own logs, and mending the ledger where a crash kept a commit from being
recorded. Records are authoritative for history; the log says what is live.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from deltalake import DeltaTable

from lakesmith.ledger.circuit import Circuit, CircuitRecord
from lakesmith.ledger.forgotten import Forgotten, ForgottenRecord
from lakesmith.ledger.live import AS_COMMITTED, NO_FILES, LiveTable, files_of
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.model_events import ModelEvent, ModelTimeline
from lakesmith.ledger.nights import open_night
from lakesmith.ledger.ops import Kept, Ops
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchRecord, NightRecord, RunRecord

__all__ = ["Ledger", "TableHistory"]

_OPENED_AT_ONCE = 8


@dataclass
class TableHistory:
    """All records of one table, oldest first, by batch."""

    records: dict[date, list[BatchRecord]] = field(default_factory=dict)
    newest_standing: BatchRecord | None = None
    """The newest record of all that stands: of a keyed table it names all live files."""

    def add(self, record: BatchRecord) -> None:
        """Appends the newest record of its batch, and of all."""
        self.records.setdefault(record.batch_date, []).append(record)
        if record.outcome.stands:
            self.newest_standing = record

    def files_found(self, live: LiveTable | None, day: date, *, keyed: bool) -> str:
        """The digest of the live files that a batch rests on; equal to that of its standing record unless somebody else wrote.

        Args:
            live: the table as it is now.
            keyed: the batches of the table rest on all of its files, which the newest record of all names.
        """
        if not keyed:
            return files_of(live, day)
        standing = self.standing(day)
        if standing is None or self.newest_standing is None:
            return NO_FILES
        found = live.files if live is not None else NO_FILES
        return standing.files if found == self.newest_standing.files else f"not {self.newest_standing.files}"

    def last(self, day: date) -> BatchRecord | None:
        """The last attempt at a batch, whatever came of it."""
        entries = self.records.get(day)
        return entries[-1] if entries else None

    def standing(self, day: date) -> BatchRecord | None:
        """The record that says what the table holds for a batch; None when nothing was ever published."""
        return next((r for r in reversed(self.records.get(day, ())) if r.outcome.stands), None)

    @property
    def first(self) -> date | None:
        """The earliest batch that was ever published."""
        return min((day for day in self.records if self.standing(day) is not None), default=None)

    @property
    def newest(self) -> datetime | None:
        """When the newest record was written."""
        return max((entries[-1].recorded_at for entries in self.records.values()), default=None)

    @property
    def version(self) -> int:
        """The newest table version that any record names; -1 for none."""
        return max(
            (r.version for entries in self.records.values() for r in entries if r.version is not None),
            default=-1,
        )


class Ledger:
    """Records and live tables of a lake, read once and kept until `refresh`.

    Args:
        night: as of which they are read; None for the present. To be read only.
    """

    def __init__(self, lake: LakeLocation, night: NightRecord | None = None) -> None:
        self.lake = lake
        self.night = night
        self.ops = Ops(lake)
        self._histories: dict[str, TableHistory] | None = None
        self._live: dict[str, LiveTable | None] = {}

    def history(self, table: str) -> TableHistory:
        """The records of a table, unrecorded commits included."""
        if self._histories is None:
            self._histories = {}
            self._load(None)
        if table not in self._histories:
            self._histories[table] = TableHistory()
        return self._histories[table]

    def live(self, table: str) -> LiveTable | None:
        """What the table holds now; None when it was never made. Records commits that a crash left unrecorded."""
        if table not in self._live:
            self._live[table] = self._found(table, self.open(table))
        return self._live[table]

    def look_at(self, tables: Iterable[str]) -> None:
        """Opens many tables at once that `live` will be asked for: most of the time goes by waiting for a disk or a store."""
        wanted = [table for table in dict.fromkeys(tables) if table not in self._live]
        if len(wanted) > 1:
            with ThreadPoolExecutor(min(len(wanted), _OPENED_AT_ONCE)) as pool:
                opened = list(pool.map(self.open, wanted))
            # One after the other, since what was lost is recorded here.
            self._live |= {
                table: self._found(table, found) for table, found in zip(wanted, opened, strict=True)
            }

    def open(self, table: str) -> DeltaTable | None:
        """The table at its newest version, or as the night left it; None when it was not there.

        Raises:
            NightGone: what the night left of it can no longer be read.
        """
        if self.night is None:
            return self.lake.open(table)
        return open_night(self.lake, self.ops, table, self.night)

    def known(self, kind: type[Kept], *, tables: Collection[str] | None = None) -> list[Kept]:
        """All records of one kind, or those of some tables, oldest first; as of a night, those written until it had ended."""
        return self.ops.records(kind, tables=tables, until=self.night.recorded_at if self.night else None)

    def timeline(self, model: str) -> ModelTimeline:
        """What became of every version of a model, as the table has it at this moment, or had it when the night had ended."""
        return ModelTimeline.of(model, self.known(ModelEvent))

    def circuit(self, model: str, server: str, limit: int) -> Circuit:
        """The breaker between a model and a tracking server, as the table has it at this moment."""
        return Circuit.of(self.ops.records(CircuitRecord), model, server, limit)

    def forgotten(self) -> Forgotten:
        """Who is to be left out, as the table has it at this moment."""
        return Forgotten.of(self.ops.records(ForgottenRecord))

    def refresh(self, tables: Iterable[str]) -> None:
        """Forgets what was read of these tables, so that the next question sees the present."""
        forgotten = set(tables)
        for table in forgotten:
            self._live.pop(table, None)
        if self._histories is not None:
            self._histories |= {table: TableHistory() for table in forgotten}
            self._load(forgotten)

    def record(self, records: Iterable[BatchRecord]) -> tuple[BatchRecord, ...]:
        """Appends batch records, each later than all of its table before it, whatever this machine's clock says."""
        stamped: list[BatchRecord] = []
        moments: dict[str, datetime] = {}
        for record in records:
            if record.table not in moments:
                newest = self.history(record.table).newest
                after = newest + timedelta(microseconds=1) if newest is not None else record.recorded_at
                moments[record.table] = max(record.recorded_at, after)
            stamped.append(replace(record, recorded_at=moments[record.table]))
        self.ops.append(stamped)
        for entry in stamped:
            self.history(entry.table).add(entry)
            # Whoever records a batch has published it; of a quarantine nobody else would ask anew in this process.
            self._live.pop(entry.table, None)
        return tuple(stamped)

    def record_compaction(
        self, table: str, version: int, records: Iterable[BatchRecord]
    ) -> tuple[BatchRecord, ...]:
        """Appends the records of a compaction, with the files that it left; says nothing of a batch that was recorded already.

        Neither does it of a batch to which somebody else added a file right before: that one stays foreign.

        Args:
            version: that the compaction made.
            records: of its batches, the files being `AS_COMMITTED`.
        """
        before, after = self.lake.open(table, version - 1), self.lake.open(table, version)
        assert before is not None
        assert after is not None
        was, now_live = LiveTable.of(before), LiveTable.of(after)
        history = self.history(table)
        return self.record(
            replace(record, version=version, files=now_live.files_of(record.batch_date))
            for record in records
            if (standing := history.standing(record.batch_date)) is not None
            and standing.files == was.files_of(record.batch_date)
        )

    def record_run(self, record: RunRecord) -> RunRecord:
        """Appends the record of a run and hands it back."""
        self.ops.append([record])
        return record

    def _load(self, tables: Collection[str] | None) -> None:
        assert self._histories is not None
        for record in self.known(BatchRecord, tables=tables):
            self._histories.setdefault(record.table, TableHistory()).add(record)

    def _found(self, table: str, opened: DeltaTable | None) -> LiveTable | None:
        if opened is None:
            return None
        found = LiveTable.of(opened)
        if self.night is None:
            self._record_lost(table, found.version)
        return found

    def _record_lost(self, table: str, version: int) -> None:
        """A crash between publish and record leaves a commit that only the table's log knows."""
        known = self.history(table)
        missed = version - known.version
        if missed <= 0:
            return
        opened = self.lake.open(table)
        if opened is None:
            return
        seen = {(r.run_id, r.version) for entries in known.records.values() for r in entries}
        for commit in sorted(opened.history(missed), key=lambda entry: int(entry["version"])):
            provenance = Provenance.from_commit(commit)
            if provenance is None:
                continue
            if any(r.files == AS_COMMITTED for r in provenance.batches):
                self.record_compaction(table, int(commit["version"]), provenance.batches)
                continue
            lost = [r for r in provenance.batches if (r.run_id, r.version) not in seen]
            if lost:
                self.record(lost)

"""Pinning: which version of which input a run reads, and what every batch of the run reads of it.

Owns the promise that what a record says was read is what Spark read: digests come from the records of just
those files that are live in the pinned version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract, Input, ModelRole
from lakesmith.engine.context import Context
from lakesmith.errors import InputChanged, InputMissing
from lakesmith.ledger.arms import Arm, ServedBy, arms_on, recorded_arms, served_read
from lakesmith.ledger.external import ExternalTable
from lakesmith.ledger.forgotten import Forgotten
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import NO_FILES, LiveBatch, LiveTable, files_of
from lakesmith.ledger.manifest import DayState, Manifest
from lakesmith.ledger.records import EMPTY_DIGEST, InputRead
from lakesmith.ledger.state import BatchState
from lakesmith.ledger.window_digest import WindowDigests

__all__ = ["PinnedInputs", "PinnedModel", "PinnedSource", "PinnedTable", "pin_inputs"]

# A line of a landing file is seldom shorter; only the sizing of files hangs on it.
_BYTES_A_RECORD = 64


@dataclass(frozen=True)
class PinnedTable:
    """One table input of a run.

    Args:
        version: None when the table was never made.
        windows: the days that each batch of the run may read; None where there are none.
        reads: what each batch of the run reads.
    """

    input: Input
    contract: Contract
    version: int | None
    live: LiveTable | None
    windows: Mapping[date, BatchRange | None]
    reads: Mapping[date, InputRead]

    @property
    def days(self) -> BatchRange | None:
        """All days that any batch of the run may read; None when there are none."""
        return _hull(self.windows.values())

    def files_of(self, day: date) -> str:
        """The digest of the live files of one batch, as pinned."""
        return files_of(self.live, day)

    def batch(self, day: date) -> LiveBatch | None:
        """The live files of one batch, as pinned; None when it has none."""
        return self.live.batches.get(day) if self.live is not None else None

    def rows(self, day: date) -> int:
        """Rows of one batch of the input, from the statistics of its files."""
        batch = self.batch(day)
        return batch.rows or 0 if batch is not None else 0

    @property
    def size(self) -> int:
        """Bytes that the batches of the run read, as they are stored: a file counts once for every batch that may read it."""
        if self.live is not None and self.live.buckets:
            return len(self.windows) * sum(bucket.size for bucket in self.live.buckets.values())
        read = (self.batch(day) for window in self.windows.values() for day in window or ())
        return sum(batch.size for batch in read if batch is not None)

    def holds_nothing(self, day: date) -> bool:
        """True when all that a batch of the run may read of the input is empty."""
        if self.live is not None and self.live.buckets:
            return False
        return not any(self.rows(read) for read in self.windows[day] or ())


@dataclass(frozen=True)
class PinnedSource:
    """One source input of a run: the files of each of its batches, by content.

    Args:
        forgotten: whose records are left out.
        table: the table of somebody else, at the version that is read; None for landing files.
        rows: of each batch of such a table; None for landing files, whose records nobody has counted yet.
    """

    input: Input
    manifests: Mapping[date, Manifest]
    reads: Mapping[date, InputRead]
    forgotten: Forgotten = field(default_factory=Forgotten)
    table: ExternalTable | None = None
    rows: Mapping[date, int] | None = None


@dataclass(frozen=True)
class PinnedModel:
    """One model input of a run: what scores each of its batches.

    Args:
        arms: batch -> the versions that score it; none where nobody holds the role.
        asked: somebody named the version, so that nothing stands in for it.
    """

    input: Input
    arms: Mapping[date, tuple[Arm, ...]]
    reads: Mapping[date, InputRead]
    asked: bool = False

    def served_by(self, arms: Mapping[date, tuple[Arm, ...]]) -> PinnedModel:
        """The same input, scored by these versions."""
        reads = {day: served_read(self.input, found) for day, found in arms.items()}
        return replace(self, arms=arms, reads=reads)


@dataclass(frozen=True)
class PinnedInputs:
    """All inputs of a run."""

    tables: tuple[PinnedTable, ...]
    sources: tuple[PinnedSource, ...]
    models: tuple[PinnedModel, ...] = ()

    def reads(self, day: date) -> tuple[InputRead, ...]:
        """What one batch reads, by name of the input."""
        found = [
            *(t.reads[day] for t in self.tables),
            *(s.reads[day] for s in self.sources),
            *(m.reads[day] for m in self.models),
        ]
        return tuple(sorted(found, key=lambda read: read.name))

    def rows_read(self, day: date) -> int | None:
        """Rows that the batch reads of its own day; None where those of landing files are not counted yet."""
        counted = sum(t.rows(day) for t in self.tables if t.input.window.is_same_day)
        for source in self.sources:
            if source.rows is None:
                return None
            counted += source.rows.get(day, 0)
        return counted

    def expected_rows(self, day: date, target: LiveTable | None) -> int:
        """About how many rows the batch will have; only the sizing of files hangs on it.

        Args:
            target: the table that it is a batch of, as it is now: what reads nothing of its own day is as large as it was, or as
                the batch before it.
        """
        size = sum(f.size for s in self.sources for f in s.manifests[day].files)
        read = [t.rows(day) for t in self.tables if t.input.window.is_same_day]
        if self.sources or read:
            return max([size // _BYTES_A_RECORD, *read])
        return target.rows_about(day) if target is not None else 0

    @cached_property
    def size(self) -> int:
        """Bytes that the batches read, as they are stored; only how Spark goes about it hangs on it.

        Every batch counts what it reads, as a transform gets each row once for every batch that may read it.
        """
        return self._landed_bytes + sum(table.size for table in self.tables)

    @cached_property
    def rows_in_reach(self) -> int:
        """About how many rows the run may read, all windows included."""
        return self._landed_bytes // _BYTES_A_RECORD + sum(part.rows or 0 for part in self._live_parts)

    @property
    def _landed_bytes(self) -> int:
        return sum(f.size for s in self.sources for m in s.manifests.values() for f in m.files)

    @cached_property
    def _live_parts(self) -> tuple[LiveBatch, ...]:
        batches = [t.live.batches.get(day) for t in self.tables if t.live for day in t.days or ()]
        buckets = [bucket for t in self.tables if t.live for bucket in t.live.buckets.values()]
        return tuple(part for part in (*batches, *buckets) if part is not None)

    def holds_nothing_for(self, day: date) -> bool:
        """True when all that the batch may read is empty, as on a day on which everything is closed."""
        if any(s.manifests[day].files for s in self.sources):
            return False
        return all(t.holds_nothing(day) for t in self.tables)

    @property
    def file_names(self) -> frozenset[str]:
        """The names, without folders, of all files that hold what may be read."""
        paths = [path for part in self._live_parts for path in part.paths]
        paths += [f.path for s in self.sources for m in s.manifests.values() for f in m.files]
        return frozenset(path.rpartition("/")[2] for path in paths)

    def check_unchanged(self, context: Context) -> None:
        """Looks whether the batches that were read are still the ones published.

        Raises:
            InputChanged: one is not.
        """
        for pinned in self.tables:
            if pinned.days is None:
                continue
            opened = context.lake.open(pinned.contract.table)
            if opened is None or opened.version() == pinned.version:
                continue
            present = LiveTable.of(opened)
            table = pinned.contract.table
            if (
                pinned.contract.keyed is not None
                and pinned.live is not None
                and pinned.live.files != present.files
            ):
                raise InputChanged(
                    f"{table} was republished while this run worked on what it held before; "
                    f"nothing was published. Run again."
                )
            changed = [day for day in pinned.days if present.files_of(day) != pinned.files_of(day)]
            if changed:
                context.ledger.refresh([table])
                # Looking records what a crash left unrecorded.
                context.ledger.live(table)
            for day in changed:
                if not _same_rows(
                    context.ledger.history(table), day, pinned.files_of(day), present.files_of(day)
                ):
                    raise InputChanged(
                        f"{table} {day} was republished while this run worked on what it held before; "
                        f"nothing was published. Run again."
                    )


def _same_rows(history: TableHistory, day: date, before: str, after: str) -> bool:
    """True when a batch got other files with the same rows, as a compaction gives it."""
    found = {r.files: r.digest for r in history.records.get(day, ()) if r.outcome.stands}
    return before in found and found.get(after) == found[before]


def pin_inputs(context: Context, contract: Contract, states: Sequence[BatchState]) -> PinnedInputs:
    """Pins the inputs of the batches that a run is about to compute.

    Args:
        states: those batches, as judged a moment ago.

    Raises:
        InputMissing: an input's live files are not those of its last record, a landing file is gone, or a model has no version
            for a batch.
    """
    tables = tuple(_pin_table(context, entry, states) for entry in contract.inputs if entry.table)
    sources = tuple(_pin_source(context, entry, states) for entry in contract.inputs if entry.source)
    models = tuple(_pin_model(context, contract, entry, states) for entry in contract.inputs if entry.model)
    return PinnedInputs(tables, sources, models)


def _pin_table(context: Context, entry: Input, states: Sequence[BatchState]) -> PinnedTable:
    graph = context.project.graph
    history, live = context.ledger.history(entry.target), context.ledger.live(entry.target)
    start, keyed = graph.starts[entry.target], graph.contracts[entry.target].keyed is not None
    windows = {state.batch_date: entry.window.reads(state.batch_date, start) for state in states}
    days = _hull(windows.values())
    digests: dict[date, str] = {}
    for day in days or ():
        standing = history.standing(day)
        found = history.files_found(live, day, keyed=keyed)
        if found != (standing.files if standing is not None else NO_FILES):
            raise InputMissing(
                f"{entry.target} {day} holds files that no record of Lakesmith names: somebody else wrote them. "
                f"Put it right first: lakesmith run --date {day + timedelta(graph.contracts[entry.target].lag_days)} "
                f"--table {entry.target}"
            )
        if standing is not None:
            digests[day] = standing.digest
    # The closed days of a table that lands have no record; they are empty batches all the same.
    closed = _closed_days(context, entry.target, days, digests)
    sums = WindowDigests.over(days, {**dict.fromkeys(closed, EMPTY_DIGEST), **digests}) if days else None
    version = live.version if live is not None else None
    return PinnedTable(
        input=entry,
        contract=graph.contracts[entry.target],
        version=version,
        live=live,
        windows=windows,
        reads={
            state.batch_date: InputRead(
                name=entry.name,
                target=entry.target,
                version=version,
                digest=sums.of(windows[state.batch_date])
                if sums is not None
                else WindowDigests(start).of(None),
                left_out=tuple(d.isoformat() for table, d in state.left_out if table == entry.target),
                window=_ends(windows[state.batch_date]),
            )
            for state in states
        },
    )


def _hull(windows: Iterable[BatchRange | None]) -> BatchRange | None:
    reached = [window for window in windows if window is not None]
    return BatchRange(min(w.first for w in reached), max(w.last for w in reached)) if reached else None


def _ends(window: BatchRange | None) -> tuple[str, ...]:
    return (window.first.isoformat(), window.last.isoformat()) if window is not None else ()


def _closed_days(
    context: Context, table: str, days: BatchRange | None, digests: Mapping[date, str]
) -> list[date]:
    """Days without a record on which nothing was due, as the table's judge has it: a file on a closed day is one to take in."""
    sources = [i.source for i in context.project.graph.contracts[table].inputs if i.source]
    unrecorded = [day for day in days or () if day not in digests]
    if not unrecorded or not sources:
        return []
    landed = [context.folder(source).days(unrecorded[0], unrecorded[-1]) for source in sources]
    return [day for day in unrecorded if all(files[day].state is DayState.CLOSED for files in landed)]


def _pin_source(context: Context, entry: Input, states: Sequence[BatchState]) -> PinnedSource:
    days = [state.batch_date for state in states]
    folder = context.folder(entry.target)
    files = folder.days(min(days), max(days))
    # Contents are hashed anew: what a run publishes must not rest on a size and a time that stayed the same.
    manifests = {day: folder.pin(files[day]) for day in days}
    table = folder if isinstance(folder, ExternalTable) else None
    version = table.version if table is not None else None
    return PinnedSource(
        input=entry,
        manifests=manifests,
        reads={
            day: InputRead(entry.name, entry.target, version, manifest.digest, files=manifest.to_files())
            for day, manifest in manifests.items()
        },
        forgotten=context.ledger.forgotten(),
        table=table,
        rows=table.rows(min(days), max(days)) if table is not None else None,
    )


def _pin_model(
    context: Context, contract: Contract, entry: Input, states: Sequence[BatchState]
) -> PinnedModel:
    """What scores each batch: the version asked for, else what it was scored with, else who holds the role on its day."""
    model = entry.model or ""
    timeline = context.ledger.timeline(model)
    history = context.ledger.history(contract.table)
    asked = context.model_versions.get(model)
    arms: dict[date, tuple[Arm, ...]] = {}
    for state in states:
        day = state.batch_date
        standing = history.standing(day)
        read = next((r for r in standing.inputs if r.name == entry.name), None) if standing else None
        found = recorded_arms(timeline, read) if read is not None and asked is None else None
        if asked is not None:
            event = timeline.registered(asked)
            found = (Arm(event, ServedBy.ASKED),) if event is not None else ()
        elif found is None:
            found = arms_on(timeline, day, entry.role)
        if entry.baseline:
            # What stands beside the champion in a rollout was trained on other rows; one baseline judges a batch.
            found = (found or arms_on(timeline, day, entry.role))[:1]
        elif not found and entry.role is ModelRole.CHAMPION:
            what = f"has no version {asked}" if asked else f"has no champion for {day}"
            raise InputMissing(f"{model} {what}. See what there is: lakesmith models list {model}")
        arms[day] = found
    return PinnedModel(entry, {}, {}, asked is not None).served_by(arms)

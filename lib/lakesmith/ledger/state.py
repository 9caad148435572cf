"""The state of every batch of every table, with the reason in words.

Owns DESIGN's definition of fresh, stale, missing, failed, blocked, foreign and closed. A pure function of what the caller has
read: it opens nothing and starts no JVM.

Three rules decide what an input in trouble does to a batch D:
- on D's own day, and on a day of an `ahead` window, whatever keeps the input from being there blocks D;
- on an earlier day (`last`, `previous`), an input that was never there for want of a file or a run blocks D; one that failed its
  audit and never had rows is left out, named and warned of, so that one bad day does not stop a year;
- a rejected correction leaves the rows published before it, and those are what later days go on reading.

A table of profiles waits for nothing but the first of the tables that it profiles, and one that judges models for the scores and
the labels of one of them: what is not there that day is left out, and once it is there the batch is stale.

A table of scores that declares it may repeat its last scores where a failure blocks it: such a batch is blocked and runnable.

A batch that a person restored is held: it is stale when its own record says so, no run touches it, and what reads it takes its
rows as they are. What was read from a file that is replaced in place is held, too, once there is another: it stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.model import Contract, Input, ModelRole, OnMissing
from lakesmith.ledger.arms import repeated
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import NO_FILES, LiveTable, files_of
from lakesmith.ledger.manifest import DayFiles, DayState, Manifest
from lakesmith.ledger.model_events import ModelTimeline
from lakesmith.ledger.records import EMPTY_DIGEST, BatchRecord, Fingerprints, InputRead
from lakesmith.ledger.window_digest import WindowDigests

__all__ = ["BatchState", "Judge", "State"]

_NAMED = 3

_Absent = tuple[str, date, "BatchState | None"]
"""A batch of an input that is not there: the table, the day, how it was judged."""

_Windows = Mapping[str, BatchRange | None]
"""By input, the days that a batch may read of it; of tables only."""


class State(StrEnum):
    """DESIGN's words for a batch."""

    FRESH = "fresh"
    STALE = "stale"
    MISSING = "missing"
    FAILED = "failed"
    BLOCKED = "blocked"
    FOREIGN = "foreign"
    CLOSED = "closed"


_NOT_THERE = (State.MISSING, State.BLOCKED, State.FAILED)


@dataclass(frozen=True)
class BatchState:
    """One batch of one table.

    Args:
        reason: why, in words; empty when fresh or closed.
        blockers: for a blocked batch, the inputs' batches that keep it from running.
        left_out: days of inputs that it goes without.
        runnable: a run could change it now. A batch for which a landing file is awaited is not, one that is behind neither, a
            blocked one only where it can repeat the last scores.
        for_failure: a batch that is not there because something failed, not because something never ran.
        published: it has rows that were published, or is an empty batch that was written down.
        behind: stale only because something that it reads is.
        repairable: something happened since, so that a night which looks back takes it up on its own: it is stale or foreign by
            itself, it failed and what it reads or is judged by has changed, or it is missing between batches that are not.
        audit: why a fresh batch is to be audited again; empty when it is not.
        held: no run touches it, forced or not: a person restored it and has not released it, or what it was made from is gone as
            it is meant to be, as of a file that is replaced in place.
        foreign: why its live files are somebody else's, whatever its state; empty when they are not.
        any_will_do: for a blocked batch, one of the blockers is enough to let it run.
    """

    table: str
    batch_date: date
    state: State
    reason: str = ""
    blockers: tuple[tuple[str, date], ...] = ()
    left_out: tuple[tuple[str, date], ...] = ()
    runnable: bool = False
    for_failure: bool = False
    published: bool = False
    behind: bool = False
    repairable: bool = False
    audit: str = ""
    held: bool = False
    foreign: str = ""
    any_will_do: bool = False


class Judge:
    """Judges the batches of a graph, table after table.

    Args:
        histories: the records of a table.
        live: what a table holds now; None when it was never made.
        look_at: is told which tables `live` will be asked for, before it is.
        landed: the landing files of a source's days, pinned where a table has read them before.
        fingerprints: of a table as its files stand now, under the scheme that a record was made by.
        timelines: what became of a model's versions; a table that reads a model has no batch due before the first version in its
            role.
        settings: what transforms may read.
    """

    def __init__(
        self,
        graph: TableGraph,
        *,
        histories: Callable[[str], TableHistory],
        live: Callable[[str], LiveTable | None],
        look_at: Callable[[Iterable[str]], None],
        landed: Callable[[str, BatchRange], Mapping[date, DayFiles]],
        pinned: Callable[[str, DayFiles, Manifest | None], Manifest],
        fingerprints: Callable[[str, int], Fingerprints],
        timelines: Callable[[str], ModelTimeline],
        settings: Mapping[str, Any],
    ) -> None:
        self.graph = graph
        self._histories = histories
        self._live = live
        self._look_at = look_at
        self._landed = landed
        self._pinned = pinned
        self._fingerprints = fingerprints
        self._timelines = timelines
        self._settings = settings

    def judge(
        self, nights: BatchRange, tables: Iterable[str] | None = None, *, with_parents: bool = False
    ) -> dict[str, dict[date, BatchState]]:
        """The states of the batches due in those nights.

        Args:
            nights: the range of nights; inputs are judged as far back (and ahead) as windows reach.
            tables: None for all.
            with_parents: also those of every batch that these may read, near or far, whatever night owns it.
        """
        wanted = set(self.graph.order if tables is None else tables)
        spans = self._spans(nights, wanted)
        contracts = self.graph.contracts
        self._look_at(name for table in spans for name in (table, *_beside(contracts[table])))
        tracks: dict[str, _Track] = {}
        states: dict[str, dict[date, BatchState]] = {}
        for table in self.graph.order:
            if table in spans:
                track = tracks[table] = _Track(spans[table].first)
                states[table] = self._table(contracts[table], spans[table], tracks, track)
        if with_parents:
            return {table: states[table] for table in self.graph.order if table in states}
        due = {table: self.due(table, nights) for table in wanted}
        return {
            table: {day: state for day, state in states[table].items() if day in span}
            for table in self.graph.order
            if table in wanted and (span := due[table]) is not None
        }

    def due(self, table: str, nights: BatchRange) -> BatchRange | None:
        """The batches that those nights own.

        Of a table of scores from the first batch of the first version in its role, and of one that judges scores from the first
        of any of them.
        """
        owned = self.graph.due(table, nights)
        contract = self.graph.contracts[table]
        entry = contract.model_input
        read = [(entry.model or "", entry.role)] if entry is not None else []
        read += [(judged.model.name, judged.role) for judged in contract.judged]
        if owned is None or not read:
            return owned
        firsts = [first for model, role in read if (first := self._first_scored(model, role)) is not None]
        return owned.intersection(BatchRange(min(firsts), date.max)) if firsts else None

    def _first_scored(self, model: str, role: ModelRole) -> date | None:
        timeline = self._timelines(model)
        return timeline.since if role is ModelRole.CHAMPION else timeline.challenged_since

    def _spans(self, nights: BatchRange, wanted: set[str]) -> dict[str, BatchRange]:
        """The batches of every table that the answer may depend on: children before their parents."""
        spans: dict[str, BatchRange] = {}
        for table in reversed(self.graph.order):
            ranges = [due] if table in wanted and (due := self.due(table, nights)) else []
            for child in self.graph.children(table):
                for entry in self.graph.contracts[child].inputs:
                    if entry.table == table and child in spans:
                        ranges.append(entry.window.reach(spans[child]))
            if not ranges:
                continue
            start, last = self.graph.starts[table], max(r.last for r in ranges)
            # A table that reads itself depends on all its past.
            reads_itself = self.graph.contracts[table].reads_itself
            first = start if reads_itself else max(start, min(r.first for r in ranges))
            if first <= last:
                spans[table] = BatchRange(first, last)
        return spans

    def _table(
        self, contract: Contract, span: BatchRange, tracks: Mapping[str, _Track], own: _Track
    ) -> dict[date, BatchState]:
        history = self._histories(contract.table)
        live = self._live(contract.table)
        folders = {i.target: self._landed(i.target, span) for i in contract.inputs if i.source}
        began = history.first or date.max
        states: dict[date, BatchState] = {}
        for day in span:
            standing = history.standing(day)
            state = _held(
                self._batch(contract, day, standing, history, began, live, folders, tracks), standing
            )
            states[day] = state
            own.append(state, standing)
        return states

    def _batch(
        self,
        contract: Contract,
        day: date,
        standing: BatchRecord | None,
        history: TableHistory,
        began: date,
        live: LiveTable | None,
        folders: Mapping[str, Mapping[date, DayFiles]],
        tracks: Mapping[str, _Track],
    ) -> BatchState:
        def state(kind: State, reason: str = "", **more: Any) -> BatchState:
            published = standing is not None
            return BatchState(contract.table, day, kind, reason, published=published, foreign=foreign, **more)

        found_files = history.files_found(live, day, keyed=contract.keyed is not None)
        foreign = self._foreign(contract, day, standing, found_files)
        blockers: list[_Absent] = []
        left_out: list[tuple[str, date]] = []
        waits: dict[str, list[_Absent]] = {}
        windows: dict[str, BatchRange | None] = {}
        closed = bool(folders) and not any(i.table for i in contract.inputs)
        for entry in contract.inputs:
            if entry.model:
                continue
            if entry.source:
                files = folders[entry.source][day]
                closed = closed and files.state is DayState.CLOSED
                replaced = standing is not None and files.state in (DayState.CLOSED, DayState.MISSING)
                if replaced and self.graph.sources[entry.source].undated:
                    # What it was made from cannot be read again, so nothing can be said to have changed.
                    if foreign:
                        again = (
                            f"{foreign}, and {entry.source} holds another file now: restore an earlier state"
                        )
                        return state(State.FOREIGN, again)
                    return state(State.FRESH, held=True)
                if files.state is DayState.INCOMPLETE or (
                    files.state is DayState.MISSING
                    and self.graph.sources[entry.source].on_missing is OnMissing.ERROR
                ):
                    if standing is not None:
                        return state(State.STALE, f"{entry.source}: {files.reason}")
                    return state(State.MISSING, f"{entry.source}: {files.reason}")
            else:
                track = tracks[entry.target]
                reads = windows[entry.name] = entry.window.reads(day, track.first)
                if reads is not None and entry.optional:
                    absent = [(entry.target, d, track.state(d)) for d in track.blocking(reads, day)]
                    left_out += [(table, d) for table, d, found in absent if found and found.for_failure]
                    waits[entry.name] = [each for each in absent if each[1] == day]
                elif reads is not None:
                    blockers += [(entry.target, d, track.state(d)) for d in track.blocking(reads, day)]
                    left_out += [(entry.target, d) for d in track.left_out(reads, day)]
        lacking = [[each for name in group for each in waits.get(name, ())] for group in contract.enough]
        any_will_do = bool(lacking) and all(lacking)
        if any_will_do:
            # Nothing of that day is there; of tables of scores that begin later nothing is to be waited for.
            once = dict.fromkeys(each for group in lacking for each in group)
            blockers += [each for each in once if self._is_due(*each[:2])]
        if closed and (standing is None or standing.rows == 0) and found_files == NO_FILES:
            return state(State.CLOSED)
        also = f"; {foreign}" if foreign else ""
        if blockers:
            named = [(table, d) for table, d, _ in blockers]
            for_failure = all(found is not None and found.for_failure for _, _, found in blockers)
            return state(
                State.BLOCKED,
                "needs " + _listed([_why(table, d, found) for table, d, found in blockers]) + also,
                blockers=tuple(named),
                for_failure=for_failure,
                any_will_do=any_will_do,
                runnable=for_failure and standing is None and contract.repeats_scores,
            )
        out = tuple(left_out)
        last = history.last(day)
        if last is not None and not last.outcome.stands:
            changed = bool(last.inputs) and bool(
                self._changed(contract, last, folders, tracks, windows) or self._judged_anew(contract, last)
            )
            more = {"left_out": out, "runnable": True, "for_failure": True, "repairable": changed}
            return state(State.FAILED, last.reason + also, **more)
        if standing is None and found_files == NO_FILES:
            return state(
                State.MISSING, "never published", left_out=out, runnable=True, repairable=began < day
            )
        if foreign or standing is None:
            return state(State.FOREIGN, foreign, left_out=out, runnable=True, repairable=True)
        reason = self._changed(contract, standing, folders, tracks, windows)
        if reason:
            return state(State.STALE, reason, left_out=out, runnable=True, repairable=True)
        reason = self._behind(contract, tracks, windows)
        if reason:
            return state(State.STALE, reason, left_out=out, behind=True)
        return state(State.FRESH, left_out=out, audit=self._judged_anew(contract, standing))

    def _is_due(self, table: str, day: date) -> bool:
        night = day + timedelta(self.graph.contracts[table].lag_days)
        return self.due(table, BatchRange(night, night)) is not None

    def _foreign(self, contract: Contract, day: date, standing: BatchRecord | None, found_files: str) -> str:
        """Why a batch's rows, its changes or those in quarantine are somebody else's; empty when they are not."""
        reason = _not_ours("its live files", standing, found_files)
        for table in _beside(contract):
            found = files_of(self._live(table), day)
            reason = reason or _not_ours(
                f"the live files of {table}", self._histories(table).standing(day), found
            )
        return reason

    def _changed(
        self,
        contract: Contract,
        record: BatchRecord,
        folders: Mapping[str, Mapping[date, DayFiles]],
        tracks: Mapping[str, _Track],
        windows: _Windows,
    ) -> str:
        """Why a batch would come out differently now than when it was recorded; empty when it would not."""
        reads = {read.name: read for read in record.inputs}
        again = next((said for read in record.inputs if (said := repeated(read)) is not None), None)
        if again is not None:
            return f"it repeats the scores of {again['batch']}: {again['reason']}"
        for entry in contract.inputs:
            read = reads.get(entry.name)
            if read is None:
                return f"the input {entry.name} is new"
            if entry.model:
                # The version is frozen with the batch: a promotion makes nothing stale.
                if entry.baseline and read.version is None:
                    champion = self._timelines(entry.model).champion_on(record.batch_date)
                    if champion is not None:
                        return f"{entry.model} has a champion for that day, and so a baseline"
                continue
            if entry.source:
                reason = self._landing_changed(entry, read, folders[entry.source][record.batch_date])
            else:
                reason = self._input_changed(entry, read, tracks[entry.target], windows[entry.name])
            if reason:
                return reason
        current = self._fingerprints(contract.table, record.fingerprints.scheme)
        if current.data != record.fingerprints.data:
            return f"the transform changed: {contract.job} or what it calls, its columns or its inputs"
        changed = [name for name, value in record.settings.items() if self._settings.get(name) != value]
        if changed:
            return (
                f"settings that the transform reads changed: {_listed([_setting(name) for name in changed])}"
            )
        return ""

    def _judged_anew(self, contract: Contract, record: BatchRecord) -> str:
        """Why a batch's audit could come out differently now; empty when it could not."""
        current = self._fingerprints(contract.table, record.fingerprints.scheme)
        if current.audit == record.fingerprints.audit:
            return ""
        return f"what it is judged by changed: its suite, or what {contract.file or 'its contract'} demands"

    def _behind(self, contract: Contract, tracks: Mapping[str, _Track], windows: _Windows) -> str:
        """Which batches that it reads are stale themselves; empty when none is."""
        for entry in contract.inputs:
            window = windows.get(entry.name)
            days = tracks[entry.target].stale(window) if window is not None else []
            if days:
                foreign = all(
                    (found := tracks[entry.target].state(d)) is not None and bool(found.foreign) for d in days
                )
                word = State.FOREIGN if foreign else State.STALE
                return f"{entry.target} {_listed([str(d) for d in days])} is itself {word}"
        return ""

    def _landing_changed(self, entry: Input, read: InputRead, files: DayFiles) -> str:
        known = Manifest.from_files(entry.target, files.batch_date, read.files)
        pinned = self._pinned(entry.target, files, known)
        if pinned.digest == read.digest:
            return ""
        before = {f.path: f.sha256 for f in known.files}
        after = {f.path: f.sha256 for f in pinned.files}
        changes = [f"{path} is new" for path in sorted(after.keys() - before.keys())]
        changes += [f"{path} is gone" for path in sorted(before.keys() - after.keys())]
        changes += [
            f"{path} changed" for path in sorted(after.keys() & before.keys()) if after[path] != before[path]
        ]
        return f"{entry.target}: {_listed(changes)}"

    def _input_changed(self, entry: Input, read: InputRead, track: _Track, window: BatchRange | None) -> str:
        if track.digests.of(window) != read.digest:
            history = self._histories(entry.target)
            for d in window or ():
                now = history.standing(d)
                before = _as_read(history, d, read)
                if now is not None and (before is None or before.digest != now.digest):
                    was = (
                        f"other rows: read digest {before.digest[:8]}, now {now.digest[:8]}"
                        if before
                        else "rows where it had none"
                    )
                    return f"{entry.target} {d} was republished at {now.recorded_at:%Y-%m-%d %H:%M:%S} UTC with {was}"
            return f"{entry.target}: the batches in its window are not those that were read"
        return ""


def _held(state: BatchState, standing: BatchRecord | None) -> BatchState:
    """The state of a batch that a person restored, whatever its inputs have come to; any other as it is."""
    if standing is None or standing.restored is None:
        return state
    if state.state in (State.FRESH, State.CLOSED):
        return replace(state, held=True, audit="")
    said = standing.restored
    words = f"restored from version {said.version} by {said.who} at {standing.recorded_at:%Y-%m-%d %H:%M} UTC"
    words += f" ({said.why})" if said.why else ""
    if state.foreign:
        # What was restored is not there any more: a run must not decide what is to stand there instead.
        reason = f"{state.foreign}; it was {words}: restore it again, or release it"
        return replace(
            state, state=State.FOREIGN, reason=reason, blockers=(), runnable=False, repairable=False
        )
    reason = f"{words} and held; since then: {state.reason}"
    return replace(
        state,
        state=State.STALE,
        reason=reason,
        blockers=(),
        runnable=False,
        for_failure=False,
        behind=False,
        repairable=False,
        held=True,
    )


def _as_read(history: TableHistory, day: date, read: InputRead) -> BatchRecord | None:
    """The record of an input's batch that stood when the pinned version was read."""
    if read.version is None:
        return None
    return next(
        (
            r
            for r in reversed(history.records.get(day, ()))
            if r.outcome.stands and (r.version is None or r.version <= read.version)
        ),
        None,
    )


def _beside(contract: Contract) -> tuple[str, ...]:
    """The tables that are published together with a table: its changes, its quarantine."""
    changes = (contract.changes_table,) if contract.keyed is not None else ()
    return (*changes, contract.quarantine_table) if contract.suite.row_rules else changes


def _not_ours(what: str, standing: BatchRecord | None, found_files: str) -> str:
    """Why live files are not what the last record says; empty when they are."""
    if standing is None:
        return f"{what} were written by somebody else" if found_files != NO_FILES else ""
    if found_files == standing.files:
        return ""
    return f"{what} are not those that run {standing.run_id} published"


def _setting(name: str) -> str:
    """A setting by its full name; transforms read parameters without theirs."""
    return name if "." in name else f"parameters.{name}"


def _why(table: str, day: date, found: BatchState | None) -> str:
    return (
        f"{table} {day}, which is {found.state}"
        if found is not None
        else f"{table} {day}, which is not due yet"
    )


def _listed(items: list[str]) -> str:
    """The first few of many, and how many more."""
    more = len(items) - _NAMED
    shown = ", ".join(items[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


class _Track:
    """The judged days of one table, in order, with running totals, so that a year's window costs as much as a day's."""

    def __init__(self, first: date) -> None:
        self.first = first
        self.digests = WindowDigests(first)
        self._states: list[BatchState] = []
        self._absent = [0]
        self._failed = [0]
        self._stale = [0]

    def append(self, state: BatchState, standing: BatchRecord | None) -> None:
        self._states.append(state)
        there = standing is not None or state.state is State.CLOSED
        digest = standing.digest if standing is not None else EMPTY_DIGEST
        self.digests.append(state.batch_date, digest if there else None)
        self._absent.append(self._absent[-1] + (not there and not state.for_failure))
        self._failed.append(self._failed[-1] + (not there and state.for_failure))
        # A batch that is held is not about to change, so what has read it is not about to, either. Rows that somebody else wrote
        # are not those that were read, also where the batch itself failed or is blocked.
        unsure = (state.state is State.STALE or bool(state.foreign)) and not state.held
        self._stale.append(self._stale[-1] + unsure)

    def state(self, day: date) -> BatchState | None:
        at = (day - self.first).days
        return self._states[at] if 0 <= at < len(self._states) else None

    def blocking(self, window: BatchRange, day: date) -> list[date]:
        """The days of a window that keep batch `day` from running."""
        ahead = window.first > day
        near = list(window) if ahead else [day] if day in window else []
        found = {d for d in near if (s := self.state(d)) is None or s.state in _NOT_THERE}
        return sorted({*found, *self._counted(self._absent, window)})

    def left_out(self, window: BatchRange, day: date) -> list[date]:
        """The days of a window that failed and never had rows; the batch's own day is never one of them."""
        return [d for d in self._counted(self._failed, window) if d != day]

    def stale(self, window: BatchRange) -> list[date]:
        """The days of a window that are stale or foreign themselves."""
        return self._counted(self._stale, window)

    def _counted(self, totals: list[int], window: BatchRange) -> list[date]:
        """The days of a window at which a running total grew."""
        limit = len(totals) - 1
        low = min(max((window.first - self.first).days, 0), limit)
        high = min(max((window.last - self.first).days + 1, low), limit)
        if totals[high] == totals[low]:
            return []
        return [self.first + timedelta(at) for at in range(low, high) if totals[at + 1] > totals[at]]

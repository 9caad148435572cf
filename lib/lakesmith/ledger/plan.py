"""The plan: which runs would happen, in which order and why, as a value that is printed and executed alike.

Owns the cascade: what would be run because something it reads will be. Pure; states in, plan out. Execution judges every table
again when its turn comes, since a run may turn out to change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum, auto

from lakesmith.contracts.days import BatchRange, merge_days
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.model import Contract
from lakesmith.ledger.state import BatchState, State

__all__ = ["Asked", "Plan", "Step", "make_plan", "with_needed"]


@dataclass(frozen=True)
class Asked:
    """What somebody asks a plan for.

    Args:
        nights: whose batches are to be brought up to date.
        tables: only these; none means all.
        force: compute what is fresh, too; what comes out equal is still not published again.
        stale_only: only what was published before and no longer is what it would be, and what hangs on it.
        look_back: take up what happened to earlier batches, as far back as each table's horizon.
        with_parents: bring up to date whatever these batches need, too, of whichever night.
    """

    nights: BatchRange
    tables: tuple[str, ...] = ()
    force: bool = False
    stale_only: bool = False
    look_back: bool = False
    with_parents: bool = False


@dataclass(frozen=True)
class Step:
    """The runs of one table.

    Args:
        batches: to be computed, in order.
        reasons: why each is run.
        audits: batches whose published rows are to be audited again, with the reason; their transform is not run.
    """

    table: str
    batches: tuple[date, ...]
    reasons: Mapping[date, str]
    audits: Mapping[date, str] = field(default_factory=dict)

    @property
    def ranges(self) -> list[BatchRange]:
        """The batches as ranges, for people."""
        return merge_days(self.batches)


@dataclass(frozen=True)
class Plan:
    """What a run or a backfill would do.

    Args:
        tables: those whose turn comes, in order.
        steps: what would be run, parents first.
        waiting: batches that cannot be run, with the reason.
        behind: batches that stay stale, since something they read is stale and not part of the plan.
        untouched_in: how many batches of each table are fresh, closed or held, and left alone.
        left_in: how many of each are not as they should be, and left alone since only repairs were asked for.
    """

    asked: Asked
    tables: tuple[str, ...]
    steps: tuple[Step, ...]
    waiting: tuple[BatchState, ...]
    behind: tuple[BatchState, ...]
    untouched_in: Mapping[str, int]
    left_in: Mapping[str, int] = field(default_factory=dict)

    @property
    def nights(self) -> BatchRange:
        """The nights that were asked for."""
        return self.asked.nights

    @property
    def untouched(self) -> int:
        """How many batches are fresh, closed or held and left alone, in all."""
        return sum(self.untouched_in.values())

    def to_json(self) -> dict[str, object]:
        """The plan for `--json`."""
        return {
            "from": self.nights.first.isoformat(),
            "to": self.nights.last.isoformat(),
            "steps": [
                {
                    "table": step.table,
                    "ranges": [[r.first.isoformat(), r.last.isoformat()] for r in step.ranges],
                    "batches": _iso(step.batches),
                    "reasons": {day.isoformat(): reason for day, reason in step.reasons.items()},
                    "audits": {day.isoformat(): reason for day, reason in step.audits.items()},
                }
                for step in self.steps
            ],
            "waiting": [_state_json(state) for state in self.waiting],
            "behind": [_state_json(state) for state in self.behind],
            "untouched": self.untouched,
        }


def _iso(days: Iterable[date]) -> list[str]:
    return [day.isoformat() for day in days]


def _state_json(state: BatchState) -> dict[str, object]:
    return {
        "table": state.table,
        "batch_date": state.batch_date.isoformat(),
        "state": str(state.state),
        "reason": state.reason,
    }


def make_plan(graph: TableGraph, asked: Asked, states: Mapping[str, Mapping[date, BatchState]]) -> Plan:
    """The runs that these states ask for.

    Args:
        states: of every table whose turn comes, by batch: those of the nights that were asked for, and earlier ones as far as
            a table looks back; with parents, those that `with_needed` keeps.
    """
    tables = tuple(table for table in graph.order if table in states)
    will_run: dict[str, dict[date, str]] = {}
    steps: list[Step] = []
    waiting: list[BatchState] = []
    behind: list[BatchState] = []
    untouched, left = dict.fromkeys(tables, 0), dict.fromkeys(tables, 0)
    for table in tables:
        contract = graph.contracts[table]
        cascade = _cascade(graph, table, will_run, states[table])
        reasons: dict[date, str] = {}
        audits: dict[date, str] = {}
        for day, state in sorted(states[table].items()):
            because = cascade.get(day) or _own_cascade(graph, table, day, reasons)
            reach = _Reach.NIGHT if asked.with_parents else _reach(asked, contract, day)
            reason = _reason(state, because, reach, will_run, reasons, asked)
            if reason:
                reasons[day] = reason
            elif reach is _Reach.NIGHT:
                if state.state in (State.FRESH, State.CLOSED) or state.held:
                    if state.audit:
                        audits[day] = state.audit
                    untouched[table] += not state.audit
                elif state.behind:
                    behind.append(state)
                else:
                    waiting.append(state)
            elif asked.stale_only and reach is _Reach.REPAIR:
                whole = state.state in (State.FRESH, State.CLOSED) or state.held
                untouched[table] += whole
                left[table] += not whole
        will_run[table] = reasons
        if reasons or audits:
            steps.append(Step(table, tuple(reasons), reasons, audits))
    return Plan(asked, tables, tuple(steps), tuple(waiting), tuple(behind), untouched, left)


def with_needed(
    graph: TableGraph,
    asked: Asked,
    states: Mapping[str, Mapping[date, BatchState]],
) -> dict[str, dict[date, BatchState]]:
    """Of these states those that are asked for, and whatever they need that is not as it should be.

    Args:
        states: of the tables that are asked for and of all that they read, as far as windows reach.
    """
    tables = asked.tables or graph.order
    kept: dict[str, dict[date, BatchState]] = {table: {} for table in states}
    pending = [
        state
        for table in tables
        for day, state in states.get(table, {}).items()
        if _reach(asked, graph.contracts[table], day) is not _Reach.CASCADE
    ]
    while pending:
        state = pending.pop()
        if state.batch_date in kept[state.table]:
            continue
        kept[state.table][state.batch_date] = state
        if state.state in (State.FRESH, State.CLOSED) and not asked.force:
            continue
        for entry in graph.contracts[state.table].inputs:
            found = states.get(entry.target, {})
            window = entry.window.reads(state.batch_date, graph.starts[entry.target]) if entry.table else None
            pending += [
                found[day]
                for day in window or ()
                if day in found and found[day].state not in (State.FRESH, State.CLOSED)
            ]
    return {table: found for table, found in kept.items() if found or table in tables}


class _Reach(Enum):
    """In how far a batch is asked for."""

    NIGHT = auto()
    REPAIR = auto()
    CASCADE = auto()


def _reach(asked: Asked, contract: Contract, day: date) -> _Reach:
    """By itself, if something happened to it, or only where something that it reads is run."""
    night = day + timedelta(contract.lag_days)
    if night in asked.nights:
        return _Reach.REPAIR if asked.stale_only else _Reach.NIGHT
    horizon = timedelta(contract.horizon_days or 0)
    looked_back_on = asked.look_back and asked.nights.first - horizon <= night < asked.nights.first
    return _Reach.REPAIR if looked_back_on else _Reach.CASCADE


def _cascade(
    graph: TableGraph, table: str, will_run: Mapping[str, Mapping[date, str]], batches: Collection[date]
) -> dict[date, str]:
    """Those of a table's batches that read something which will be run, each with the first such table."""
    reached: dict[date, str] = {}
    if not batches:
        return reached
    asked = BatchRange(min(batches), max(batches))
    for entry in graph.contracts[table].inputs:
        for day in will_run.get(entry.target, ()):
            # As far as anybody asked: what reads a keyed table reads all days before its own.
            for batch in entry.window.read_by(day).intersection(asked) or ():
                reached.setdefault(batch, f"{entry.target} {day} will be run")
    return reached


def _own_cascade(graph: TableGraph, table: str, day: date, own: Mapping[date, str]) -> str | None:
    """For a table that reads itself: the earlier batch of its own that will be run."""
    for entry in graph.contracts[table].inputs:
        window = entry.window.reads(day, graph.starts[table]) if entry.table == table else None
        earlier = next((d for d in window if d in own), None) if window is not None else None
        if earlier is not None:
            return f"{table} {earlier} will be run"
    return None


def _reason(
    state: BatchState,
    cascade: str | None,
    reach: _Reach,
    will_run: Mapping[str, Mapping[date, str]],
    own: Mapping[date, str],
    asked: Asked,
) -> str:
    """Why a batch will be run; empty when it will not."""
    if state.held:
        return ""
    repaired = state.repairable and not (asked.stale_only and state.state is State.MISSING)
    if state.runnable and (
        reach is _Reach.NIGHT or (reach is _Reach.REPAIR and repaired) or (cascade and state.published)
    ):
        return f"{state.state}: {state.reason}"
    if state.state is State.BLOCKED:
        enough = any if state.any_will_do else all
        comes = enough(
            day in (own if table == state.table else will_run.get(table, {})) for table, day in state.blockers
        )
        return cascade or "what it needs will be run" if comes else ""
    if state.state is State.FRESH or state.behind:
        if cascade:
            return cascade
        return "forced" if asked.force and reach is _Reach.NIGHT else ""
    return ""

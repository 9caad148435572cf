"""The plan: which runs would happen, in which order and why, as a value that is printed and executed alike.

Owns the cascade: what would be run because something it reads will be. Pure; states in, plan out. Execution judges every table
again when its turn comes, since a run may turn out to change nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from lakesmith.contracts.days import BatchRange, merge_days
from lakesmith.contracts.graph import TableGraph
from lakesmith.ledger.state import BatchState, State

__all__ = ["Plan", "Step", "make_plan"]


@dataclass(frozen=True)
class Step:
    """The runs of one table.

    Args:
        batches: in order.
        reasons: why each is run.
    """

    table: str
    batches: tuple[date, ...]
    reasons: Mapping[date, str]

    @property
    def ranges(self) -> list[BatchRange]:
        """The batches as ranges, for people."""
        return merge_days(self.batches)


@dataclass(frozen=True)
class Plan:
    """What a run or a backfill would do.

    Args:
        tables: those that were asked for, in order.
        steps: what would be run, parents first.
        waiting: batches that cannot be run, with the reason.
        untouched_in: how many batches of each table are fresh or closed.
    """

    nights: BatchRange
    tables: tuple[str, ...]
    steps: tuple[Step, ...]
    waiting: tuple[BatchState, ...]
    untouched_in: Mapping[str, int]
    force: bool = False

    @property
    def untouched(self) -> int:
        """How many batches are fresh or closed, in all."""
        return sum(self.untouched_in.values())

    def to_json(self) -> dict[str, object]:
        """The plan for `--json`."""
        return {
            "from": self.nights.first.isoformat(),
            "to": self.nights.last.isoformat(),
            "steps": [
                {
                    "table": step.table,
                    "batches": [day.isoformat() for day in step.batches],
                    "reasons": {day.isoformat(): reason for day, reason in step.reasons.items()},
                }
                for step in self.steps
            ],
            "waiting": [
                {
                    "table": s.table,
                    "batch_date": s.batch_date.isoformat(),
                    "state": str(s.state),
                    "reason": s.reason,
                }
                for s in self.waiting
            ],
            "untouched": self.untouched,
        }


def make_plan(
    graph: TableGraph,
    nights: BatchRange,
    states: Mapping[str, Mapping[date, BatchState]],
    *,
    force: bool = False,
) -> Plan:
    """The runs that these states ask for.

    Args:
        states: of every table that was asked for, by batch.
        force: run fresh batches too; what comes out equal is still not published again.
    """
    tables = tuple(table for table in graph.order if table in states)
    will_run: dict[str, dict[date, str]] = {}
    waiting: list[BatchState] = []
    untouched = dict.fromkeys(tables, 0)
    for table in tables:
        cascade = _cascade(graph, table, will_run, states[table])
        reasons: dict[date, str] = {}
        for day, state in sorted(states[table].items()):
            because = cascade.get(day) or _own_cascade(graph, table, day, reasons)
            reason = _reason(state, because, will_run, reasons, force=force)
            if reason:
                reasons[day] = reason
            elif state.state in (State.FRESH, State.CLOSED):
                untouched[table] += 1
            else:
                waiting.append(state)
        will_run[table] = reasons
    steps = [Step(table, tuple(reasons), reasons) for table, reasons in will_run.items() if reasons]
    return Plan(nights, tables, tuple(steps), tuple(waiting), untouched, force)


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
    will_run: Mapping[str, Mapping[date, str]],
    own: Mapping[date, str],
    *,
    force: bool,
) -> str:
    """Why a batch will be run; empty when it will not."""
    if state.runnable:
        return f"{state.state}: {state.reason}"
    if state.state is State.BLOCKED:
        comes = all(
            day in (own if table == state.table else will_run.get(table, {})) for table, day in state.blockers
        )
        return cascade or "what it needs will be run" if comes else ""
    if state.state is State.FRESH:
        if cascade:
            return cascade
        return "forced" if force else ""
    return ""

"""A night: the tables of a range of nights in dependency order, in one Spark session.

Owns planning and executing a plan, and the record of the night. A table in trouble stops its descendants only.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph
from lakesmith.engine.context import Context
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.errors import SparkLost, Stopped
from lakesmith.ledger.ops import now
from lakesmith.ledger.plan import Plan, Step, make_plan
from lakesmith.ledger.records import NightRecord

__all__ = ["Progress", "execute", "plan_nights"]


class Progress(Protocol):
    """Told of every table whose turn comes."""

    def started(self, step: Step) -> None:
        """The table's runs begin."""

    def finished(self, result: TableResult) -> None:
        """The table's runs are over, for better or worse."""


class _Silent:
    def started(self, step: Step) -> None: ...

    def finished(self, result: TableResult) -> None: ...


def plan_nights(
    context: Context, nights: BatchRange, tables: Sequence[str] = (), *, force: bool = False
) -> Plan:
    """What a run of these nights would do now.

    Args:
        tables: only these; none means all.
        force: also compute what is fresh.

    Raises:
        UsageError: a table that no contract declares.
    """
    graph = context.project.graph
    for table in tables:
        graph.contract(table)
    states = context.judge.judge(nights, tables or None)
    return make_plan(graph, nights, states, force=force)


def execute(context: Context, plan: Plan, progress: Progress | None = None) -> NightResult:
    """Carries out a plan, table after table.

    Every table is judged again when its turn comes: what its parents published, or did not, decides. A signal to stop, or a
    JVM that is gone, ends it; the tables after that are not in the result. After a plan for the whole graph one record names the
    version of every table.
    """
    if plan.steps:
        # Here, not above: a night with nothing to do must not pay for importing Spark.
        from lakesmith.engine.run import run_table
    progress = progress or _Silent()
    began = time.monotonic()
    results: dict[str, TableResult] = {}
    steps = {step.table: step for step in plan.steps}
    if plan.steps:
        context.events.night_started(plan.nights)
    for table in plan.tables:
        step = steps.get(table)
        if step is not None:
            progress.started(step)
            result = run_table(
                context, context.project.graph.contracts[table], step.batches, force=plan.force
            )
        else:
            result = TableResult(table)
        result.unchanged += plan.untouched_in[table]
        result.waiting += [s for s in plan.waiting if s.table == table]
        results[table] = result
        if step is not None:
            progress.finished(result)
        if _was_cut([result]):
            break
    decisions: tuple[str, ...] = ()
    if plan.steps and context.project.models and not _was_cut(results.values()):
        # As above: a project without models does not wait for them.
        from lakesmith.engine.rollout import decide

        decisions = decide(context, plan.nights)
    night = NightResult(plan.nights, results, time.monotonic() - began, decisions)
    context.events.night_ended(night)
    if plan.steps and _is_whole(context, plan.nights, results):
        _record_night(context, context.project.graph, night)
    return night


def _was_cut(results: Iterable[TableResult]) -> bool:
    """True when a signal or the loss of Spark ended the night early."""
    return any(isinstance(result.error, SparkLost | Stopped) for result in results)


def _is_whole(context: Context, nights: BatchRange, tables: Collection[str]) -> bool:
    """True when the turn of every table came that has a batch in those nights; with a lag it may have none yet."""
    judge = context.judge
    return all(table in tables for table in judge.graph.order if judge.due(table, nights) is not None)


def _record_night(context: Context, graph: TableGraph, night: NightResult) -> None:
    context.ledger.refresh(graph.order)
    versions = {
        table: live.version for table in graph.order if (live := context.ledger.live(table)) is not None
    }
    for contract in graph.contracts.values():
        quarantine = context.lake.open(contract.quarantine_table)
        if quarantine is not None:
            versions[contract.quarantine_table] = quarantine.version()
    troubles = {table: _trouble(result) for table, result in night.tables.items() if not result.is_whole}
    context.ledger.ops.append(
        [NightRecord(night.nights.first, night.nights.last, now(), night.is_complete, versions, troubles)]
    )


def _trouble(result: TableResult) -> str:
    if result.error is not None:
        return type(result.error).__name__
    counts = {"rejected": len(result.reasons), "waiting": len(result.waiting)}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)

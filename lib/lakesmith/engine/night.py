"""A night: the tables of a range of nights in dependency order, in one Spark session.

Owns planning and executing a plan, and the record of the night. A table in trouble stops its descendants only.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from lakesmith.contracts.days import BatchRange, merge_days
from lakesmith.engine.alerting import after_night
from lakesmith.engine.context import Context
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.errors import InputMissing, SparkLost, Stopped
from lakesmith.ledger.nights import night_records
from lakesmith.ledger.ops import now
from lakesmith.ledger.plan import Asked, Plan, Step, make_plan, with_needed
from lakesmith.ledger.records import NightRecord
from lakesmith.ledger.state import State

__all__ = ["Progress", "all_nights", "current_versions", "execute", "plan_nights", "refuse_without_parents"]

_RANGES_SHOWN = 3


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
    context: Context,
    nights: BatchRange,
    tables: Sequence[str] = (),
    *,
    force: bool = False,
    stale_only: bool = False,
    look_back: bool = False,
    with_parents: bool = False,
) -> Plan:
    """What a run of these nights would do now.

    Args:
        tables: only these; none means all.
        force: also compute what is fresh.
        stale_only: only what was published and has changed since.
        look_back: also take up what happened to earlier batches, as far back as each table's horizon.
        with_parents: also whatever these tables' batches need and lack, of whichever night.

    Raises:
        UsageError: a table that no contract declares.
    """
    graph = context.project.graph
    contracts = [graph.contract(table) for table in tables or graph.order]
    asked = Asked(nights, tuple(tables), force, stale_only, look_back, with_parents)
    back = max(contract.horizon_days or 0 for contract in contracts) if look_back else 0
    judged = BatchRange(nights.first - timedelta(back), nights.last)
    if not with_parents:
        return make_plan(graph, asked, context.judge.judge(judged, tables or None))
    everything = context.judge.judge(judged, tables or None, with_parents=True)
    return make_plan(graph, asked, with_needed(graph, asked, everything))


def refuse_without_parents(context: Context, plan: Plan) -> None:
    """Ends a plan for some tables that lack what their parents could have.

    Raises:
        InputMissing: batches of other tables were never published, could be run, and the plan's own need them.
    """
    blocked = {
        (s.table, s.batch_date) for s in plan.waiting if s.state is State.BLOCKED and not s.for_failure
    }
    if not blocked:
        return
    whole = plan_nights(context, plan.nights, plan.asked.tables, force=plan.asked.force, with_parents=True)
    coming = {(step.table, day) for step in whole.steps for day in step.batches}
    lacking = {
        step.table: merge_days(step.batches) for step in whole.steps if step.table not in plan.asked.tables
    }
    if blocked & coming and lacking:
        listed = "; ".join(
            f"{table} {', '.join(str(days) for days in ranges[:_RANGES_SHOWN])}"
            f"{f' and {len(ranges) - _RANGES_SHOWN} more ranges' if len(ranges) > _RANGES_SHOWN else ''}"
            for table, ranges in lacking.items()
        )
        raise InputMissing(
            f"{', '.join(plan.asked.tables)} {plan.nights}: {len(blocked & coming):,} batches need others first, which are not "
            f"part of this: {listed}. Nothing was run. Include them: --with-parents"
        )


def execute(context: Context, plan: Plan, progress: Progress | None = None) -> NightResult:
    """Carries out a plan, table after table.

    Every table is judged again when its turn comes: what its parents published, or did not, decides. A signal to stop, or a
    JVM that is gone, ends it; the tables after that are not in the result. After a plan for the whole graph one record names the
    version of every table; also where its tables were run by other processes before, so that nothing was left to do. After that
    alerts are checked, unless somebody told the process to end.
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
                context,
                context.project.graph.contracts[table],
                step.batches,
                force=plan.asked.force,
                audits=tuple(step.audits),
            )
        else:
            result = TableResult(table)
        result.unchanged += plan.untouched_in[table]
        result.unchanged += sum(s.table == table for s in plan.behind)
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
    if _is_whole(context, plan.nights, results) and (plan.steps or _is_unrecorded(context, plan)):
        _record_night(context, plan, night)
    if night.stopped:
        return night
    return replace(night, alerts=after_night(context, plan))


def all_nights(context: Context) -> BatchRange | None:
    """From the first night of history to the newest one for which there is a landing file or a record; None without any."""
    graph = context.project.graph
    days = [day for source in graph.sources for day in context.folder(source).all_days()[-1:]]
    for table, contract in graph.contracts.items():
        days += [day + timedelta(contract.lag_days) for day in context.ledger.history(table).records]
    first = min(graph.starts.values())
    return BatchRange(min(first, *days), max(days)) if days else None


def _was_cut(results: Iterable[TableResult]) -> bool:
    """True when a signal or the loss of Spark ended the night early."""
    return any(isinstance(result.error, SparkLost | Stopped) for result in results)


def _is_whole(context: Context, nights: BatchRange, tables: Collection[str]) -> bool:
    """True when the turn of every table came that has a batch in those nights; with a lag it may have none yet."""
    judge = context.judge
    return all(table in tables for table in judge.graph.order if judge.due(table, nights) is not None)


def _is_unrecorded(context: Context, plan: Plan) -> bool:
    """True when all is done and no record says so: its tables were run one by one, or in parts."""
    if plan.waiting or any(plan.left_in.values()) or not plan.untouched:
        return False
    first, last = plan.nights.first, plan.nights.last
    return not any(
        record.complete and record.first <= first and last <= record.last
        for record in night_records(context.ledger.ops)
    )


def current_versions(context: Context) -> dict[str, int]:
    """The version of every table there is now, quarantine tables and the changes of keyed ones included."""
    graph = context.project.graph
    context.ledger.refresh(graph.order)
    versions = {
        table: live.version for table in graph.order if (live := context.ledger.live(table)) is not None
    }
    for contract in graph.contracts.values():
        for table in contract.written_tables[1:]:
            opened = context.lake.open(table)
            if opened is not None:
                versions[table] = opened.version()
    return versions


def _record_night(context: Context, plan: Plan, night: NightResult) -> None:
    versions = current_versions(context)
    troubles = {table: f"{number:,} left" for table, number in plan.left_in.items() if number}
    troubles |= {table: _trouble(result) for table, result in night.tables.items() if not result.is_whole}
    context.ledger.ops.append(
        [NightRecord(night.nights.first, night.nights.last, now(), not troubles, versions, troubles)]
    )


def _trouble(result: TableResult) -> str:
    if result.error is not None:
        return type(result.error).__name__
    counts = {"rejected": len(result.reasons), "waiting": len(result.waiting)}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)

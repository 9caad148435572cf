"""Quarantine replay: the batches with rejected rows run once more, after a rule, the transform or a landing file was mended.

Owns which batches that are, which of their inputs must be run before them, and what became of the rejected rows. The runs are
ordinary ones: a batch that nothing has changed for is not run.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract
from lakesmith.engine.context import Context
from lakesmith.engine.night import Progress
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.errors import SparkLost, Stopped, UsageError
from lakesmith.ledger.audit_trail import Action, AuditRecord, actor
from lakesmith.ledger.ops import now
from lakesmith.ledger.plan import Asked, Plan, make_plan
from lakesmith.ledger.quarantined import Quarantined, quarantined
from lakesmith.ledger.state import BatchState, State

__all__ = ["Replay", "ReplayPlan", "plan_replay", "replay"]


@dataclass(frozen=True)
class ReplayPlan:
    """What a replay would do.

    Args:
        batches: those with rejected rows.
        before: what is in quarantine in these batches.
        rows: how many rows each of them has published.
        plan: the runs; the table's own and those of its inputs that they need.
        held: batches that a person restored, which no run touches.
    """

    contract: Contract
    batches: tuple[date, ...]
    before: Quarantined
    rows: Mapping[date, int]
    plan: Plan
    held: tuple[date, ...] = ()


@dataclass(frozen=True)
class Replay:
    """What a replay came to.

    Args:
        night: what the runs came to; without any when nothing was run.
        after: what is in quarantine now.
        rows: how many rows each batch has published now.
    """

    plan: ReplayPlan
    night: NightResult
    after: Quarantined
    rows: Mapping[date, int]

    @property
    def came_back(self) -> int:
        """Rows that left quarantine for the table: no more than left the one, no more than came to the other."""
        back = 0
        for day in self.plan.batches:
            left = self.plan.before.rows.get(day, 0) - self.after.rows.get(day, 0)
            come = self.rows.get(day, 0) - self.plan.rows.get(day, 0)
            back += max(0, min(left, come))
        return back

    @property
    def remaining(self) -> int:
        """Rows in quarantine now."""
        return self.after.total


def plan_replay(
    context: Context, contract: Contract, days: BatchRange | None = None, rule: str | None = None
) -> ReplayPlan:
    """Which batches of a table have rejected rows, and what it would take to run them again. Starts no JVM.

    Args:
        days: only batches of these days; None for all.
        rule: only batches with rows that broke this rule.

    Raises:
        UsageError: no row in quarantine broke that rule.
    """
    found = quarantined(context.lake.open(contract.quarantine_table), contract, days)
    if rule is not None and rule not in found.rules:
        known = ", ".join(found.rules) or "none"
        raise UsageError(
            f"no row of {contract.table} in quarantine{f' on {days}' if days else ''} broke the rule {rule}. "
            f"Broken were: {known}. See: lakesmith quarantine list --table {contract.table}"
        )
    batches = tuple(found.batches(rule))
    states = _needed_states(context, contract, batches) if batches else {}
    nights = (
        BatchRange(batches[0], batches[-1]).shifted(contract.lag_days)
        if batches
        else BatchRange(date.min, date.min)
    )
    own = states.get(contract.table, {})
    return ReplayPlan(
        contract,
        batches,
        found.only(batches),
        _published(context, contract, batches),
        make_plan(context.project.graph, Asked(nights, with_parents=True), states),
        tuple(day for day, state in own.items() if state.held),
    )


def replay(context: Context, plan: ReplayPlan, progress: Progress | None = None, why: str = "") -> Replay:
    """Runs what a replay needs, and counts what became of the rejected rows.

    Args:
        why: for the record, in words.
    """
    began = time.monotonic()
    results: dict[str, TableResult] = {}
    if plan.plan.steps:
        # Here, not above: a replay with nothing to do must not pay for importing Spark.
        from lakesmith.engine.run import run_table
    for step in plan.plan.steps:
        if progress is not None:
            progress.started(step)
        result = run_table(context, context.project.graph.contracts[step.table], step.batches)
        results[step.table] = result
        if progress is not None:
            progress.finished(result)
        if isinstance(result.error, SparkLost | Stopped):
            break
    own = results.setdefault(plan.contract.table, TableResult(plan.contract.table))
    own.waiting += [s for s in plan.plan.waiting if s.table == plan.contract.table]
    own.unchanged += plan.plan.untouched_in.get(plan.contract.table, 0)
    night = NightResult(plan.plan.nights, results, time.monotonic() - began)
    context.ledger.refresh([plan.contract.table, plan.contract.quarantine_table])
    after = quarantined(context.lake.open(plan.contract.quarantine_table), plan.contract).only(plan.batches)
    done = Replay(plan, night, after, _published(context, plan.contract, plan.batches))
    if any(result.runs for result in results.values()):
        context.ledger.ops.append([_trail(done, why)])
    return done


def _needed_states(
    context: Context, contract: Contract, batches: Sequence[date]
) -> dict[str, dict[date, BatchState]]:
    """The batches to replay, and those of their inputs that have to be run before them, however far up."""
    graph = context.project.graph
    wanted: dict[str, set[date]] = {contract.table: set(batches)}
    for table in reversed(graph.order):
        for entry in graph.contracts[table].inputs if table in wanted else ():
            if entry.table is None or entry.table == table:
                continue
            for day in wanted[table]:
                window = entry.window.reads(day, graph.starts[entry.table])
                wanted.setdefault(entry.table, set()).update(window or ())
    # An input's batch is owned by a night of its own, which no lag brings further than the batches' own.
    owned = [
        day + timedelta(graph.contracts[table].lag_days) for table, days in wanted.items() for day in days
    ]
    states = context.judge.judge(BatchRange(min(owned), max(owned)), list(wanted))
    settled = (State.FRESH, State.CLOSED)
    return {
        table: {
            day: state
            for day, state in found.items()
            if day in wanted[table] and (table == contract.table or state.state not in settled)
        }
        for table, found in states.items()
    }


def _published(context: Context, contract: Contract, batches: Sequence[date]) -> dict[date, int]:
    history = context.ledger.history(contract.table)
    standing = {day: history.standing(day) for day in batches}
    return {day: record.rows if record is not None else 0 for day, record in standing.items()}


def _trail(done: Replay, why: str) -> AuditRecord:
    plan = done.plan
    return AuditRecord(
        recorded_at=now(),
        who=actor(),
        action=Action.REPLAY,
        table=plan.contract.table,
        first=plan.batches[0],
        last=plan.batches[-1],
        why=why,
        run_ids=tuple(run.run_id for result in done.night.tables.values() for run in result.runs),
        details={
            "batches": len(plan.batches),
            "came_back": done.came_back,
            "before": plan.before.total,
            "remaining": done.remaining,
            "rules_before": plan.before.rules,
            "rules_remaining": done.after.rules,
        },
    )

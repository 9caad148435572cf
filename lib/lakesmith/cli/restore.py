"""`lakesmith restore`: an old state of a batch published anew, and held until it is released."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.batches import batch_of_rows
from lakesmith.cli.options import AsJson, Env, Invocation, OwningNight, Project, Table, Why
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.spark import start_spark
from lakesmith.cli.wording import count, days_text
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from rich.console import RenderableType

    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context
    from lakesmith.engine.restoring import Restoration
    from lakesmith.ledger.state import BatchState

__all__ = ["command"]


def command(
    table: Table,
    night: OwningNight,
    version: Annotated[
        int | None,
        typer.Option("--to-version", metavar="N", help="The table version whose rows are to come back."),
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Give a restored batch back to the nights instead.")
    ] = False,
    why: Why = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Publish an old state of a batch anew, audited like any other; no run touches it until it is released.

    `lakesmith diff` shows what it would undo. Rows in quarantine go back with it. What reads the batch
    becomes stale where rows differ.

    For example:

        lakesmith restore silver.sales_lines --date 2011-03-01 --to-version 3 --why "wrong correction"

        lakesmith restore silver.sales_lines --date 2011-03-01 --release
    """
    if release == (version is not None):
        raise UsageError(
            "Which is it? Give --to-version N to restore, or --release to let a restored batch go."
        )
    invocation = Invocation(env, project)
    context = invocation.open()
    contract = context.project.graph.contract(table)
    day = batch_of_rows(context, contract, parse_night(night))
    if version is None:
        _release(context, contract, day, why, invocation, as_json=as_json)
        return
    from lakesmith.engine.restoring import plan_restore, restore

    if plan_restore(context, contract, day, version).needed:
        start_spark(context)
    done = restore(context, contract, day, version, why)
    state = _state(context, contract, day)
    downstream = _stale_downstream(context, contract, day)
    if as_json:
        answer_json(_json(contract, done, state, downstream))
    else:
        answer(*_lines(context, invocation, contract, done, state, downstream))


def _release(
    context: Context, contract: Contract, day: date, why: str, invocation: Invocation, *, as_json: bool
) -> None:
    from lakesmith.engine.restoring import release

    record = release(context, contract, day, why)
    state = _state(context, contract, day)
    if as_json:
        answer_json(
            {
                "table": contract.table,
                "batch_date": day.isoformat(),
                "released": True,
                "run_id": record.run_id,
                "state": str(state.state) if state is not None else None,
                "reason": state.reason if state is not None else "",
            }
        )
        return
    lines = [f"{contract.table} {day}: released; runs treat it like any other batch again."]
    if state is not None:
        lines.append(f"state: {state.state}{f': {state.reason}' if state.reason else ''}")
        if state.runnable:
            night = day + timedelta(contract.lag_days)
            lines.append(f"repair it: {invocation.command(f'run --date {night}')}")
    answer(*lines)


def _state(context: Context, contract: Contract, day: date) -> BatchState | None:
    night = BatchRange(day, day).shifted(contract.lag_days)
    return context.judge.judge(night, [contract.table]).get(contract.table, {}).get(day)


def _stale_downstream(context: Context, contract: Contract, day: date) -> list[BatchState]:
    """What reads the batch, directly or not, and is stale now."""
    from lakesmith.ledger.state import State

    graph = context.project.graph
    reached = {contract.table}
    for table in graph.order:
        if reached & set(graph.parents(table)):
            reached.add(table)
    nights = [
        batch + timedelta(graph.contracts[table].lag_days)
        for table in reached
        for batch in context.ledger.history(table).records
    ]
    if not nights or max(nights) < day:
        return []
    context.ledger.refresh(reached)
    states = context.judge.judge(BatchRange(day, max(nights)), sorted(reached))
    return [
        state
        for table, found in states.items()
        for state in found.values()
        if state.state is State.STALE and (table, state.batch_date) != (contract.table, day)
    ]


def _json(
    contract: Contract, done: Restoration, state: BatchState | None, downstream: list[BatchState]
) -> dict[str, object]:
    before = done.plan.present
    return {
        "table": contract.table,
        "batch_date": done.plan.day.isoformat(),
        "to_version": done.plan.past.version,
        "restored": bool(done.run_id),
        "run_id": done.run_id or None,
        "version": done.version,
        "rows": done.record.rows,
        "rows_before": before.rows if before is not None else None,
        "quarantined": done.record.quarantined,
        "warnings": list(done.warnings),
        "remarks": list(done.remarks),
        "state": str(state.state) if state is not None else None,
        "reason": state.reason if state is not None else "",
        "held": state.held if state is not None else False,
        "stale_downstream": [
            {"table": s.table, "batch_date": s.batch_date.isoformat(), "reason": s.reason} for s in downstream
        ],
    }


def _lines(
    context: Context,
    invocation: Invocation,
    contract: Contract,
    done: Restoration,
    state: BatchState | None,
    downstream: list[BatchState],
) -> list[RenderableType]:
    plan, record = done.plan, done.record
    head = f"{contract.table} {plan.day}"
    if not done.run_id:
        return [f"{head}: nothing to restore. It holds the rows of version {plan.past.version} already."]
    made = f"as version {done.version}" if done.version is not None else "which is what readers see already"
    was = count(plan.present.rows, "row") if plan.present is not None else "nothing"
    lines: list[RenderableType] = [
        f"{head}: version {plan.past.version} is restored, {made} (run {done.run_id})",
        f"rows: {count(record.rows, 'row')} instead of {was}; {record.quarantined:,} in quarantine",
        *(f"warning: {said}" for said in (*done.warnings, *done.remarks)),
    ]
    night = plan.day + timedelta(contract.lag_days)
    if state is not None:
        lines.append(f"state: {state.state}{f': {state.reason}' if state.reason else ''}")
    letting_go = invocation.command(f"restore {contract.table} --date {night} --release")
    lines += ["", f"No run touches it until you release it: {letting_go}"]
    if downstream:
        lines += ["", "stale now, since it reads this batch:"]
        graph = context.project.graph
        for table in dict.fromkeys(s.table for s in downstream):
            lines.append(f"  {table}  {days_text(s.batch_date for s in downstream if s.table == table)}")
        nights = [s.batch_date + timedelta(graph.contracts[s.table].lag_days) for s in downstream]
        repair = f"backfill --from {min(nights)} --to {max(nights)}"
        lines.append(f"repair it: {invocation.command(repair)}")
    return lines

"""`lakesmith run` and `lakesmith backfill`: nights as a plan that is shown and then carried out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, OutcomeFile, Project, Tables
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.progress import tables_progress
from lakesmith.cli.spark import start_spark
from lakesmith.cli.wording import count
from lakesmith.contracts.days import BatchRange, parse_night

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakesmith.contracts.graph import TableGraph
    from lakesmith.engine.context import Context
    from lakesmith.engine.outcome import NightResult
    from lakesmith.ledger.plan import Plan

__all__ = ["backfill", "carry_out", "run", "run_nights"]

_Force = Annotated[
    bool, typer.Option("--force", help="Compute fresh batches too; equal rows are not published again.")
]

_Why = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="With --force: for the record, in your words.")
]


def run(
    night: Annotated[str, typer.Option("--date", metavar="DAY", help="The night, YYYY-MM-DD.")],
    tables: Tables = None,
    force: _Force = False,
    why: _Why = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Run one night: what is missing, stale or failed, in dependency order.

    A night that is done already is left alone, without starting Spark. Of a table with a lag it owns an
    earlier batch.

    For example:

        lakesmith run --date 2011-03-01

        lakesmith run --date 2011-03-01 --table silver.sales_lines --env prod --outcome outcome.json
    """
    from lakesmith.engine.submit import outcome_in_any_case

    with outcome_in_any_case(outcome):
        day = parse_night(night)
        return _nights(
            Invocation(env, project), BatchRange(day, day), tables or [], force, as_json, outcome, why=why
        )


def backfill(
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="The first night, YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="The last night, included.")],
    tables: Tables = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be run and why; run nothing.")
    ] = False,
    force: _Force = False,
    why: _Why = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Run a range of nights, each table once for all its batches.

    The rows are those that the nights one by one would give.

    For example:

        lakesmith backfill --from 2010-12-01 --to 2011-06-30 --dry-run

        lakesmith backfill --from 2011-03-01 --to 2011-03-31 --table gold.daily_sales --force
    """
    from lakesmith.engine.submit import outcome_in_any_case

    with outcome_in_any_case(outcome):
        nights = BatchRange(parse_night(first), parse_night(last))
        return _nights(
            Invocation(env, project), nights, tables or [], force, as_json, outcome, dry_run=dry_run, why=why
        )


def _nights(
    invocation: Invocation,
    nights: BatchRange,
    tables: Sequence[str],
    force: bool,
    as_json: bool,
    outcome: Path | None,
    *,
    dry_run: bool = False,
    why: str = "",
) -> int:
    context = invocation.open()
    context.why = why
    return run_nights(
        context,
        invocation,
        nights,
        tables,
        force=force,
        as_json=as_json,
        outcome=outcome,
        dry_run=dry_run,
    )


def run_nights(
    context: Context,
    invocation: Invocation,
    nights: BatchRange,
    tables: Sequence[str],
    *,
    force: bool,
    as_json: bool,
    outcome: Path | None,
    dry_run: bool = False,
) -> int:
    """Plans nights, shows the plan, carries it out and tells what came of it.

    Args:
        tables: only these; none means all.
    """
    from lakesmith.cli.plan_text import plan_lines, waiting_lines
    from lakesmith.engine.night import plan_nights

    plan = plan_nights(context, nights, tables, force=force)
    if dry_run:
        if as_json:
            answer_json(plan.to_json())
        else:
            answer(
                *plan_lines(plan),
                *waiting_lines(plan.waiting, "cannot be run"),
                *_nothing_to_run(context, plan, tables),
            )
        return 0
    if not as_json:
        answer(*plan_lines(plan))
    night = carry_out(context, plan)
    if outcome is not None:
        from lakesmith.engine.submit import write_outcome

        write_outcome(outcome, night)
    if as_json:
        answer_json(night.to_json())
    else:
        from lakesmith.cli.night_text import night_lines

        lines = night_lines(night, context.project.graph, invocation) if plan.steps or plan.waiting else []
        answer(*lines, *_nothing_to_run(context, plan, tables))
    return int(night.exit_code)


def carry_out(context: Context, plan: Plan) -> NightResult:
    """Executes a plan with its progress on stderr; one without steps starts no Spark."""
    from lakesmith.engine.night import execute

    if plan.steps:
        start_spark(context)
    with tables_progress(len(plan.steps)) as progress:
        return execute(context, plan, progress)


def _nothing_to_run(context: Context, plan: Plan, tables: Sequence[str]) -> list[str]:
    """Why there is nothing to run; empty when there is."""
    if plan.steps or plan.waiting:
        return []
    nights = f"{plan.nights.first}" if len(plan.nights) == 1 else str(plan.nights)
    if plan.untouched:
        return [f"nothing to do for {nights}: all {plan.untouched:,} batches are fresh or closed."]
    return [f"nothing is due for {nights}: {_first_night(context.project.graph, tables)}."]


def _first_night(graph: TableGraph, tables: Sequence[str]) -> str:
    first = {table: BatchRange(graph.starts[table], graph.starts[table]) for table in tables or graph.order}
    owning = {table: start.shifted(graph.contracts[table].lag_days).first for table, start in first.items()}
    table = min(owning, key=lambda name: (owning[name], name))
    lag = graph.contracts[table].lag_days
    because = f", which lags {count(lag, 'day')}," if lag else ""
    return (
        f"history starts on {graph.starts[table]}, and the first night of {table}{because} is {owning[table]}"
    )

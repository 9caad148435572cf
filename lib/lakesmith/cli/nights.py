"""`lakesmith plan`, `run` and `backfill`: nights as a plan that is shown, and by the latter two carried out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, DryRun, Env, First, Invocation, Last, OutcomeFile, Project, Tables
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.progress import tables_progress
from lakesmith.cli.spark import start_spark
from lakesmith.cli.status import nights_of
from lakesmith.cli.wording import count
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.errors import InputMissing, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from lakesmith.contracts.graph import TableGraph
    from lakesmith.engine.context import Context
    from lakesmith.engine.outcome import NightResult
    from lakesmith.ledger.plan import Plan

__all__ = ["backfill", "carry_out", "plan", "run", "run_nights"]

_StaleOnly = Annotated[
    bool,
    typer.Option(
        "--stale-only",
        help="Only what was published and has changed since; without a range in all of history.",
    ),
]
_WithParents = Annotated[
    bool, typer.Option("--with-parents", help="Also whatever these tables need and lack, of any night.")
]
_Force = Annotated[
    bool, typer.Option("--force", help="Compute fresh batches too; equal rows are not published again.")
]

_Why = Annotated[
    str, typer.Option("--why", metavar="TEXT", help="With --force: for the record, in your words.")
]


def run(
    night: Annotated[str, typer.Option("--date", metavar="DAY", help="The night, YYYY-MM-DD.")],
    tables: Tables = None,
    dry_run: DryRun = False,
    force: _Force = False,
    why: _Why = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Run one night: what is missing, stale or failed, in dependency order.

    A night that is done already is left alone, without starting Spark. Of a table with a lag it owns an
    earlier batch. What happened to earlier batches is repaired as far back as a contract's horizon.

    For example:

        lakesmith run --date 2011-03-01

        lakesmith run --date 2011-03-01 --table silver.sales_lines --env prod --outcome outcome.json
    """
    from lakesmith.engine.submit import outcome_in_any_case

    with outcome_in_any_case(outcome):
        day = parse_night(night)
        invocation = Invocation(env, project)
        context = invocation.open()
        context.why = why
        made = _plan(invocation, context, BatchRange(day, day), tables, force=force, look_back=True)
        return run_nights(context, invocation, made, as_json=as_json, outcome=outcome, dry_run=dry_run)


def backfill(
    first: First = None,
    last: Last = None,
    tables: Tables = None,
    stale_only: _StaleOnly = False,
    with_parents: _WithParents = False,
    dry_run: DryRun = False,
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

        lakesmith backfill --from 2011-03-01 --to 2011-03-31 --table gold.daily_sales --with-parents

        lakesmith backfill --stale-only
    """
    from lakesmith.engine.submit import outcome_in_any_case

    with outcome_in_any_case(outcome):
        if not stale_only and (first is None or last is None):
            raise UsageError(
                "a backfill needs both ends of its range: --from DAY --to DAY. "
                "To repair all of history, and nothing else: lakesmith backfill --stale-only"
            )
        _check_together(force, stale_only, with_parents)
        invocation = Invocation(env, project)
        context = invocation.open()
        context.why = why
        nights = nights_of(context, first, last)
        how = {"force": force, "stale_only": stale_only, "with_parents": with_parents}
        made = _plan(invocation, context, nights, tables, **how)
        return run_nights(context, invocation, made, as_json=as_json, outcome=outcome, dry_run=dry_run)


def plan(
    night: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="As `run` for this night.")
    ] = None,
    first: First = None,
    last: Last = None,
    tables: Tables = None,
    stale_only: _StaleOnly = False,
    with_parents: _WithParents = False,
    force: _Force = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Show what a run or a backfill would do, in which order and why; run nothing.

    Without a night or a range: for all of history. Starts no JVM.

    For example:

        lakesmith plan --date 2011-03-01

        lakesmith plan --stale-only
    """
    if night is not None and (first is not None or last is not None or stale_only or with_parents):
        raise UsageError(
            "--date plans one night, as `run` does; leave --from, --to, --stale-only and --with-parents out"
        )
    _check_together(force, stale_only, with_parents)

    invocation = Invocation(env, project)
    context = invocation.open()
    day = parse_night(night) if night is not None else None
    nights = BatchRange(day, day) if day is not None else nights_of(context, first, last)
    how = {
        "force": force,
        "stale_only": stale_only,
        "with_parents": with_parents,
        "look_back": day is not None,
    }
    made = _plan(invocation, context, nights, tables, **how)
    return run_nights(context, invocation, made, as_json=as_json, outcome=None, dry_run=True)


def _check_together(force: bool, stale_only: bool, with_parents: bool) -> None:
    if stale_only and (force or with_parents):
        other = "--force" if force else "--with-parents"
        raise UsageError(
            f"--stale-only repairs what was published before, {other} reaches further; choose one of them"
        )


def _plan(
    invocation: Invocation,
    context: Context,
    nights: BatchRange | None,
    tables: Sequence[str] | None,
    **how: bool,
) -> Plan:
    """The plan for some nights; one of a range for some tables that lack what only --with-parents would run is refused.

    Args:
        how: as `plan_nights` takes it.
    """
    from lakesmith.engine.night import plan_nights, refuse_without_parents

    if nights is None:
        settings = context.settings
        raise InputMissing(
            f"there is no night yet: {settings.lake_root} holds no batch and {settings.landing_root} no file. "
            f"See what is looked for: {invocation.command('status')}"
        )
    made = plan_nights(context, nights, tables or [], **how)
    asked = made.asked
    if asked.tables and not (asked.with_parents or asked.stale_only or asked.look_back):
        refuse_without_parents(context, made)
    return made


def run_nights(
    context: Context,
    invocation: Invocation,
    plan: Plan,
    *,
    as_json: bool,
    outcome: Path | None,
    dry_run: bool = False,
) -> int:
    """Shows a plan, carries it out and tells what came of it.

    Args:
        dry_run: only show it, with what it will likely take.
    """
    from lakesmith.cli.plan_text import plan_lines, waiting_lines

    if dry_run:
        from lakesmith.engine.expected import expected_work

        expected = expected_work(context, plan)
        if as_json:
            answer_json(
                plan.to_json() | {"expected": {table: work.to_json() for table, work in expected.items()}}
            )
        else:
            answer(
                *plan_lines(plan, expected),
                *waiting_lines(plan.waiting, "cannot be run"),
                *_behind(plan, invocation),
                *_nothing_to_run(context, plan),
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
        answer(*lines, *_behind(plan, invocation), *_nothing_to_run(context, plan))
    return int(night.exit_code)


def _behind(plan: Plan, invocation: Invocation) -> list[RenderableType]:
    """What stays stale, and the command that repairs it."""
    from lakesmith.cli.plan_text import waiting_lines

    if not plan.behind:
        return []
    return [
        *waiting_lines(plan.behind, "stale, and not to be mended here"),
        f"to repair what they read: {invocation.command('backfill --stale-only')}",
    ]


def carry_out(context: Context, plan: Plan) -> NightResult:
    """Executes a plan with its progress on stderr; one without steps starts no Spark."""
    from lakesmith.engine.night import execute

    if plan.steps:
        start_spark(context)
    with tables_progress(len(plan.steps)) as progress:
        return execute(context, plan, progress)


def _nothing_to_run(context: Context, plan: Plan) -> list[str]:
    """Why there is nothing to run; empty when there is."""
    if plan.steps or plan.waiting or plan.behind:
        return []
    nights = f"{plan.nights.first}" if len(plan.nights) == 1 else str(plan.nights)
    left = sum(plan.left_in.values())
    if left:
        return [
            f"nothing to repair for {nights}: {count(plan.untouched, 'batch')} fresh or closed, and "
            f"{count(left, 'batch')} that never came to be; see: lakesmith status"
        ]
    if plan.untouched:
        return [f"nothing to do for {nights}: all {plan.untouched:,} batches are fresh or closed."]
    return [f"nothing is due for {nights}: {_first_night(context.project.graph, plan.asked.tables)}."]


def _first_night(graph: TableGraph, tables: Sequence[str]) -> str:
    first = {table: BatchRange(graph.starts[table], graph.starts[table]) for table in tables or graph.order}
    owning = {table: start.shifted(graph.contracts[table].lag_days).first for table, start in first.items()}
    table = min(owning, key=lambda name: (owning[name], name))
    lag = graph.contracts[table].lag_days
    because = f", which lags {count(lag, 'day')}," if lag else ""
    return (
        f"history starts on {graph.starts[table]}, and the first night of {table}{because} is {owning[table]}"
    )

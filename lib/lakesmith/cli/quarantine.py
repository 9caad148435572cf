"""`lakesmith quarantine list | show | replay`: rejected rows, why, and running their batches once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.batches import owned_batch
from lakesmith.cli.options import (
    AsJson,
    AsOf,
    DryRun,
    Env,
    Invocation,
    OutcomeFile,
    OwningNight,
    Project,
    Table,
    Tables,
    Unmask,
    Why,
)
from lakesmith.cli.output import answer, answer_json
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.errors import UsageError
from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from lakesmith.contracts.model import Contract

__all__ = ["list_rows", "replay", "show"]

_First = Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first night.")]
_Last = Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last night, included.")]


def list_rows(
    tables: Tables = None,
    first: _First = None,
    last: _Last = None,
    days: Annotated[int, typer.Option("--last", min=1, help="How many batches of a table to show.")] = 7,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List rejected rows by table and rule, with counts by day; with --json all days. No JVM.

    For example:

        lakesmith quarantine list

        lakesmith quarantine list --table silver.sales_lines --from 2011-03-01 --to 2011-03-31 --json

        lakesmith quarantine list --as-of 2011-03-02
    """
    from lakesmith.cli.quarantine_text import list_json, list_lines
    from lakesmith.ledger.quarantined import quarantined

    invocation = Invocation(env, project)
    context = invocation.open().as_of(as_of)
    graph = context.project.graph
    contracts = [graph.contract(table) for table in tables or graph.order]
    nights = _nights(first, last)
    found = [
        (
            contract,
            quarantined(context.ledger.open(contract.quarantine_table), contract, _batches(contract, nights)),
        )
        for contract in contracts
    ]
    if as_json:
        answer_json(list_json([rows for _, rows in found]))
    else:
        answer(*list_lines(found, days, invocation))


def show(
    table: Table,
    night: OwningNight,
    rule: Annotated[str | None, typer.Option("--rule", help="Only rows that broke this rule.")] = None,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=1, help="How many rows to show.")] = 5,
    unmask: Unmask = False,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show rejected rows of a batch, each with the rules that it broke. No JVM.

    For example:

        lakesmith quarantine show silver.sales_lines --date 2011-03-01 --rule quantity_parses
    """
    with needs_extra("sql"):
        from lakesmith.query.rejected import rejected_rows
    from lakesmith.cli.masking import masked_columns
    from lakesmith.cli.quarantine_text import show_json, show_lines
    from lakesmith.ledger.quarantined import quarantined

    invocation = Invocation(env, project)
    context = invocation.open().as_of(as_of)
    contract = context.project.graph.contract(table)
    day = owned_batch(context, contract, parse_night(night))
    opened = context.ledger.open(contract.quarantine_table)
    counted = quarantined(opened, contract, BatchRange(day, day))
    _check_rule(contract, day, rule, counted.rules)
    found: Sequence[Mapping[str, object]] = []
    if opened is not None and counted.total:
        found = rejected_rows(context.lake, opened, contract, day, rule, rows)
    masked = frozenset() if unmask else masked_columns(contract)
    if as_json:
        answer_json(show_json(counted, day, found, masked))
    else:
        answer(*show_lines(contract, counted, day, rule, found, masked, invocation, night))


def replay(
    table: Table,
    night: Annotated[str | None, typer.Option("--date", metavar="DAY", help="Only this night.")] = None,
    first: _First = None,
    last: _Last = None,
    rule: Annotated[
        str | None, typer.Option("--rule", help="Only batches with rows that broke this rule.")
    ] = None,
    why: Why = "",
    dry_run: DryRun = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Run just the batches with rejected rows once more, after a rule, the transform or a file was mended.

    What they need is run before them. A batch for which nothing has changed is not run.

    For example:

        lakesmith quarantine replay silver.sales_lines --dry-run

        lakesmith quarantine replay silver.sales_lines --from 2011-03-01 --to 2011-03-31 --rule quantity_parses
    """
    from lakesmith.engine.submit import outcome_in_any_case

    with outcome_in_any_case(outcome):
        if night is not None and (first is not None or last is not None):
            raise UsageError("Which nights? Give --date D, or --from A --to B, or neither for all.")
        nights = _nights(night or first, night or last)
        invocation = Invocation(env, project)
        context = invocation.open()
        contract = context.project.graph.contract(table)
        from lakesmith.cli.plan_text import plan_lines
        from lakesmith.cli.quarantine_text import replay_json, replay_lines, replay_plan_lines
        from lakesmith.engine.replaying import plan_replay

        plan = plan_replay(context, contract, _batches(contract, nights), rule)
        if dry_run:
            if as_json:
                answer_json(plan.plan.to_json())
            else:
                answer(*replay_plan_lines(plan))
            return 0
        if plan.plan.steps and not as_json:
            answer(*plan_lines(plan.plan))
        from lakesmith.cli.progress import tables_progress
        from lakesmith.cli.spark import start_spark
        from lakesmith.engine import replaying

        if plan.plan.steps:
            start_spark(context)
        with tables_progress(len(plan.plan.steps)) as progress:
            done = replaying.replay(context, plan, progress, why)
        if outcome is not None:
            from lakesmith.engine.submit import write_outcome

            write_outcome(outcome, done.night)
        if as_json:
            answer_json(replay_json(done))
        else:
            answer(*replay_lines(done, context, invocation))
        return int(done.night.exit_code)


def _nights(first: str | None, last: str | None) -> BatchRange | None:
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise UsageError("Which nights? Give both, --from A --to B, or neither for all.")
    return BatchRange(parse_night(first), parse_night(last))


def _batches(contract: Contract, nights: BatchRange | None) -> BatchRange | None:
    return contract.owned_by(nights) if nights is not None else None


def _check_rule(contract: Contract, day: date, rule: str | None, broken: dict[str, int]) -> None:
    if rule is not None and rule not in broken:
        raise UsageError(
            f"no row of {contract.table} {day} in quarantine broke the rule {rule}. "
            f"Broken were: {', '.join(broken) or 'none'}."
        )

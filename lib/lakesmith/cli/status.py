"""`lakesmith status`: the state of every batch as a heat map, then in words what is not as it should be.

Reads the ledger and the landing folders, and starts no JVM.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, First, Invocation, Last, Project, Tables, Unit
from lakesmith.cli.output import answer, answer_json, width
from lakesmith.cli.wording import grid, number
from lakesmith.contracts.days import BatchRange, parse_night

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from lakesmith.engine.context import Context
    from lakesmith.ledger.state import BatchState

__all__ = ["command", "nights_of"]


def command(
    first: First = None,
    last: Last = None,
    tables: Tables = None,
    by: Annotated[Unit | None, typer.Option("--by", help="Nights in a cell (default: what fits).")] = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show which batches are fresh, stale, missing, failed, blocked, foreign or closed, and why.

    Reads the ledger and the landing folder; starts no JVM.

    For example:

        lakesmith status --from 2011-03-01 --to 2011-03-31 --table gold.daily_sales
    """
    from lakesmith.ledger.state import State

    invocation = Invocation(env, project)
    context = invocation.open()
    graph = context.project.graph
    for table in tables or ():
        graph.contract(table)
    nights = nights_of(context, first, last)
    states = context.judge.judge(nights, tables or None) if nights is not None else {}
    if as_json:
        answer_json(_json(context, nights, states))
    elif nights is None:
        answer(*_nothing_yet(context, invocation))
    elif not any(states.values()):
        starts = min(graph.starts[table] for table in tables or graph.order)
        answer(f"nothing is due for {nights}: history starts on {starts}.")
    else:
        troubled = [
            s
            for found in states.values()
            for s in found.values()
            if s.state not in (State.FRESH, State.CLOSED)
        ]
        answer(*_picture(context, nights, states, by), *_counts(states), *_troubles(troubled))
        answer(*_audits(states))
        repairs = [state for state in troubled if state.runnable]
        if repairs:
            only = "".join(f" --table {table}" for table in tables or ())
            once = all(state.published and state.repairable for state in repairs)
            how = "--stale-only" if once else f"--from {nights.first} --to {nights.last}"
            answer("", f"to repair what can be: {invocation.command(f'backfill {how}{only}')}")


def nights_of(context: Context, first: str | None, last: str | None) -> BatchRange | None:
    """The nights asked for; by default all of history so far; None where there is none yet."""
    from lakesmith.engine.night import all_nights

    known = all_nights(context)
    start = parse_night(first) if first is not None else min(context.project.graph.starts.values())
    if last is not None:
        end = parse_night(last)
    elif known is not None:
        end = known.last
    else:
        return None
    return BatchRange(min(start, end) if first is None or last is None else start, end)


def _picture(
    context: Context, nights: BatchRange, states: Mapping[str, Mapping[date, BatchState]], by: Unit | None
) -> list[RenderableType]:
    from lakesmith.cli.heat_map import HeatMap, legend

    lags = {table: context.project.graph.contracts[table].lag_days for table in states}
    present = sorted({state.state for found in states.values() for state in found.values()})
    head = f"{context.settings.environment}: {context.settings.lake_root}, nights {nights}"
    return [head, "", *HeatMap(nights, states, lags).render(width(), by), "", legend(present), ""]


def _counts(states: Mapping[str, Mapping[date, BatchState]]) -> list[RenderableType]:
    from lakesmith.ledger.state import State

    counts = {table: Counter(state.state for state in found.values()) for table, found in states.items()}
    present = [state for state in State if any(found[state] for found in counts.values())]
    table = grid("table", *present, "newest fresh", right=present)
    for name, found in counts.items():
        newest = max((day for day, s in states[name].items() if s.state is State.FRESH), default=None)
        row = [number(found[state] or None) for state in present]
        table.add_row(name, *row, str(newest) if newest is not None else "none")
    return [table]


def _troubles(troubled: Sequence[BatchState]) -> list[RenderableType]:
    from lakesmith.cli.plan_text import state_lines

    return ["", *state_lines(troubled)] if troubled else []


def _audits(states: Mapping[str, Mapping[date, BatchState]]) -> list[RenderableType]:
    """Fresh batches whose suite has changed since they were judged."""
    from lakesmith.cli.plan_text import audit_lines

    due = [state for found in states.values() for state in found.values() if state.audit]
    return ["", *audit_lines(due)] if due else []


def _nothing_yet(context: Context, invocation: Invocation) -> list[str]:
    settings = context.settings
    lines = [
        f"Nothing is there yet: no batch in {settings.lake_root}, no landing file in {settings.landing_root}."
    ]
    for source in context.project.graph.sources.values():
        if source.is_external:
            lines.append(f"  {source.name} is the Delta table at {source.path}, from {source.start} on")
            continue
        lines.append(
            f"  {source.name} is looked for as {settings.landing_root}/{source.name}/{source.patterns[0]}, "
            f"from {source.start} on"
        )
    lines.append(
        f"Deliver files there and run a night, point LAKESMITH__LANDING_ROOT at them, or try: "
        f"{Invocation(None, invocation.project).command('demo')}"
    )
    return lines


def _json(
    context: Context, nights: BatchRange | None, states: Mapping[str, Mapping[date, BatchState]]
) -> dict[str, object]:
    from lakesmith.ledger.state import State

    def table(name: str) -> dict[str, object]:
        found = states[name]
        live = context.ledger.live(name)
        counts = Counter(state.state for state in found.values())
        return {
            "table": name,
            "lag_days": context.project.graph.contracts[name].lag_days,
            "version": live.version if live is not None else None,
            "counts": {str(state): counts[state] for state in State},
            "batches": [
                {
                    "batch_date": day.isoformat(),
                    "state": str(state.state),
                    "reason": state.reason,
                    "audit": state.audit,
                }
                for day, state in sorted(found.items())
            ],
        }

    return {
        "environment": context.settings.environment,
        "lake_root": context.settings.lake_root,
        "from": nights.first.isoformat() if nights is not None else None,
        "to": nights.last.isoformat() if nights is not None else None,
        "tables": [table(name) for name in states],
    }

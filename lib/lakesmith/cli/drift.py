"""`lakesmith drift`: what has drifted in a night, by how much, and what it takes to be called so."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lakesmith.cli.options import AsJson, AsOf, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.contracts.days import parse_night
from lakesmith.errors import UsageError

__all__ = ["command"]


def command(
    table: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="Only this table, LAYER.NAME, with all its columns."),
    ] = None,
    night: Annotated[
        str | None,
        typer.Option("--date", metavar="DAY", help="The night (default: the last that was judged)."),
    ] = None,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what drifted in a night: each column's verdict, effect and limit. No JVM.

    Tables are judged whose contract has a `profile` with a baseline; see docs/monitoring.md.

    For example:

        lakesmith drift

        lakesmith drift gold.customer_features --date 2011-06-30

        lakesmith drift --date 2011-06-30 --as-of 2011-07-01 --json
    """
    from lakesmith.cli.drift_text import drift_lines
    from lakesmith.monitoring.stored import DRIFT_TABLE, drift_of, last_drift_day

    invocation = Invocation(env, project)
    context = invocation.open().as_of(as_of)
    graph = context.project.graph
    if table is not None and graph.contract(table).profile is None:
        watched = [name for name in graph.order if graph.contracts[name].profile is not None]
        listed = f"Profiled are: {', '.join(watched)}." if watched else "No table is."
        raise UsageError(f"{table} is not profiled. Add profile: to {graph.contracts[table].file}. {listed}")
    wanted = parse_night(night) if night is not None else None
    opened = context.ledger.open(DRIFT_TABLE)
    day = wanted or (last_drift_day(opened) if opened is not None else None)
    if opened is None or day is None:
        raise UsageError(f"{DRIFT_TABLE} holds no night yet. Run one: {invocation.command('run --date DAY')}")
    found = drift_of(opened, day, table)
    if as_json:
        drifted = [f"{c.table_name}.{c.column_name}" for c in found if c.drifted and not c.slice]
        answer_json(
            {"date": day.isoformat(), "drifted": drifted, "columns": [asdict(column) for column in found]}
        )
    else:
        answer(*drift_lines(day, found, invocation, every=table is not None))

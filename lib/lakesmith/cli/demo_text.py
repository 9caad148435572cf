"""What the demo made, and what to try next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.wording import count, grid

if TYPE_CHECKING:
    from lakesmith.cli.options import Invocation
    from lakesmith.contracts.days import BatchRange
    from lakesmith.engine.context import Context
    from lakesmith.engine.outcome import NightResult

__all__ = ["summary", "summary_lines"]


def summary(context: Context, nights: BatchRange) -> dict[str, Any]:
    """The lake as it is after the demo, by the ledger."""
    from lakesmith.cli.quality_facts import quarantined_rules

    graph = context.project.graph
    tables: list[dict[str, Any]] = []
    worst: tuple[int, str, str] | None = None
    broken: dict[str, dict[str, int]] = {}
    for table in graph.order:
        contract = graph.contracts[table]
        history = context.ledger.history(table)
        standing = {day: record for day in history.records if (record := history.standing(day)) is not None}
        live = context.ledger.live(table)
        quarantined = {day: record.quarantined for day, record in standing.items() if record.quarantined}
        tables.append(
            {
                "table": table,
                "batches": len(standing),
                "rows": sum(record.rows for record in standing.values()),
                "quarantined": sum(quarantined.values()),
                "dropped": sum(sum(record.dropped.values()) for record in standing.values()),
                "version": live.version if live is not None else None,
            }
        )
        if quarantined:
            broken[table] = quarantined_rules(context, contract)
            day = max(quarantined, key=lambda found: (quarantined[found], found))
            worst = max(filter(None, [worst, (quarantined[day], table, day.isoformat())]))
    return {
        "from": nights.first.isoformat(),
        "to": nights.last.isoformat(),
        "landing_root": context.settings.landing_root,
        "lake_root": context.settings.lake_root,
        "tables": tables,
        "quarantined_by_rule": broken,
        "most_quarantined": {"table": worst[1], "batch_date": worst[2]} if worst is not None else None,
    }


def summary_lines(made: dict[str, Any], night: NightResult, invocation: Invocation) -> list[RenderableType]:
    """The summary for people, ending in three commands to paste."""
    table = grid(
        "table",
        "batches",
        "rows",
        "quarantined",
        "dropped",
        right=["batches", "rows", "quarantined", "dropped"],
    )
    for found in made["tables"]:
        cells = [f"{found[key]:,}" if found[key] else "" for key in ("quarantined", "dropped")]
        table.add_row(found["table"], f"{found['batches']:,}", f"{found['rows']:,}", *cells)
    lines: list[RenderableType] = [table]
    for name, rules in made["quarantined_by_rule"].items():
        by_rule = grid("broken rule", "rows", right=["rows"])
        for rule, rows in rules.items():
            by_rule.add_row(rule, f"{rows:,}")
        lines += ["", f"quarantined from {name}:", by_rule]
    lines += [
        "",
        f"landing files: {_short(made['landing_root'])}",
        f"lake:          {_short(made['lake_root'])}",
    ]
    if night.spark_jobs:
        lines.append(f"done in {night.seconds:.0f} s with {count(night.spark_jobs, 'Spark job')}")
    lines += ["", Text("try next:", style="bold"), *_commands(made, invocation)]
    return lines


def _commands(made: dict[str, Any], invocation: Invocation) -> list[str]:
    commands = [f"  {invocation.command('status')}"]
    if made["most_quarantined"] is not None:
        found = made["most_quarantined"]
        commands.append(f"  {invocation.command('quality {table} --date {batch_date}'.format(**found))}")
    gold = [t["table"] for t in made["tables"] if t["table"].startswith("gold.") and t["batches"]]
    scores = "gold.customer_scores"
    query = (
        f"SELECT * FROM {scores} ORDER BY probability DESC LIMIT 5"
        if scores in gold
        else f"SELECT * FROM {gold[0] if gold else made['tables'][0]['table']} LIMIT 5"
    )
    commands.append(f"  {invocation.command(f'sql {chr(34)}{query}{chr(34)}')}")
    commands.append(f"  {invocation.command('site build')}")
    return commands


def _short(path: str) -> str:
    """A path as it can be typed from here."""
    absolute, here = Path(path), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else path

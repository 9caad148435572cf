"""`lakesmith audit`: what people did by hand, newest first. Starts no JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, AsOf, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.wording import count, grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from lakesmith.ledger.audit_trail import AuditRecord

__all__ = ["command"]


def command(
    table: Annotated[
        str | None, typer.Option("--table", metavar="LAYER.NAME", help="Only this table.")
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="How many entries to show.")] = 20,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show who restored, forced, replayed, forgot or extracted something again, when and why.

    With --json all of it. No JVM.

    For example:

        lakesmith audit

        lakesmith audit --table silver.sales_lines --json
    """
    from lakesmith.ledger.audit_trail import AuditRecord

    context = Invocation(env, project).open().as_of(as_of)
    if table is not None:
        context.project.graph.contract(table)
    trail = context.ledger.known(AuditRecord, tables=[table] if table is not None else None)[::-1]
    if as_json:
        answer_json([_json(record) for record in trail])
    else:
        answer(*_lines(trail, last, table))


def _json(record: AuditRecord) -> dict[str, object]:
    return {
        "recorded_at": record.recorded_at.isoformat(),
        "who": record.who,
        "action": str(record.action),
        "table": record.table,
        "first": record.first.isoformat() if record.first is not None else None,
        "last": record.last.isoformat() if record.last is not None else None,
        "why": record.why,
        "run_ids": list(record.run_ids),
        "details": dict(record.details),
    }


def _lines(trail: Sequence[AuditRecord], last: int, table: str | None) -> list[RenderableType]:
    if not trail:
        return [f"nobody did anything by hand{f' to {table}' if table else ''}: the trail is empty."]
    found = grid("when (UTC)", "who", "what", "table", "batches", "why", wrap=["why"])
    for record in trail[:last]:
        found.add_row(
            f"{record.recorded_at:%Y-%m-%d %H:%M}",
            record.who,
            _what(record),
            record.table,
            _batches(record),
            record.why,
        )
    lines: list[RenderableType] = [found]
    if len(trail) > last:
        lines.append(f"... and {count(len(trail) - last, 'older one')}: --last {len(trail)}")
    return lines


def _what(record: AuditRecord) -> str:
    details = record.details
    if details.get("released"):
        return "release"
    if "restored" in details:
        return f"{record.action} to {details['restored']}"
    return str(record.action)


def _batches(record: AuditRecord) -> str:
    if record.first is None:
        return ""
    return f"{record.first}" if record.first == record.last else f"{record.first} .. {record.last}"

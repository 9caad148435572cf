"""`lakesmith maintain`: small files put together, what nothing needs removed, and who needs what stays. No JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, Project, Tables
from lakesmith.cli.output import answer, answer_json, say_error
from lakesmith.cli.wording import count, grid, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

    from lakesmith.engine.maintaining import Maintenance

__all__ = ["command", "size_text"]

_SHOWN = 3


def command(
    tables: Tables = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")
    ] = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Put small files together, remove files that nothing needs, write checkpoints.

    No row, no digest and no state changes. What a kept night or a model needs stays (see `retention` in
    the settings). Each table is done under its lease; starts no JVM.

    For example:

        lakesmith maintain --dry-run

        lakesmith maintain --table silver.sales_lines --env prod
    """
    from lakesmith.engine.maintaining import maintain

    context = Invocation(env, project).open()
    found = maintain(context, tables or (), dry_run=dry_run)
    if as_json:
        answer_json(found.to_json())
    else:
        answer(*_lines(found))
        for table in found.tables:
            if table.error is not None:
                say_error(str(table.error))
    return int(found.exit_code)


def _lines(found: Maintenance) -> list[RenderableType]:
    if not found.tables:
        return ["nothing is there yet."]
    columns = ("files", "after", "batches compacted", "removed", "freed", "versions kept")
    table = grid("table", *columns, right=columns)
    for each in found.tables:
        table.add_row(
            each.table,
            number(each.files_before),
            number(each.files_after),
            number(len(each.compacted) or None),
            number(each.removed or None),
            size_text(each.freed) if each.freed else "",
            number(len(each.kept) or None),
        )
    freed, removed = sum(t.freed for t in found.tables), sum(t.removed for t in found.tables)
    would = "would be " if found.dry_run else ""
    lines: list[RenderableType] = [table, ""]
    lines.append(f"{count(removed, 'file')} {would}removed, {size_text(freed)} {would}freed.")
    lines += _kept(found)
    return lines


def _kept(found: Maintenance) -> list[str]:
    """For whom old versions are kept, in a few lines however many there are."""
    who = _needed_by(table.kept for table in found.tables)
    nights = sorted({name.removeprefix("night ") for name in who if name.startswith("night ")})
    models = sorted({name for name in who if not name.startswith("night ")})
    lines = []
    if nights:
        ends = nights[0] if len(nights) == 1 else f"{nights[0]} .. {nights[-1]}"
        lines.append(f"kept for {count(len(nights), 'night')} ({ends}), as retention.nights asks")
    if models:
        more = f" and {len(models) - _SHOWN} more" if len(models) > _SHOWN else ""
        lines.append(
            f"kept for {count(len(models), 'model version')} to be made again: {', '.join(models[:_SHOWN])}{more}"
        )
    if found.kept.without_recipe:
        lines.append(
            f"no run says any more what these were trained on: {', '.join(found.kept.without_recipe)}"
        )
    days = found.kept.keep_for.total_seconds() / 86400
    lines.append(f"other files stay for {days:g} days after they were last of use")
    return lines


def _needed_by(kept: Iterable[Mapping[int, tuple[str, ...]]]) -> set[str]:
    return {name for versions in kept for who in versions.values() for name in who}


def size_text(size: int) -> str:
    """Bytes for people: `512 B`, `1.5 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"

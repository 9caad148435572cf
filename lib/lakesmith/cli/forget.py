"""`lakesmith forget`: a person erased from every table, version and leftover, and the proof of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.maintain import size_text
from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json, say, say_error
from lakesmith.cli.wording import count, days_text, grid, number

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lakesmith.engine.forgetting import Forgetting
    from lakesmith.lake.subject_search import Proof

__all__ = ["command"]

_SHOWN = 5


def command(
    subject: Annotated[
        str, typer.Option("--subject", metavar="ID", help="Whom: the id as any table or file writes it.")
    ],
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="For ops.audit; must not name the person.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show where the person is; change nothing, remember nothing.")
    ] = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Erase a person from every table, quarantine, old version and leftover of the lake, and prove it.

    A salted hash of the id stays, by which later readings of landing files leave the person out. Landing
    files themselves are never written to. The same command goes on where one was interrupted.

    For example:

        lakesmith forget --subject 17850 --dry-run

        lakesmith forget --subject 17850 --why "request 2011-117" --env prod
    """
    from lakesmith.engine.forgetting import forget

    invocation = Invocation(env, project)
    found = forget(invocation.open(), subject, why, dry_run=dry_run, tell=lambda said: say(f"{said} ..."))
    if as_json:
        answer_json(found.to_json())
    else:
        answer(*_lines(found, invocation))
    for error in found.errors:
        say_error(error)
    return int(found.exit_code)


def _lines(found: Forgetting, invocation: Invocation) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if found.found:
        table = grid("table", "batches", "rows", "old files", "which", right=("batches", "rows", "old files"))
        for each in found.found.values():
            days = days_text(each.batches) if each.batches else ""
            table.add_row(
                each.table,
                number(len(each.batches) or None),
                number(each.rows or None),
                number(len(each.old_files) or None),
                days,
            )
        lines += [table, ""]
    else:
        lines.append("no table holds this person.")
    if not found.dry_run:
        lines += _done(found)
    lines += _landing(found)
    if found.proof is not None:
        lines += ["", *_proof(found.proof)]
    if found.dry_run:
        lines.append("nothing was changed, and nothing is remembered yet: run it without --dry-run.")
    elif found.exit_code:
        lines.append(
            "Not done: run the same command again, it goes on from here. What is left to do by hand stands above."
        )
    elif found.found:
        lines.append(f"What is fresh and what is not: {invocation.command('status')}")
    return lines


def _done(found: Forgetting) -> list[str]:
    lines = []
    runs = sum(len(runs) for runs in found.run_ids.values())
    if runs:
        lines.append(f"{count(runs, 'run')} computed what the person was in, and what hangs on it, anew.")
    for table, days in found.rewritten.items():
        lines.append(f"{table} {days_text(days)}: cannot be run; the rows alone were taken out.")
    if found.removed:
        lines.append(f"{count(found.removed, 'file')} removed, {size_text(found.freed)} freed.")
    for night, tables in found.nights.items():
        lines.append(f"the night {night} can no longer be read whole: without {', '.join(tables)}")
    for model, tables in found.models.items():
        lines.append(
            f"{model} can no longer be reproduced: it was trained on versions of {', '.join(tables)} that held the person. "
            f"It goes on scoring; what it learnt of many is in it, no row of anybody."
        )
    known = "was remembered" if found.new else "was remembered already"
    lines.append(
        f"a salted hash {known} (ops.forgotten): later readings of landing files leave the person out."
    )
    return lines


def _landing(found: Forgetting) -> list[str]:
    lines = []
    for source, files in found.landing_files.items():
        more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        lines.append(
            f"landing files of {source} still hold the person, and are yours to clean: {', '.join(files[:_SHOWN])}{more}"
        )
    return lines


def _proof(proof: Proof) -> list[str]:
    read = (
        f"read {count(proof.parquet_files, 'Parquet file')} ({proof.values:,} values) and "
        f"{count(proof.other_files, 'other file')}, {size_text(proof.size)} in all:"
    )
    lines = [read]
    if proof.holds:
        lines.append("the id is in no subject column and in no free text of any of them.")
    for place, hits in sorted(proof.held.items()):
        lines.append(f"  STILL THERE: {place} ({hits:,})")
    for place, reason in sorted(proof.unread.items()):
        lines.append(f"  not readable: {place} ({reason})")
    if proof.elsewhere:
        places = ", ".join(f"{place} ({hits:,})" for place, hits in sorted(proof.elsewhere.items()))
        lines.append(f"the same number where it names nobody (counts, amounts, codes, sizes): {places}")
    return lines

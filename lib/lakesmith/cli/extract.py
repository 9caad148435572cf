"""`lakesmith extract`: the answer of a database to a day's query, landed as that day's file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, OutcomeFile, Project
from lakesmith.cli.output import answer, answer_json, messages, say_error
from lakesmith.cli.wording import count
from lakesmith.contracts.days import parse_day
from lakesmith.errors import UsageError
from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from datetime import date

    from lakesmith.engine.context import Context
    from lakesmith.engine.extracting import DayExtract, Extraction

__all__ = ["command"]


def command(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="Only these sources of kind jdbc (default: all)."),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option("--date", metavar="DAY", help="The day (default: the last one that is over, in UTC)."),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first day.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last day.")] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Also what was extracted already; the file that is there is kept aside."
        ),
    ] = False,
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="With --again: for the record, in your words.")
    ] = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Land the answer of a database as the day's file, with a manifest that pins it.

    A day is extracted once: what is there already is left alone, without a question to the database and
    without Spark, until it is asked for `--again`.

    For example:

        lakesmith extract orders --date 2011-03-01

        lakesmith extract --from 2011-03-01 --to 2011-03-07

        lakesmith extract orders --date 2011-03-01 --again --why "the till was corrected"
    """
    from lakesmith.engine.submit import outcome_in_any_case, write_extraction

    with outcome_in_any_case(outcome):
        if (day is not None and (first or last)) or (first is None) != (last is None):
            raise UsageError(
                "Which days? Give --date D, or --from A --to B, or nothing for the last day that is over."
            )
        if again != bool(why.strip()):
            raise UsageError(
                "Extracting again replaces what was landed, so it wants a reason, and only that does: --again --why TEXT."
            )
        context = Invocation(env, project).open()
        bounds = [parse_day(text) if text else None for text in (first or day, last or day)]
        done = _extract(context, sources or [], bounds[0], bounds[1], again=again, why=why)
    if outcome is not None:
        write_extraction(outcome, done)
    if as_json:
        answer_json(done.to_json())
    else:
        for each in done.days:
            _say(each)
    return int(done.exit_code)


def _extract(
    context: Context, sources: list[str], first: date | None, last: date | None, *, again: bool, why: str
) -> Extraction:
    from lakesmith.engine.extracting import databases, days_to_extract, extract

    chosen, days = databases(context, sources), days_to_extract(first, last)
    with needs_extra("spark"):
        if messages.is_terminal:
            with messages.status("extracting"):
                return extract(context, chosen, days, again=again, why=why)
        return extract(context, chosen, days, again=again, why=why)


def _say(each: DayExtract) -> None:
    from lakesmith.engine.extracting import ExtractOutcome

    head, found = f"{each.source} {each.batch_date}", each.extract
    if each.error is not None:
        say_error(str(each.error))
        return
    if found is None:
        closed = each.outcome is ExtractOutcome.CLOSED
        answer(f"{head}: {'closed; nothing is due' if closed else 'not tried'}")
        return
    rows = count(found.file.rows or 0, "row")
    match each.outcome:
        case ExtractOutcome.ALREADY:
            answer(
                f"{head}: {rows}, extracted already at {found.extracted_at:%Y-%m-%d %H:%M:%S} UTC; left alone"
            )
        case ExtractOutcome.UNCHANGED:
            answer(f"{head}: {rows}, the very ones that were landed; nothing is changed")
        case ExtractOutcome.REPLACED:
            answer(f"{head}: {rows} of {found.connection} landed in place of others (run {found.run_id})")
        case _:
            answer(f"{head}: {rows} of {found.connection} landed (run {found.run_id})")

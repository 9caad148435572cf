"""`lakesmith sql`: a question over all tables by their names, answered on the terminal or in a file. No JVM."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json, say
from lakesmith.cli.wording import count
from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from lakesmith.query.reader import Question
    from lakesmith.query.tables import Tables

__all__ = ["command"]


def command(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="One statement that reads; - takes it from stdin.")
    ],
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="NIGHT", help="A night, or latest (default: the last complete night)."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write all rows to FILE.csv or FILE.parquet instead."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE where it is there.")] = False,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many rows to show.")] = 40,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Ask the tables, LAYER.NAME, in DuckDB's SQL; nothing is written to them, and no JVM is started.

    All tables are read at the versions of one night, so that they fit together.

    For example:

        lakesmith sql "SHOW TABLES"

        lakesmith sql "DESCRIBE gold.daily_sales"

        lakesmith sql "SELECT country, sum(revenue) FROM gold.daily_sales GROUP BY country" --out sales.csv
    """
    tables, question = _question(Invocation(env, project), query, as_of)
    if out is not None:
        from lakesmith.query.export import export

        written = export(question, out, overwrite=overwrite)
        _say_night(tables, question, as_of)
        if as_json:
            answer_json({"out": str(out), "rows": written})
        else:
            answer(f"{count(written, 'row')} in {out}")
        return
    from lakesmith.cli.query_text import answer_json_of, answer_lines

    if as_json:
        found = question.table()
        _say_night(tables, question, as_of)
        answer_json(answer_json_of(found, tables))
        return
    first = question.first(rows)
    _say_night(tables, question, as_of)
    answer(*answer_lines(first))


def _question(invocation: Invocation, query: str, as_of: str | None) -> tuple[Tables, Question]:
    with needs_extra("sql"):
        from lakesmith.query.reader import Question
        from lakesmith.query.tables import Tables
    context = invocation.open()
    tables = Tables.as_of(context.project.graph, context.lake, context.ledger.ops, as_of)
    return tables, Question(tables, sys.stdin.read() if query == "-" else query)


def _say_night(tables: Tables, question: Question, as_of: str | None) -> None:
    """Which night was read, where that makes a difference and was not plain from the options."""
    if not question.depends_on_night or as_of == "latest":
        return
    if tables.night is None:
        say("no complete night is on record: the newest version of each table is read.")
        return
    say(tables.as_of_text)
    if tables.night.troubles:
        listed = ", ".join(f"{table} ({said})" for table, said in sorted(tables.night.troubles.items()))
        say(f"not whole that night: {listed}")

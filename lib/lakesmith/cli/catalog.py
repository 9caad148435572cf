"""`lakesmith catalog sync`: every table by its name in Spark's catalog, with the contracts' descriptions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.wording import count, grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from lakesmith.engine.context import Context
    from lakesmith.lake.catalog import Entry

__all__ = ["sync"]

_MEANING = {
    "absent": ("not there yet", "dim"),
    "removed": ("removed: no table, or no contract, any more", "yellow"),
    "taken": ("another table has this name: left alone", "red"),
}


def sync(env: Env = None, project: Project = None, as_json: AsJson = False) -> None:
    """Register every table in Spark's catalog, with the descriptions of its contract.

    A Hive metastore or Glue keeps the names for everybody; the catalog in memory ends with each session, and
    `lakesmith.lake.session.session` fills it on its own. Names without a table or a contract are removed. No row and no
    file is touched.

    For example:

        lakesmith catalog sync --env prod
    """
    from lakesmith.cli.spark import start_spark

    context = Invocation(env, project).open()
    spark = start_spark(context)
    from lakesmith.lake.catalog import catalog_names
    from lakesmith.lake.catalog import sync as synchronise

    entries = synchronise(spark, context.lake, catalog_names(context.project.root))
    described = _describe(context, entries)
    catalog = spark.conf.get("spark.sql.catalogImplementation") or ""
    if as_json:
        answer_json(
            {
                "catalog": catalog,
                "entries": [
                    {
                        "table": entry.table,
                        "state": str(entry.state),
                        "location": entry.location,
                        "described": described.get(entry.table, []),
                    }
                    for entry in entries
                ],
            }
        )
        return
    answer(*_lines(catalog, entries, described))


def _describe(context: Context, entries: Sequence[Entry]) -> dict[str, list[str]]:
    """The columns whose descriptions had changed, by table."""
    from lakesmith.lake.tables import describe_table, written_contracts

    standing = {entry.table for entry in entries if entry.state in ("added", "kept")}
    declared = context.project.graph.contracts.values()
    contracts = [written for contract in declared for written in written_contracts(contract)]
    found = {c.table: describe_table(context.lake, c) for c in contracts if c.table in standing}
    return {table: columns for table, columns in found.items() if columns}


def _lines(
    catalog: str, entries: Sequence[Entry], described: Mapping[str, Sequence[str]]
) -> list[RenderableType]:
    table = grid("table", "catalog", "location")
    for entry in entries:
        said, style = _MEANING.get(entry.state, (str(entry.state), ""))
        table.add_row(entry.table, Text(said, style=style), entry.location)
    counts = Counter(str(entry.state) for entry in entries)
    standing = counts["added"] + counts["kept"]
    lines: list[RenderableType] = [table, "", f"{count(standing, 'table')} in the catalog ({catalog})"]
    lines += [f"described anew: {name}: {', '.join(columns)}" for name, columns in described.items()]
    if catalog == "in-memory":
        lines.append(
            "It ends with this command. For one that lasts, set spark.conf in conf/<environment>.yml: docs/analysts.md"
        )
    return lines

"""`lakesmith quality`: what the audit found of batches, and the plain suite by Great Expectations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.batches import owned_batch
from lakesmith.cli.options import AsJson, AsOf, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.errors import InputMissing, UsageError
from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from datetime import date

    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context

__all__ = ["command"]


class _With(StrEnum):
    GREAT_EXPECTATIONS = "great-expectations"


def command(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table, LAYER.NAME.")],
    night: Annotated[
        str | None,
        typer.Option(
            "--date", metavar="DAY", help="The night that owns the batch (with a lag: an earlier batch)."
        ),
    ] = None,
    last: Annotated[
        int, typer.Option("--last", min=1, help="Without --date: how many batches in trouble.")
    ] = 10,
    by: Annotated[
        _With | None,
        typer.Option("--with", help="Run the plain suite on the published batch, and write Data Docs."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder of the Data Docs (default: in the lake)."),
    ] = None,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Show what the audit found: the latest batches in trouble, or with --date all of one batch.

    Counts and rule names only, never a value of the data. No JVM but with --with. The state of a batch is
    always judged by the landing files and the code of now.

    For example:

        lakesmith quality silver.sales_lines

        lakesmith quality silver.sales_lines --date 2011-03-01

        lakesmith quality silver.sales_lines --date 2011-03-01 --as-of 2011-03-02

        lakesmith quality silver.sales_lines --date 2011-03-01 --with great-expectations
    """
    from lakesmith.cli import quality_text
    from lakesmith.cli.quality_facts import batch_facts, troubled_batches

    invocation = Invocation(env, project)
    context = invocation.open().as_of(as_of)
    contract = context.project.graph.contract(table)
    if night is None:
        if by is not None:
            raise UsageError(f"Which batch? Great Expectations needs one: add --date DAY --with {by}.")
        found = troubled_batches(context, contract, last)
        if as_json:
            answer_json(found.to_json())
        else:
            answer(*quality_text.trouble_lines(found, invocation))
        return 0
    day = owned_batch(context, contract, parse_night(night))
    if by is not None:
        return _with_great_expectations(context, contract, day, out, as_json=as_json)
    facts = batch_facts(context, contract, day)
    if as_json:
        answer_json(facts.to_json())
    else:
        answer(*quality_text.batch_lines(facts, invocation))
    return 0


def _with_great_expectations(
    context: Context, contract: Contract, day: date, out: Path | None, *, as_json: bool
) -> int:
    standing = context.ledger.history(contract.table).standing(day)
    if standing is None or standing.version is None:
        raise InputMissing(
            f"{contract.table} {day} was never published, so there is nothing to look at. "
            f"See why: lakesmith status --table {contract.table}"
        )
    folder = out if out is not None else _docs_folder(context, contract.table, day)
    answered = _validate(context, contract, day, folder)
    index = folder / "index.html"
    if as_json:
        answer_json({**answered, "data_docs": str(index)})
    else:
        from lakesmith.cli.quality_text import native_lines

        answer(*native_lines(contract, day, answered), f"Data Docs: {index}")
    return 0


def _docs_folder(context: Context, table: str, day: date) -> Path:
    root = context.settings.lake_root
    if "://" in root:
        raise UsageError(f"the lake is at {root}, where no web page can be opened. Name a folder: --out DIR")
    return Path(root) / "data-docs" / table / day.isoformat()


def _validate(context: Context, contract: Contract, day: date, folder: Path) -> dict[str, object]:
    from lakesmith.cli.spark import start_spark

    spark = start_spark(context)
    with needs_extra("quality"):
        from lakesmith.lake.reading import read_batches
        from lakesmith.quality.native import validate_with_great_expectations
    days = BatchRange(day, day)
    versions = {
        name: live.version
        for name in (contract.table, *context.project.graph.parents(contract.table))
        if (live := context.ledger.live(name)) is not None
    }
    frames = {
        entry.name: read_batches(
            spark,
            context.lake,
            context.project.graph.contracts[entry.table],
            versions.get(entry.table),
            days,
        )
        for entry in contract.inputs
        if entry.table is not None and entry.window.is_same_day
    }
    rows = read_batches(spark, context.lake, contract, versions[contract.table], days)
    return validate_with_great_expectations(rows, contract, day, frames, folder)

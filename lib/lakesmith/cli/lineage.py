"""`lakesmith lineage`: what tables, batches, landing files and models were made from, and what was made from them.

Reads contracts and the ledger, and starts no JVM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, AsOf, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.contracts.days import parse_day
from lakesmith.errors import UsageError

if TYPE_CHECKING:
    from lakesmith.engine.context import Context
    from lakesmith.ledger.lineage import BatchNode, FileNode, Lineage, Walk
    from lakesmith.ledger.model_events import ModelEvent

__all__ = ["command"]

_MODELS = "models."


def command(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A table, or a model as models.NAME.")
    ] = None,
    day: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="One batch of the table, YYYY-MM-DD.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", metavar="SOURCE/PATH", help="A landing file, as below the landing root."),
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(
            "--version",
            metavar="N",
            min=0,
            help="The batch as this version of the table held it; or a model's version.",
        ),
    ] = None,
    content: Annotated[
        str | None,
        typer.Option(
            "--content", metavar="SHA256", help="The file with this content, or what it begins with."
        ),
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="Which input columns each column of the table comes from.")
    ] = False,
    up: Annotated[bool, typer.Option("--up", help="Only what it was made from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what was made from it.")] = False,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show what a table, a batch, a landing file or a model was made from, and what was made from it.

    Of a batch or a file it answers by what runs wrote down that they read: which batches, which versions of
    models, which scores. Starts no JVM.

    For example:

        lakesmith lineage silver.sales_lines --date 2011-03-01 --down

        lakesmith lineage --file online-retail/2011-03-01.csv --json

        lakesmith lineage gold.customer_scores --date 2011-06-30 --up

        lakesmith lineage models.repurchase --version 2

        lakesmith lineage gold.customer_features --columns

        lakesmith lineage silver.sales_lines --date 2011-03-01 --as-of 2011-03-05
    """
    from lakesmith.cli import lineage_text
    from lakesmith.cli.lineage_json import walks_json

    if (table is None) is (file is None):
        raise UsageError(
            "say what to look at: a table, a model or a landing file. For example: "
            "lakesmith lineage silver.sales_lines --date 2011-03-01 --down"
        )
    both = up is down
    context = Invocation(env, project).open().as_of(as_of)
    if columns:
        _refuse(table is None or table.startswith(_MODELS), "--columns are of a table")
        _refuse(
            up or down or day is not None or version is not None or as_of is not None,
            "--columns are of the table as it is computed now",
        )
        _columns(context, table or "", as_json=as_json)
        return
    if file is not None:
        _refuse(day is not None or version is not None, "--file names its own day and content; see --content")
        _refuse(up and not down, "a landing file was made from nothing that Lakesmith knows")
        lineage = _lineage(context)
        chosen, others = _file(lineage, context, file, content)
        start: BatchNode | FileNode | ModelEvent = chosen
        walks: dict[str, Walk] = {"down": lineage.down(files=[chosen])}
    elif table is not None and table.startswith(_MODELS):
        _refuse(day is not None or content is not None, "a model has versions, no days: --version N")
        lineage = _lineage(context)
        start, others = _model(context, table.removeprefix(_MODELS), version)
        walks = {"up": lineage.up(versions=[start])} if both or up else {}
        walks |= {"down": lineage.down(versions=[start])} if both or down else {}
    else:
        assert table is not None
        contract = context.project.graph.contract(table)
        _refuse(content is not None, "--content is of a landing file: --file SOURCE/PATH")
        if day is None:
            _refuse(version is not None, "--version is of one batch: --date DAY")
            directions = [name for name, wanted in (("up", both or up), ("down", both or down)) if wanted]
            if as_json:
                from lakesmith.cli.lineage_json import table_json

                answer_json(table_json(context, contract, directions))
            else:
                answer(*lineage_text.table_lines(context, contract, directions))
            return
        lineage = _lineage(context)
        node, others = _batch(lineage, table, day, version)
        start = node
        walks = {"up": lineage.up(editions=[node.edition])} if both or up else {}
        walks |= {"down": lineage.down(editions=[node.edition])} if both or down else {}
    if as_json:
        answer_json(walks_json(context.project, start, walks))
    else:
        answer(*lineage_text.walk_lines(context.project, start, others, walks))


def _columns(context: Context, table: str, *, as_json: bool) -> None:
    from lakesmith.cli.lineage_json import columns_json
    from lakesmith.cli.lineage_text import column_lines
    from lakesmith.ledger.columns import ColumnsRecord
    from lakesmith.ledger.fingerprint import SCHEME

    contract = context.project.graph.contract(table)
    noted = context.ledger.ops.records(ColumnsRecord, tables=[table])
    current = context.fingerprints(table, SCHEME).data
    record = ColumnsRecord.newest(noted, current) or ColumnsRecord.newest(noted)
    if record is None:
        raise UsageError(
            f"no run has written down yet where the columns of {table} come from; the next one that computes it does: "
            f"lakesmith run --date DAY --table {table}"
        )
    is_current = record.fingerprint == current
    if as_json:
        answer_json(columns_json(contract, record, is_current=is_current))
    else:
        answer(*column_lines(contract, record, is_current=is_current))


def _refuse(wrong: bool, message: str) -> None:
    if wrong:
        raise UsageError(f"{message}. See what goes together: lakesmith lineage --help")


def _lineage(context: Context) -> Lineage:
    from lakesmith.ledger.lineage import Lineage

    if context.night is None:
        # Reading what is live records commits that a crash left unrecorded.
        context.ledger.look_at(context.project.graph.order)
    return Lineage(
        context.project.graph,
        context.project.models,
        histories=context.ledger.history,
        timelines=context.ledger.timeline,
    )


def _batch(lineage: Lineage, table: str, day: str, version: int | None) -> tuple[BatchNode, list[str]]:
    """The batch that was asked for, and what else its rows have been."""
    batch = parse_day(day)
    found = lineage.editions(table, batch)
    if not found:
        raise UsageError(
            f"{table} {batch} was never published. See what is there: lakesmith status --table {table}"
        )
    chosen = found[-1] if version is None else lineage.edition_at(table, batch, version)
    if chosen is None:
        known = ", ".join(f"{node.record.version}" for node in found if node.record.version is not None)
        raise UsageError(
            f"{table} {batch} was not there in version {version}. It changed in: {known or 'none'}"
        )
    return chosen, [
        f"--version {node.record.version}"
        for node in found
        if node.edition != chosen.edition and node.record.version is not None
    ]


def _file(lineage: Lineage, context: Context, file: str, content: str | None) -> tuple[FileNode, list[str]]:
    source, _, path = file.partition("/")
    if source not in context.project.graph.sources or not path:
        raise UsageError(
            f"{file!r} is no landing file: a source and a path are expected, for example "
            f"online-retail/2011-03-01.csv. Sources: {', '.join(sorted(context.project.graph.sources))}"
        )
    found = lineage.files(source, path)
    if not found:
        raise UsageError(f"no batch was made from {file}. See which days were: lakesmith status")
    wanted = [node for node in found if content is None or node.sha256.startswith(content)]
    if not wanted:
        raise UsageError(
            f"no batch was made from {file} with the content {content}; known are: "
            f"{', '.join(node.sha256[:12] for node in found)}"
        )
    chosen = wanted[-1]
    return chosen, [f"--content {node.sha256[:12]}" for node in found if node is not chosen]


def _model(context: Context, name: str, version: int | None) -> tuple[ModelEvent, list[str]]:
    model = context.project.model(name).name
    timeline = context.ledger.timeline(model)
    number = version
    if number is None:
        number = timeline.champion.version if timeline.champion else max(timeline.versions, default=None)
    event = timeline.registered(number)
    if event is None:
        what = f"no version {version}" if version is not None else "no version yet"
        raise UsageError(f"{model} has {what}. See what there is: lakesmith models list {model}")
    return event, [f"--version {other}" for other in timeline.versions if other != event.version]

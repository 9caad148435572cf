"""`lakesmith diff`: what a new version changed in a batch. Starts no JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.batches import batch_of_rows
from lakesmith.cli.options import AsJson, Env, Invocation, OwningNight, Project, Table, Unmask
from lakesmith.cli.output import answer, answer_json
from lakesmith.contracts.days import parse_night
from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from datetime import date

    from lakesmith.cli.diff_text import Comparison
    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context

__all__ = ["command"]


def command(
    table: Table,
    night: OwningNight,
    versions: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--versions",
            metavar="A B",
            help="The two table versions (default: the batch's former state and its present one).",
        ),
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", metavar="N", min=0, help="Also show up to N rows of each kind.")
    ] = 0,
    unmask: Unmask = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show how a batch differs between two versions: rows added, removed and changed, by key.

    Counts only, unless rows are asked for with --sample. No JVM.

    For example:

        lakesmith diff silver.sales_lines --date 2011-03-01

        lakesmith diff silver.sales_lines --date 2011-03-01 --versions 3 7 --sample 5
    """
    invocation = Invocation(env, project)
    context = invocation.open()
    contract = context.project.graph.contract(table)
    day = batch_of_rows(context, contract, parse_night(night))
    compared = _compared(context, contract, day, versions, sample, unmask=unmask)
    if as_json:
        answer_json(compared.to_json())
    else:
        answer(*compared.lines(invocation, night))


def _compared(
    context: Context,
    contract: Contract,
    day: date,
    versions: tuple[int, int] | None,
    sample: int,
    *,
    unmask: bool,
) -> Comparison:
    with needs_extra("sql"):
        from lakesmith.query.differences import Differences, compare
    from lakesmith.cli.diff_text import Comparison
    from lakesmith.cli.masking import masked_columns
    from lakesmith.lake.past import UnknownVersion, newest_change, past_batch

    # The live files first: reading them records what a crash left unrecorded.
    live = context.ledger.live(contract.table)
    history = context.ledger.history(contract.table)
    wanted = versions or newest_change(history, live, contract.table, day)
    before, after = (past_batch(context.lake, history, contract.table, day, version) for version in wanted)
    if not (before.is_there or after.is_there):
        raise UnknownVersion(
            f"{contract.table} has no batch {day} in version {wanted[0]}, and none in version {wanted[1]}. "
            f"Leave out --versions, or see what there is: lakesmith status --table {contract.table}"
        )
    if before.paths == after.paths:
        # The very same files: not worth opening.
        rows = after.record.rows if after.record is not None else 0
        found = Differences((rows, rows))
    else:
        found = compare(contract, before, after, context.lake.path(contract.table), sample=sample)
    return Comparison(
        contract, before, after, found, frozenset() if unmask else masked_columns(contract), bool(sample)
    )

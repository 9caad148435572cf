"""Scoring by itself: which tables read a model, and which version is asked for.

Owns nothing of how a batch is scored, which is a run like any other.
"""

from __future__ import annotations

from lakesmith.contracts.model import ModelRole
from lakesmith.engine.context import Context
from lakesmith.errors import UsageError

__all__ = ["pin_version", "score_tables"]


def score_tables(context: Context, table: str | None, version: int | None = None) -> list[str]:
    """The tables that read a model, or the one of them that is asked for.

    Args:
        version: asked for, which leaves a challenger's tables out: these show what the challenger would have said.

    Raises:
        UsageError: there is none, or it reads no model.
    """
    graph = context.project.graph
    found = graph.score_tables()
    if table is not None and graph.contract(table).table in found:
        return [table]
    if table is None and found:
        return list(found if version is None else graph.score_tables(role=ModelRole.CHAMPION))
    known = ", ".join(found) or "none"
    raise UsageError(
        f"no table to score{f': {table} reads no model' if table else ''}. Tables of scores: {known}"
    )


def pin_version(context: Context, tables: list[str], version: int | None) -> None:
    """Lets one version score the batches of a table, whatever they were scored with before.

    Args:
        version: None leaves every batch its own.

    Raises:
        UsageError: several tables, or no such version.
    """
    if version is None:
        return
    if len(tables) > 1:
        raise UsageError(f"a version belongs to one model: name the table, --table {tables[0]}")
    entry = context.project.graph.contracts[tables[0]].model_input
    model = entry.model or "" if entry is not None else ""
    if context.ledger.timeline(model).registered(version) is None:
        raise UsageError(
            f"{model} has no version {version}. See what there is: lakesmith models list {model}"
        )
    context.model_versions = {model: version}

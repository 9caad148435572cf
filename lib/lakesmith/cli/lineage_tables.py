"""The tables, sources and models around a table, as contracts declare them.

Owns the edges of that graph, models included, and the order in which they are told. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakesmith.contracts.model import Contract, Input
    from lakesmith.contracts.project import Project
    from lakesmith.ledger.columns import ColumnSource, TableColumns

__all__ = ["Edge", "edges", "in_order", "neighbours", "roles"]


@dataclass(frozen=True)
class Edge:
    """One thing that is read by another.

    Args:
        start: what is read: a table, a source, or a model as `models.<name>`.
        end: what reads it.
        label: how: the window, `features` or `labels`.
    """

    start: str
    end: str
    label: str


def _label(entry: Input) -> str:
    if not entry.model:
        return str(entry.window)
    return "baseline" if entry.baseline else str(entry.role)


def edges(project: Project) -> list[Edge]:
    """Everything that is declared to read anything, in the order of the tables."""
    found = [
        Edge(entry.target, table, _label(entry))
        for table in project.graph.order
        for entry in project.graph.contracts[table].inputs
    ]
    for name, model in sorted(project.models.items()):
        found.append(Edge(model.features_table, f"models.{name}", "features"))
        found.append(Edge(model.label.table, f"models.{name}", "labels"))
    return found


def neighbours(project: Project, table: str, *, up: bool) -> list[Edge]:
    """The edges that lead to a table, however far they come from; or those that lead away from it."""
    known = edges(project)
    reached, found = {table}, set[Edge]()
    waiting = [table]
    while waiting:
        here = waiting.pop()
        for edge in known:
            near, far = (edge.end, edge.start) if up else (edge.start, edge.end)
            if near == here:
                found.add(edge)
                if far not in reached:
                    reached.add(far)
                    waiting.append(far)
    return [edge for edge in known if edge in found]


def in_order(
    contract: Contract, found: TableColumns
) -> dict[str, tuple[tuple[ColumnSource, ...], tuple[str, ...]]]:
    """The columns of a table as its contract lists them; those that are the platform's own come last."""
    names = [column.name for column in contract.columns]
    rest = [name for name in found.columns if name not in names]
    return {name: found.columns[name] for name in (*names, *rest) if name in found.columns}


def roles(project: Project, table: str) -> list[tuple[str, str]]:
    """What a table is to the models of a project: `features`, `labels` or `scores`, each with the model."""
    found = [("features", name) for name, model in project.models.items() if model.features_table == table]
    found += [("labels", name) for name, model in project.models.items() if model.label.table == table]
    contract = project.graph.contracts.get(table)
    entry = contract.model_input if contract is not None else None
    return found + ([("scores", entry.model or "")] if entry is not None else [])

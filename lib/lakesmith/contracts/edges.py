"""What is made from what, as contracts declare it: tables, sources and models as the edges of one graph. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lakesmith.contracts.model import Input
from lakesmith.contracts.project import Project

__all__ = ["Edge", "edges", "neighbours"]


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

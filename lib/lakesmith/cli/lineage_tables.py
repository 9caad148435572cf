"""What a table is to models, and the order in which its columns are told. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakesmith.contracts.model import Contract
    from lakesmith.contracts.project import Project
    from lakesmith.ledger.columns import ColumnSource, TableColumns

__all__ = ["in_order", "roles"]


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

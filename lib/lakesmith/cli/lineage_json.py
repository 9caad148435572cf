"""Lineage as JSON: every batch, version and file of a walk; and the tables around a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakesmith.cli.lineage_tables import in_order, roles
from lakesmith.contracts.edges import neighbours
from lakesmith.ledger.columns import TableColumns
from lakesmith.ledger.lineage import BatchNode, FileNode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lakesmith.contracts.model import Contract
    from lakesmith.contracts.project import Project
    from lakesmith.engine.context import Context
    from lakesmith.ledger.columns import ColumnSource, ColumnsRecord
    from lakesmith.ledger.lineage import ModelNode, Read, Walk
    from lakesmith.ledger.model_events import ModelEvent

__all__ = ["columns_json", "table_json", "walks_json"]


def walks_json(
    project: Project, start: BatchNode | FileNode | ModelEvent, walks: Mapping[str, Walk]
) -> dict[str, object]:
    """What was walked, by direction.

    Args:
        start: a batch, a landing file or a version of a model.
        walks: `up`, `down` or both.
    """
    return {
        "of": _start(project, start),
        **{
            direction: {
                "batches": [_batch(project, node) for nodes in walk.batches.values() for node in nodes],
                "models": [_model(node) for node in walk.models],
                "files": [_file(node) for node in walk.files],
                "unknown": list(walk.unknown),
            }
            for direction, walk in walks.items()
        },
    }


def table_json(context: Context, contract: Contract, directions: Sequence[str]) -> dict[str, object]:
    """The tables, sources and models around a table, as they are declared."""
    project = context.project
    return {
        "of": {"table": contract.table, **_held(context, contract.table)},
        **{
            direction: [
                {
                    "from": edge.start,
                    "to": edge.end,
                    "as": edge.label,
                    **_held(context, edge.start if direction == "up" else edge.end),
                }
                for edge in neighbours(project, contract.table, up=direction == "up")
            ]
            for direction in directions
        },
    }


def columns_json(contract: Contract, record: ColumnsRecord, *, is_current: bool) -> dict[str, object]:
    """Where the columns of a table come from.

    Args:
        is_current: the code has not changed since.
    """
    found = TableColumns.from_json(record.columns)
    columns = in_order(contract, found)

    def listed(sources: Sequence[ColumnSource]) -> list[dict[str, str]]:
        return [{"target": source.target, "column": source.column} for source in sources]

    return {
        "table": contract.table,
        "run_id": record.run_id,
        "recorded_at": record.recorded_at.isoformat(),
        "current": is_current,
        "columns": [
            {"column": name, "from": listed(sources), "through": list(through)}
            for name, (sources, through) in columns.items()
        ],
        "rows_decided_by": listed(found.deciding),
        "opaque": list(found.opaque),
    }


def _held(context: Context, table: str) -> dict[str, object]:
    """What a table holds; nothing for a source or a model."""
    if table not in context.project.graph.contracts:
        return {}
    history, live = context.ledger.history(table), context.ledger.live(table)
    days = [day for day in history.records if history.standing(day) is not None]
    return {
        "version": live.version if live is not None else None,
        "batches": len(days),
        "first": min(days).isoformat() if days else None,
        "last": max(days).isoformat() if days else None,
    }


def _start(project: Project, start: BatchNode | FileNode | ModelEvent) -> dict[str, Any]:
    if isinstance(start, BatchNode):
        return _batch(project, start)
    if isinstance(start, FileNode):
        return _file(start)
    return {"model": start.model, "version": start.version, "run_id": start.run_id, "digest": start.digest}


def _batch(project: Project, node: BatchNode) -> dict[str, Any]:
    record = node.record
    return {
        "table": record.table,
        "batch_date": record.batch_date.isoformat(),
        "version": record.version,
        "digest": record.digest,
        "rows": record.rows,
        "quarantined": record.quarantined,
        "run_id": record.run_id,
        "recorded_at": record.recorded_at.isoformat(),
        "stands": node.stands,
        "holds": [f"{part} of {model}" for part, model in roles(project, record.table)],
        "scored_by": list(node.scored_by),
        "read": [_read(read) for read in node.reads],
    }


def _model(node: ModelNode) -> dict[str, Any]:
    return {
        "model": node.event.model,
        "version": node.event.version,
        "run_id": node.event.run_id,
        "trained_on": [_read(read) for read in node.trained_on] if node.known else None,
        "tested_on": [_read(read) for read in node.tested_on] if node.known else None,
    }


def _file(node: FileNode) -> dict[str, Any]:
    return {
        "source": node.source,
        "batch_date": node.batch_date.isoformat(),
        "path": node.path,
        "sha256": node.sha256,
        "size": node.size,
    }


def _read(read: Read) -> dict[str, Any]:
    told: dict[str, Any] = {"target": read.target}
    if read.batches:
        told["batches"] = [day.isoformat() for day in read.batches]
    if read.versions:
        told["versions"] = list(read.versions)
    if read.files:
        told["files"] = list(read.files)
    return told

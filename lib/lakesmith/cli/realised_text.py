"""What became of those whom two versions scored, in words, and the same as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from lakesmith.cli.models_text import differences_table, interval_json, interval_text
from lakesmith.cli.wording import grid
from lakesmith.contracts.declaration import METRICS

if TYPE_CHECKING:
    from lakesmith.contracts.declaration import ModelDeclaration
    from lakesmith.engine.realised import Realised, Served

__all__ = ["realised_json", "realised_lines"]


def realised_lines(found: Realised, declaration: ModelDeclaration) -> list[RenderableType]:
    """Each version among those whom it served; then both on the rows that both scored."""
    first, second = (f"version {version}" for version in found.versions)
    served = grid("served", first, second, right=[first, second])
    served.add_row("batches", *[f"{s.days}" if s.days else "-" for s in found.served])
    served.add_row("rows", *[f"{s.evaluation.rows:,}" if s.evaluation else "-" for s in found.served])
    served.add_row(
        declaration.entity, *[f"{s.evaluation.entities:,}" if s.evaluation else "-" for s in found.served]
    )
    served.add_row(
        f"mean {declaration.label.column}",
        *[interval_text(s.outcome) if s.outcome else "-" for s in found.served],
    )
    for metric in METRICS[declaration.problem]:
        served.add_row(
            metric,
            *[interval_text(s.evaluation.metrics[metric]) if s.evaluation else "-" for s in found.served],
        )
    lines: list[RenderableType] = [
        f"{found.model}: what became of those whom each version served (not the same ones, so that chance plays a part)",
        "",
        served,
        "",
    ]
    if found.paired is None:
        return [*lines, "no row was scored by both versions"]
    rows = found.paired.evaluations[0].rows
    return [
        *lines,
        f"both on the same {rows:,} rows, as they scored them then, in shadow or not: {found.paired.days}",
        "",
        differences_table(found.versions, found.paired.evaluations, found.paired.differences),
        "",
        f"difference: {first} minus {second}; an interval that holds 0 tells no difference",
    ]


def realised_json(found: Realised) -> dict[str, Any]:
    """The comparison for programs."""
    paired = found.paired
    return {
        "model": found.model,
        "versions": list(found.versions),
        "served": [_served_json(served) for served in found.served],
        "paired": None
        if paired is None
        else {
            "from": paired.days.first.isoformat(),
            "to": paired.days.last.isoformat(),
            "rows": paired.evaluations[0].rows,
            "metrics": [evaluation.to_dict()["metrics"] for evaluation in paired.evaluations],
            "differences": {metric: interval_json(gap) for metric, gap in paired.differences.items()},
        },
    }


def _served_json(served: Served) -> dict[str, Any]:
    return {
        "version": served.version,
        "from": served.days.first.isoformat() if served.days else None,
        "to": served.days.last.isoformat() if served.days else None,
        "rows": served.evaluation.rows if served.evaluation else 0,
        "outcome": interval_json(served.outcome) if served.outcome else None,
        "metrics": served.evaluation.to_dict()["metrics"] if served.evaluation else None,
    }

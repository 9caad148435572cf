"""The drift report: one file per night and model, to attach to a mail. The figures are those of the tables.

Owns what it holds and that it needs nothing beside it: styles and pictures are inside, and there is no script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.engine.context import Context
from lakesmith.errors import InputMissing
from lakesmith.extras import needs_extra
from lakesmith.ledger.ops import now
from lakesmith.monitoring.stored import DRIFT_TABLE
from lakesmith.site.charts import Chart
from lakesmith.site.drift import FIGURES, ColumnDrift, column_drifts
from lakesmith.site.metrics import MetricTables, read_metrics
from lakesmith.site.pictures import Pictures
from lakesmith.site.writing import environment, package_file

__all__ = ["DriftMissing", "Report", "write_reports"]

_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)


class DriftMissing(InputMissing):
    """Drift was not judged in a night."""

    def __init__(self, night: date, newest: date | None) -> None:
        self.night = night
        self.newest = newest
        known = (
            f"The newest night that was judged is {newest}"
            if newest is not None
            else f"There is no {DRIFT_TABLE} yet"
        )
        super().__init__(
            f"no drift was judged of any model's tables in the night {night}. {known}. "
            f"Run the night: lakesmith run --date {night}"
        )


@dataclass(frozen=True)
class Report:
    """One file.

    Args:
        judged: columns, over all tables of the model.
        drifted: their names, `table column`.
    """

    model: str
    night: date
    file: Path
    judged: int
    drifted: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "model": self.model,
            "night": self.night.isoformat(),
            "file": str(self.file),
            "columns_judged": self.judged,
            "drifted": list(self.drifted),
        }


def write_reports(context: Context, night: date, folder: Path, models: Sequence[str] = ()) -> list[Report]:
    """Writes `drift-<model>-<night>.html` for each model whose features or scores were judged in a night.

    Args:
        models: only these; none means all.

    Raises:
        UsageError: there is no model of that name.
        DriftMissing: none was judged.
    """
    declared = [context.project.model(name) for name in models or sorted(context.project.models)]
    metrics = read_metrics(context.lake, night)
    pictures, reports = Pictures(), []
    for declaration in declared:
        found = _judged(context, metrics, declaration, night)
        if found:
            reports.append(_write(context, declaration, night, found, folder, pictures))
    if not reports:
        everything = read_metrics(context.lake)
        newest = max((d.last for nights in everything.drift.values() for d in nights), default=None)
        raise DriftMissing(night, newest)
    return reports


def _judged(
    context: Context, metrics: MetricTables, declaration: ModelDeclaration, night: date
) -> dict[str, list[ColumnDrift]]:
    """The columns of the model's features and of its scores that were judged in the night."""
    tables = (declaration.features_table, *context.project.graph.score_tables(declaration.name))
    judged = {table: column_drifts(metrics, table, night) for table in tables}
    return {table: columns for table, columns in judged.items() if columns}


def _write(
    context: Context,
    declaration: ModelDeclaration,
    night: date,
    found: dict[str, list[ColumnDrift]],
    folder: Path,
    pictures: Pictures,
) -> Report:
    with needs_extra("site"):
        from markupsafe import Markup

    def draw(chart: Chart) -> Markup:
        return Markup(pictures.draw(chart.spec))

    style = _COMMENTS.sub("", package_file("assets/site.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    drifted = tuple(f"{t} {c.column}" for t, columns in found.items() for c in columns if c.newest.drifted)
    champion = context.ledger.timeline(declaration.name).champion_on(night)
    templates = environment()
    text = templates.get_template("drift-report.html").render(
        declaration=declaration,
        night=night,
        champion=champion.version if champion is not None else None,
        found=found,
        drifted=drifted,
        figures=FIGURES,
        draw=draw,
        # Our own file, without a character that markup knows.
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'",
        environment=context.settings.environment,
        made_at=now(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"drift-{declaration.name}-{night}.html"
    file.write_text(text, encoding="utf-8")
    return Report(declaration.name, night, file, sum(map(len, found.values())), drifted)

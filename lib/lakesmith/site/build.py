"""Builds the site: reads a lake once, then writes a page for everything that somebody may want to look at.

Owns which pages there are. A page of a batch whose facts are those of the last build is not made again.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith.alerts.messages import runbook
from lakesmith.contracts.edges import edges
from lakesmith.engine.context import Context
from lakesmith.extras import needs_extra
from lakesmith.ledger.state import State
from lakesmith.ledger.state_words import LETTERS
from lakesmith.ledger.troubles import count
from lakesmith.monitoring.stored import DRIFT_TABLE
from lakesmith.site import charts
from lakesmith.site.batches import BatchView, batch_view
from lakesmith.site.drift import FIGURES, column_drifts
from lakesmith.site.heat import heat_map, legend, years_of_nights
from lakesmith.site.lineage_graph import lay_out
from lakesmith.site.links import batch_page, drift_page, heat_map_page, model_page, scores_page, table_page
from lakesmith.site.models import model_view
from lakesmith.site.overview import overview
from lakesmith.site.pictures import Pictures
from lakesmith.site.runs import Prices, runs_view
from lakesmith.site.scores import scores_view
from lakesmith.site.snapshot import Snapshot, read_snapshot
from lakesmith.site.tables import TableView, table_view
from lakesmith.site.words import whole
from lakesmith.site.writing import Folder, environment, package_file

if TYPE_CHECKING:
    from jinja2 import Environment

    from lakesmith.site.charts import Chart

__all__ = ["Built", "build_site"]

_ASSETS = ("assets/site.css", "assets/site.js")


@dataclass(frozen=True)
class Built:
    """What a build came to.

    Args:
        out: the folder.
        pages: files that the site has.
        written: of them those that were made or changed.
        removed: files of pages that are no more.
        size: bytes of all files.
        charts: drawn in this build.
        seconds: wall time, reading included.
    """

    out: Path
    pages: int
    written: int
    removed: int
    size: int
    charts: int
    seconds: float

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "out": str(self.out),
            "files": self.pages,
            "written": self.written,
            "removed": self.removed,
            "bytes": self.size,
            "charts_drawn": self.charts,
            "seconds": round(self.seconds, 2),
        }


def build_site(context: Context, out: Path, prices: Prices | None = None) -> Built:
    """Writes the site of a lake into a folder.

    Args:
        context: of the project and environment.
        out: a folder of a site, or one that is empty or not there.
        prices: of an hour of runs; None shows hours only.

    Raises:
        UsageError: the folder holds something else.
        ExtraMissing: jinja2, vl-convert-python or another package of the extra `site` is not installed.
    """
    began = time.perf_counter()
    templates = environment()
    folder = Folder(out)
    snapshot = read_snapshot(context)
    pictures = Pictures(out)
    maker = _Maker(context, snapshot, folder, templates, pictures, prices or Prices())
    maker.make()
    pictures.finish()
    removed = folder.finish()
    took = time.perf_counter() - began
    return Built(out, folder.pages, folder.written, removed, folder.size, pictures.drawn, took)


class _Maker:
    """One build at work."""

    def __init__(
        self,
        context: Context,
        snapshot: Snapshot,
        folder: Folder,
        templates: Environment,
        pictures: Pictures,
        prices: Prices,
    ) -> None:
        with needs_extra("site"):
            from markupsafe import Markup

        def draw(chart: Chart) -> Markup:
            # The one place where markup is believed: the library escapes every text that it is given (a test holds it to that).
            return Markup(pictures.draw(chart.spec))

        self.context, self.snapshot, self.folder = context, snapshot, folder
        self._templates, self._markup, self._prices = templates, Markup, prices
        templates.globals.update(
            draw=draw,
            snapshot=snapshot,
            environment=snapshot.environment,
            runbook=partial(runbook, context.settings.alerts.runbooks),
        )

    def make(self) -> None:
        for asset in _ASSETS:
            self.folder.write(asset, package_file(asset))
        built = {"built": self.snapshot.made_at.isoformat()}
        self.folder.write("built.json", json.dumps(built) + "\n")
        self._overview()
        self._heat_maps()
        self._batches()
        self._tables()
        self._lineage()
        self._drift()
        self._models()
        self._scores()
        self._runs()

    def page(self, path: str, template: str, section: str, key: str = "", **facts: Any) -> None:
        """Fills in a template and writes it."""
        root = "../" * path.count("/")
        text = self._templates.get_template(template).render(root=root, section=section, **facts)
        self.folder.write(path, text, key)

    def _overview(self) -> None:
        view = overview(self.snapshot)
        known = self.snapshot.metrics.known
        present = view.recent.present if view.recent is not None else ()
        self.page(
            "index.html",
            "index.html",
            "Overview",
            view=view,
            legend_entries=legend(present),
            alerts_known=self.snapshot.alerts_known,
            drift_known=DRIFT_TABLE in known,
        )

    def _heat_maps(self) -> None:
        nights = self.snapshot.nights
        parts = years_of_nights(nights) if nights is not None else []
        pages = [(heat_map_page(at), part) for at, part in enumerate(parts)]
        for href, part in pages:
            found = heat_map(self.snapshot, part)
            entries = legend(found.present)
            self.page(href, "heat-map.html", "Heat map", map=found, legend_entries=entries, pages=pages)
        if not pages:
            self.page("heat-map.html", "heat-map.html", "Heat map", map=None, legend_entries=[], pages=[])

    def _batches(self) -> None:
        for table, states in self.snapshot.states.items():
            for day in states:
                self._batch(table, day)

    def _batch(self, table: str, day: date) -> None:
        view = batch_view(self.snapshot, table, day)
        path, key = batch_page(table, day), _key(view)
        if not self.folder.fresh(path, key):
            self.page(path, "batch.html", "Heat map", key, view=view)

    def _tables(self) -> None:
        lines = []
        for table in self.snapshot.tables:
            view = table_view(self.snapshot, table)
            self.page(table_page(table), "table.html", "Tables", view=view, rows_chart=_rows_chart(view))
            lines.append(self._table_line(table, view))
        self.page("tables.html", "tables.html", "Tables", lines=lines)

    def _table_line(self, table: str, view: TableView) -> dict[str, Any]:
        states = self.snapshot.states.get(table, {})
        day = max(states, default=None)
        standing = self.snapshot.histories[table].standing(day) if day is not None else None
        return {
            "table": table,
            "href": table_page(table),
            "owner": view.contract.owner,
            "description": view.contract.description,
            "day": day,
            "letter": LETTERS[states[day].state] if day is not None else "",
            "state": str(states[day].state) if day is not None else "",
            "rows": standing.rows if standing is not None else None,
            "troubled": sum(s.state not in (State.FRESH, State.CLOSED) for s in states.values()),
        }

    def _lineage(self) -> None:
        project = self.snapshot.project
        known = edges(project)
        names = [*project.graph.sources, *project.graph.order, *(f"models.{name}" for name in project.models)]
        drawn = [(edge.start, edge.end, edge.label) for edge in known]
        nodes = {name: self._node(name) for name in names}
        listed = [
            (name, [(edge.start, edge.label) for edge in known if edge.end == name])
            for name in names
            if name not in project.graph.sources
        ]
        present = {node["state"] for node in nodes.values()}
        self.page(
            "lineage.html",
            "lineage.html",
            "Lineage",
            picture=lay_out(names, drawn),
            nodes=nodes,
            listed=listed,
            legend_entries=legend(tuple(state for state in LETTERS if str(state) in present)),
        )

    def _drift(self) -> None:
        metrics, lines = self.snapshot.metrics, []
        for table in metrics.tables_judged:
            found = column_drifts(metrics, table)
            drifted = [each for each in found if each.newest.drifted]
            known = table in self.snapshot.project.graph.contracts
            if known and found:
                facts: dict[str, Any] = {"table": table, "found": found, "figures": FIGURES}
                self.page(drift_page(table), "drift-table.html", "Drift", drifted=drifted, **facts)
            lines.append(
                {
                    "table": table,
                    "href": drift_page(table) if known and found else "",
                    "judged": len(found),
                    "drifted": [each.column for each in drifted],
                    "newest": max((each.newest.last for each in found), default=None),
                }
            )
        self.page("drift.html", "drift.html", "Drift", lines=lines)

    def _models(self) -> None:
        lines = []
        for model, timeline in self.snapshot.timelines.items():
            view = model_view(self.context, self.snapshot, model)
            # Markup that is believed, too: a card's Markdown becomes markup by a library that is told to pass none through.
            self.page(model_page(model), "model.html", "Models", view=view, card=self._markup(view.card))
            champion, challenger = timeline.champion, timeline.challenger
            lines.append(
                {
                    "model": model,
                    "href": model_page(model),
                    "description": view.declaration.description,
                    "champion": champion.version if champion is not None else None,
                    "since": champion.effective_from if champion is not None else None,
                    "challenger": challenger.version if challenger is not None else None,
                    "versions": len(timeline.versions),
                }
            )
        self.page("models.html", "models.html", "Models", models=lines)

    def _scores(self) -> None:
        lines = []
        for table in self.snapshot.project.graph.score_tables():
            view = scores_view(self.context, self.snapshot, table)
            self.page(scores_page(table), "scores-table.html", "Scores", view=view)
            lines.append(
                {
                    "table": table,
                    "href": scores_page(table),
                    "model": view.model,
                    "batches": view.batches,
                    "newest": view.newest,
                }
            )
        self.page("scores.html", "scores.html", "Scores", lines=lines)

    def _runs(self) -> None:
        self.page("runs.html", "runs.html", "Runs", view=runs_view(self.snapshot, self._prices))

    def _node(self, name: str) -> dict[str, str]:
        kind, _, short = name.rpartition(".")
        if name in self.snapshot.project.graph.sources:
            return {
                "kind": "source",
                "href": "",
                "state": "",
                "letter": "",
                "name": _cut(name),
                "layer": "source",
            }
        if kind == "models":
            found = {"kind": "model", "href": model_page(short), "state": "", "letter": ""}
            return {**found, "name": _cut(short), "layer": "model"}
        nights = self.snapshot.nights
        day = self.snapshot.batch_of(name, nights.last) if nights is not None else None
        state = self.snapshot.state(name, day) if day is not None else None
        return {
            "kind": "table",
            "href": table_page(name),
            "state": str(state.state) if state is not None else "",
            "letter": LETTERS[state.state] if state is not None else "",
            "name": _cut(short),
            "layer": kind,
        }


def _cut(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"


def _key(view: BatchView) -> str:
    """Changes whenever anything on the page of a batch does."""
    return hashlib.sha256(repr(view).encode()).hexdigest()[:24]


def _rows_chart(view: TableView) -> Chart | None:
    if not view.days:
        return None
    days = [entry.day for entry in view.days]
    series: dict[str, list[float | None]] = {"published": [entry.published for entry in view.days]}
    for name in ("quarantined", "dropped"):
        found: list[float | None] = [getattr(entry, name) for entry in view.days]
        if any(found):
            series[name] = found
    newest = view.days[-1]
    says = f"{count(len(days), 'batch')}, {days[0]} to {days[-1]}; the newest has {whole(newest.published)} rows."
    return charts.steps("Rows by batch", says, days, series, "rows", width=740)

"""The page of a table: its contract, and what its batches were through time. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lakesmith.contracts.edges import edges
from lakesmith.contracts.model import Contract
from lakesmith.ledger.records import RunRecord
from lakesmith.ledger.state import State
from lakesmith.ledger.state_words import LETTERS
from lakesmith.ledger.troubles import group_states
from lakesmith.site.batches import Link
from lakesmith.site.links import batch_page, model_page, table_page
from lakesmith.site.metrics import Profile
from lakesmith.site.overview import TroubleLine
from lakesmith.site.snapshot import Snapshot

__all__ = ["ColumnLine", "DayRows", "TableView", "sparkline", "table_view"]

_RUNS_SHOWN = 20
_TROUBLES_SHOWN = 20


@dataclass(frozen=True)
class DayRows:
    """The rows of one batch."""

    day: date
    published: int
    quarantined: int
    dropped: int


@dataclass(frozen=True)
class ColumnLine:
    """A column as the contract declares it, and as it was measured last.

    Args:
        profile: of the newest window; None where there is none.
        means: the path of a small line: its mean through time; empty without one.
        nulls: likewise its share of nulls.
    """

    name: str
    type: str
    nullable: bool
    subject: bool
    key: bool
    unit: str
    description: str
    profile: Profile | None
    means: str
    nulls: str


@dataclass(frozen=True)
class TableView:
    """Everything that the page of a table says."""

    contract: Contract
    counts: Mapping[str, tuple[str, int]]
    version: int | None
    files: int
    size: int
    up: Sequence[tuple[Link, str]]
    down: Sequence[tuple[Link, str]]
    columns: Sequence[ColumnLine]
    rules: Sequence[tuple[str, str, str]]
    days: Sequence[DayRows]
    runs: Sequence[RunRecord]
    troubles: Sequence[TroubleLine]
    newest: Link | None
    profiled: bool
    judged: bool


def table_view(snapshot: Snapshot, table: str) -> TableView:
    """The page of one table."""
    contract, live = snapshot.contract(table), snapshot.live[table]
    states = snapshot.states.get(table, {})
    counted = Counter(state.state for state in states.values())
    parts = [*live.batches.values(), *live.buckets.values()] if live is not None else []
    troubled = [s for s in states.values() if s.state not in (State.FRESH, State.CLOSED)]
    known = edges(snapshot.project)
    newest = max(states, default=None)
    return TableView(
        contract=contract,
        counts={str(state): (LETTERS[state], counted[state]) for state in State if counted[state]},
        version=live.version if live is not None else None,
        files=sum(len(part.paths) for part in parts),
        size=sum(part.size for part in parts),
        up=[(_node(snapshot, edge.start), edge.label) for edge in known if edge.end == table],
        down=[(_node(snapshot, edge.end), edge.label) for edge in known if edge.start == table],
        columns=_columns(snapshot, contract),
        rules=_rules(contract),
        days=day_rows(snapshot, table),
        runs=[run for run in snapshot.runs if run.table == table][: -_RUNS_SHOWN - 1 : -1],
        troubles=[
            TroubleLine(found, LETTERS[State(found.label)], batch_page(table, found.days[-1]))
            for found in group_states(troubled)[:_TROUBLES_SHOWN]
        ],
        newest=Link(str(newest), batch_page(table, newest)) if newest is not None else None,
        profiled=bool(snapshot.metrics.columns_profiled(table)),
        judged=table in snapshot.metrics.tables_judged,
    )


def day_rows(snapshot: Snapshot, table: str) -> list[DayRows]:
    """The rows of every batch that stands, day after day."""
    history = snapshot.histories[table]
    found = []
    for day in sorted(history.records):
        standing = history.standing(day)
        if standing is not None:
            found.append(DayRows(day, standing.rows, standing.quarantined, sum(standing.dropped.values())))
    return found


def sparkline(values: Sequence[float | None], width: int = 96, height: int = 20) -> str:
    """A small line through values in order, as the path of an SVG; empty where there are fewer than two.

    Args:
        values: None leaves a gap.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    path, pen = [], "M"
    for at, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        x = 1 + at * (width - 2) / (len(values) - 1)
        y = height / 2 if high == low else height - 2 - (value - low) / (high - low) * (height - 4)
        path.append(f"{pen}{x:.1f},{y:.1f}")
        pen = "L"
    return "".join(path)


def _node(snapshot: Snapshot, name: str) -> Link:
    if name.startswith("models."):
        return Link(name, model_page(name.partition(".")[2]))
    return Link(name, table_page(name) if name in snapshot.project.graph.contracts else "")


def _columns(snapshot: Snapshot, contract: Contract) -> list[ColumnLine]:
    found = []
    for column in contract.columns:
        windows = snapshot.metrics.profiles.get((contract.table, column.name), ())
        found.append(
            ColumnLine(
                name=column.name,
                type=str(column.type),
                nullable=column.nullable,
                subject=column.subject,
                key=column.name in contract.key,
                unit=column.unit or "",
                description=column.description,
                profile=windows[-1] if windows else None,
                means=sparkline([window.figures.get("avg") for window in windows]),
                nulls=sparkline([window.figures.get("percent_null") for window in windows]),
            )
        )
    return found


def _rules(contract: Contract) -> list[tuple[str, str, str]]:
    """Rule, columns, and what its failure does."""
    found = []
    for rule in contract.suite.expectations:
        what = (
            "quarantines the row"
            if rule.quarantines
            else ("rejects the batch" if str(rule.severity) == "critical" else "warns")
        )
        columns = rule.kwargs.get("column") or ", ".join(map(str, rule.kwargs.get("column_list") or ()))
        found.append((rule.rule, str(columns or ""), what))
    return found

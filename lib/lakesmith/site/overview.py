"""Last night in one screen: what ran, what failed, what is stale or blocked, which alerts are open. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.alerts import Alert
from lakesmith.ledger.records import NightRecord, RunRecord
from lakesmith.ledger.state import BatchState, State
from lakesmith.ledger.state_words import LETTERS
from lakesmith.ledger.troubles import Trouble, group_states
from lakesmith.site.heat import HeatMap, heat_map
from lakesmith.site.links import batch_page, model_page, table_page
from lakesmith.site.metrics import TABLE_ROW, Drift
from lakesmith.site.snapshot import Snapshot

__all__ = ["ModelLine", "NightLine", "Overview", "TroubleLine", "overview"]

_NIGHTS_SHOWN = 21
_TROUBLES_SHOWN = 12
_ALERTS_SHOWN = 10


@dataclass(frozen=True)
class NightLine:
    """One table in the last night.

    Args:
        href: to its batch; empty where none was due.
        rows: that stand.
        run: the newest that had this batch.
    """

    table: str
    table_href: str
    day: date
    href: str
    letter: str
    state: str
    reason: str
    rows: int | None
    quarantined: int | None
    run: RunRecord | None


@dataclass(frozen=True)
class TroubleLine:
    """Batches of a table that have the same trouble.

    Args:
        href: to the newest of them.
    """

    trouble: Trouble
    letter: str
    href: str


@dataclass(frozen=True)
class ModelLine:
    """A model and which version is in use."""

    model: str
    href: str
    champion: int | None
    since: date | None
    challenger: int | None


@dataclass(frozen=True)
class Overview:
    """The whole screen.

    Args:
        verdict: in a few words, for the eye that only passes by.
        good: nothing needs anybody.
        counts: states of the last night's batches.
        everywhere: states of all batches in trouble, over all of history.
        record: the newest of a whole night; None before there is one.
    """

    night: date | None
    verdict: str
    good: bool
    counts: Mapping[State, int]
    everywhere: Mapping[State, int]
    lines: Sequence[NightLine]
    troubles: Sequence[TroubleLine]
    more_troubles: int
    alerts: Sequence[Alert]
    more_alerts: int
    drifted: Sequence[Drift]
    models: Sequence[ModelLine]
    record: NightRecord | None
    recent: HeatMap | None


def overview(snapshot: Snapshot) -> Overview:
    """What the first page says."""
    night = snapshot.nights.last if snapshot.nights is not None else None
    lines = [_line(snapshot, table, night) for table in snapshot.tables] if night is not None else []
    troubled = [
        state
        for found in snapshot.states.values()
        for state in found.values()
        if state.state not in (State.FRESH, State.CLOSED)
    ]
    groups = sorted(
        group_states(troubled), key=lambda trouble: (_badness(trouble.label), -trouble.days[-1].toordinal())
    )
    counts = Counter(State(line.state) for line in lines if line.state)
    alerts = snapshot.alerts
    verdict, good = _verdict(night, counts, troubled, len(alerts))
    recent = None
    if snapshot.nights is not None:
        first = max(snapshot.nights.first, snapshot.nights.last - timedelta(_NIGHTS_SHOWN - 1))
        recent = heat_map(snapshot, BatchRange(first, snapshot.nights.last))
    return Overview(
        night=night,
        verdict=verdict,
        good=good,
        counts=counts,
        everywhere=Counter(state.state for state in troubled),
        lines=lines,
        troubles=[
            TroubleLine(trouble, LETTERS[State(trouble.label)], batch_page(trouble.table, trouble.days[-1]))
            for trouble in groups[:_TROUBLES_SHOWN]
        ],
        more_troubles=max(0, len(groups) - _TROUBLES_SHOWN),
        alerts=alerts[:_ALERTS_SHOWN],
        more_alerts=max(0, len(alerts) - _ALERTS_SHOWN),
        drifted=_drifted(snapshot),
        models=[_model(snapshot, model) for model in snapshot.timelines],
        record=snapshot.night_records[-1] if snapshot.night_records else None,
        recent=recent,
    )


def _line(snapshot: Snapshot, table: str, night: date) -> NightLine:
    day = snapshot.batch_of(table, night)
    state = snapshot.state(table, day)
    history = snapshot.histories[table]
    standing, last = history.standing(day), history.last(day)
    run = snapshot.runs_by_id.get((table, last.run_id)) if last is not None else None
    return NightLine(
        table=table,
        table_href=table_page(table),
        day=day,
        href=batch_page(table, day) if state is not None else "",
        letter=LETTERS[state.state] if state is not None else "",
        state=str(state.state) if state is not None else "",
        reason=state.reason if state is not None else "",
        rows=standing.rows if standing is not None else None,
        quarantined=last.quarantined if last is not None else None,
        run=run,
    )


def _badness(label: str) -> int:
    order = (State.FAILED, State.FOREIGN, State.BLOCKED, State.MISSING, State.STALE)
    return order.index(State(label))


def _verdict(
    night: date | None, counts: Mapping[State, int], troubled: Sequence[BatchState], alerts: int
) -> tuple[str, bool]:
    if night is None:
        return "Nothing is there yet", True
    bad = [
        (state, counts.get(state, 0)) for state in (State.FAILED, State.FOREIGN, State.BLOCKED, State.MISSING)
    ]
    said = [f"{n} {state}" for state, n in bad if n]
    if said:
        return f"Last night needs somebody: {', '.join(said)}", False
    if alerts:
        return f"Last night is whole; {alerts} open {'alert' if alerts == 1 else 'alerts'}", False
    if counts.get(State.STALE) or troubled:
        return "Last night is whole; earlier batches are not", False
    return "All is well", True


def _drifted(snapshot: Snapshot) -> list[Drift]:
    """The columns whose newest comparison with a baseline says drift."""
    found = []
    for (_, column), nights in snapshot.metrics.drift.items():
        whole = [drift for drift in nights if not drift.slice and drift.kind != "CONSECUTIVE"]
        if column != TABLE_ROW and whole and whole[-1].drifted:
            found.append(whole[-1])
    return sorted(found, key=lambda drift: -(drift.figures.get("effect") or 0.0))


def _model(snapshot: Snapshot, model: str) -> ModelLine:
    timeline = snapshot.timelines[model]
    champion, challenger = timeline.champion, timeline.challenger
    return ModelLine(
        model,
        model_page(model),
        champion.version if champion is not None else None,
        champion.effective_from if champion is not None else None,
        challenger.version if challenger is not None else None,
    )

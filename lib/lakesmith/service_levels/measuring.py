"""Which nights kept a promise, by the records of the ledger.

Owns what counts as on time. A night counts from the first one on that came in live, soon after its own day: history that was
loaded afterwards was never late. What is still within its time is not counted yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.project import Project
from lakesmith.contracts.service_levels import Measure, ServiceLevel, load_service_levels
from lakesmith.ledger.history import Ledger, TableHistory
from lakesmith.ledger.nights import night_records
from lakesmith.ledger.records import BatchRecord, NightRecord
from lakesmith.service_levels.attainment import Attainment, Measured, attainment

__all__ = ["measured", "service_levels"]

_LIVE = timedelta(days=3)
"""A night that is there so soon after the end of its day came in live."""


def service_levels(project: Project, ledger: Ledger, moment: datetime) -> tuple[Attainment, ...]:
    """How every promise of a project is kept; none without a file conf/slo.yml.

    Args:
        moment: the present, in UTC.

    Raises:
        InvalidProject: the file holds mistakes.
    """
    graph = project.graph
    levels = load_service_levels(project.root, graph)
    if not levels:
        return ()
    nights = night_records(ledger.ops)
    return tuple(_attained(level, graph, ledger, nights, moment) for level in levels)


def _attained(
    level: ServiceLevel, graph: TableGraph, ledger: Ledger, nights: Sequence[NightRecord], moment: datetime
) -> Attainment:
    found = list(measured(level, graph, ledger, nights, moment))
    last = max((m.day for m in found), default=moment.date())
    until = moment.date() if level.measure is Measure.TIME_TO_RECOVER else last
    return attainment(level, found, until)


def measured(
    level: ServiceLevel, graph: TableGraph, ledger: Ledger, nights: Sequence[NightRecord], moment: datetime
) -> Iterator[Measured]:
    """Every night, or incident, of which something can be said.

    Args:
        nights: the records of all nights, oldest first.
        moment: the present, in UTC.
    """
    match level.measure:
        case Measure.NIGHTS_ON_TIME:
            ended: dict[date, datetime] = {}
            for record in nights:
                if record.complete:
                    ended.setdefault(record.last, record.recorded_at)
            yield from _by_deadline(level, ended, moment)
        case Measure.PUBLISHED_BY:
            yield from _by_deadline(level, _published(level, graph, ledger), moment)
        case Measure.LANDING_TO_PUBLISHED:
            yield from _after_landing(level, graph, ledger, moment)
        case Measure.QUARANTINED_SHARE:
            yield from _quarantined(level, graph, ledger)
        case Measure.TIME_TO_RECOVER:
            for table in [level.table] if level.table else graph.order:
                for entries in ledger.history(table).records.values():
                    yield from _recovered(entries, timedelta(seconds=level.within), moment)


def _published(level: ServiceLevel, graph: TableGraph, ledger: Ledger) -> dict[date, datetime]:
    """Night -> when the table's batch of it was first published."""
    lag = timedelta(graph.contract(level.table).lag_days)
    found = {}
    for day, entries in ledger.history(level.table).records.items():
        first = _first_standing(entries)
        if first is not None:
            found[day + lag] = first
    return found


def _first_standing(entries: Sequence[BatchRecord]) -> datetime | None:
    return next((record.recorded_at for record in entries if record.outcome.stands), None)


def _by_deadline(level: ServiceLevel, done: Mapping[date, datetime], moment: datetime) -> Iterator[Measured]:
    """Nights from the first live one to the last whose deadline is over, or that is there already."""
    zone = ZoneInfo(level.timezone)
    for night in _live_nights(done, moment):
        deadline = datetime.combine(night + timedelta(1), level.by, zone)
        ended = done.get(night)
        if ended is not None:
            yield Measured(night, ended <= deadline)
        elif moment > deadline:
            yield Measured(night, kept=False)


def _live_nights(done: Mapping[date, datetime], moment: datetime) -> Iterator[date]:
    live = (night for night, ended in done.items() if ended - _end_of(night) <= _LIVE)
    night = min(live, default=None)
    while night is not None and _end_of(night) <= moment:
        yield night
        night += timedelta(1)


def _end_of(night: date) -> datetime:
    return datetime.combine(night + timedelta(1), datetime.min.time(), UTC)


def _after_landing(
    level: ServiceLevel, graph: TableGraph, ledger: Ledger, moment: datetime
) -> Iterator[Measured]:
    within = timedelta(seconds=level.within)
    published = _published(level, graph, ledger)
    lag = timedelta(graph.contract(level.table).lag_days)
    landed = _landed(level.table, graph, ledger)
    for night in _live_nights(published, moment):
        arrived, ended = landed.get(night - lag), published.get(night)
        if arrived is None:
            continue
        # A file that was put there with an old date, or after it was read, tells nothing.
        if ended is not None and ended >= arrived:
            yield Measured(night, ended - arrived <= within)
        elif ended is None and moment - arrived > within:
            yield Measured(night, kept=False)


def _landed(table: str, graph: TableGraph, ledger: Ledger) -> dict[date, datetime]:
    """Batch -> when the last of the files was written that the tables read of which it is made."""
    ancestors, found = {table}, [table]
    while found:
        for parent in graph.parents(found.pop()):
            if parent not in ancestors:
                ancestors.add(parent)
                found.append(parent)
    landed: dict[date, datetime] = {}
    for name in ancestors & graph.contracts.keys():
        sources = {entry.name for entry in graph.contracts[name].inputs if entry.source}
        if not sources:
            continue
        for day in ledger.history(name).records:
            first = next((r for r in ledger.history(name).records[day] if r.outcome.stands), None)
            for read in first.inputs if first is not None else ():
                times = [int(file["modified_ns"]) for file in read.files if "modified_ns" in file]
                if read.name in sources and times:
                    written = datetime.fromtimestamp(max(times) / 1e9, UTC)
                    landed[day] = max(written, landed.get(day, written))
    return landed


def _quarantined(level: ServiceLevel, graph: TableGraph, ledger: Ledger) -> Iterator[Measured]:
    lag = timedelta(graph.contract(level.table).lag_days)
    history: TableHistory = ledger.history(level.table)
    for day in history.records:
        last = history.last(day)
        if last is None:
            continue
        read = last.read if last.read is not None else last.rows + last.quarantined
        if read:
            yield Measured(day + lag, last.quarantined <= level.at_most * read)


def _recovered(entries: Sequence[BatchRecord], within: timedelta, moment: datetime) -> Iterator[Measured]:
    """Each time that a batch was in trouble: from the attempt that failed to the next that stands."""
    began: datetime | None = None
    for record in entries:
        if not record.outcome.stands:
            began = began or record.recorded_at
        elif began is not None:
            yield Measured(began.date(), record.recorded_at - began <= within)
            began = None
    if began is not None and moment - began > within:
        yield Measured(began.date(), kept=False)

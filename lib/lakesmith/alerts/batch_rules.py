"""Rules about batches: failed, rejected, blocked, foreign, not there, with too many rows in quarantine, unlike their history.

Each is a function of a night's facts. A subject is a table; names are batches, expectations or columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import hypot, sqrt

from lakesmith.alerts.decisions import Violation
from lakesmith.alerts.facts import NightFacts
from lakesmith.alerts.own_history import Bounds, bounds_of
from lakesmith.contracts.days import merge_days
from lakesmith.contracts.model import Severity
from lakesmith.ledger.records import BatchOutcome, BatchRecord
from lakesmith.ledger.state import BatchState, State

__all__ = [
    "batch_blocked",
    "batch_failed",
    "batch_foreign",
    "batch_rejected",
    "critical_expectations",
    "history_deviation",
    "quarantine_share",
    "report_missing",
    "table_not_updated",
    "warning_expectations",
]

_MONITORING = "monitoring"
_ROWS = "rows"
_RANGES = 3
_NAMED = 10


def batch_failed(facts: NightFacts) -> list[Violation]:
    """Batches whose last attempt never reached its audit."""
    return _failed(facts, lambda record: record.outcome is not BatchOutcome.REJECTED)


def batch_rejected(facts: NightFacts) -> list[Violation]:
    """Batches that were rejected, and not for an expectation of the suite: for their quarantine, their key, their accounting."""
    return _failed(
        facts,
        lambda record: (
            record.outcome is BatchOutcome.REJECTED and not facts.broken(record, Severity.CRITICAL)
        ),
    )


def critical_expectations(facts: NightFacts) -> list[Violation]:
    """Batches that were rejected because critical expectations failed."""
    found = []
    for table, states in facts.states.items():
        broken: dict[date, list[str]] = {}
        for day, record in _attempts(facts, states, State.FAILED).items():
            rules = facts.broken(record, Severity.CRITICAL)
            if record.outcome is BatchOutcome.REJECTED and rules:
                broken[day] = rules
        if broken:
            rules = sorted({rule for each in broken.values() for rule in each})
            text = f"{_days(broken)} rejected: {_some(rules)} failed; readers keep what was there before"
            found.append(Violation(table, text, (*rules, *_iso(broken))))
    return found


def warning_expectations(facts: NightFacts) -> list[Violation]:
    """Expectations of severity warning that the night's batches broke."""
    found = []
    for table in facts.graph.order:
        record = facts.last(table, facts.owned(table))
        rules = facts.broken(record, Severity.WARNING) if record is not None else []
        if rules:
            found.append(Violation(table, f"{facts.owned(table)}: {_some(rules)} failed", tuple(rules)))
    return found


def batch_blocked(facts: NightFacts) -> list[Violation]:
    """Batches that wait for others, by the table that keeps them waiting in the end: one trouble, one alert."""
    waiting: dict[str, dict[str, set[date]]] = {}
    for table, states in facts.states.items():
        for day, state in _since_first(facts, table, _in_state(states, State.BLOCKED)).items():
            for root in sorted(_roots(facts, state, set())) or [table]:
                waiting.setdefault(root, {}).setdefault(table, set()).add(day)
    return [
        Violation(
            root,
            f"keeps {_some(sorted(tables))} waiting: {_days({day for days in tables.values() for day in days})}",
            tuple(sorted(tables)),
        )
        for root, tables in sorted(waiting.items())
    ]


def _roots(facts: NightFacts, state: BatchState, seen: set[tuple[str, date]]) -> set[str]:
    """The tables whose batches are not there for a reason of their own."""
    found: set[str] = set()
    for table, day in state.blockers:
        if (table, day) in seen:
            continue
        seen.add((table, day))
        blocker = facts.states.get(table, {}).get(day)
        if blocker is not None and blocker.state is State.BLOCKED and blocker.blockers:
            found |= _roots(facts, blocker, seen)
        else:
            found.add(table)
    return found


def batch_foreign(facts: NightFacts) -> list[Violation]:
    """Batches to which somebody else wrote."""
    found = []
    for table, states in facts.states.items():
        foreign = {day: state for day, state in states.items() if state.foreign}
        if foreign:
            text = f"{_days(foreign)} holds files that Lakesmith did not publish"
            found.append(Violation(table, text, _iso(foreign)))
    return found


def table_not_updated(facts: NightFacts) -> list[Violation]:
    """Tables without a batch that is due: never run, or no file came."""
    return [found for found in _missing(facts) if not _is_monitoring(found.subject)]


def report_missing(facts: NightFacts) -> list[Violation]:
    """Monitoring tables that have no rows about the night."""
    return [found for found in _missing(facts) if _is_monitoring(found.subject)]


def _missing(facts: NightFacts) -> list[Violation]:
    found = []
    for table, states in facts.states.items():
        missing = _since_first(facts, table, _in_state(states, State.MISSING))
        if missing:
            reason = next(state.reason for _, state in sorted(missing.items(), reverse=True))
            text = f"{_days(missing)} missing{f': {reason}' if reason else ''}"
            found.append(Violation(table, text, _iso(missing)))
    return found


def quarantine_share(facts: NightFacts) -> list[Violation]:
    """Batches of the night whose quarantine is near its limit; one beyond it was rejected."""
    found = []
    for table, contract in facts.graph.contracts.items():
        record = facts.last(table, facts.owned(table))
        if record is None or not record.quarantined or not record.outcome.stands:
            continue
        limit, near = contract.quarantine_limit, facts.settings.quarantine_near
        read = record.read if record.read is not None else record.rows + record.quarantined
        by_share = record.quarantined >= near * limit.share * read
        by_rows = limit.rows is not None and record.quarantined >= near * limit.rows
        if by_share or by_rows:
            share = f"{100 * record.quarantined / read:.2f} %" if read else "all"
            most = f"{100 * limit.share:g} %" + (f" or {limit.rows:,} rows" if limit.rows is not None else "")
            text = f"{facts.owned(table)}: {record.quarantined:,} of {read:,} rows in quarantine ({share}; limit {most})"
            found.append(Violation(table, text))
    return found


def history_deviation(facts: NightFacts) -> list[Violation]:
    """Volumes, null rates and sums of the night that are unlike those of the same weekday before it."""
    given = facts.settings.history
    figures = _volumes(facts)
    profiled = _profiled(facts)
    found = []
    for table in facts.graph.order:
        if facts.graph.contracts[table].layer == _MONITORING:
            # As many rows as there are columns and baselines: a new model has others.
            continue
        day = facts.owned(table)
        odd = {}
        for name, figure in {**figures.get(table, {}), **profiled.get(table, {})}.items():
            if day not in figure.values:
                continue
            bounds = bounds_of(
                figure.values,
                day,
                weeks=given.weeks,
                least=given.least,
                factor=given.factor,
                floor=figure.floor,
                counts=name == _ROWS,
                error=figure.errors.get(day, 0.0),
            )
            if bounds is not None and not bounds.holds(figure.values[day]):
                odd[name] = f"{name} {figure.shown(figure.values[day], bounds)}"
        if odd:
            more = f"; and {len(odd) - _NAMED} more" if len(odd) > _NAMED else ""
            text = f"{day}, by its weekday: {'; '.join(list(odd.values())[:_NAMED])}{more}"
            found.append(Violation(table, text, tuple(odd)))
    return found


@dataclass(frozen=True)
class _Figure:
    """What is compared of a table, day by day.

    Args:
        floor: the least that counts as a deviation.
        shown: how a value is told beside its bounds.
        errors: the standard error of each day's value, where it is known.
    """

    values: Mapping[date, float]
    floor: float
    shown: Callable[[float, Bounds], str]
    errors: Mapping[date, float] = field(default_factory=dict)


def _volumes(facts: NightFacts) -> dict[str, dict[str, _Figure]]:
    """Rows of every table by day, without the days on which nothing was delivered because nobody was at work."""
    found: dict[str, dict[str, _Figure]] = {}
    for table in facts.graph.order:
        history = facts.watched.ledger.history(table)
        rows = {
            day: float(record.rows)
            for day in history.records
            if not _is_closed(facts, table, day) and (record := history.standing(day)) is not None
        }
        found[table] = {_ROWS: _Figure(rows, 1.0, _told_count)}
    return found


def _profiled(facts: NightFacts) -> dict[str, dict[str, _Figure]]:
    """Null rates and sums of every column that is profiled."""
    nulls: dict[tuple[str, str], dict[date, float]] = {}
    sums: dict[tuple[str, str], dict[date, float]] = {}
    errors: dict[tuple[str, str], dict[date, float]] = {}
    for row in facts.profiles(facts.settings.history.weeks + 1):
        key, day = (row["table_name"], row["column_name"]), row["batch_date"]
        if key[0] not in facts.graph.contracts or _is_closed(facts, key[0], day):
            continue
        if row["percent_null"] is not None:
            nulls.setdefault(key, {})[day] = row["percent_null"]
        if row["avg"] is not None:
            values = row["count"] - (row["num_nulls"] or 0) - (row["num_nan"] or 0)
            sums.setdefault(key, {})[day] = row["avg"] * values
            # Of a sum of so many independent values: the root of the sum of their squares.
            errors.setdefault(key, {})[day] = sqrt(values) * hypot(row["avg"], row["stddev"] or 0.0)
    found: dict[str, dict[str, _Figure]] = {}
    for (table, column), by_day in nulls.items():
        found.setdefault(table, {})[f"nulls of {column}"] = _Figure(by_day, 0.5, _told_share)
    for (table, column), by_day in sums.items():
        least = 0.05 * max(abs(value) for value in by_day.values())
        figure = _Figure(by_day, least, _told_part, errors[table, column])
        found.setdefault(table, {})[f"sum of {column}"] = figure
    return found


def _told_count(value: float, bounds: Bounds) -> str:
    low, high = max(0.0, bounds.low), bounds.high
    return f"{value:,.0f}, usually {bounds.middle:,.0f} ({low:,.0f} .. {high:,.0f})"


def _told_share(value: float, bounds: Bounds) -> str:
    low, high = max(0.0, bounds.low), min(100.0, bounds.high)
    return f"{value:.1f} %, usually {bounds.middle:.1f} % ({low:.1f} % .. {high:.1f} %)"


def _told_part(value: float, bounds: Bounds) -> str:
    """A sum may be one person's amount: told is only how it relates to those before."""
    if not bounds.middle:
        return "is not about 0 any more"
    low, high = sorted((bounds.low / bounds.middle, bounds.high / bounds.middle))
    return f"{100 * value / bounds.middle:.0f} % of the usual ({100 * low:.0f} % .. {100 * high:.0f} %)"


def _is_closed(facts: NightFacts, table: str, day: date) -> bool:
    """True when a table holds the rows of a day of its own on which a source that it comes from was closed."""
    contract = facts.graph.contracts[table]
    for entry in contract.inputs:
        if entry.source and facts.graph.sources[entry.source].calendar.is_closed(day):
            return True
        if (
            entry.table
            and entry.table != table
            and entry.window.is_same_day
            and _is_closed(facts, entry.table, day)
        ):
            return True
    return False


def _failed(facts: NightFacts, counts: Callable[[BatchRecord], bool]) -> list[Violation]:
    found = []
    for table, states in facts.states.items():
        days = {day: r for day, r in _attempts(facts, states, State.FAILED).items() if counts(r)}
        if days:
            newest = days[max(days)]
            reason = f": {newest.reason.rstrip('.')}" if newest.reason else ""
            text = f"{_days(days)} {newest.outcome}{reason}"
            found.append(Violation(table, text, _iso(days)))
    return found


def _in_state(states: Mapping[date, BatchState], wanted: State) -> dict[date, BatchState]:
    return {day: state for day, state in states.items() if state.state is wanted}


def _attempts(facts: NightFacts, states: Mapping[date, BatchState], wanted: State) -> dict[date, BatchRecord]:
    found = {day: facts.last(state.table, day) for day, state in _in_state(states, wanted).items()}
    return {day: record for day, record in found.items() if record is not None}


def _since_first(facts: NightFacts, table: str, states: Mapping[date, BatchState]) -> dict[date, BatchState]:
    """Without the batches from before a table's first: a lake that began yesterday lacks nothing of last week."""
    first = facts.first(table)
    own = facts.owned(table)
    return {day: state for day, state in states.items() if day == own or (first is not None and day >= first)}


def _is_monitoring(table: str) -> bool:
    return table.split(".")[0] == _MONITORING


def _days(days: Iterable[date]) -> str:
    ranges = merge_days(days)
    more = f" and {len(ranges) - _RANGES} more ranges" if len(ranges) > _RANGES else ""
    return f"{', '.join(str(found) for found in ranges[:_RANGES])}{more}"


def _iso(days: Iterable[date]) -> tuple[str, ...]:
    return tuple(day.isoformat() for day in sorted(days))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"

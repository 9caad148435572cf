"""One batch in words: what state it is in and why, its rows accounted for, its verdicts, how it was made, what it hangs on.

Pure: a snapshot in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Input
from lakesmith.ledger.records import BatchOutcome, BatchRecord, InputRead, RunRecord
from lakesmith.ledger.rule_results import RuleResult
from lakesmith.ledger.state import BatchState, State
from lakesmith.ledger.state_words import LETTERS
from lakesmith.ledger.troubles import count
from lakesmith.site.links import batch_page, model_page, table_page
from lakesmith.site.snapshot import Audit, Snapshot
from lakesmith.site.words import moment, whole

__all__ = ["Accounting", "BatchView", "Link", "Neighbour", "batch_view"]

_DIGEST_SHOWN = 12


@dataclass(frozen=True)
class Link:
    """A text that leads somewhere; nowhere when there is no page.

    Args:
        letter: of a batch's state; empty for anything else.
        state: in a word.
    """

    text: str
    href: str = ""
    letter: str = ""
    state: str = ""


@dataclass(frozen=True)
class Neighbour:
    """What a batch read, or what reads it.

    Args:
        target: the table, source or model.
        how: the window, or what else it is.
        links: to the batches, the first and the last where there are many.
        more: batches between those.
        notes: left out days, files.
    """

    target: Link
    how: str
    links: tuple[Link, ...]
    more: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Accounting:
    """The rows of a batch: read = published + quarantined + dropped, where the contract accounts for them.

    Args:
        published: or staged, for a batch that was rejected.
        word: which of both.
        dropped: rows by reason.
        balanced: None where the contract does not account for rows.
    """

    read: int | None
    published: int
    word: str
    quarantined: int
    dropped: Mapping[str, int]
    balanced: bool | None

    @property
    def dropped_rows(self) -> int:
        """Over all reasons."""
        return sum(self.dropped.values())


@dataclass(frozen=True)
class BatchView:
    """Everything that the page of a batch says."""

    table: str
    day: date
    night: date
    state: BatchState
    letter: str
    headline: str
    sentences: tuple[str, ...]
    accounting: Accounting | None
    attempt: BatchRecord | None
    standing: BatchRecord | None
    attempts: Sequence[BatchRecord]
    run: RunRecord | None
    audit: Audit | None
    broken: Sequence[tuple[RuleResult, str]]
    passed: int
    quarantine: Mapping[str, int]
    quarantine_rows: int
    quarantine_table: str
    up: Sequence[Neighbour]
    down: Sequence[Neighbour]
    before: Link | None
    after: Link | None


def batch_view(snapshot: Snapshot, table: str, day: date) -> BatchView:
    """The page of a batch that some night owns."""
    state = snapshot.states[table][day]
    history = snapshot.histories[table]
    attempt, standing = history.last(day), history.standing(day)
    audit = snapshot.audits.get((table, day))
    broken = audit.broken if audit is not None else ()
    counted = snapshot.quarantined[table]
    states = snapshot.states[table]
    before, after = (
        _batch_link(snapshot, table, near) if near in states else None
        for near in (_moved(day, -1), _moved(day, 1))
    )
    return BatchView(
        table=table,
        day=day,
        night=snapshot.night_of(table, day),
        state=state,
        letter=LETTERS[state.state],
        headline=_headline(state, attempt),
        sentences=tuple(_sentences(snapshot, state, attempt, standing, broken)),
        accounting=_accounting(attempt),
        attempt=attempt,
        standing=standing,
        attempts=tuple(reversed(history.records.get(day, ()))),
        run=snapshot.runs_by_id.get((table, attempt.run_id)) if attempt is not None else None,
        audit=audit,
        broken=[(result, rule_words(result)) for result in broken],
        passed=len(audit.results) - len(broken) if audit is not None else 0,
        quarantine=dict(
            sorted(counted.by_rule.get(day, {}).items(), key=lambda entry: (-entry[1], entry[0]))
        ),
        quarantine_rows=counted.rows.get(day, 0),
        quarantine_table=snapshot.contract(table).quarantine_table,
        up=_up(snapshot, table, day, attempt if attempt is not None and attempt.inputs else standing),
        down=_down(snapshot, table, day),
        before=before,
        after=after,
    )


def rule_words(result: RuleResult) -> str:
    """What a rule that failed found, in a sentence without a value of a row."""
    if result.unexpected is not None and result.elements:
        part = 100 * result.unexpected / result.elements
        return f"{whole(result.unexpected)} of {whole(result.elements)} rows break it ({part:.2g} %)"
    if result.unexpected is not None:
        return f"{whole(result.unexpected)} break it"
    if result.observed is not None:
        return f"found {result.observed}"
    return "it does not hold"


def _moved(day: date, days: int) -> date:
    return date.fromordinal(day.toordinal() + days)


def _headline(state: BatchState, attempt: BatchRecord | None) -> str:
    if state.state is State.FAILED and attempt is not None and attempt.outcome is BatchOutcome.REJECTED:
        return "Rejected by its audit"
    words = {
        State.FRESH: "Fresh",
        State.CLOSED: "Closed: the source is shut that day",
        State.STALE: "Stale: it would come out differently now",
        State.MISSING: "Missing: never published",
        State.BLOCKED: "Blocked: something that it needs is not there",
        State.FOREIGN: "Foreign: somebody else wrote to it",
        State.FAILED: "Failed",
    }
    return words[state.state]


def _sentences(
    snapshot: Snapshot,
    state: BatchState,
    attempt: BatchRecord | None,
    standing: BatchRecord | None,
    broken: Sequence[RuleResult],
) -> list[str]:
    """Why, what readers see, and what to do."""
    said = []
    if state.reason:
        said.append(f"{state.reason[:1].upper()}{state.reason[1:]}.".replace("..", "."))
    critical = [result for result in broken if result.severity == "critical"]
    if state.state is State.FAILED and critical:
        said.append(f"{count(len(critical), 'critical rule')} failed; they are listed below.")
    if state.state is State.CLOSED:
        said.append("Nothing is due.")
    elif standing is not None and state.state in (State.FAILED, State.STALE, State.BLOCKED):
        said.append(
            f"Readers still see the {count(standing.rows, 'row')} that run {standing.run_id} published "
            f"at {moment(standing.recorded_at)}."
        )
    elif standing is None and state.state is not State.FOREIGN:
        said.append("Readers see no rows of this day.")
    if state.audit:
        said.append(f"The next run audits it again: {state.audit}.")
    if state.left_out:
        named = ", ".join(f"{table} {day}" for table, day in state.left_out[:3])
        more = f" and {len(state.left_out) - 3} more" if len(state.left_out) > 3 else ""
        said.append(f"It goes without {named}{more}, which failed.")
    night = snapshot.night_of(state.table, state.batch_date)
    if state.runnable and state.state is not State.FRESH:
        said.append(f"To run it: lakesmith run --date {night} --table {state.table}")
    return said


def _accounting(attempt: BatchRecord | None) -> Accounting | None:
    if attempt is None or (not attempt.outcome.stands and not attempt.digest):
        return None
    word = "published" if attempt.outcome.stands else "staged, not published"
    dropped = dict(sorted(attempt.dropped.items()))
    found = attempt.rows + attempt.quarantined + sum(dropped.values())
    balanced = None if attempt.read is None else attempt.read == found
    return Accounting(attempt.read, attempt.rows, word, attempt.quarantined, dropped, balanced)


def _batch_link(snapshot: Snapshot, table: str, day: date) -> Link:
    state = snapshot.state(table, day)
    if state is None:
        return Link(str(day))
    return Link(str(day), batch_page(table, day), LETTERS[state.state], str(state.state))


def _ends(snapshot: Snapshot, table: str, days: BatchRange | None) -> tuple[tuple[Link, ...], int]:
    """Links to the batches of a range that are due: all of a few, else the first and the last."""
    known = snapshot.states.get(table, {})
    if days is None or not known:
        return (), 0
    span = days.intersection(BatchRange(min(known), max(known)))
    if span is None:
        return (), 0
    listed = list(span)
    shown = listed if len(listed) <= 3 else [listed[0], listed[-1]]
    return tuple(_batch_link(snapshot, table, day) for day in shown), len(listed) - len(shown)


def _up(snapshot: Snapshot, table: str, day: date, record: BatchRecord | None) -> list[Neighbour]:
    reads = {read.name: read for read in record.inputs} if record is not None else {}
    return [_read(snapshot, day, entry, reads.get(entry.name)) for entry in snapshot.contract(table).inputs]


def _read(snapshot: Snapshot, day: date, entry: Input, read: InputRead | None) -> Neighbour:
    """One input: what was read of it, else what would be."""
    if entry.model is not None:
        version = f"version {read.version}" if read is not None and read.version is not None else ""
        return Neighbour(Link(entry.target, model_page(entry.model)), f"{entry.role} {version}".strip(), ())
    if entry.table is None:
        files = tuple(
            f"{file.get('path')}, {whole(file.get('size'))} bytes, sha256 {str(file.get('sha256'))[:_DIGEST_SHOWN]}"
            for file in (read.files if read is not None else ())
        )
        return Neighbour(Link(entry.target), "landing files", (), 0, files)
    if read is not None and read.window:
        first, last = (date.fromisoformat(text) for text in read.window)
        days: BatchRange | None = BatchRange(first, last)
    else:
        days = entry.window.reads(day, snapshot.project.graph.starts[entry.table])
    links, more = _ends(snapshot, entry.table, days)
    notes = []
    if read is not None and read.version is not None:
        notes.append(f"read at version {read.version}")
    if read is not None and read.left_out:
        notes.append(f"without {', '.join(read.left_out)}, which had failed")
    return Neighbour(Link(entry.table, table_page(entry.table)), str(entry.window), links, more, tuple(notes))


def _down(snapshot: Snapshot, table: str, day: date) -> list[Neighbour]:
    found = []
    for child in snapshot.tables:
        for entry in snapshot.contract(child).inputs:
            if entry.table == table:
                links, more = _ends(snapshot, child, _until_now(entry, day))
                found.append(Neighbour(Link(child, table_page(child)), str(entry.window), links, more))
    for model, declaration in snapshot.project.models.items():
        if table in (declaration.features_table, declaration.label.table):
            how = "features" if table == declaration.features_table else "labels"
            found.append(Neighbour(Link(f"models.{model}", model_page(model)), how, ()))
    return found


def _until_now(entry: Input, day: date) -> BatchRange | None:
    try:
        return entry.window.read_by(day)
    except OverflowError:
        # `as_of` reaches beyond the calendar's end.
        return BatchRange(day, date.max)

"""What a keyed table has to take in: which batches, which buckets, and whether it may build upon what it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.intake import Intake, changes_read, intake
from lakesmith.ledger.live import NO_FILES, LiveBatch, LiveTable
from lakesmith.ledger.records import EMPTY_DIGEST, BatchOutcome, BatchRecord, Fingerprints

BUCKETS = 4
D = [date(2024, 1, n) for n in range(1, 10)]


def record(
    day: date,
    digest: str = "x",
    *,
    outcome: BatchOutcome = BatchOutcome.PUBLISHED,
    buckets: Iterable[int] | None = None,
    files: str = "files",
) -> BatchRecord:
    read = () if buckets is None else (changes_read("changes.silver_t", 1, digest, set(buckets)),)
    return BatchRecord(
        table="silver.t",
        batch_date=day,
        recorded_at=datetime(2024, 2, 1, tzinfo=UTC),
        run_id="r",
        outcome=outcome,
        version=1,
        digest=digest,
        rows=0 if digest == EMPTY_DIGEST else 5,
        read=None,
        quarantined=0,
        dropped={},
        fingerprints=Fingerprints(1, "data", "audit", "doc"),
        inputs=read,
        settings={},
        files=files,
    )


def history(*records: BatchRecord) -> TableHistory:
    found = TableHistory()
    for entry in records:
        found.add(entry)
    return found


def asked(
    taken: TableHistory,
    changes: TableHistory,
    touched: dict[date, set[int]],
    *,
    foreign: bool = False,
    whole: bool = False,
) -> Intake:
    return intake(BUCKETS, taken, changes, touched, foreign=foreign, whole=whole)


def test_a_batch_later_than_all_is_taken_in_on_top() -> None:
    taken = history(record(D[0], buckets=[0]), record(D[1], buckets=[1]))
    found = asked(taken, history(record(D[0]), record(D[1]), record(D[2])), {D[2]: {2, 3}})
    assert (list(found.pending), found.buckets, found.in_order) == ([D[2]], {2, 3}, True)
    assert (found.taken, found.seen) == (tuple(D[:3]), D[1])


def test_a_late_batch_makes_its_buckets_anew_from_all_changes() -> None:
    taken = history(record(D[0], buckets=[0]), record(D[2], buckets=[1]))
    found = asked(taken, history(record(D[0]), record(D[1]), record(D[2])), {D[1]: {2}})
    assert (list(found.pending), found.buckets, found.in_order) == ([D[1]], {2}, False)


def test_a_corrected_batch_touches_the_buckets_of_its_old_and_its_new_keys() -> None:
    taken = history(record(D[0], buckets=[0]), record(D[1], buckets=[1]))
    found = asked(taken, history(record(D[0]), record(D[1], "y")), {D[1]: {3}})
    assert (list(found.pending), found.buckets, found.in_order) == ([D[1]], {1, 3}, False)


def test_a_batch_that_lost_all_its_changes_touches_the_old_ones() -> None:
    taken = history(record(D[0], buckets=[0]), record(D[1], buckets=[1]))
    emptied = record(D[1], EMPTY_DIGEST, outcome=BatchOutcome.PUBLISHED)
    found = asked(taken, history(record(D[0]), emptied), {D[1]: set()})
    assert (list(found.pending), found.buckets, found.in_order) == ([D[1]], {1}, False)
    assert found.taken == (D[0],)


def test_an_empty_batch_touches_nothing_however_late_it_is() -> None:
    taken = history(record(D[0], buckets=[0]), record(D[2], buckets=[1]))
    empty = record(D[1], EMPTY_DIGEST, outcome=BatchOutcome.EMPTY)
    found = asked(taken, history(record(D[0]), empty, record(D[2])), {D[1]: set()})
    assert (list(found.pending), found.buckets, found.in_order) == ([D[1]], set(), True)


def test_a_rejected_correction_leaves_what_was_taken_in() -> None:
    taken = history(record(D[0], buckets=[0]))
    rejected = record(D[0], "y", outcome=BatchOutcome.REJECTED)
    assert asked(taken, history(record(D[0]), rejected), {}).pending == {}


def test_what_a_crash_left_between_the_halves_is_taken_in_by_the_next_run() -> None:
    taken = history(record(D[0], buckets=[0]))
    found = asked(taken, history(record(D[0]), record(D[1]), record(D[2])), {D[2]: {2}})
    # Of the batch of the run that crashed nobody knows the buckets.
    assert (list(found.pending), found.buckets, found.in_order) == ([D[1], D[2]], {0, 1, 2, 3}, True)


def test_where_somebody_else_wrote_everything_is_made_anew() -> None:
    taken = history(record(D[0], buckets=[0]))
    same = history(record(D[0]))
    assert asked(taken, same, {}, foreign=True).buckets == set(), "a run that passed nothing mends nothing"
    found = asked(taken, same, {D[0]: {0}}, foreign=True)
    assert (list(found.pending), found.buckets, found.in_order) == ([D[0]], {0, 1, 2, 3}, False)


def test_a_full_dump_touches_every_bucket() -> None:
    taken = history(record(D[0], buckets=[0]))
    found = asked(taken, history(record(D[0]), record(D[1])), {D[1]: {2}}, whole=True)
    assert (found.buckets, found.in_order) == ({0, 1, 2, 3}, True)


DAYS = st.integers(0, 5)
CONTENTS = st.frozensets(st.integers(0, BUCKETS - 1))


@settings(deadline=None)
@given(st.lists(st.tuples(DAYS, CONTENTS, st.integers(0, 2)), min_size=1, max_size=12))
def test_buckets_always_hold_what_all_batches_say(steps: list[tuple[int, frozenset[int], int]]) -> None:
    """A model of the table: per bucket, what each batch put into it. Building upon it must come to the same as from scratch."""
    taken, changes = TableHistory(), TableHistory()
    contents: dict[date, tuple[str, frozenset[int]]] = {}
    table: dict[int, dict[date, str]] = {number: {} for number in range(BUCKETS)}
    for at, (number, buckets, variant) in enumerate(steps):
        day = D[number]
        digest = f"{variant}:{sorted(buckets)}" if buckets else EMPTY_DIGEST
        contents[day] = (digest, buckets)
        changes.add(record(day, digest))
        found = asked(taken, changes, {day: set(buckets)})
        for bucket in found.buckets:
            days = found.pending if found.in_order else contents
            if not found.in_order:
                table[bucket] = {}
            for other in sorted(days):
                if bucket in contents[other][1]:
                    assert found.in_order is False or all(other > held for held in table[bucket])
                    table[bucket][other] = contents[other][0]
        for other, held in found.pending.items():
            moment = held.recorded_at + timedelta(seconds=at)
            own = record(other, held.digest, buckets=contents[other][1])
            taken.add(replace(own, recorded_at=moment))
        for bucket in range(BUCKETS):
            assert table[bucket] == {d: text for d, (text, of) in contents.items() if bucket in of}


def test_the_newest_record_names_all_files_of_a_keyed_table() -> None:
    live = LiveTable(3, {}, {0: LiveBatch(("a",), 1, 1), 1: LiveBatch(("b",), 1, 1)})
    found = history(record(D[0], files="before"), record(D[1], files=live.files))
    assert found.files_found(live, D[0], keyed=True) == "before"
    assert found.files_found(live, D[1], keyed=True) == live.files
    assert found.files_found(live, D[2], keyed=True) == NO_FILES
    elsewhere = LiveTable(4, {}, {0: LiveBatch(("c",), 1, 1)})
    assert found.files_found(elsewhere, D[0], keyed=True) not in ("before", live.files)
    assert found.files_found(None, D[0], keyed=True) != "before"

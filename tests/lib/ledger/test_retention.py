"""What is still needed, and by whom: from records alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.records import NightRecord
from lakesmith.ledger.retention import ModelPin, kept_models, kept_nights, needed_versions

START = datetime(2024, 2, 1, tzinfo=UTC)


def recorded(night: int, at: int, complete: bool = True, **versions: int) -> NightRecord:
    """The record of a night of January, made so many hours after START."""
    last = date(2024, 1, night)
    return NightRecord(last, last, START + timedelta(hours=at), complete, versions)


def happened(model: str, version: int, kind: ModelEventKind, at: int) -> ModelEvent:
    return ModelEvent(
        model,
        version,
        kind,
        START + timedelta(hours=at),
        None,
        None,
        f"run {version}",
        "",
        date(2024, 1, 1),
        "me",
    )


def test_of_a_night_only_the_record_is_kept_that_readers_get() -> None:
    first, repaired = recorded(1, at=1), recorded(1, at=2)
    incomplete = recorded(1, at=3, complete=False)
    only_incomplete = recorded(2, at=4, complete=False)
    kept = kept_nights([incomplete, repaired, only_incomplete, first], START)
    assert kept == (repaired, only_incomplete)


def test_old_nights_go_but_never_the_last_complete_one() -> None:
    nights = [recorded(1, at=1), recorded(2, at=2), recorded(3, at=3, complete=False)]
    assert kept_nights(nights, START + timedelta(hours=2)) == tuple(nights[1:])
    assert kept_nights(nights, START + timedelta(hours=9)) == (nights[1],)
    assert kept_nights([], START) == ()


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 20), st.booleans()), max_size=12, unique_by=lambda t: t[1]
    ),
    st.integers(0, 20),
)
def test_whatever_was_recorded_the_young_answers_are_kept(
    entries: list[tuple[int, int, bool]], since: int
) -> None:
    """Against the words of the rule, night by night."""
    records = [recorded(night, at, complete) for night, at, complete in entries]
    edge = START + timedelta(hours=since)
    kept = set(map(id, kept_nights(records, edge)))
    complete = [r for r in records if r.complete]
    default = max(complete, key=lambda r: r.recorded_at, default=None)
    for night in {r.last for r in records}:
        mine = [r for r in records if r.last == night]
        answer = max([r for r in mine if r.complete] or mine, key=lambda r: r.recorded_at)
        for record in mine:
            needed = record is default or (record is answer and record.recorded_at >= edge)
            assert (id(record) in kept) == needed


def test_a_model_is_kept_until_it_is_rejected() -> None:
    kinds = ModelEventKind
    events = [
        happened("a", 1, kinds.REGISTERED, 1),
        happened("a", 2, kinds.VALIDATION_FAILED, 2),
        happened("a", 3, kinds.REGISTERED, 3),
        happened("a", 1, kinds.PROMOTED, 4),
        happened("a", 3, kinds.REJECTED, 5),
        happened("b", 1, kinds.REGISTERED, 6),
        happened("a", 1, kinds.REJECTED, 7),
        happened("a", 1, kinds.ROLLED_BACK, 8),
    ]
    kept = kept_models(reversed(events))
    assert [(e.model, e.version) for e in kept] == [("a", 1), ("a", 2), ("b", 1)]
    assert {e.event for e in kept} == {kinds.REGISTERED, kinds.VALIDATION_FAILED}


def test_a_version_names_all_who_need_it() -> None:
    nights = [recorded(1, at=1, usage=4, bronze=2), recorded(2, at=2, usage=5, bronze=2)]
    pins = [ModelPin("returning", 3, {"usage": 4, "labels": 9})]
    assert needed_versions(nights, pins) == {
        "usage": {4: ("night 2024-01-01", "returning 3"), 5: ("night 2024-01-02",)},
        "bronze": {2: ("night 2024-01-01", "night 2024-01-02")},
        "labels": {9: ("returning 3",)},
    }

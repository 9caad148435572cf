"""Which version scores the batch of a day, whatever was promoted, rolled back or rejected, and when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lakesmith.ledger.history import Ledger
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind, ModelTimeline

K = ModelEventKind
MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def day(number: int) -> date:
    return date(2024, 1, number)


def event(
    at: int, kind: ModelEventKind, version: int, first: int | None = None, before: int | None = None
) -> ModelEvent:
    return ModelEvent(
        model="repurchase",
        version=version,
        event=kind,
        recorded_at=MOMENT + timedelta(seconds=at),
        effective_from=day(first) if first else None,
        before=before,
        run_id=f"run{version}",
        digest=f"sha{version}",
        as_of=day(1),
        who="tester",
        gates=({"gate": "minimum", "passed": version != 9, "text": "roc_auc"},),
    )


STORY = [
    event(0, K.REGISTERED, 1),
    event(1, K.PROMOTED, 1, first=10),
    event(2, K.REGISTERED, 2),
    event(3, K.PROMOTED, 2, first=15, before=1),
    event(4, K.VALIDATION_FAILED, 9),
    event(5, K.ROLLED_BACK, 1, first=18, before=2),
    event(6, K.REJECTED, 2),
]


def test_each_day_has_the_champion_of_its_night() -> None:
    timeline = ModelTimeline.of("repurchase", reversed(STORY))
    versions = {
        number: found.version if (found := timeline.champion_on(day(number))) else None
        for number in range(9, 21)
    }
    assert versions == {
        9: None,
        **dict.fromkeys(range(10, 15), 1),
        **dict.fromkeys(range(15, 18), 2),
    } | dict.fromkeys(range(18, 21), 1)
    assert timeline.since == day(10)
    assert timeline.champion is not None
    assert (timeline.champion.version, timeline.champion.event) == (1, K.ROLLED_BACK)
    assert timeline.previous is not None
    assert timeline.previous.version == 2
    assert timeline.versions == (1, 2, 9)


def test_a_promotion_for_earlier_days_takes_them_over() -> None:
    timeline = ModelTimeline.of("repurchase", [*STORY[:4], event(9, K.PROMOTED, 3, first=12, before=2)])
    champions = [timeline.champion_on(day(number)) for number in (11, 12, 15, 20)]
    assert [found.version for found in champions if found] == [1, 3, 3, 3]


@pytest.mark.parametrize(("version", "passed"), [(1, True), (9, False)])
def test_gates_are_remembered_by_version(version: int, passed: bool) -> None:
    registered = ModelTimeline.of("repurchase", STORY).registered(version)
    assert registered is not None
    assert registered.gates_passed is passed


def test_events_are_kept_in_the_lake_as_they_are(tmp_path: Path) -> None:
    ledger = Ledger(LakeLocation(str(tmp_path / "lake")))
    assert ledger.timeline("repurchase").events == ()

    for found in STORY:
        ledger.ops.append([found])
    ledger.ops.append([ModelEvent(**{**vars(STORY[0]), "model": "other"})])

    assert ledger.timeline("repurchase").events == tuple(STORY)

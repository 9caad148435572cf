"""Which version scores the batch of a day, whatever was promoted, rolled back or rejected, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from lakesmith.contracts.model import Input, ModelRole
from lakesmith.contracts.windows import Window
from lakesmith.ledger.arms import arms_on, recorded_arms, repeated, repeated_read, served_read
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind, ModelTimeline
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import EMPTY_DIGEST, InputRead

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


# --- challengers and rollouts ---------------------------------------------------------------------------------------


def numbers(timeline: ModelTimeline, first: int, last: int) -> list[int | None]:
    """The challenger's version, day after day."""
    found = [timeline.challenger_on(day(number)) for number in range(first, last + 1)]
    return [challenger.version if challenger is not None else None for challenger in found]


def step(at: int, version: int, share: int, first: int) -> ModelEvent:
    return replace(event(at, K.ROLLOUT, version, first=first, before=1), share=share)


def test_the_challenger_of_a_day_is_the_newest_that_passed_until_it_is_decided_upon() -> None:
    timeline = ModelTimeline.of(
        "repurchase",
        [
            event(0, K.REGISTERED, 1),
            event(1, K.PROMOTED, 1, first=10),
            event(2, K.REGISTERED, 2, first=12),
            event(3, K.VALIDATION_FAILED, 9),
            event(4, K.REGISTERED, 3, first=14),
            event(5, K.REJECTED, 3, first=16),
            event(6, K.REGISTERED, 4, first=18),
            event(7, K.PROMOTED, 4, first=19, before=1),
        ],
    )
    # After a rejection the version before it is no challenger again: nobody decided so.
    assert numbers(timeline, 11, 20) == [None, 2, 2, 3, 3, None, None, 4, None, None]
    assert timeline.challenged_since == day(12)
    assert ModelTimeline.of("repurchase", STORY).challenged_since is None


def test_a_rejection_without_a_day_holds_for_all() -> None:
    story = [event(0, K.REGISTERED, 2, first=12), event(1, K.REJECTED, 2)]
    assert numbers(ModelTimeline.of("repurchase", story), 12, 13) == [None, None]


def test_a_rollout_goes_by_its_steps_and_ends_with_a_champion() -> None:
    story = [
        event(0, K.REGISTERED, 1),
        event(1, K.PROMOTED, 1, first=10),
        event(2, K.REGISTERED, 2, first=11),
        step(3, 2, 0, 12),
        step(4, 2, 25, 14),
        step(5, 2, 0, 16),
        event(6, K.REGISTERED, 3, first=17),
        event(7, K.PROMOTED, 2, first=18, before=1),
    ]
    timeline = ModelTimeline.of("repurchase", story)
    shares = [found.share if (found := timeline.rollout_on(day(n))) else None for n in range(11, 20)]
    assert shares == [None, 0, 0, 25, 25, 0, 0, None, None]
    # A version that is registered meanwhile waits until the rollout is over.
    assert numbers(timeline, 11, 18) == [2, 2, 2, 2, 2, 2, 2, 3]


@pytest.mark.parametrize(
    ("end", "ends"),
    [
        (event(9, K.REJECTED, 2, first=15), True),
        (event(9, K.REJECTED, 3, first=15), False),
        (event(9, K.ROLLED_BACK, 1, first=15), True),
        (event(9, K.PROMOTED, 3, first=15), True),
    ],
)
def test_what_ends_a_rollout(end: ModelEvent, ends: bool) -> None:
    story = [
        event(0, K.REGISTERED, 2, first=11),
        event(1, K.REGISTERED, 3, first=11),
        step(2, 2, 25, 12),
        end,
    ]
    timeline = ModelTimeline.of("repurchase", story)
    assert timeline.rollout_on(day(14)) is not None
    assert (timeline.rollout_on(day(15)) is None) == ends


# --- what scores a batch --------------------------------------------------------------------------------------------

ENTRY = Input("model", Window.same_day(), model="repurchase")


def test_the_arms_of_a_day_share_the_entities() -> None:
    story = [
        event(0, K.REGISTERED, 1),
        event(1, K.PROMOTED, 1, first=10),
        event(2, K.REGISTERED, 2, first=11),
        step(3, 2, 0, 12),
        step(4, 2, 25, 13),
    ]
    timeline = ModelTimeline.of("repurchase", story)

    def arms(number: int, role: ModelRole = ModelRole.CHAMPION) -> list[tuple[int, str, int]]:
        return [(a.version, str(a.served_by), a.share) for a in arms_on(timeline, day(number), role)]

    assert arms(9) == []
    assert arms(10) == arms(12) == [(1, "champion", 100)]
    assert arms(13) == [(1, "champion", 75), (2, "challenger", 25)]
    assert arms(10, ModelRole.CHALLENGER) == []
    assert arms(12, ModelRole.CHALLENGER) == arms(13, ModelRole.CHALLENGER) == [(2, "challenger", 100)]

    for number in (10, 13):
        found = arms_on(timeline, day(number), ModelRole.CHAMPION)
        read = served_read(ENTRY, found)
        assert recorded_arms(timeline, read) == found
        assert (read.version, repeated(read)) == (1, None)
    one, two = (served_read(ENTRY, arms_on(timeline, day(n), ModelRole.CHAMPION)) for n in (10, 13))
    assert one.digest == "sha1"
    assert two.digest not in ("sha1", "sha2")


def test_a_record_from_before_there_were_arms_names_the_version() -> None:
    timeline = ModelTimeline.of("repurchase", STORY)
    (arm,) = recorded_arms(timeline, InputRead("model", "models.repurchase", 2, "sha2")) or ()
    assert (arm.version, arm.served_by, arm.share) == (2, "champion", 100)
    assert recorded_arms(timeline, served_read(ENTRY, ())) == ()


def test_scores_that_were_repeated_are_chosen_anew() -> None:
    read = repeated_read(ENTRY, day(3), "the server is gone")
    assert recorded_arms(ModelTimeline.of("repurchase", STORY), read) is None
    assert repeated(read) == {"served_by": "degraded", "batch": "2024-01-03", "reason": "the server is gone"}
    assert (read.version, read.digest) == (None, EMPTY_DIGEST)


def test_events_of_a_lake_without_shares_are_read_and_added_to(tmp_path: Path) -> None:
    """A table that an earlier Lakesmith made lacks columns that came later."""
    lake = LakeLocation(str(tmp_path / "lake"))
    old = [field for field in ModelEvent.schema if field.name != "share"]
    Ops(lake).append([event(0, K.REGISTERED, 1)])
    table = DeltaTable(lake.path("ops.model_events"))
    rows = table.to_pyarrow_table().select([field.name for field in old])
    write_deltalake(table, rows, mode="overwrite", schema_mode="overwrite")
    assert Ledger(lake).timeline("repurchase").events == (event(0, K.REGISTERED, 1),)

    Ops(lake).append([step(1, 1, 25, 12)])

    assert Ledger(lake).timeline("repurchase").events == (event(0, K.REGISTERED, 1), step(1, 1, 25, 12))

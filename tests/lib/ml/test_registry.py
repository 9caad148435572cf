"""Versions and who is champion: what is an event, what MLflow's aliases say of it, and what is refused."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lakesmith.config.settings import Settings
from lakesmith.errors import ExitCode, LakesmithError, UsageError
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ml.gates import Verdict
from lakesmith.ml.registry import GateFailed, ModelRegistry, NoSuchVersion
from lakesmith.ml.store import ModelStore
from lakesmith.ml.tracking import LoggedRun

K = ModelEventKind
MODEL = "returning"
NIGHT = date(2024, 2, 1)

PASSED = Verdict("minimum", True, 0.75, 0.7, "roc_auc 0.7500 is at least 0.7000 (required)")
POOR = Verdict("minimum", False, 0.65, 0.7, "roc_auc 0.6500 should be at least 0.7000 (required)")
UNSURE = Verdict("calibration", False, 0.12, 0.05, "ece 0.1200 should be at most 0.0500 (allowed)")


class Registered:
    """A registry, and what MLflow shows of it."""

    def __init__(self, settings: Settings) -> None:
        self.store = ModelStore(settings)
        self.ledger = Ledger(LakeLocation(settings.lake_root))
        self.registry = ModelRegistry(self.store, self.ledger)

    def add(self, *verdicts: Verdict) -> ModelEvent:
        """One more version."""
        number = len(self.registry.timeline(MODEL).versions) + 1
        experiment = self.store.experiment(MODEL)
        run = self.store.client.create_run(experiment).info
        logged = LoggedRun(run.run_id, f"sha{number}", f"{run.artifact_uri}/model")
        return self.registry.register(MODEL, logged, NIGHT, verdicts or (PASSED,), "schedule")

    def promote(self, version: int, number: int) -> ModelEvent:
        return self.registry.promote(MODEL, version, day(number))

    @property
    def aliases(self) -> dict[str, int]:
        found = self.store.client.get_registered_model(MODEL).aliases
        return {alias: int(version) for alias, version in found.items()}

    @property
    def statuses(self) -> list[str]:
        """MLflow's tag of every version."""
        client = self.store.client
        versions = self.registry.timeline(MODEL).versions
        return [client.get_model_version(MODEL, str(v)).tags["status"] for v in versions]

    @property
    def story(self) -> list[tuple[ModelEventKind, int, date | None, int | None]]:
        """Every event: what, which version, from which batch on, in whose place."""
        events = self.registry.timeline(MODEL).events
        return [(e.event, e.version, e.effective_from, e.before) for e in events]


def day(number: int) -> date:
    return NIGHT + timedelta(number)


@pytest.fixture
def models(settings: Settings) -> Registered:
    return Registered(settings)


def test_aliases_follow_what_happens(models: Registered) -> None:
    seen: list[dict[str, int]] = []

    models.add()
    seen.append(models.aliases)
    models.promote(1, 1)
    seen.append(models.aliases)
    models.add()
    models.add(POOR)
    seen.append(models.aliases)
    models.add()
    seen.append(models.aliases)
    models.promote(4, 5)
    seen.append(models.aliases)
    models.registry.rollback(MODEL, day(9), "it promised too much")
    seen.append(models.aliases)

    assert seen == [
        {"challenger": 1},
        {"champion": 1},
        # One that failed its gates takes nobody's place.
        {"champion": 1, "challenger": 2},
        {"champion": 1, "challenger": 4},
        {"champion": 4, "previous_champion": 1},
        {"champion": 1, "previous_champion": 4},
    ]
    assert models.statuses == ["rolled_back", "registered", "validation_failed", "promoted"]
    assert models.story == [
        (K.REGISTERED, 1, None, None),
        (K.PROMOTED, 1, day(1), None),
        (K.REGISTERED, 2, None, None),
        (K.VALIDATION_FAILED, 3, None, None),
        (K.REGISTERED, 4, None, None),
        (K.PROMOTED, 4, day(5), 1),
        (K.ROLLED_BACK, 1, day(9), 4),
    ]


def test_a_version_begins_with_its_run_its_digest_and_its_gates(models: Registered) -> None:
    event = models.add(PASSED, UNSURE)

    registered = models.registry.timeline(MODEL).registered(1)
    assert registered == event
    assert (event.event, event.version, event.as_of, event.reason, event.digest) == (
        K.VALIDATION_FAILED,
        1,
        NIGHT,
        "schedule",
        "sha1",
    )
    assert event.gates == (PASSED.to_dict(), UNSURE.to_dict())
    assert event.gates_passed is False
    kept = models.store.client.get_model_version(MODEL, "1")
    assert (kept.run_id, kept.tags) == (event.run_id, {"status": "validation_failed", "sha256": "sha1"})
    assert models.aliases == {}


def test_a_gate_keeps_a_version_from_promotion_with_its_numbers(models: Registered) -> None:
    models.add(PASSED, POOR, UNSURE)

    with pytest.raises(GateFailed) as caught:
        models.promote(1, 1)

    assert caught.value.exit_code is ExitCode.REJECTED
    assert caught.value.texts == (POOR.text, UNSURE.text)
    assert str(caught.value) == (
        "returning version 1 is not promoted: roc_auc 0.6500 should be at least 0.7000 (required); ece 0.1200 should be at "
        "most 0.0500 (allowed). To promote it all the same, say why: "
        'lakesmith models promote returning 1 --force --reason "..."'
    )
    assert models.story == [(K.VALIDATION_FAILED, 1, None, None)]
    assert models.aliases == {}


@pytest.mark.parametrize("reason", ["", "  "])
def test_force_needs_a_reason(models: Registered, reason: str) -> None:
    models.add(POOR)

    with pytest.raises(UsageError) as caught:
        models.registry.promote(MODEL, 1, None, force=True, reason=reason)

    assert str(caught.value) == '--force needs the reason for the record: --reason "..."'
    assert models.story == [(K.VALIDATION_FAILED, 1, None, None)]


@pytest.mark.parametrize(("verdict", "forced"), [(POOR, True), (PASSED, False)])
def test_force_is_recorded_where_it_was_needed(models: Registered, verdict: Verdict, forced: bool) -> None:
    models.add(verdict)

    event = models.registry.promote(MODEL, 1, None, force=True, reason="the old one cannot read the columns")

    assert (event.forced, event.reason) == (forced, "the old one cannot read the columns")
    # Without a first batch it scores from the night on that its training knew last.
    assert models.story[1:] == [(K.PROMOTED, 1, NIGHT, None)]
    assert models.registry.timeline(MODEL).champion == event
    assert (models.aliases, models.statuses) == ({"champion": 1}, ["promoted"])


def test_a_rejected_version_is_never_champion_again(models: Registered) -> None:
    models.add()
    models.add()
    models.promote(1, 1)
    models.promote(2, 2)

    rejected = models.registry.reject(MODEL, 1, "it learned from refunds")

    assert (rejected.event, rejected.reason, rejected.effective_from) == (
        K.REJECTED,
        "it learned from refunds",
        None,
    )
    assert models.statuses == ["rejected", "promoted"]
    for attempt in (lambda: models.promote(1, 3), lambda: models.registry.rollback(MODEL, day(3), "")):
        with pytest.raises(NoSuchVersion) as caught:
            attempt()
        assert str(caught.value) == (
            "returning version 1 was rejected: it learned from refunds. See what there is: lakesmith models list returning"
        )
    assert models.registry.timeline(MODEL).champion_on(day(9)) == models.registry.timeline(MODEL).champion


def test_a_rejected_challenger_is_no_challenger(models: Registered) -> None:
    models.add()
    models.registry.reject(MODEL, 1, "too slow")
    assert (models.aliases, models.statuses) == ({}, ["rejected"])


def test_what_cannot_be_done_says_so(models: Registered) -> None:
    models.add()
    models.promote(1, 1)
    registry = models.registry
    refused = {
        "returning has no version 7": lambda: registry.promote(MODEL, 7, None),
        "returning version 1 is the champion already": lambda: registry.promote(MODEL, 1, None),
        "returning has no champion before the one in use": lambda: registry.rollback(MODEL, day(2), ""),
        "returning has no version 8": lambda: registry.reject(MODEL, 8, "x"),
        "returning version 1 is the champion; roll back before rejecting it": lambda: registry.reject(
            MODEL, 1, "x"
        ),
        "other has no version 1": lambda: registry.promote("other", 1, None),
    }
    for text, attempt in refused.items():
        with pytest.raises(NoSuchVersion) as caught:
            attempt()
        model = text.split()[0]
        assert str(caught.value) == f"{text}. See what there is: lakesmith models list {model}"
        assert caught.value.exit_code is ExitCode.USAGE
    assert len(models.story) == 2


def test_a_crash_between_event_and_alias_is_mended(
    models: Registered, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.add()
    models.promote(1, 1)
    models.add()

    def crash(registry: ModelRegistry, model: str) -> None:
        raise LakesmithError("the machine went down")

    with monkeypatch.context() as patched:
        patched.setattr(ModelRegistry, "mend", crash)
        with pytest.raises(LakesmithError, match="the machine went down"):
            models.promote(2, 5)

    # What scoring follows is there; what MLflow shows is not yet.
    again = Registered(settings)
    timeline = again.registry.timeline(MODEL)
    assert timeline.champion is not None
    assert timeline.champion.version == 2
    assert again.aliases == {"champion": 1, "challenger": 2}

    again.registry.mend(MODEL)

    assert again.aliases == {"champion": 2, "previous_champion": 1}
    assert again.statuses == ["promoted", "promoted"]


def test_aliases_that_somebody_moved_in_mlflow_are_put_back(models: Registered) -> None:
    models.add()
    models.add()
    models.promote(1, 1)
    client = models.store.client
    client.set_registered_model_alias(MODEL, "champion", "2")
    client.set_registered_model_alias(MODEL, "previous_champion", "2")
    client.set_registered_model_alias(MODEL, "mine", "2")

    models.registry.mend(MODEL)

    # An alias of somebody else's is left alone.
    assert models.aliases == {"champion": 1, "challenger": 2, "mine": 2}


def test_events_are_in_order_whatever_the_clock_says(
    models: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.add()
    models.add()
    earlier = models.registry.timeline(MODEL).events[-1].recorded_at - timedelta(days=1)
    monkeypatch.setattr("lakesmith.ml.registry.now", lambda: earlier)

    models.promote(1, 1)
    models.promote(2, 2)

    assert [event for event, *_ in models.story] == [K.REGISTERED, K.REGISTERED, K.PROMOTED, K.PROMOTED]
    assert models.aliases == {"champion": 2, "previous_champion": 1}

"""When a retraining is requested, and that a training answers it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from command_lines import Answer
from lakesmith.alerts.check import check_night
from lakesmith.alerts.facts import Watched
from lakesmith.alerts.retraining import due_requests
from lakesmith.cli.main import main
from lakesmith.config.sections.alerts import AlertSettings, RetrainingSettings
from lakesmith.ledger.alerts import AlertEvent, AlertRecord
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.retraining import RetrainingEvent, RetrainingRecord, standing_request
from shops import MODEL, PROJECT, night
from watching import look
from workspaces import Workspace

TRAINED = datetime(2024, 1, 2, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Workspace:
    """The shop's project, whose model was trained on the 1st of January."""
    made = Workspace(Path(shutil.copytree(PROJECT.root, tmp_path / "shop")))
    event = ModelEvent(
        MODEL, 1, ModelEventKind.REGISTERED, TRAINED, night(2), None, "run", "digest", night(1), "somebody"
    )
    made.context().ledger.ops.append([event])
    return made


def spoke(number: int, subject: str = "gold.customers", rule: str = "drift") -> AlertRecord:
    """A rule spoke on the night of a day."""
    moment = TRAINED + timedelta(days=number - 1, hours=3)
    return AlertRecord(moment, night(number), AlertEvent.SEEN, rule, subject, "warning")


def checked(shop: Workspace, number: int, *, record: bool = True) -> tuple[object, object]:
    """The models for which the check of a night requests a retraining, and those for which one is wanted."""
    moment = TRAINED + timedelta(days=number - 1, hours=4)
    found = check_night(look(shop), night(number), record=record, channels=(), moment=moment).to_json()
    return found["retraining_requested"], found["retraining_wanted"]


def due(shop: Workspace, last: int, *records: AlertRecord) -> list[tuple[str, str]]:
    about = look(shop)
    found = due_requests(about, records, night(last), TRAINED + timedelta(days=last - 1, hours=4))
    about.ledger.ops.append(found)
    return [(request.model, request.reason) for request in found]


def test_enough_nights_request_a_retraining_once(shop: Workspace) -> None:
    assert due(shop, 5, spoke(4), spoke(5)) == []
    assert due(shop, 6, spoke(3), spoke(5), spoke(6)) == [(MODEL, "drift on 3 of the last 7 nights")]
    assert due(shop, 7, spoke(3), spoke(5), spoke(6), spoke(7)) == []


def test_a_check_says_what_is_wanted_until_a_training_has_answered(shop: Workspace) -> None:
    ops = shop.context().ledger.ops
    assert checked(shop, 6) == ([], [])
    ops.append([spoke(4), spoke(5), spoke(6)])

    assert checked(shop, 6) == ([MODEL], [MODEL])
    assert checked(shop, 7) == ([], [MODEL])
    assert checked(shop, 6, record=False) == ([], [MODEL])

    trained = TRAINED + timedelta(days=7)
    ops.append([RetrainingRecord(MODEL, RetrainingEvent.ANSWERED, night(6), trained, "requested", 2)])
    assert checked(shop, 8) == ([], [])


@pytest.mark.parametrize("subject", [f"models.{MODEL}", "gold.customers", "gold.next_week", "gold.scores"])
def test_what_the_model_reads_and_gives_is_about_it(shop: Workspace, subject: str) -> None:
    assert len(due(shop, 6, *(spoke(n, subject) for n in (4, 5, 6)))) == 1


def test_other_subjects_rules_and_older_nights_do_not_count(shop: Workspace) -> None:
    others = [spoke(n, "bronze.orders") for n in (4, 5, 6)] + [
        spoke(n, rule="batch_failed") for n in (4, 5, 6)
    ]
    assert due(shop, 6, *others) == []
    assert due(shop, 20, spoke(13), spoke(19), spoke(20)) == []
    assert len(due(shop, 20, spoke(14), spoke(19), spoke(20))) == 1


def test_two_rules_on_one_night_are_one_night(shop: Workspace) -> None:
    both = [spoke(n, rule=rule) for n in (5, 6) for rule in ("drift", "performance")]

    assert due(shop, 6, *both) == []
    assert due(shop, 7, *both, spoke(7)) == [(MODEL, "drift and performance on 3 of the last 7 nights")]


def test_a_training_answers_and_nights_before_it_do_not_count_again(shop: Workspace) -> None:
    said = [spoke(n) for n in (4, 5, 6)]
    due(shop, 6, *said)
    ops = shop.context().ledger.ops
    trained = TRAINED + timedelta(days=5, hours=12)
    ops.append([RetrainingRecord(MODEL, RetrainingEvent.ANSWERED, night(6), trained, "requested", 2)])
    ops.append(
        [ModelEvent(MODEL, 2, ModelEventKind.VALIDATION_FAILED, trained, None, 1, "r", "d", night(6), "x")]
    )

    assert standing_request(ops.records(RetrainingRecord), MODEL) is None
    assert due(shop, 8, *said, spoke(7), spoke(8)) == []
    assert due(shop, 9, *said, spoke(7), spoke(8), spoke(9)) == [(MODEL, "drift on 3 of the last 7 nights")]


def test_a_training_by_hand_is_an_answer_too(shop: Workspace) -> None:
    trained = TRAINED + timedelta(days=5, hours=12)
    shop.context().ledger.ops.append(
        [ModelEvent(MODEL, 2, ModelEventKind.REGISTERED, trained, None, 1, "r", "d", night(6), "x")]
    )

    assert due(shop, 7, spoke(5), spoke(6), spoke(7)) == []


def test_a_night_that_was_answered_and_is_checked_again_does_not_count_again(shop: Workspace) -> None:
    due(shop, 6, *(spoke(n) for n in (4, 5, 6)))
    trained = TRAINED + timedelta(days=5, hours=12)
    shop.context().ledger.ops.append(
        [RetrainingRecord(MODEL, RetrainingEvent.ANSWERED, night(6), trained, "requested", 2)]
    )
    again = replace(spoke(6), recorded_at=trained + timedelta(hours=1))

    assert due(shop, 8, again, spoke(7), spoke(8)) == []


def test_a_model_that_was_never_trained_is_not_trained_again(tmp_path: Path) -> None:
    fresh = Workspace(Path(shutil.copytree(PROJECT.root, tmp_path / "shop")))

    assert due(fresh, 6, spoke(4), spoke(5), spoke(6)) == []


def test_the_numbers_are_settings(shop: Workspace) -> None:
    about = look(shop)

    def asked(**given: int) -> int:
        alerts = AlertSettings(retraining=RetrainingSettings(**given))  # type: ignore[arg-type]
        settings = about.settings.model_copy(update={"alerts": alerts})
        changed = Watched(about.project, settings, about.ledger, about.judge)
        return len(due_requests(changed, [spoke(2), spoke(9)], night(9), TRAINED + timedelta(days=9)))

    assert (asked(violations=2, nights=8), asked(violations=2, nights=7)) == (1, 0)
    assert asked(violations=0, nights=8) == 0


def test_without_a_request_train_if_requested_does_nothing(
    shop: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", MODEL, "--if-requested", "--project", str(shop.root)])
    said = capsys.readouterr()

    assert Answer(code, said.out, said.err) == Answer(0, f"{MODEL}: no retraining is requested.\n", "")

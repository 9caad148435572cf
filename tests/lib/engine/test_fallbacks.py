"""What stands in for a champion that cannot score: the champion before, then the last scores; never silently, never nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakesmith.errors import ExitCode
from lakesmith.ledger.records import BatchOutcome
from planted_models import plant
from shops import DAYS, MODEL, SCORES, night
from watched_shop import LAST, WatchedShop


@pytest.fixture
def watched(tmp_path: Path, first_watched: WatchedShop) -> WatchedShop:
    return first_watched.again(tmp_path / "shop")


def test_the_champion_before_stands_in_and_the_batch_stays_with_it(watched: WatchedShop) -> None:
    watched.promote(2, 42)
    watched.break_version(2)

    result = watched.score(42)

    assert (result.error, result.batches) == (None, {night(42): BatchOutcome.PUBLISHED})
    assert set(watched.served(42)) == {("previous_champion", 1)}
    (remark,) = [text for run in result.runs for text in run.warnings]
    assert remark.startswith(
        f"gold.scores {night(42)}: version 1, the champion before, stood in: returning version 2 cannot be used: "
        "its files have SHA-256"
    )
    assert watched.tries() == [(42, True)]
    # As any batch it stays with what scored it, also when the champion is back.
    assert watched.state(42) == ("fresh", "")
    watched.mend_version(2)
    assert watched.score(42).unchanged == 1
    assert set(watched.served(42)) == {("previous_champion", 1)}
    watched.score(42, version=2)
    assert set(watched.served(42)) == {("asked", 2)}


def test_the_last_scores_stand_in_until_the_model_is_back(watched: WatchedShop) -> None:
    last = watched.scores(LAST)
    watched.break_version(1)

    night_42 = watched.nights(42, None, [SCORES])
    watched.score(43)

    assert night_42.exit_code is ExitCode.DONE
    for number in (42, 43):
        assert watched.scores(number) == last
        assert set(watched.served(number)) == {("degraded", 1)}
        state, reason = watched.state(number)
        assert state == "stale"
        # Not yesterday's, which are repeated themselves: those of the day that was really scored.
        assert reason.startswith(
            f"it repeats the scores of {night(LAST)}: returning version 1 cannot be used"
        )
    again = watched.score(42)
    assert (again.batches, again.unchanged) == ({}, 1)

    watched.mend_version(1)
    watched.nights(42, 43, [SCORES])

    assert [set(watched.served(n)) for n in (42, 43)] == [{("champion", 1)}] * 2
    assert [watched.state(n)[0] for n in (42, 43)] == ["fresh"] * 2
    customers = watched.rows("gold.customers", "batch_date", "customer_id")
    assert set(watched.scores(43)) == {customer for day, customer in customers if day == night(43)}


def test_a_failed_input_leaves_the_last_scores(watched: WatchedShop) -> None:
    landed = watched.root / "landing" / "orders" / f"{night(42)}.csv"
    whole = landed.read_text()
    landed.write_text("Customer,Price\n1,2\n")

    broken = watched.nights(42)

    assert broken.exit_code is ExitCode.REJECTED
    assert broken.tables[SCORES].batches == {night(42): BatchOutcome.PUBLISHED}
    assert watched.scores(42) == watched.scores(LAST)
    assert set(watched.served(42)) == {("degraded", 1)}
    assert (
        f"{SCORES} {night(42)} repeats the scores of {night(LAST)}: needs gold.customers {night(42)}"
        in "".join(text for run in broken.tables[SCORES].runs for text in run.warnings)
    )
    # Nothing changes while nothing is mended.
    version = watched.versions()[SCORES]
    watched.nights(42)
    assert watched.versions()[SCORES] == version

    landed.write_text(whole)
    assert watched.nights(42).exit_code is ExitCode.DONE

    assert set(watched.served(42)) == {("champion", 1)}
    assert watched.state(42) == ("fresh", "")


def test_a_version_that_the_features_do_not_fit_is_stood_in_for(watched: WatchedShop) -> None:
    """A column of another type concerns every batch, one that is null everywhere the batch only."""
    features = {"recency_days": "bigint"}
    lacks = plant(watched.context(), MODEL, night(DAYS), seed=5, facts={"features": features})
    watched.promote(lacks.version, 42)
    assert watched.score(42).error is None
    assert set(watched.served(42)) == {("previous_champion", 1)}

    empties = plant(
        watched.context(), MODEL, night(DAYS), seed=6, facts={"missing_shares": {"gap_mean_days": 0.2}}
    )
    watched.promote(empties.version, 43)
    watched.edit("jobs/gold/customers.py", 'F.when(F.col("days") > 1,', 'F.when(F.col("days") > 1000,')
    found = watched.nights(43, None, ["gold.customers", SCORES])

    # The version before does not fit either: what is left are the last scores.
    assert found.exit_code is ExitCode.DONE
    assert set(watched.served(43)) == {("degraded", 1)}
    state, reason = watched.state(43)
    assert state == "stale"
    assert f"gap_mean_days of gold.customers {night(43)} is null in every row" in reason


def test_without_scores_to_repeat_the_batch_fails_with_the_reason(watched: WatchedShop) -> None:
    watched.break_version(1)
    watched.set("serving: {oldest_scores_days: 2}")

    found = watched.nights(44, None, [SCORES])

    assert found.exit_code is ExitCode.REJECTED
    assert found.tables[SCORES].batches == {night(44): BatchOutcome.FAILED}
    assert (
        found.tables[SCORES]
        .reasons[night(44)]
        .endswith("No scores of the days before stand in (serving.oldest_scores_days).")
    )
    assert watched.served(44) == {}


def test_a_version_that_was_asked_for_is_stood_in_for_by_nothing(watched: WatchedShop) -> None:
    watched.break_version(2)
    result = watched.score(LAST, version=2)
    assert "returning version 2 cannot be used" in str(result.error)
    assert set(watched.served(LAST)) == {("champion", 1)}


def test_a_breaker_opens_lets_one_probe_a_night_through_and_closes(watched: WatchedShop) -> None:
    watched.set("serving: {failures_to_open: 2}")
    watched.break_version(1)

    for number in (42, 43):
        watched.score(number)
    (run,) = watched.score(43).runs

    # The second run of day 43 did not try: the breaker had opened, and the night had its probe.
    assert watched.tries() == [(42, True), (43, True)]
    assert f"returning is not tried after 2 failures in a row, the last on {night(43)}" in run.warnings[0]
    watched.score(44)
    watched.score(44)
    assert watched.tries() == [(42, True), (43, True), (44, True)]

    watched.mend_version(1)
    watched.score(44)
    assert set(watched.served(44)) == {("degraded", 1)}
    watched.score(45)

    assert watched.tries() == [(42, True), (43, True), (44, True), (45, False)]
    assert set(watched.served(45)) == {("champion", 1)}
    watched.nights(42, 44, [SCORES])
    assert [set(watched.served(n)) for n in (42, 43, 44)] == [{("champion", 1)}] * 3


def test_an_unreachable_server_is_asked_once_a_run(
    watched: WatchedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not again for the version before: it is on the same server."""
    watched.promote(2, 42)
    monkeypatch.setenv("LAKESMITH__MLFLOW__TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    result = watched.score(42)

    assert result.error is None
    assert set(watched.served(42)) == {("degraded", 1)}
    (remark,) = [text for run in result.runs for text in run.warnings]
    assert remark.count("does not answer") == 1
    assert "secret" not in remark
    assert watched.tries() == [(42, True)]

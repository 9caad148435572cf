"""A version on its way into use, and a champion on its way out: one decision a night, each an event with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakesmith.engine.realised import compare_realised
from lakesmith.errors import ExitCode, InputMissing
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ml.registry import NoSuchVersion
from shops import MODEL, SCORES, night
from watched_shop import FIRST, LAST, SHADOW, WatchedShop

LAX = "checks: {mean_shift: 100, psi: 100}"
STRICT = "checks: {mean_shift: 0, psi: 0}"


@pytest.fixture
def watched(tmp_path: Path, first_watched: WatchedShop) -> WatchedShop:
    return first_watched.again(tmp_path / "shop")


def steps(shop: WatchedShop) -> list[tuple[str, int, int | None, int]]:
    """What became of versions since they were registered: the event, the version, its share and from which day on."""
    events = [e for e in shop.timeline().events if e.effective_from is not None]
    return [
        (str(e.event), e.version, e.share, (e.effective_from - night(1)).days + 1)  # type: ignore[operator]
        for e in events
        if e.event is not ModelEventKind.REGISTERED
    ]


def last_event(shop: WatchedShop) -> ModelEvent:
    return shop.timeline().events[-1]


def test_a_version_comes_into_use_step_by_step(watched: WatchedShop) -> None:
    watched.declare(f"rollout: {{shadow: 2, shares: [30, 60, 100], {LAX}}}\n")

    begun = watched.promote_by_policy(3)

    assert (begun.event, begun.share, begun.effective_from) == (ModelEventKind.ROLLOUT, 0, night(42))
    assert watched.aliases() == {"challenger": 3, "champion": 1}
    seen: dict[int, set[tuple[str, int]]] = {}
    by_new: dict[int, set[int]] = {}
    for number in (42, 43, 44, 45):
        assert watched.score_both(number).exit_code is ExitCode.DONE
        seen[number] = set(watched.served(number))
        by_new[number] = {c for c, (_, version) in watched.scores(number).items() if version == 3}
    both = {("champion", 1), ("challenger", 3)}
    # Two nights in shadow, then a night at each share.
    assert seen == {42: {("champion", 1)}, 43: {("champion", 1)}, 44: both, 45: both}
    assert steps(watched) == [
        ("promoted", 1, None, FIRST),
        ("rollout", 3, 0, 42),
        ("rollout", 3, 30, 44),
        ("rollout", 3, 60, 45),
        ("promoted", 3, None, 46),
    ]
    assert last_event(watched).reason == f"automatic: the checks of {night(45)} passed at 60 %"
    # Whom the new version scores it goes on scoring.
    on_both = set(watched.scores(44)) & set(watched.scores(45))
    assert by_new[44] & on_both < by_new[45] & on_both
    # An arm has the scores that its version gives: those of the shadow.
    shadow = watched.scores(45, SHADOW)
    assert {c: watched.scores(45)[c] for c in by_new[45]} == {c: shadow[c] for c in by_new[45]}
    # An old night keeps its arms, and decides nothing.
    again = watched.nights(44, 45, [SCORES, SHADOW], force=True)
    assert (again.tables[SCORES].unchanged, again.tables[SCORES].batches, again.decisions) == (2, {}, ())


def test_a_failed_check_takes_a_step_back_with_its_numbers(watched: WatchedShop) -> None:
    watched.declare(f"rollout: {{shadow: 0, shares: [50, 100], {STRICT}}}\n")
    assert watched.promote_by_policy(3).share == 50

    found = watched.score_both(42)

    event = last_event(watched)
    assert (event.event, event.version, event.share, event.effective_from) == (
        ModelEventKind.ROLLOUT,
        3,
        0,
        night(43),
    )
    assert event.reason.startswith("automatic: back from 50 %: mean_shift ")
    assert [gate["gate"] for gate in event.gates if not gate["passed"]] == ["mean_shift", "psi"]
    (said,) = found.decisions
    assert said.startswith(
        "returning version 3 goes back from 50 % to 0 % of the values of customer_id: mean_shift"
    )
    watched.score_both(43)
    assert set(watched.served(43)) == {("champion", 1)}


def test_a_night_without_shadow_scores_is_no_step_forward(watched: WatchedShop) -> None:
    watched.declare(f"rollout: {{shadow: 0, shares: [50, 100], {LAX}}}\n")
    watched.promote_by_policy(3)
    watched.break_version(3)

    watched.score(42)

    # The champion took the share of the version that cannot be used, and the step back says why.
    assert set(watched.served(42)) == {("champion", 1)}
    assert last_event(watched).reason == (
        "automatic: back from 50 %: gold.scores was not scored as planned; "
        f"gold.shadow holds no scores of it on {night(42)}"
    )


def test_what_is_in_shadow_is_the_challenger_of_the_day(watched: WatchedShop) -> None:
    assert watched.scored_by(*range(FIRST, LAST + 1), table=SHADOW) == {
        FIRST: set(),
        **{number: {3} for number in range(FIRST + 1, LAST + 1)},
    }
    watched.registry().reject(MODEL, 3, "it is a test", night(42))
    assert watched.score_both(42).exit_code is ExitCode.DONE
    assert watched.scored_by(42, table=SHADOW) == {42: set()}
    assert watched.state(42, SHADOW) == ("fresh", "")
    with pytest.raises(NoSuchVersion, match="was rejected: it is a test"):
        watched.promote_by_policy(3)


def test_a_champion_whose_scores_make_no_sense_is_rolled_back(watched: WatchedShop) -> None:
    watched.declare("floors: {mean_score: [0.98, 0.99], rollback: true}\n")
    watched.promote(2, 42)

    found = watched.score_both(42)

    event = last_event(watched)
    assert (event.event, event.version, event.effective_from) == (ModelEventKind.ROLLED_BACK, 1, night(43))
    assert event.reason.startswith(f"automatic: the mean score of {night(42)} is 0.")
    assert event.reason.endswith(", which should be 0.98 .. 0.99")
    assert found.decisions[0].startswith(
        f"returning version 2 is rolled back, version 1 scores from {night(43)} on: the mean score"
    )
    # Version 1 is no better; there is nothing to go back to but what was just left.
    again = watched.score_both(43)
    assert set(watched.served(43)) == {("champion", 1)}
    assert again.decisions[0].startswith(
        "returning version 1 is below its floor and there is no champion to go back to"
    )
    assert last_event(watched) == event


def test_a_floor_without_rollback_only_says_so(watched: WatchedShop) -> None:
    watched.declare("floors: {mean_score: [0.98, 0.99], psi: 0.0, nights: 2, rollback: false}\n")
    events = watched.timeline().events

    (below, moved) = watched.score_both(42).decisions

    assert below.startswith("returning version 1 is below its floor: the mean score of")
    assert moved.startswith(
        f"returning version 1: the scores of {night(42)} are spread otherwise than those of {night(40)} .. {night(41)}:"
    )
    assert watched.timeline().events == events


def auc(pairs: list[tuple[float, bool]]) -> float:
    """The share of pairs of a positive and a negative row in which the positive one has the higher score."""
    positive = [score for score, label in pairs if label]
    negative = [score for score, label in pairs if not label]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def test_realised_outcomes_are_those_of_the_rows_that_were_served(watched: WatchedShop) -> None:
    context = watched.context()
    timeline = watched.timeline()
    first, third = timeline.registered(1), timeline.registered(3)
    assert first is not None
    assert third is not None

    found = compare_realised(context, context.project.model(MODEL), first, third)

    labels = {
        (d, c): bought
        for d, c, bought in watched.rows("gold.next_week", "batch_date", "customer_id", "bought")
    }
    served = [
        (score, labels[d, c])
        for d, c, score in watched.rows(SCORES, "batch_date", "customer_id", "score")
        if (d, c) in labels
    ]
    mine, others = found.served
    assert mine.evaluation is not None
    assert mine.outcome is not None
    assert (mine.evaluation.rows, others.evaluation) == (len(served), None)
    assert mine.outcome.value == pytest.approx(sum(label for _, label in served) / len(served))
    assert mine.outcome.low < mine.outcome.value < mine.outcome.high
    assert mine.evaluation.metrics["roc_auc"].value == pytest.approx(auc(served))
    # In shadow version 3 scored the same rows from its first day on.
    assert found.paired is not None
    assert (found.paired.days.first, found.paired.days.last) == (night(37), night(38))
    shadow = [
        (score, labels[d, c])
        for d, c, score in watched.rows(SHADOW, "batch_date", "customer_id", "score")
        if (d, c) in labels
    ]
    assert found.paired.evaluations[1].metrics["roc_auc"].value == pytest.approx(auc(shadow))
    gap = found.paired.differences["roc_auc"]
    assert gap.value == pytest.approx(
        found.paired.evaluations[0].metrics["roc_auc"].value
        - found.paired.evaluations[1].metrics["roc_auc"].value
    )


def test_versions_that_served_nobody_cannot_be_compared_by_outcomes(watched: WatchedShop) -> None:
    context = watched.context()
    second = watched.timeline().registered(2)
    assert second is not None
    with pytest.raises(
        InputMissing, match=r"has a label yet: labels of D are known 7 days later, in gold\.next_week"
    ):
        compare_realised(context, context.project.model(MODEL), second, second)

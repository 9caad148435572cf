"""How models do, as nights write it down: what is in it, what makes it stale, and what is called concept drift."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from judged_shop import DRIFT, PERFORMANCE, PROFILES, JudgedShop
from lakesmith.contracts.days import BatchRange
from lakesmith.errors import ExitCode
from lakesmith.ledger.baselines import BaselineRecord
from lakesmith.ml.evaluation_values import Evaluation
from lakesmith.monitoring import performance_frame
from shops import MODEL, SCORES, night
from watched_shop import FIRST, SHADOW, WatchedShop
from workspaces import digests

LABELLED = 38
"""The last day whose labels are known, of those that were scored."""


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory, first_watched: WatchedShop) -> JudgedShop:
    """The shop with profiles and drift of all days, and nothing judged; only to be copied."""
    shop = JudgedShop.from_watched(first_watched, tmp_path_factory.mktemp("profiled") / "shop")
    # Drift looks back over all profiles.
    found = shop.nights(1, LABELLED + 7, [PROFILES, DRIFT])
    assert found.exit_code is ExitCode.DONE, found.to_json()
    return shop


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, profiled: JudgedShop) -> JudgedShop:
    """Every night of which labels are known, in one backfill; only to be read or copied."""
    shop = again(profiled, tmp_path_factory.mktemp("judged") / "shop")
    found = shop.nights(1, LABELLED + 7, [PERFORMANCE])
    assert found.exit_code is ExitCode.DONE, found.to_json()
    return shop


def again(shop: JudgedShop, root: Path) -> JudgedShop:
    return JudgedShop(shop.copied_to(root).root)


def rows(shop: JudgedShop, number: int, table: str = SCORES) -> dict[str, dict[str, Any]]:
    """The rows of a batch about all rows of a table of scores, by metric."""
    return {
        row["metric"]: row
        for row in shop.table(PERFORMANCE).to_pyarrow_table().to_pylist()
        if (row["batch_date"], row["table_name"], row["slice"]) == (night(number), table, "")
    }


def auc(shop: JudgedShop, number: int, table: str = SCORES) -> float:
    """The share of pairs of a positive and a negative row in which the positive one has the higher score."""
    labels = {
        c: bought
        for d, c, bought in shop.rows("gold.next_week", "batch_date", "customer_id", "bought")
        if d == night(number)
    }
    scores = {customer: score for customer, (score, _) in shop.scores(number, table).items()}
    positive = [score for customer, score in scores.items() if labels[customer]]
    negative = [score for customer, score in scores.items() if not labels[customer]]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def test_rows_are_what_plain_code_says_of_scores_and_labels(built: JudgedShop) -> None:
    days = {row["batch_date"] for row in built.table(PERFORMANCE).to_pyarrow_table().to_pylist()}
    assert days == {night(number) for number in range(FIRST, LABELLED + 1)}
    found = rows(built, LABELLED)["roc_auc"]
    assert found["value"] == pytest.approx(auc(built, LABELLED), abs=1e-9)
    assert (found["model_name"], found["model_version"], found["role"]) == (MODEL, 1, "champion")
    assert found["rows"] == found["entities"] == len(built.scores(LABELLED))
    shadow = rows(built, LABELLED, SHADOW)["roc_auc"]
    assert shadow["value"] == pytest.approx(auc(built, LABELLED, SHADOW), abs=1e-9)
    assert (shadow["model_version"], shadow["role"]) == (3, "shadow")
    # It was planted: nothing is known of its test.
    assert (shadow["test_value"], shadow["verdict"]) == (None, None)


def test_they_stand_beside_the_version_s_own_test(built: JudgedShop) -> None:
    stored = json.loads((built.artifacts() / "evaluation.json").read_text())
    test = Evaluation.from_dict(stored["test"]).metrics["roc_auc"]
    found = rows(built, LABELLED)["roc_auc"]
    assert found["test_value"] == pytest.approx(test.value, abs=1e-9)
    assert (found["test_lower"], found["test_upper"]) == pytest.approx((test.low, test.high), abs=1e-9)
    by_name = {each["name"]: each for each in found["baselines"]}
    assert set(by_name) == {"base_rate", "recency"}
    assert by_name["base_rate"]["value"] == 0.5
    assert by_name["recency"]["value"] is None
    assert by_name["recency"]["test_value"] == pytest.approx(
        stored["baselines"]["recency"]["metrics"]["roc_auc"]["value"]
    )
    every = built.table(PERFORMANCE).to_pyarrow_table().to_pylist()
    slices = {row["slice"] for row in every if row["table_name"] == SCORES}
    assert slices == {"", "orders = one order", "orders = several orders"}
    segment = Evaluation.from_dict(stored["segments"]["orders"]["one order"]).metrics["log_loss"]
    sliced = next(r for r in every if (r["slice"], r["metric"]) == ("orders = one order", "log_loss"))
    assert sliced["test_value"] == pytest.approx(segment.value, abs=1e-9)


def test_nights_give_what_the_range_gives_and_a_rerun_is_a_no_op(
    built: JudgedShop, profiled: JudgedShop, tmp_path: Path
) -> None:
    shop = again(profiled, tmp_path / "shop")
    by_range = digests(built.context(), [PERFORMANCE])
    for number in range(FIRST, LABELLED + 1):
        assert shop.nights(number + 7, None, [PERFORMANCE]).exit_code is ExitCode.DONE
    assert digests(shop.context(), [PERFORMANCE]) == by_range

    versions = shop.versions()
    forced = shop.nights(LABELLED + 6, LABELLED + 7, [PERFORMANCE], force=True)
    assert forced.exit_code is ExitCode.DONE
    assert shop.versions() == versions
    # A version's test is read from MLflow once.
    kept = [r for r in shop.context().ledger.ops.records(BaselineRecord) if r.key.endswith(" test")]
    assert sorted(r.table for r in kept) == [f"models.{MODEL}"] * 2


def test_a_batch_waits_for_labels_and_only_for_those(built: JudgedShop) -> None:
    following = LABELLED + 8
    nights = BatchRange(night(following), night(following))
    state = built.context().judge.judge(nights, [PERFORMANCE])[PERFORMANCE][night(LABELLED + 1)]
    assert (str(state.state), state.reason) == (
        "blocked",
        f"needs gold.next_week {night(LABELLED + 1)}, which is blocked",
    )
    # Before the first champion there is nothing to judge.
    assert built.states_of(PERFORMANCE, FIRST, FIRST + 6) == {}


def test_labels_that_turn_around_are_concept_drift_where_inputs_are_stable(
    built: JudgedShop, tmp_path: Path
) -> None:
    """From a day on who would have bought does not: the same inputs mean something else."""
    shop = again(built, tmp_path / "shop")
    assert {row["verdict"] for row in rows(shop, LABELLED).values()} <= {"stable", "worse"}
    assert rows(shop, LABELLED)["roc_auc"]["verdict"] == "stable"
    turned = f'(F.col("revenue").isNotNull() != (F.col("batch_date") >= F.lit("{night(LABELLED)}")))'
    shop.edit("jobs/gold/next_week.py", 'F.col("revenue").isNotNull()', turned)
    nights = (LABELLED + 5, LABELLED + 7)
    assert shop.nights(8, LABELLED + 7, ["gold.next_week"]).exit_code is ExitCode.DONE
    assert shop.states_of(PERFORMANCE, *nights) == {36: "fresh", 37: "fresh", 38: "stale"}

    assert shop.nights(*nights, [PERFORMANCE]).exit_code is ExitCode.DONE

    assert set(shop.states_of(PERFORMANCE, *nights).values()) == {"fresh"}
    found = rows(shop, LABELLED)["roc_auc"]
    assert found["value"] == pytest.approx(auc(shop, LABELLED), abs=1e-9)
    assert (found["verdict"], found["input_drift"], found["concept_drift"]) == ("worse", "stable", True)
    # The days before it are as they were.
    assert rows(shop, LABELLED - 1) == rows(built, LABELLED - 1)


def test_without_a_table_of_drift_nothing_is_said_of_the_inputs(built: JudgedShop, tmp_path: Path) -> None:
    shop = again(built, tmp_path / "shop")
    for file in (f"conf/tables/{DRIFT}.yml", f"conf/expectations/{DRIFT}.json"):
        (shop.root / file).unlink()
    number = LABELLED + 7
    assert shop.nights(number, None, [PERFORMANCE]).exit_code is ExitCode.DONE
    found = rows(shop, LABELLED)["roc_auc"]
    assert (found["input_drift"], found["concept_drift"]) in (("not judged", None), ("not judged", False))
    assert shop.states_of(PERFORMANCE, number, number) == {LABELLED: "fresh"}


def test_a_floor_is_held_against_what_was_judged(built: JudgedShop, tmp_path: Path) -> None:
    shop = again(built, tmp_path / "shop")
    shop.declare("floors: {metrics: {roc_auc: 0.9999}, rollback: false}\n")
    assert shop.states_of(PERFORMANCE, LABELLED + 7, LABELLED + 7) == {LABELLED: "fresh"}

    (said,) = shop.score_both(42).decisions

    value = rows(shop, LABELLED)["roc_auc"]["value"]
    assert said == (
        f"{MODEL} version 1 is below its floor: roc_auc {value:.4f} should be at least 0.9999 "
        f"(by the labels of {night(LABELLED)}, 1 day)"
    )
    # With too few customers nothing is said.
    shop.edit("conf/dev.yml", "least_entities: 30", "least_entities: 3000")
    nights = (FIRST + 7, LABELLED + 7)
    assert shop.nights(*nights, [PERFORMANCE]).exit_code is ExitCode.DONE
    assert shop.score_both(43).decisions == ()


def test_of_very_many_entities_the_same_part_is_measured_whatever_is_run(
    built: JudgedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = again(built, tmp_path / "shop")
    monkeypatch.setattr(performance_frame, "_MOST_ENTITIES", 30)
    assert shop.nights(FIRST + 7, LABELLED + 7, [PERFORMANCE], force=True).exit_code is ExitCode.DONE

    found = rows(shop, LABELLED)["roc_auc"]
    most = max(len(shop.scores(number)) for number in range(FIRST, LABELLED + 1))
    assert found["share"] == 30 * 1_000_000 // most / 1_000_000
    assert 0 < found["entities"] < len(shop.scores(LABELLED))
    by_range = digests(shop.context(), [PERFORMANCE])
    assert shop.nights(LABELLED + 7, None, [PERFORMANCE], force=True).exit_code is ExitCode.DONE
    assert digests(shop.context(), [PERFORMANCE]) == by_range

"""Evaluation from the outside: what it refuses, what it keeps, thresholds, differences and its JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, roc_auc_score

from lakesmith.contracts.declaration import METRICS, Costs, ProblemKind
from lakesmith.errors import ExitCode
from lakesmith.ml.bootstrap import BoolArray, FloatArray, IntArray
from lakesmith.ml.evaluation import (
    NOBODY,
    Confusion,
    Evaluation,
    EvaluationUnreadable,
    NotEvaluable,
    best_threshold,
    classification,
    difference,
    regression,
)
from lakesmith.ml.evaluation_values import ClassificationCurves

COSTS = Costs(contact=1.0, gain=4.0)


def rows(count: int = 600, entities: int = 50) -> tuple[BoolArray, FloatArray, IntArray]:
    """Labels, probabilities that tie at times, and the ids of entities, which are any whole numbers."""
    draw = np.random.default_rng(11)
    probabilities = draw.beta(1, 2, count).round(2)
    labels = draw.random(count) < probabilities
    return labels, probabilities, draw.integers(0, entities, count) * 7919 - 2**62


def classified(replicates: int = 40, seed: int = 1, count: int = 600) -> Evaluation:
    return classification(*rows(count), threshold=0.4, costs=COSTS, replicates=replicates, seed=seed)


def regressed(replicates: int = 40) -> Evaluation:
    labels, probabilities, entities = rows()
    return regression(labels + probabilities, 2 * probabilities, entities, replicates=replicates, seed=1)


def test_an_evaluation_says_what_it_was_made_of() -> None:
    labels, probabilities, entities = rows()

    found = classified()

    assert (found.problem, found.rows, found.entities) == ("classification", 600, len(np.unique(entities)))
    assert found.base_rate == found.label_mean == labels.mean()
    assert (found.threshold, found.costs, found.replicates, found.seed) == (0.4, COSTS, 40, 1)
    assert list(found.metrics) == list(METRICS[ProblemKind.CLASSIFICATION])
    assert found.metrics["roc_auc"].value == pytest.approx(roc_auc_score(labels, probabilities), abs=1e-12)
    (true_no, false_yes), (false_no, true_yes) = confusion_matrix(labels, probabilities >= 0.4).tolist()
    assert found.confusion == Confusion(true_yes, false_yes, false_no, true_no)


def test_intervals_lie_around_their_values_and_follow_the_seed() -> None:
    first, other = classified(), classified(seed=2)

    for name, interval in first.metrics.items():
        assert interval.low < interval.high
        if name != "ece":
            assert interval.low < interval.value < interval.high
    assert first.to_dict() == classified().to_dict()
    assert first.metrics["brier"].low != other.metrics["brier"].low
    assert first.metrics["brier"].value == other.metrics["brier"].value


@pytest.mark.parametrize("make", [0, 1])
def test_the_order_of_the_rows_changes_not_a_bit(make: int) -> None:
    labels, probabilities, entities = rows()
    order = np.random.default_rng(0).permutation(len(labels))

    def evaluated(at: IntArray) -> dict[str, Any]:
        kept = labels[at], probabilities[at], entities[at]
        if make:
            return regression(kept[0] * 0.1, *kept[1:], replicates=20, seed=1).to_dict()
        return classification(*kept, threshold=0.4, costs=COSTS, replicates=20, seed=1).to_dict()

    assert evaluated(order) == evaluated(np.arange(len(labels)))


def test_entities_decide_how_sure_a_value_is_and_not_the_value() -> None:
    labels, probabilities, _ = rows()
    few, many = (
        classification(
            labels,
            probabilities,
            np.argsort(np.argsort(probabilities)) // each,
            threshold=0.4,
            costs=COSTS,
            replicates=100,
            seed=1,
        ).metrics["brier"]
        for each in (60, 1)
    )

    assert few.value == many.value
    assert few.high - few.low > 1.5 * (many.high - many.low)


@pytest.mark.parametrize("entities", [np.zeros(600, dtype=np.int64), None])
def test_one_entity_or_no_replicates_give_values_without_bounds(entities: IntArray | None) -> None:
    labels, probabilities, of = rows()

    found = classification(
        labels,
        probabilities,
        of if entities is None else entities,
        threshold=0.4,
        costs=COSTS,
        replicates=0 if entities is None else 30,
        seed=1,
    )

    for interval in found.metrics.values():
        assert not math.isnan(interval.value)
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


@pytest.mark.parametrize(("label", "points", "profit"), [(False, 0, -500), (True, 3, 1500)])
def test_one_class_is_evaluated_as_far_as_it_goes(label: bool, points: int, profit: float) -> None:
    found = classification(
        np.full(4, label),
        np.array([0.1, 0.2, 0.6, 0.6]),
        np.arange(4),
        threshold=0.5,
        costs=COSTS,
        replicates=20,
        seed=1,
    )

    assert math.isnan(found.metrics["roc_auc"].value)
    assert isinstance(found.curves, ClassificationCurves)
    assert found.curves.roc.x == ()
    assert len(found.curves.pr.x) == points
    assert found.metrics["profit"].value == pytest.approx(profit)
    assert Evaluation.from_dict(found.to_dict()).to_dict() == found.to_dict()


# --- what is refused ------------------------------------------------------------------------------------------------

NOTHING = (np.array([], dtype=bool), np.array([]), np.array([], dtype=np.int64))


@pytest.mark.parametrize(
    "call",
    [
        lambda: classification(*NOTHING, threshold=0.5, costs=COSTS, replicates=5, seed=1),
        lambda: regression(np.array([]), *NOTHING[1:], replicates=5, seed=1),
        lambda: best_threshold(*NOTHING[:2], COSTS),
        lambda: difference(NOTHING[1], NOTHING[1], NOTHING[0], NOTHING[2], "roc_auc", replicates=5, seed=1),
    ],
)
def test_no_rows_are_refused_with_where_to_look(call: Callable[[], object]) -> None:
    with pytest.raises(NotEvaluable, match=r"there are no rows\. Look at the dates of the split") as refused:
        call()
    assert refused.value.exit_code is ExitCode.REJECTED


@pytest.mark.parametrize("wrong", [math.nan, -0.001, 1.001, math.inf])
def test_what_is_no_probability_is_refused_and_counted(wrong: float) -> None:
    labels, probabilities, entities = rows()
    probabilities[[3, 5]] = wrong
    nans = 2 if math.isnan(wrong) else 0

    with pytest.raises(NotEvaluable, match=rf"2 of 600 probabilities are not from 0 to 1 \(NaN: {nans}\)"):
        classification(labels, probabilities, entities, threshold=0.5, costs=COSTS, replicates=5, seed=1)
    with pytest.raises(NotEvaluable, match="2 of 600"):
        best_threshold(labels, probabilities, COSTS)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("which", ["labels", "predictions"])
def test_numbers_that_are_not_finite_are_refused(wrong: float, which: str) -> None:
    numbers = {"labels": np.arange(4.0), "predictions": np.arange(4.0)}
    numbers[which][2] = wrong

    with pytest.raises(NotEvaluable, match=f"1 of 4 {which} are not finite"):
        regression(**numbers, entities=np.arange(4), replicates=5, seed=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entities": np.arange(3)}, "differ in shape"),
        ({"probabilities": np.array([0.5])}, "differ in shape"),
        ({"labels": np.array([0.0, 1.0, 0.3, 1.0])}, "bool, not float64"),
        ({"threshold": math.nan}, "threshold is NaN"),
    ],
)
def test_arguments_that_no_data_explain_are_mistakes_of_the_caller(
    changes: dict[str, Any], message: str
) -> None:
    arguments = {
        "labels": np.array([True, False, True, False]),
        "probabilities": np.full(4, 0.5),
        "entities": np.arange(4),
        "threshold": 0.5,
    }

    with pytest.raises(ValueError, match=message):
        classification(**{**arguments, **changes}, costs=COSTS, replicates=5, seed=1)


# --- the threshold --------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    cases=st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.7, 1.0])), min_size=1, max_size=20
    ),
    costs=st.sampled_from([COSTS, Costs(0.1, 0.3), Costs(5.0, 4.0), Costs(0.0, 1.0), Costs(0.7, 2.1)]),
)
def test_no_threshold_pays_more_and_none_that_pays_as_much_contacts_fewer(
    cases: Sequence[tuple[bool, float]], costs: Costs
) -> None:
    labels, probabilities = (np.array(column) for column in zip(*cases, strict=True))

    def outcome(threshold: float) -> tuple[float, int]:
        contacted = probabilities >= threshold
        hits, count = int((contacted & labels).sum()), int(contacted.sum())
        return round(costs.gain * hits - costs.contact * count, 9) + 0.0, -count

    found = best_threshold(labels, probabilities, costs)

    assert outcome(found) == max(outcome(each) for each in (NOBODY, *probabilities.tolist()))
    assert found == NOBODY or found in probabilities


def test_profits_that_differ_by_rounding_only_are_equal() -> None:
    # Three contacts with three hits bring 0.6, as do nine with five; as sums of doubles the second is larger.
    labels = np.array([True] * 3 + [True] * 2 + [False] * 4)
    probabilities = np.array([0.9] * 3 + [0.5] * 6)

    assert best_threshold(labels, probabilities, Costs(0.1, 0.3)) == 0.9


def test_where_no_contact_pays_nobody_is_contacted() -> None:
    assert best_threshold(np.array([True, False]), np.array([1.0, 0.2]), Costs(5, 4)) == NOBODY > 1


# --- the difference -------------------------------------------------------------------------------------------------


def other_model() -> FloatArray:
    _, probabilities, _ = rows()
    return np.clip(probabilities + np.random.default_rng(3).normal(0, 0.1, len(probabilities)), 0, 1)


@pytest.mark.parametrize("metric", METRICS[ProblemKind.CLASSIFICATION])
def test_a_difference_is_that_of_the_two_values(metric: str) -> None:
    labels, probabilities, entities = rows()
    pair = [
        classification(labels, each, entities, threshold=threshold, costs=COSTS, replicates=0, seed=1)
        for each, threshold in ((probabilities, 0.4), (other_model(), 0.5))
    ]

    found = difference(
        probabilities,
        other_model(),
        labels,
        entities,
        metric,
        replicates=30,
        seed=1,
        thresholds=(0.4, 0.5),
        costs=COSTS,
    )

    assert found.value == pytest.approx(pair[0].metrics[metric].value - pair[1].metrics[metric].value)
    assert found.low < found.high


def test_the_same_draws_weigh_both_models() -> None:
    labels, probabilities, entities = rows()

    same = difference(probabilities, probabilities, labels, entities, "log_loss", replicates=30, seed=1)
    near = difference(probabilities, other_model(), labels, entities, "roc_auc", replicates=100, seed=1)

    assert (same.value, same.low, same.high) == (0, 0, 0)
    alone = classified(replicates=100).metrics["roc_auc"]
    assert near.high - near.low < (alone.high - alone.low) / 1.5


@pytest.mark.parametrize("metric", METRICS[ProblemKind.REGRESSION])
def test_a_difference_of_regressions_compares_biases_by_size(metric: str) -> None:
    labels, numbers, entities = rows()[0] * 1.0, rows()[1], rows()[2]
    low, high = numbers - 0.3, numbers + 0.1
    values = [
        regression(labels, each, entities, replicates=0, seed=1).metrics[metric].value for each in (low, high)
    ]

    found = difference(low, high, labels, entities, metric, replicates=20, seed=1)

    if metric == "bias":
        values = [abs(value) for value in values]
    assert found.value == pytest.approx(values[0] - values[1], abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "message"), [("auc", "no metric; there are accuracy, bias"), ("profit", "needs costs")]
)
def test_a_difference_in_what_cannot_be_measured_is_refused(metric: str, message: str) -> None:
    labels, probabilities, entities = rows()

    with pytest.raises(ValueError, match=message):
        difference(probabilities, probabilities, labels, entities, metric, replicates=5, seed=1)


# --- stored ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classified, regressed])
def test_an_evaluation_survives_json(make: Callable[[], Evaluation]) -> None:
    evaluation = make()

    stored = json.dumps(evaluation.to_dict(), allow_nan=False)
    restored = Evaluation.from_dict(json.loads(stored))

    assert restored == evaluation or restored.to_dict() == evaluation.to_dict()
    assert type(restored.curves) is type(evaluation.curves)
    assert restored.metrics == evaluation.metrics
    assert restored.confusion == evaluation.confusion


def test_undefined_numbers_are_null_in_json() -> None:
    stored = classified(replicates=0).to_dict()

    assert stored["metrics"]["roc_auc"]["low"] is None
    assert math.isnan(Evaluation.from_dict(stored).metrics["roc_auc"].low)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"format": 2}, "its format is 2, not 1"),
        ({"metrics": {}}, "its metrics are not those of a classification"),
        ({"problem": "ranking"}, "ranking"),
        ({"curves": {}}, "KeyError: 'roc'"),
        ({"confusion": None}, "TypeError"),
        ({"confusion": {"hits": 1}}, "TypeError"),
    ],
)
def test_what_is_no_evaluation_is_refused_with_a_way_out(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(EvaluationUnreadable, match=f"{reason}.*lakesmith models reproduce RUN"):
        Evaluation.from_dict({**classified(replicates=0).to_dict(), **changes})

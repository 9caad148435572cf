"""Metrics of a classification against scikit-learn, with ties and weights, and against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from lakesmith.contracts.declaration import METRICS, Costs, ProblemKind
from lakesmith.ml.bootstrap import BoolArray, FloatArray
from lakesmith.ml.classification_metrics import CLIP, ClassifiedRows

# Few values, so that many rows tie, with those at which bins and clipping change.
PROBABILITIES = st.one_of(
    st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.95, 1.0, 1e-9]), st.floats(0, 1, allow_subnormal=False)
)
ROWS = st.lists(st.tuples(st.booleans(), PROBABILITIES, st.integers(0, 4)), min_size=1, max_size=40).filter(
    lambda rows: any(weight for *_, weight in rows)
)
COSTS = Costs(contact=1.0, gain=4.0)
ALL = METRICS[ProblemKind.CLASSIFICATION]


def measured(
    labels: BoolArray, probabilities: FloatArray, weights: FloatArray | None = None, threshold: float = 0.5
) -> dict[str, float]:
    """The metrics of rows that are entities of their own, so that a row's weight is its entity's."""
    count = len(labels)
    sample = ClassifiedRows(
        labels, probabilities, np.arange(count, dtype=np.int64), threshold=threshold, costs=COSTS
    )
    found = sample.measure(np.ones((1, count)) if weights is None else weights[None, :])
    return {name: float(value[0]) for name, value in found.items()}


def by_sklearn(
    labels: BoolArray, probabilities: FloatArray, weights: FloatArray, threshold: float
) -> dict[str, float]:
    """What scikit-learn says, NaN where Lakesmith calls a metric undefined."""
    kept = weights > 0
    labels, probabilities, weights = labels[kept], probabilities[kept], weights[kept]
    chosen = probabilities >= threshold
    weighted = {"sample_weight": weights}
    found = {
        "log_loss": metrics.log_loss(
            labels, np.clip(probabilities, CLIP, 1 - CLIP), labels=[False, True], **weighted
        ),
        "brier": metrics.brier_score_loss(labels, probabilities, labels=[False, True], **weighted),
        "accuracy": metrics.accuracy_score(labels, chosen, **weighted),
    }
    for name in ("precision", "recall", "f1"):
        score = getattr(metrics, f"{name}_score")
        found[name] = score(labels, chosen, zero_division=np.nan, **weighted)
    both, some = labels.any() and not labels.all(), labels.any()
    found["roc_auc"] = metrics.roc_auc_score(labels, probabilities, **weighted) if both else np.nan
    found["pr_auc"] = metrics.average_precision_score(labels, probabilities, **weighted) if some else np.nan
    return {name: float(value) for name, value in found.items()}


@settings(deadline=None)
@given(rows=ROWS, threshold=st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]))
def test_weighted_metrics_equal_those_of_scikit_learn(
    rows: Sequence[tuple[bool, float, int]], threshold: float
) -> None:
    labels, probabilities, weights = (np.array(column) for column in zip(*rows, strict=True))

    found = measured(labels, probabilities, weights.astype(np.float64), threshold)
    expected = by_sklearn(labels, probabilities, weights.astype(np.float64), threshold)

    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12, rel=0, nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_of_many_rows_equal_those_of_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    probabilities = draw.beta(1, 2, 20_000).round(draw.choice([2, 4, 17]))
    labels = draw.random(20_000) < probabilities

    found = measured(labels, probabilities)
    expected = by_sklearn(labels, probabilities, np.ones(20_000), 0.5)

    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12, rel=0)


@settings(deadline=None)
@given(rows=ROWS)
def test_a_weight_counts_a_row_as_often_as_repeating_it_does(rows: Sequence[tuple[bool, float, int]]) -> None:
    labels, probabilities, weights = (np.array(column) for column in zip(*rows, strict=True))

    weighted = measured(labels, probabilities, weights.astype(np.float64))
    repeated = measured(np.repeat(labels, weights), np.repeat(probabilities, weights))

    assert weighted == pytest.approx(repeated, abs=1e-12, rel=1e-12, nan_ok=True)


def test_small_cases_by_hand() -> None:
    # Contacted from 0.5 on: four rows, of which three are positive; one positive is missed.
    labels = np.array([True, True, False, True, True, False, False, False])
    probabilities = np.array([0.9, 0.82, 0.8, 0.55, 0.4, 0.4, 0.1, 0.04])

    found = measured(labels, probabilities)

    # Of 16 pairs: 0.9, 0.82 beat all (8); 0.55 beats three; 0.4 beats two and ties with one.
    assert found["roc_auc"] == pytest.approx((8 + 3 + 2.5) / 16)
    # Precision at each distinct probability with a positive, times the step in recall of a quarter.
    assert found["pr_auc"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 6) / 4)
    # The tenth of eight rows is one row, a positive one, and half of all are positive.
    assert found["lift_10"] == pytest.approx(2)
    assert found["profit"] == pytest.approx(1000 * (3 * 4 - 4 * 1) / 8)
    assert found["accuracy"] == pytest.approx(6 / 8)
    assert found["precision"] == found["recall"] == found["f1"] == pytest.approx(3 / 4)
    # By tenth of probability: 0.9; 0.82 and 0.8; 0.55; 0.4 twice; 0.1; 0.04.
    gaps = [0.9 - 1, 1.62 - 1, 0.55 - 1, 0.8 - 1, 0.1, 0.04]
    assert found["ece"] == pytest.approx(sum(abs(gap) for gap in gaps) / 8)


def test_rows_tied_at_the_cut_of_a_tenth_count_in_proportion() -> None:
    # A tenth of 21 rows, rounded up, is three: the best row, and two of the five that come next.
    probabilities = np.array([0.9] + [0.8] * 5 + [0.1] * 15)
    labels = np.array([True] + [True, True, False, False, False] + [False] * 15)

    assert measured(labels, probabilities)["lift_10"] == pytest.approx((1 + 2 * 2 / 5) / 3 / (3 / 21))


@pytest.mark.parametrize(("count", "tenth"), [(9, 1), (10, 1), (11, 2), (20, 2), (21, 3)])
def test_a_tenth_is_rounded_up_and_no_further(count: int, tenth: int) -> None:
    labels = np.arange(count) < 1

    lift = measured(labels, 1 / np.arange(2.0, count + 2))["lift_10"]

    assert lift == pytest.approx((1 / tenth) / (1 / count))


def test_the_last_bin_holds_a_probability_of_one() -> None:
    assert measured(np.array([True, False]), np.array([1.0, 1.0]))["ece"] == pytest.approx(0.5)


def test_a_constant_probability_ranks_nobody() -> None:
    labels = np.array([True, False, False, True, False])

    found = measured(labels, np.full(5, 0.4))

    assert found["roc_auc"] == pytest.approx(0.5)
    assert found["pr_auc"] == pytest.approx(0.4)
    assert found["lift_10"] == pytest.approx(1)
    assert found["ece"] == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(
    ("label", "undefined"),
    [
        (False, {"roc_auc", "pr_auc", "lift_10", "recall"}),
        (True, {"roc_auc"}),
    ],
)
def test_with_one_class_the_metrics_that_need_two_are_undefined(label: bool, undefined: set[str]) -> None:
    found = measured(np.full(4, label), np.array([0.1, 0.6, 0.6, 0.9]))

    assert {name for name, value in found.items() if np.isnan(value)} == undefined


def test_with_nobody_contacted_precision_is_undefined_and_profit_nothing() -> None:
    found = measured(np.array([True, False]), np.array([0.4, 0.2]), threshold=0.5)

    assert np.isnan(found["precision"])
    assert (found["recall"], found["f1"], found["profit"]) == (0, 0, 0)


def test_certain_and_wrong_costs_no_more_than_the_clip() -> None:
    found = measured(np.array([True, False]), np.array([0.0, 1.0]))

    assert found["log_loss"] == pytest.approx(-np.log(CLIP), rel=1e-9)


def test_only_the_metrics_that_are_asked_for_are_measured_in_their_own_order() -> None:
    sample = ClassifiedRows(
        np.array([True, False]),
        np.array([0.6, 0.5]),
        np.array([0, 0], dtype=np.int64),
        threshold=0.5,
        costs=COSTS,
    )

    assert list(sample.measure(np.ones((1, 1)))) == list(ALL)
    assert list(sample.measure(np.ones((1, 1)), ("brier", "roc_auc"))) == ["roc_auc", "brier"]

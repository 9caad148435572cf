"""The cluster bootstrap: its draws, its percentiles, and that it covers what it should."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial

import numpy as np
import pytest

from lakesmith.contracts.declaration import Costs
from lakesmith.ml.bootstrap import BoolArray, FloatArray, IntArray, draws, intervals
from lakesmith.ml.classification_metrics import ClassifiedRows
from lakesmith.ml.regression_metrics import PredictedRows

COSTS = Costs(contact=1.0, gain=4.0)


def clustered(seed: int, entities: int, each: int) -> tuple[BoolArray, FloatArray, IntArray]:
    """Rows of which those of one entity have nearly the same probability and the same fate."""
    draw = np.random.default_rng(seed)
    of = np.repeat(np.arange(entities), each)
    probabilities = (draw.beta(1, 2, entities)[of] * draw.uniform(0.9, 1, entities * each)).round(2)
    labels = (draw.random(entities) < draw.beta(1, 2, entities))[of] | (
        draw.random(entities * each) < probabilities / 2
    )
    shuffled = draw.permutation(entities * each)
    return labels[shuffled], probabilities[shuffled], of[shuffled].astype(np.int64)


def test_every_replicate_draws_as_many_entities_as_there_are() -> None:
    chunks = list(draws(7, 40, 3, rows=7))

    assert [chunk.shape for chunk in chunks] == [(40, 7)]
    assert (chunks[0].sum(axis=1) == 7).all()
    assert len(np.unique(chunks[0], axis=0)) > 30


def test_the_draws_depend_on_the_seed_and_never_on_the_chunks() -> None:
    one_by_one = list(draws(7, 40, 3, rows=10**7))

    assert len(one_by_one) == 40
    assert np.array_equal(np.concatenate(one_by_one), next(draws(7, 40, 3, rows=7)))
    assert not np.array_equal(np.concatenate(one_by_one), next(draws(7, 40, 4, rows=7)))


def test_weights_give_what_a_loop_over_resampled_rows_gives() -> None:
    labels, scores, entities = clustered(1, 30, 9)
    numbers = scores + labels

    def classified(kept: IntArray, weights: FloatArray, of: IntArray) -> dict[str, FloatArray]:
        return ClassifiedRows(labels[kept], scores[kept], of, threshold=0.4, costs=COSTS).measure(weights)

    def predicted(kept: IntArray, weights: FloatArray, of: IntArray) -> dict[str, FloatArray]:
        return PredictedRows(numbers[kept], scores[kept], of).measure(weights)

    chunk = next(draws(30, 8, 2, rows=270))
    everything = np.arange(270)
    at_once = classified(everything, chunk, entities) | predicted(everything, chunk, entities)
    for at, weights in enumerate(chunk):
        drawn = np.repeat(np.arange(30), weights.astype(np.int64))
        rows = np.concatenate([np.flatnonzero(entities == entity) for entity in drawn])
        single, no_entity = np.ones((1, 1)), np.zeros(len(rows), dtype=np.int64)
        looped = classified(rows, single, no_entity) | predicted(rows, single, no_entity)
        assert {name: float(value[at]) for name, value in at_once.items()} == pytest.approx(
            {name: float(value[0]) for name, value in looped.items()}, abs=1e-12
        )


def test_repeating_the_rows_of_every_entity_makes_nothing_surer() -> None:
    labels, scores, entities = clustered(4, 60, 10)
    names = ("roc_auc", "pr_auc", "log_loss", "profit")

    def found(times: int) -> list[tuple[float, float, float]]:
        rows = [np.tile(column, times) for column in (labels, scores, entities)]
        sample = ClassifiedRows(*rows, threshold=0.4, costs=COSTS)
        by_name = intervals(60, sample.rows, partial(sample.measure, names=names), replicates=50, seed=1)
        return [astuple(by_name[name]) for name in names]

    assert np.allclose(found(5), found(1), rtol=1e-12)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    # Five rows of an entity share its effect: rows taken for independent would give intervals of half this width.
    def holds(errors: FloatArray, entities: IntArray, seed: int) -> bool:
        sample = PredictedRows(np.zeros(400), errors, entities)
        measure = partial(sample.measure, names=("bias",))
        bias = intervals(sample.entities, 400, measure, replicates=200, seed=seed)["bias"]
        return bias.low <= 0.3 <= bias.high

    customers, rows = np.repeat(np.arange(80), 5), np.arange(400)
    samples = [np.random.default_rng(seed) for seed in range(100)]
    errors = [draw.normal(size=80)[customers] + draw.normal(0.3, 0.3, 400) for draw in samples]

    assert 90 <= sum(holds(each, customers, seed) for seed, each in enumerate(errors)) <= 99
    assert sum(holds(each, rows, seed) for seed, each in enumerate(errors)) < 75


def test_a_single_entity_claims_no_certainty() -> None:
    found = intervals(1, 4, lambda weights: {"sum": weights.sum(axis=1)}, replicates=20, seed=1)["sum"]

    assert found.value == 1
    assert np.isnan([found.low, found.high]).all()


def test_without_replicates_there_are_values_only() -> None:
    found = intervals(5, 5, lambda weights: {"sum": weights.sum(axis=1)}, replicates=0, seed=1)["sum"]

    assert found.value == 5
    assert np.isnan([found.low, found.high]).all()


@pytest.mark.parametrize(("least", "bounded"), [(1, True), (3, False)])
def test_bounds_need_half_of_the_replicates(least: int, bounded: bool) -> None:
    # Entity 0 is drawn at least once in about 63 of 100 replicates, at least three times in about 7.
    def measure(weights: FloatArray) -> dict[str, FloatArray]:
        first = weights[:, 0]
        return {"x": np.where((first >= least) | (len(weights) == 1), first, np.nan)}

    found = intervals(20, 20, measure, replicates=200, seed=6)["x"]

    assert found.value == 1
    assert (not np.isnan([found.low, found.high]).any()) is bounded
    if bounded:
        assert found.low == 1


def test_the_bounds_are_the_middle_95_percent_of_the_replicates() -> None:
    seen: list[FloatArray] = []

    def measure(weights: FloatArray) -> dict[str, FloatArray]:
        seen.append(weights[:, 0] + weights[:, 1] / 7)
        return {"x": seen[-1]}

    found = intervals(50, 50, measure, replicates=300, seed=2)["x"]

    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(seen[1], [0.025, 0.975])))

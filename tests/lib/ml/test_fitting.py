"""The search: which combinations are tried, which one wins, and what becomes of rows that nothing can be learnt from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.declaration import Algorithm, Baseline, Calibration, Candidate, Preparation
from lakesmith.errors import ExitCode
from lakesmith.ml import pipelines
from lakesmith.ml.fitting import FitFailed, OneClass, combinations, fit, fit_baseline
from lakesmith.ml.split import AsOfDates, Fold
from shops import PROJECT, night

RETURNING = PROJECT.models["returning"]
CONTRACT = PROJECT.graph.contract("gold.customers")
DDL = (
    "customer_id bigint, recency_days int, orders_14d bigint, amount_14d decimal(12,2), gap_mean_days double, "
    "last_weekday int, last_channel string, label double, batch_date date"
)
DATES = AsOfDates(night(30), (night(1), night(10)), (Fold((night(1),), (night(10),)),), (night(20),))
LINEAR = Candidate(
    "linear",
    Algorithm.LOGISTIC_REGRESSION,
    Preparation(scale=True),
    {"regParam": (1000.0, 0.01), "maxIter": (5,)},
)
SMALL = replace(
    RETURNING,
    features=("recency_days", "orders_14d", "gap_mean_days"),
    categorical=(),
    candidates=(LINEAR,),
    trials=2,
)
COUNT = 80


def customers(number: int) -> list[dict[str, Any]]:
    """Forty customers of a day; who orders more often comes back."""
    return [
        {
            "customer_id": n,
            "recency_days": n % 14,
            "orders_14d": 1 + n % 5,
            "amount_14d": Decimal(n),
            "gap_mean_days": None if n % 5 == 0 else 1.5 + n % 3,
            "last_weekday": 1,
            "last_channel": "web",
            "label": float(n % 5 + (n % 2) > 2),
            "batch_date": night(number),
        }
        for n in range(COUNT // 2)
    ]


def frame(spark: SparkSession, rows: Iterable[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(row.values()) for row in rows], DDL).coalesce(1)


@pytest.fixture(scope="module")
def rows(spark_session: SparkSession) -> DataFrame:
    return frame(spark_session, customers(1) + customers(10)).persist()


def silent(trial: str, done: int, of: int) -> None: ...


def test_a_space_within_the_budget_is_tried_whole_and_in_order() -> None:
    trees = Candidate("trees", Algorithm.RANDOM_FOREST, Preparation(), {})
    declaration = replace(
        SMALL,
        candidates=(replace(LINEAR, search={"regParam": (0.1, 1.0), "maxIter": (5, 9)}), trees),
        trials=5,
    )
    assert [(candidate.name, parameters) for candidate, parameters in combinations(declaration)] == [
        ("linear", {"regParam": 0.1, "maxIter": 5}),
        ("linear", {"regParam": 0.1, "maxIter": 9}),
        ("linear", {"regParam": 1.0, "maxIter": 5}),
        ("linear", {"regParam": 1.0, "maxIter": 9}),
        ("trees", {}),
    ]


def test_a_space_beyond_the_budget_is_sampled_by_the_seed() -> None:
    large = replace(LINEAR, search={"maxIter": tuple(range(1, 101))})
    small = replace(LINEAR, name="other", search={"maxIter": (1, 2)})
    declaration = replace(SMALL, candidates=(large, small), trials=10)

    def drawn(seed: int) -> list[tuple[str, int]]:
        found = combinations(replace(declaration, seed=seed))
        return [(candidate.name, int(parameters["maxIter"])) for candidate, parameters in found]

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(20)}) == 20
    for seed in range(20):
        found = drawn(seed)
        assert len(set(found)) == len(found) == 10
        # Each has one at least, however small its share of the space.
        assert {name for name, _ in found[:2]} == {"linear", "other"}


def test_the_best_on_the_validation_is_refit(rows: DataFrame) -> None:
    told: list[tuple[str, int, int]] = []

    found = fit(SMALL, CONTRACT, rows, DATES, COUNT, lambda trial, done, of: told.append((trial, done, of)))

    names = ["linear(regParam=1000.0, maxIter=5)", "linear(regParam=0.01, maxIter=5)"]
    assert [trial.name for trial in found.trials] == names
    assert found.winner is found.trials[1]
    assert found.trials[1].value < found.trials[0].value
    assert sorted(trial for trial, _, _ in told) == sorted(names)
    assert sorted((done, of) for _, done, of in told) == [(1, 2), (2, 2)]
    # What is measured on the validation is the value that chose it; its rows are those of the fold's later day.
    assert found.validation.metrics["log_loss"].value == found.winner.value
    assert found.validation.rows == COUNT // 2
    assert found.threshold is not None
    assert 0 < found.threshold < 1
    assert type(found.model.stages[-1]).__name__ == "LogisticRegressionModel"  # Platt's
    assert pipelines.with_score(found.model, rows).where("score BETWEEN 0 AND 1").count() == COUNT


def test_more_is_better_for_other_metrics(rows: DataFrame) -> None:
    declaration = replace(SMALL, metric="roc_auc", calibration=Calibration.NONE)
    found = fit(declaration, CONTRACT, rows, DATES, COUNT, silent)
    assert found.winner.value == max(trial.value for trial in found.trials)


def test_a_feature_that_is_null_everywhere_is_told_in_a_sentence(spark_session: SparkSession) -> None:
    empty = frame(spark_session, [{**row, "gap_mean_days": None} for row in customers(1) + customers(10)])

    with pytest.raises(FitFailed) as caught:
        fit(SMALL, CONTRACT, empty, DATES, COUNT, silent)

    assert str(caught.value) == (
        "returning: the candidate linear could not be fitted: surrogate cannot be computed. All the values in f_gap_mean_days "
        "are Null, Nan or missingValue(NaN). Look at its features and parameters in conf/models/returning.yml."
    )


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("alike", [1, 10], ids=["training", "validation"])
def test_labels_of_one_kind_teach_nothing(spark_session: SparkSession, alike: int, label: int) -> None:
    both = [
        {**row, "label": float(label) if row["batch_date"] == night(alike) else row["label"]}
        for row in customers(1) + customers(10)
    ]

    with pytest.raises(OneClass) as caught:
        fit(SMALL, CONTRACT, frame(spark_session, both), DATES, COUNT, silent)

    assert caught.value.exit_code is ExitCode.REJECTED
    assert str(caught.value) == (
        f"returning: every label of {night(alike)} .. {night(alike)} is {label}, and a classification learns from both. "
        "Look at gold.next_week.bought, or lengthen split.warm_up in conf/models/returning.yml."
    )


def test_a_baseline_without_features_is_the_mean_of_the_training_labels(rows: DataFrame) -> None:
    mean = sum(row["label"] for row in customers(1)) / len(customers(1))
    scored = fit_baseline(SMALL, CONTRACT, Baseline("base_rate", ()), rows)(rows.limit(3))
    assert [row["score"] for row in scored.collect()] == [pytest.approx(mean, abs=1e-12)] * 3


def test_a_baseline_looks_at_its_own_features_only(rows: DataFrame, spark_session: SparkSession) -> None:
    score = fit_baseline(SMALL, CONTRACT, Baseline("orders", ("orders_14d",)), rows)
    one, other = customers(1)[0], customers(1)[4]
    changed = frame(spark_session, [one, {**one, "recency_days": 13, "gap_mean_days": 9.0}, other])
    first, same, more_orders = (row["score"] for row in score(changed).collect())
    assert first == same
    assert more_orders > first

"""Pipelines from a declaration: what each is made of, how it is calibrated, and what its features count for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pyspark.ml import PipelineModel, Transformer
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.declaration import Algorithm, Calibration, Candidate, ModelDeclaration, Preparation
from lakesmith.ml import pipelines
from shops import PROJECT, night

RETURNING, REVENUE = PROJECT.models["returning"], PROJECT.models["revenue"]
CONTRACT = PROJECT.graph.contract("gold.customers")
DDL = (
    "customer_id bigint, recency_days int, orders_14d bigint, amount_14d decimal(12,2), gap_mean_days double, "
    "last_weekday int, last_channel string, label double, batch_date date"
)
TREES = Candidate("trees", Algorithm.RANDOM_FOREST, Preparation(missing_flags=True), {})
LINEAR = Candidate(
    "linear", Algorithm.LOGISTIC_REGRESSION, Preparation(log=True, scale=True, missing_flags=True), {}
)
UNSCALED = replace(LINEAR, preparation=Preparation())


def customers(channels: str = "ws") -> list[tuple[Any, ...]]:
    """Sixty customers; who orders more often comes back."""
    names = {"w": "web", "s": "shop", "p": "phone"}
    return [
        (
            n,
            n % 14,
            1 + n % 5,
            Decimal(10 * (1 + n % 5)) + Decimal(n) / 100,
            None if n % 5 == 0 else 1.5 + n % 3,
            1 + n % 7,
            names[channels[n % len(channels)]],
            float(n % 5 + (n % 2) / 2 > 2),
            night(20),
        )
        for n in range(60)
    ]


@pytest.fixture(scope="module")
def rows(spark_session: SparkSession) -> DataFrame:
    return spark_session.createDataFrame(customers(), DDL).coalesce(1).persist()


def fitted(
    rows: DataFrame,
    candidate: Candidate,
    parameters: dict[str, Any],
    declaration: ModelDeclaration = RETURNING,
) -> PipelineModel:
    return pipelines.pipeline(declaration, CONTRACT, candidate, parameters).fit(rows)


@pytest.fixture(scope="module")
def linear(rows: DataFrame) -> PipelineModel:
    return fitted(rows, LINEAR, {"regParam": 0.1, "maxIter": 5})


def test_a_pipeline_holds_what_its_preparation_asks_for(rows: DataFrame, linear: PipelineModel) -> None:
    def stages(model: PipelineModel) -> list[str]:
        return [type(stage).__name__ for stage in model.stages]

    whole = [
        *("SQLTransformer", "ImputerModel", "StringIndexerModel", "OneHotEncoderModel", "VectorAssembler"),
        *("StandardScalerModel", "LogisticRegressionModel"),
    ]
    assert stages(linear) == whole
    without_gaps = replace(RETURNING, features=("recency_days", "orders_14d"), categorical=())
    assert stages(fitted(rows, UNSCALED, {"maxIter": 1}, without_gaps)) == [
        "SQLTransformer",
        "VectorAssembler",
        "LogisticRegressionModel",
    ]


def test_amounts_are_logged_gaps_filled_and_flagged(rows: DataFrame, linear: PipelineModel) -> None:
    prepared = linear.transform(rows.where("customer_id IN (0, 1)")).orderBy("customer_id").collect()
    found = [
        (
            round(row["f_orders_14d"], 6),
            round(row["f_gap_mean_days"], 6),
            row["f_gap_mean_days_missing"],
            row["f_last_weekday"],
        )
        for row in prepared
    ]
    # ln 2; the median gap, 2.5, as ln 3.5; the gap of customer 1 is 2.5 itself.
    assert found == [(0.693147, 1.252763, 1.0, "1"), (1.098612, 1.252763, 0.0, "2")]


@pytest.mark.parametrize(
    ("candidate", "parameters"),
    [(TREES, {"numTrees": 3, "maxDepth": 3}), (UNSCALED, {"regParam": 0.1, "maxIter": 5})],
    ids=["trees", "unscaled"],
)
def test_importances_are_shares_of_one(
    rows: DataFrame, candidate: Candidate, parameters: dict[str, Any]
) -> None:
    found = pipelines.importances(fitted(rows, candidate, parameters), rows)
    assert sorted(found) == sorted(RETURNING.features)
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    # Orders and the amount, which rises with them, tell who comes back; the weekday tells nothing.
    assert {"orders_14d", "amount_14d"} >= {next(iter(found))}


def test_importances_do_not_depend_on_units(rows: DataFrame) -> None:
    def shares(frame: DataFrame) -> dict[str, float]:
        model = fitted(frame, UNSCALED, {"regParam": 0.0, "maxIter": 100}, numbers)
        return {name: round(share, 3) for name, share in pipelines.importances(model, frame).items()}

    numbers = replace(RETURNING, features=("recency_days", "orders_14d"), categorical=())
    in_hours = rows.selectExpr(
        *[c for c in rows.columns if c != "recency_days"], "recency_days * 24 AS recency_days"
    )
    assert shares(in_hours) == shares(rows)


def test_importances_are_told_by_the_names_of_features_whatever_these_are(rows: DataFrame) -> None:
    renamed = rows.selectExpr(
        "recency_days AS share_of_web", "gap_mean_days AS days_missing", "last_channel AS kind_of", "label"
    )
    columns = {c.name: c for c in CONTRACT.columns}
    contract = replace(
        CONTRACT,
        columns=(
            replace(columns["recency_days"], name="share_of_web"),
            replace(columns["gap_mean_days"], name="days_missing"),
            replace(columns["last_channel"], name="kind_of"),
        ),
    )
    declaration = replace(
        RETURNING, features=("share_of_web", "days_missing", "kind_of"), categorical=("kind_of",)
    )
    model = pipelines.pipeline(declaration, contract, TREES, {"numTrees": 2}).fit(renamed)
    assert sorted(pipelines.importances(model, renamed)) == ["days_missing", "kind_of", "share_of_web"]


def test_a_category_that_training_never_saw_is_scored(
    spark_session: SparkSession, rows: DataFrame, linear: PipelineModel
) -> None:
    plain = pipelines.calibrator(Calibration.NONE, rows)
    model = pipelines.join(linear, plain)
    strange = spark_session.createDataFrame(customers("p"), DDL)
    scores = [row["score"] for row in pipelines.with_score(model, strange).collect()]
    assert len(scores) == 60
    assert all(0 < score < 1 for score in scores)
    nulls = spark_session.createDataFrame([(*row[:6], None, *row[7:]) for row in customers()], DDL)
    assert pipelines.with_score(model, nulls).where("score BETWEEN 0 AND 1").count() == 60


def calibrated(method: Calibration, linear: PipelineModel, rows: DataFrame) -> dict[int, float]:
    stages: list[Transformer] = pipelines.calibrator(method, linear.transform(rows))
    scored = pipelines.with_score(pipelines.join(linear, stages), rows)
    assert scored.columns == [*rows.columns, "score"]
    return {row["customer_id"]: row["score"] for row in scored.collect()}


def test_calibrations_keep_the_order_and_give_probabilities(rows: DataFrame, linear: PipelineModel) -> None:
    raw = {row["customer_id"]: float(row["uncalibrated"][1]) for row in linear.transform(rows).collect()}
    found = {method: calibrated(method, linear, rows) for method in Calibration}

    assert found[Calibration.NONE] == raw
    order = sorted(raw, key=raw.__getitem__)
    for method in (Calibration.PLATT, Calibration.ISOTONIC):
        values = [found[method][customer] for customer in order]
        assert all(0 <= value <= 1 for value in values)
        assert values == sorted(values)
        assert values != [raw[customer] for customer in order]
        # Both are fitted to these rows: on them the mean probability is the share of labels.
        labels = [row[7] for row in customers()]
        assert sum(values) / 60 == pytest.approx(sum(labels) / 60, abs=1e-3)
    assert len(set(found[Calibration.ISOTONIC].values())) < len(set(raw.values()))


def test_a_regression_scores_the_number_itself(rows: DataFrame) -> None:
    model = fitted(
        rows, Candidate("linear", Algorithm.LINEAR_REGRESSION, Preparation(scale=True), {}), {}, REVENUE
    )
    by_prediction = {r["customer_id"]: r["prediction"] for r in model.transform(rows).collect()}
    scored = pipelines.with_score(model, rows)
    assert {r["customer_id"]: r["score"] for r in scored.collect()} == by_prediction


def test_the_same_seed_gives_the_same_trees(rows: DataFrame) -> None:
    parameters = {"numTrees": 3, "maxDepth": 3}
    one, same = (fitted(rows, TREES, parameters).stages[-1].toDebugString for _ in range(2))
    other = fitted(rows, TREES, parameters, replace(RETURNING, seed=99)).stages[-1].toDebugString
    body = [text.split("\n", 1)[1] for text in (one, same, other)]
    assert body[0] == body[1]
    assert body[0] != body[2]

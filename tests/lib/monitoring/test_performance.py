"""How a model does on labels that came since: metrics against sklearn's on the same rows, windows, verdicts, concept drift."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from lakesmith.contracts.declaration import METRICS, ModelDeclaration, ProblemKind
from lakesmith.ml.evaluation import classification
from lakesmith.ml.evaluation_values import Interval
from lakesmith.monitoring.performance import (
    PERFORMANCE_COLUMNS,
    InputDrift,
    LabelledScores,
    PerformanceSettings,
    PerformanceVerdict,
    TestFigures,
    input_drift,
    performance_rows,
    performance_settings,
)
from lakesmith.monitoring.stored import SHADOW, WORSE
from shops import MODEL, PROJECT

DAY = date(2024, 2, 10)
RETURNING = replace(PROJECT.models[MODEL], segments={}, bootstrap=200)
REVENUE = replace(PROJECT.models["revenue"], segments={}, bootstrap=200)
SETTINGS = PerformanceSettings(effect=0.05, least_entities=300, windows=(1, 3))
SCORES = "gold.scores"


def scored(
    seed: int,
    entities: int = 400,
    *,
    good: bool = True,
    version: int = 1,
    role: str = "champion",
    first: int = 0,
) -> LabelledScores:
    """Probabilities of some entities; what happened hangs on them only where the model is good."""
    draw = np.random.default_rng(seed)
    chances = draw.beta(2, 3, entities)
    labels = draw.random(entities) < (chances if good else 0.4)
    return LabelledScores(
        chances,
        labels.astype(np.float64),
        np.arange(first, first + entities, dtype=np.int64),
        np.full(entities, version, dtype=np.int64),
        np.full(entities, role, dtype=object),
    )


def figures(rows: LabelledScores, model: ModelDeclaration = RETURNING) -> TestFigures:
    """What a training would have kept of these rows, with a baseline that says 0.4 of everybody."""
    assert model.costs is not None
    options: dict[str, Any] = {"threshold": 0.5, "costs": model.costs, "replicates": 200, "seed": model.seed}
    labels = rows.labels.astype(bool)
    test = classification(labels, rows.scores, rows.entities, **options)
    constant = classification(labels, np.full(len(rows), 0.4), rows.entities, **options)
    stored = {"test": test.to_dict(), "baselines": {"base_rate": constant.to_dict()}, "train_mean": 0.4}
    return TestFigures.of(json.loads(json.dumps(stored)))


TEST = figures(scored(1, 2000))


def drift(*verdicts: str, baseline: str = f"{MODEL} version 1") -> list[dict[str, Any]]:
    """What the table of drift says of the first features."""
    return [
        {
            "table_name": RETURNING.features_table,
            "column_name": name,
            "verdict": verdict,
            "baseline": baseline,
        }
        for name, verdict in zip(RETURNING.features, verdicts, strict=False)
    ]


def said(
    days: Mapping[date, LabelledScores],
    tests: Mapping[int, TestFigures | None] | None = None,
    inputs: list[dict[str, Any]] | None = None,
    **how: Any,
) -> list[dict[str, Any]]:
    """The rows of the day."""
    given = {1: TEST} if tests is None else tests
    drifted = drift("stable", "stable") if inputs is None else inputs
    model, settings = how.pop("model", RETURNING), how.pop("settings", SETTINGS)
    return list(performance_rows(model, SCORES, DAY, days, given, drifted, settings, **how))


def by_metric(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in rows if row["slice"] == ""}


def test_figures_are_those_of_sklearn_on_the_same_rows() -> None:
    rows = scored(7)

    found = by_metric(said({DAY: rows}))

    labels = rows.labels
    assert found["roc_auc"]["value"] == pytest.approx(roc_auc_score(labels, rows.scores), abs=1e-12)
    assert found["pr_auc"]["value"] == pytest.approx(average_precision_score(labels, rows.scores), abs=1e-12)
    assert found["log_loss"]["value"] == pytest.approx(log_loss(labels, rows.scores), abs=1e-12)
    assert found["brier"]["value"] == pytest.approx(brier_score_loss(labels, rows.scores), abs=1e-12)
    constant = np.full(len(rows), 0.4)
    assert found["log_loss"]["baselines"] == [
        {
            "name": "base_rate",
            "value": pytest.approx(log_loss(labels, constant), abs=1e-12),
            "test_value": TEST.baselines["base_rate"]["log_loss"],
        }
    ]


def test_a_row_has_every_column_and_training_s_metrics_with_their_intervals() -> None:
    rows = said({DAY: scored(7)})

    assert [row["metric"] for row in rows] == list(METRICS[ProblemKind.CLASSIFICATION])
    assert {frozenset(row) for row in rows} == {frozenset({*PERFORMANCE_COLUMNS, "batch_date"})}
    row = rows[0]
    assert row["lower"] < row["value"] < row["upper"]
    test = TEST.metrics["roc_auc"]
    assert (row["test_value"], row["test_lower"], row["test_upper"]) == (test.value, test.low, test.high)
    assert (row["granularity"], row["rows"], row["entities"], row["share"]) == ("1 day", 400, 400, 1.0)
    assert (row["model_name"], row["model_version"], row["role"]) == (MODEL, 1, "champion")


def test_the_interval_resamples_entities_not_rows() -> None:
    """The same 100 customers on three days are no surer than on one, as three hundred would be."""
    one = scored(3, 100)
    days = {DAY - timedelta(back): one for back in range(3)}

    whole = by_metric(said(days, settings=replace(SETTINGS, windows=(3,))))["roc_auc"]

    alone = by_metric(said({DAY: one}))["roc_auc"]
    assert (whole["rows"], whole["entities"]) == (300, 100)
    assert whole["upper"] - whole["lower"] == pytest.approx(alone["upper"] - alone["lower"], rel=1e-9)


def test_a_good_model_is_stable_and_one_that_guesses_is_worse() -> None:
    good, bad = (by_metric(said({DAY: scored(9, good=how)})) for how in (True, False))

    assert {row["verdict"] for row in good.values()} == {"stable"}
    assert {row["concept_drift"] for row in good.values()} == {False}
    assert bad["roc_auc"]["verdict"] == "worse"
    assert bad["log_loss"]["verdict"] == "worse"
    assert bad["roc_auc"]["effect"] == pytest.approx(
        (TEST.metrics["roc_auc"].value - bad["roc_auc"]["value"]) / TEST.metrics["roc_auc"].value
    )


@pytest.mark.parametrize(
    ("inputs", "told", "concept"),
    [
        (drift("stable", "stable"), "stable", True),
        (drift("stable", "drifted"), "drifted", False),
        (drift("stable", "too few"), "too few", None),
        (drift("stable", "no trend"), "too few", None),
        ([], "not judged", None),
        # By what another version was trained on nothing is known of these inputs.
        (drift("stable", baseline=f"{MODEL} version 2"), "not judged", None),
        (drift("stable", baseline="2024-01-01 .. 2024-01-31"), "stable", True),
    ],
)
def test_it_is_concept_drift_only_when_inputs_are_known_to_be_stable(
    inputs: list[dict[str, Any]], told: str, concept: bool | None
) -> None:
    row = by_metric(said({DAY: scored(9, good=False)}, inputs=inputs))["roc_auc"]

    assert (row["verdict"], row["input_drift"], row["concept_drift"]) == ("worse", told, concept)
    assert row["drifted_inputs"] == ([RETURNING.features[1]] if told == "drifted" else [])


def test_columns_that_are_no_features_say_nothing_of_inputs() -> None:
    rows = [{**drift("drifted")[0], "column_name": "customer_id"}, {**drift("drifted")[0], "table_name": "t"}]
    assert input_drift(RETURNING, 1, rows).drift is InputDrift.NOT_JUDGED


def test_a_difference_that_is_sure_but_small_is_not_worse() -> None:
    """Of many entities any difference is certain."""
    rows = scored(9, 30_000)
    narrow = replace(
        TEST,
        metrics={
            name: Interval(each.value * 1.02, each.value * 1.019, each.value * 1.021)
            for name, each in figures(rows).metrics.items()
        },
    )
    few = replace(RETURNING, bootstrap=20)

    row = by_metric(said({DAY: rows}, {1: narrow}, model=few))["roc_auc"]
    assert (row["verdict"], row["upper"] < row["test_lower"]) == ("stable", True)

    strict = replace(SETTINGS, effect=0.01)
    assert (
        by_metric(said({DAY: rows}, {1: narrow}, model=few, settings=strict))["roc_auc"]["verdict"] == "worse"
    )


def test_the_shortest_window_with_enough_entities_is_judged() -> None:
    days = {DAY - timedelta(back): scored(20 + back, 150, first=150 * back) for back in range(3)}

    few = by_metric(said(days, settings=replace(SETTINGS, windows=(1, 2))))["roc_auc"]
    assert (few["granularity"], few["entities"], few["verdict"]) == ("2 days", 300, "stable")
    too_few = by_metric(said({DAY: days[DAY]}))["roc_auc"]
    assert (too_few["granularity"], too_few["entities"], too_few["verdict"]) == ("3 days", 150, "too few")
    assert too_few["concept_drift"] is None
    assert too_few["window"]["start"].date() == DAY - timedelta(2)


def test_labels_of_one_class_are_too_few() -> None:
    rows = replace(scored(5), labels=np.zeros(400))
    row = by_metric(said({DAY: rows}))["roc_auc"]
    assert (row["value"], row["lower"], row["verdict"]) == (None, None, "too few")


def test_each_version_and_role_is_measured_by_itself() -> None:
    both = LabelledScores.together([scored(5), scored(6, version=2, role="challenger", first=1000)])
    earlier = LabelledScores.together([scored(7), scored(8, version=3, first=1000)])

    found = said({DAY: both, DAY - timedelta(1): earlier}, {1: TEST, 2: None})

    # Version 3 scored nobody of the day.
    assert {(row["model_version"], row["role"], row["rows"]) for row in found} == {
        (1, "champion", 400),
        (2, "challenger", 400),
    }
    second = [row for row in found if row["model_version"] == 2]
    # Nothing is known of its test.
    assert {(row["verdict"], row["test_value"], row["baselines"]) for row in second} == {(None, None, None)}
    shadow = said({DAY: scored(6)}, shadow=True)
    assert {row["role"] for row in shadow} == {SHADOW}


def test_slices_are_compared_with_the_same_slice_of_the_test() -> None:
    rows = scored(5, 800)
    texts = np.array(["web", None] * 400, dtype=object)
    rows = replace(rows, segments={"channel": texts})
    web = Interval(0.9, 0.88, 0.92)
    test = replace(TEST, segments={("channel", "web"): {"roc_auc": web}})

    found = {(row["slice"], row["metric"]): row for row in said({DAY: rows}, {1: test})}

    row = found["channel = web", "roc_auc"]
    chosen = texts == "web"
    assert row["value"] == pytest.approx(roc_auc_score(rows.labels[chosen], rows.scores[chosen]), abs=1e-12)
    assert (row["slice_key"], row["slice_value"], row["rows"]) == ("channel", "web", 400)
    assert (row["test_value"], row["verdict"]) == (0.9, "worse")
    # The test had none of these.
    assert found["channel is null", "roc_auc"]["verdict"] is None
    assert found["channel = web", "log_loss"]["verdict"] is None


def test_a_bias_counts_by_its_size_whichever_way() -> None:
    draw = np.random.default_rng(2)
    labels = draw.normal(50, 10, 400)
    rows = replace(scored(1), scores=labels + draw.normal(-8, 3, 400), labels=labels)
    test = TestFigures(
        {
            "rmse": Interval(9.0, 8.0, 10.0),
            "bias": Interval(1.0, -0.5, 2.5),
            "mae": Interval(2.0, 1.0, 3.0),
            "r2": Interval(0.9, 0.8, 0.95),
            "spearman": Interval(0.9, 0.8, 0.95),
        }
    )

    found = by_metric(said({DAY: rows}, {1: test}, model=REVENUE, inputs=[]))

    assert list(found) == list(METRICS[ProblemKind.REGRESSION])
    assert found["bias"]["value"] == pytest.approx(np.mean(rows.scores - labels))
    assert (found["bias"]["verdict"], found["rmse"]["verdict"]) == ("worse", "stable")


def test_a_day_without_labels_has_no_rows() -> None:
    nobody = scored(1).where(np.zeros(400, dtype=bool))
    assert said({DAY: nobody, DAY - timedelta(1): scored(2)}) == []
    assert said({DAY - timedelta(1): scored(2)}) == []


def test_figures_that_are_kept_come_back_whole() -> None:
    some = replace(
        TEST, segments={("channel", "None"): {"roc_auc": Interval(0.5, float("nan"), float("nan"))}}
    )
    stored = json.loads(json.dumps(some.to_dict(), allow_nan=False))
    again = TestFigures.from_dict(stored)
    assert again.to_dict() == stored
    assert (again.metrics, again.threshold, again.train_mean) == (TEST.metrics, 0.5, 0.4)


def test_words_that_others_read_are_those_that_are_said() -> None:
    assert PerformanceVerdict.WORSE == WORSE
    read = {f"monitoring.performance.{name}": value for name, value in vars(SETTINGS).items()}
    assert performance_settings({**read, "monitoring.performance.windows": [1, 3]}) == SETTINGS

"""Model cards: whole ones against files in cards/, and what keeps them readable whatever a training did.

A card that should read otherwise: remove its file, run the test, which writes it anew and fails, and read the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from lakesmith.contracts.declaration import Calibration, Costs
from lakesmith.ml.bootstrap import FloatArray
from lakesmith.ml.card import CardFacts, ChampionFact, SplitFact, TableFact, TrialFact, model_card
from lakesmith.ml.evaluation import NOBODY, Evaluation, Interval, classification, regression
from lakesmith.ml.gates import Verdict
from lakesmith.ml.markdown import table

CARDS = Path(__file__).parent / "cards"
COSTS = Costs(contact=1.0, gain=4.0)

AT = np.arange(400)
ENTITIES = AT // 5
LABELS = (AT * 37) % 100 < 10 + AT // 8
"""True ever more often, from 10 of 100 rows to 60."""


def scored(sharpness: float, rows: slice = slice(None), threshold: float = 0.3) -> Evaluation:
    """Probabilities around the base rate that tell the rows apart as sharply as that."""
    noise = (AT * 53) % 17 / 17 - 0.5 if sharpness else 0.0
    probabilities = np.clip(LABELS.mean() + sharpness * (AT - 200) / 400 + 0.1 * noise, 0, 1)[rows]
    return classification(
        LABELS[rows],
        probabilities,
        ENTITIES[rows],
        threshold=threshold,
        costs=COSTS,
        replicates=50,
        seed=1,
    )


def predicted(slope: float, rows: slice = slice(None)) -> Evaluation:
    amounts: FloatArray = 10 + AT / 20 + (AT * 37) % 11
    predictions = amounts.mean() + slope * (AT - 200) / 20
    return regression(amounts[rows], predictions[rows], ENTITIES[rows], replicates=50, seed=1)


CLASSIFICATION = CardFacts(
    model="repurchase",
    version=4,
    run_id="0f3c5a7e9b1d4c68a2e4f60813579bdf",
    owner="retail-analytics",
    description="Will this customer buy again within 30 days?",
    intended_use="Choose whom to write to. It is not meant for prices or credit.",
    night=date(2011, 6, 30),
    trained_at=datetime(2011, 7, 1, 3, 12, tzinfo=UTC),
    entity="customer_id",
    features_table="gold.customer_features",
    features=31,
    label="gold.repurchase_labels.repurchased",
    horizon_days=30,
    tables=(
        TableFact("gold.customer_features", 12, date(2011, 1, 15), date(2011, 5, 31), 53_241),
        TableFact("gold.repurchase_labels", 9, date(2011, 1, 15), date(2011, 5, 31), 53_241),
    ),
    splits=(
        SplitFact("training", date(2011, 1, 15), date(2011, 4, 9), 13, 19_676, 0.303),
        SplitFact("validation", date(2011, 3, 5), date(2011, 4, 9), 6, 9_870, 0.312),
        SplitFact("test", date(2011, 5, 15), date(2011, 5, 31), 17, 33_565, 0.322),
    ),
    metric="log_loss",
    trials=(
        TrialFact("logistic", {"regParam": 0.01}, 0.5281, chosen=True),
        TrialFact("forest", {"maxDepth": 8, "numTrees": 100}, 0.535),
        TrialFact("trees", {"maxDepth": 3, "maxIter": 40, "stepSize": 0.1}, 0.5302),
    ),
    algorithm="logistic_regression",
    calibration=Calibration.PLATT,
    test=scored(0.6),
    baselines={"base_rate": scored(0.0), "recency": scored(0.2)},
    champion=ChampionFact(3, scored(0.5), "log_loss", Interval(-0.0021, -0.0065, 0.0023)),
    segments={
        "country": {
            "United Kingdom": scored(0.6, slice(0, 300)),
            "elsewhere": scored(0.6, slice(300, 400)),
        }
    },
    gates=(
        Verdict("minimum", True, 0.751, 0.7, "roc_auc 0.7510 is at least 0.7000 (required)"),
        Verdict("baseline", True, 0.751, 0.585, "roc_auc 0.7510 is above 0.5850 (baseline recency)"),
        Verdict("calibration", False, 0.0612, 0.05, "ece 0.0612 should be at most 0.0500 (allowed)"),
    ),
    limits=("It knows customers of the last 90 days only.", "Base rates move by 0.07 between months."),
    seed=20110630,
    code_version="commit 4f2a9c1",
    environment={"lakesmith": "0.1.0", "python": "3.11.9", "pyspark": "4.0.2"},
    importances={"recency_days": 0.212, "orders_365d": -0.034, "is_uk": 0.0004},
    importance_measure="rise of the log loss when shuffled",
    currency="GBP",
)
REGRESSION = replace(
    CLASSIFICATION,
    model="spend",
    version=None,
    description="How much will this customer spend within 30 days?",
    label="gold.spend_labels.amount",
    metric="rmse",
    trials=(TrialFact("line", {}, 3.1623, chosen=True),),
    algorithm="linear_regression",
    calibration=Calibration.NONE,
    test=predicted(0.9),
    baselines={"mean": predicted(0.0)},
    champion=None,
    segments={},
    gates=(Verdict("fresh", True, 0.0, 0.0, "every batch read is fresh"),),
    limits=(),
    importances={},
    currency="",
)


@pytest.mark.parametrize(("name", "facts"), [("classification", CLASSIFICATION), ("regression", REGRESSION)])
def test_a_card_reads_as_its_file(name: str, facts: CardFacts) -> None:
    file = CARDS / f"{name}.md"
    card = model_card(facts)
    if not file.exists():
        file.write_text(card, encoding="utf-8")
        pytest.fail(f"{file} was not there; it is now")

    assert card == file.read_text(encoding="utf-8")


def test_many_trials_baselines_segments_and_features_leave_the_card_short() -> None:
    trial = TrialFact("trees", {"maxDepth": 1}, 0.6)
    small = scored(0.6, slice(0, 40))
    facts = replace(
        CLASSIFICATION,
        trials=(TrialFact("late", {}, 0.9, chosen=True), *(trial for _ in range(200))),
        baselines={f"baseline_{at}": CLASSIFICATION.baselines["recency"] for at in range(30)},
        segments={"shop": {"largest": CLASSIFICATION.test} | {f"shop {at}": small for at in range(100)}},
        importances={f"feature_{at}": at / 100 for at in range(300)},
    )

    card = model_card(facts)

    assert len(card.splitlines()) < 200
    assert max(map(len, card.splitlines())) < 600
    assert "188 more were tried and did worse." in card
    assert "| late " in card
    assert "24 more baselines are in evaluation.json." in card
    assert "89 smaller ones are in evaluation.json." in card
    assert "| largest " in card
    assert "290 more matter less." in card
    assert "feature_299" in card


@pytest.mark.parametrize(
    ("metric", "values", "first"),
    [
        ("log_loss", (0.6, 0.5), 0.5),
        ("roc_auc", (0.6, 0.7), 0.7),
        ("bias", (-0.3, 0.1, 0.05), 0.05),
        ("brier", (math.nan, 0.2, 0.3), 0.2),
    ],
)
def test_trials_stand_best_first(metric: str, values: tuple[float, ...], first: float) -> None:
    trials = tuple(TrialFact(f"candidate{at}", {}, value) for at, value in enumerate(values))

    card = model_card(replace(CLASSIFICATION, metric=metric, trials=trials))

    rows = [line for line in card.splitlines() if line.startswith("| candidate") and "default" in line]
    assert rows[0].endswith(f" {first:.4f} |")


def test_a_threshold_that_nobody_reaches_is_said_in_words() -> None:
    card = model_card(replace(CLASSIFICATION, test=scored(0.6, threshold=NOBODY)))

    assert "At these costs no contact paid on validation: nobody is contacted." in card
    assert "contacted, label true" not in card


def test_a_group_of_very_few_rows_is_not_called_farthest_off() -> None:
    probabilities = np.array([0.95] * 3 + [0.25] * 397)
    labels = np.arange(400) % 3 == 1
    labels[:3] = False
    test = classification(labels, probabilities, ENTITIES, threshold=0.3, costs=COSTS, replicates=0, seed=1)

    assert "the one around 25.0 % is farthest off" in model_card(replace(CLASSIFICATION, test=test))


def test_one_class_in_the_test_leaves_a_card_that_says_undefined() -> None:
    test = scored(0.6, slice(0, 1))

    card = model_card(replace(CLASSIFICATION, test=test, baselines={"one": test}, champion=None, segments={}))

    assert math.isnan(test.metrics["roc_auc"].value)
    assert "ROC AUC undefined on 1 row of 1 entity that it never saw" in card
    assert "best baseline" not in card
    assert "nan" not in card


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        (lambda facts: replace(facts, limits=()), "## Limits"),
        (lambda facts: replace(facts, gates=()), "## Gates"),
        (lambda facts: replace(facts, importances={}), "## What it looks at"),
        (lambda facts: replace(facts, segments={}), "## Segments"),
    ],
)
def test_a_section_without_content_is_left_out(change: Callable[[CardFacts], CardFacts], absent: str) -> None:
    assert absent in model_card(CLASSIFICATION)
    assert absent not in model_card(change(CLASSIFICATION))


def test_what_is_in_a_cell_cannot_break_its_table() -> None:
    rows = table(["name", "rows"], [["a|b\nc", "1"], ["d", "1,000"]]).splitlines()

    assert rows == [
        "| name   |  rows |",
        "| ------ | ----: |",
        "| a\\|b c |     1 |",
        "| d      | 1,000 |",
    ]

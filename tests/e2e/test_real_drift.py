"""Real files, from ingest to the drift of June 2011 against a model of April, beside what pandas says of the same rows.

Takes many minutes, so it runs only when asked: LAKESMITH_REAL_DRIFT=1, or a folder in which an earlier run of it left its lake.
The files are beside a checkout in ../shared/data, or where LAKESMITH_REAL_DATA says; they are not part of the project.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.keeping import train_and_keep
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.serving import folder_digest, load_model
from lakesmith.ml.store import MODEL_FOLDER, ModelStore

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LAKESMITH_REAL_DATA", ROOT.parent / "shared" / "data"))
ASKED = os.environ.get("LAKESMITH_REAL_DRIFT", "")
START, TRAINED, SCORED, JUNE, END = (
    date(2010, 12, 1),
    date(2011, 4, 30),
    date(2011, 5, 1),
    date(2011, 6, 1),
    date(2011, 6, 30),
)
FEATURES, SCORES = "gold.customer_features", "gold.customer_scores"
DRIFT, PROFILES = "monitoring.drift_metrics", "monitoring.profile_metrics"
MODEL = "repurchase"
# By April there are four months of labels: dates close together.
SPLIT = "{warm_up: 30d, step: 3d, validation: {cutoffs: 2, dates: 1}, test: {span: 7d}}"
SHORT = f"{{split: {SPLIT}, budget: {{trials: 3}}, bootstrap: 50}}"
UP_TO_LABELS = [
    *("bronze.sales_lines", "silver.sales_lines", "silver.customer_days"),
    *("gold.customer_features", "gold.repurchase_labels"),
]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="the real files are not part of the project; set LAKESMITH_REAL_DATA"
    ),
]


def _context(lake: Path) -> Context:
    given = {
        "LAKESMITH__LANDING_ROOT": str(DATA),
        "LAKESMITH__LAKE_ROOT": str(lake),
        "LAKESMITH__MODELS__REPURCHASE": SHORT,
    }
    os.environ.update(given)
    try:
        return open_context("dev", ROOT)
    finally:
        for name in given:
            del os.environ[name]


def _run(lake: Path, first: date, last: date, tables: list[str]) -> None:
    context = _context(lake)
    night = execute(context, plan_nights(context, BatchRange(first, last), tables))
    assert night.exit_code is ExitCode.DONE, night.to_json()


@pytest.fixture(scope="module")
def june(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Context:
    """A lake in which a model of April scored May and June, and every night was judged."""
    lake = Path(ASKED) if ASKED != "1" else tmp_path_factory.mktemp("june") / "lake"
    _run(lake, START, END, UP_TO_LABELS)
    context = _context(lake)
    if context.ledger.timeline(MODEL).champion is None:
        _ = context.spark
        _, event = train_and_keep(context, context.project.models[MODEL], TRAINED, "April")
        registry = ModelRegistry(ModelStore(context.settings), context.ledger)
        registry.promote(MODEL, event.version, SCORED, force=True, reason="April")
    _run(lake, START, date(2011, 4, 30), [PROFILES])
    _run(lake, SCORED, END, [SCORES, PROFILES, DRIFT])
    return _context(lake)


def rows(context: Context, table: str, first: date, last: date) -> pd.DataFrame:
    """The rows of some batches."""
    opened = DeltaTable(context.lake.path(table))
    wanted = [("batch_date", ">=", first), ("batch_date", "<=", last)]
    return opened.to_pyarrow_table(filters=wanted).to_pandas()


@pytest.fixture(scope="module")
def judged(june: Context) -> pd.DataFrame:
    """What was said of each feature on each night of June."""
    found = rows(june, DRIFT, JUNE, END)
    return found[(found.table_name == FEATURES) & found.verdict.notna() & (found["slice"] == "")]


@pytest.fixture(scope="module")
def registered(june: Context) -> ModelEvent:
    """The version that scored."""
    event = june.ledger.timeline(MODEL).champion
    assert event is not None
    found = june.ledger.timeline(MODEL).registered(event.version)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def recipe(june: Context, registered: ModelEvent) -> Mapping[str, Any]:
    """What it was made of."""
    with ModelStore(june.settings).artifacts(MODEL, registered.run_id, "training.json") as file:
        found: Mapping[str, Any] = json.loads(file.read_text())
    return found


@pytest.fixture(scope="module")
def trained_on(june: Context, recipe: Mapping[str, Any]) -> pd.DataFrame:
    """The features that the model was trained on."""
    days = [date.fromisoformat(day) for day in recipe["train"]]
    features = rows(june, FEATURES, min(days), max(days))
    return features[features.batch_date.isin(days)]


def by_pandas(before: pd.Series, now: pd.Series) -> float:
    """The population stability index over tenths of the earlier values and what is missing, by pandas alone."""
    before, now = (values.astype(float) for values in (before, now))
    edges = np.unique(before.quantile(np.linspace(0.1, 0.9, 9)).to_numpy())
    bins = [-np.inf, *edges, np.inf]
    shares = [
        pd.cut(values, bins).value_counts(sort=False, dropna=False, normalize=True)
        for values in (before, now)
    ]
    p, q = (
        share.reindex(shares[0].index.union(shares[1].index), fill_value=0).clip(lower=1e-4)
        for share in shares
    )
    return float(((q - p) * np.log(q / p)).sum())


def mistaken(verdict: Any, index: float) -> str:
    """What is wrong about a row of drift by the index that pandas counts; empty where nothing is."""
    if verdict.verdict == "drifted" and index < 0.1:
        return "is called drift"
    if verdict.verdict == "stable" and index > 1.5 * verdict.effect_limit + 0.05:
        return "is not called drift"
    return ""


def test_every_night_of_june_was_judged_against_the_model_of_april(judged: pd.DataFrame) -> None:
    nights = judged.groupby("batch_date").size()
    assert list(nights.index) == list(BatchRange(JUNE, END))
    assert set(nights) == {32}
    assert set(judged.baseline) == {"repurchase version 1"}
    assert set(judged.verdict) <= {"stable", "drifted"}


def test_what_drifted_is_true(june: Context, judged: pd.DataFrame, trained_on: pd.DataFrame) -> None:
    """Every column that is called drifted has moved by pandas' own count; every one that has not, is not."""
    features = rows(june, FEATURES, JUNE, END)
    wrong = []
    for day in (date(2011, 6, 1), date(2011, 6, 15), date(2011, 6, 30)):
        now = features[features.batch_date == day]
        said = judged[judged.batch_date == day].set_index("column_name")
        for name, verdict in said.iterrows():
            if verdict.reason == "trend" or name == "customer_id":
                continue
            index = by_pandas(trained_on[name], now[name])
            if mistake := mistaken(verdict, index):
                wrong.append((day, name, mistake, index, verdict.effect))
    assert wrong == []


def test_the_drift_of_scores_is_true(
    june: Context, registered: ModelEvent, recipe: Mapping[str, Any], spark_session: SparkSession
) -> None:
    """Scores of June beside those that the stored model gives the rows of its test."""
    days = [date.fromisoformat(day) for day in recipe["test"]]
    table = spark_session.read.format("delta").load(june.lake.path(FEATURES))
    with ModelStore(june.settings).artifacts(MODEL, registered.run_id, MODEL_FOLDER) as folder:
        model = load_model(MODEL, registered.version, folder_digest(folder), folder)
        tested = model.score(table.where(table.batch_date.isin(days))).select("score").toPandas()["score"]
    scores = rows(june, SCORES, JUNE, END)
    said = rows(june, DRIFT, JUNE, END)
    said = said[(said.table_name == SCORES) & (said.column_name == "probability") & said.verdict.notna()]
    said = said[said["slice"] == ""].set_index("batch_date").sort_index()
    assert list(said.index) == list(BatchRange(JUNE, END))
    wrong = []
    for day, verdict in said.iterrows():
        index = by_pandas(tested, scores[scores.batch_date == day].probability)
        if mistake := mistaken(verdict, index):
            wrong.append((day, mistake, index, verdict.effect))
    assert wrong == []


def test_what_grows_by_construction_is_far_off_and_not_called_drift(
    june: Context, judged: pd.DataFrame, trained_on: pd.DataFrame
) -> None:
    features = rows(june, FEATURES, JUNE, END)
    grown = by_pandas(trained_on.tenure_days, features.tenure_days)
    said = judged[judged.column_name == "tenure_days"]

    assert grown > 0.25
    assert set(said.reason) == {"trend"}
    assert (said.verdict == "drifted").sum() <= 1


def test_the_figures_of_a_night_are_those_of_its_rows(june: Context) -> None:
    day = date(2011, 6, 15)
    features = rows(june, FEATURES, day, day)
    profiles = rows(june, PROFILES, day, day)
    own = profiles[
        (profiles.table_name == FEATURES) & (profiles.log_type == "INPUT") & (profiles["slice"] == "")
    ]
    own = own.set_index("column_name")
    for name in ("recency_days", "gap_mean_days", "amount_30d", "orders_90d", "return_value_rate_90d"):
        values = features[name].astype(float)
        assert own.loc[name, "count"] == len(values)
        assert own.loc[name, "num_nulls"] == values.isna().sum()
        assert own.loc[name, "avg"] == pytest.approx(values.mean(), rel=1e-8)
        assert own.loc[name, "stddev"] == pytest.approx(values.std(), rel=1e-7)
        assert (own.loc[name, "min"], own.loc[name, "max"]) == (values.min(), values.max())
        assert own.loc[name, "median"] == pytest.approx(
            values.median(), abs=values.quantile(0.6) - values.quantile(0.4)
        )

"""Training on a small shop: what is kept of it, what is refused before anything is fitted, and which gate says no."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import mlflow.spark
import pytest
from pyspark.ml.functions import vector_to_array
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.cli.main import main
from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import METRICS, ProblemKind
from lakesmith.engine import training
from lakesmith.engine.context import Context
from lakesmith.engine.keeping import train_and_keep
from lakesmith.engine.serving import loaded_version
from lakesmith.engine.training import train
from lakesmith.errors import ExitCode, InvalidProject
from lakesmith.lake.reading import read_batches
from lakesmith.ledger.model_events import ModelEventKind
from lakesmith.ml import pipelines
from lakesmith.ml.guards import LookAhead
from lakesmith.ml.store import ModelStore
from shops import DAYS, MODEL, FirstTraining, Shop, night
from workspaces import digests

JOB = "jobs/gold/customers.py"
CUSTOMERS = "gold.customers"
FIRST, LAST = 15, 38
"""The days of the shop from the first training date to the last test date."""


@pytest.fixture
def copied(tmp_path: Path, first_training: FirstTraining) -> Shop:
    """A copy of the shop that was trained in once, to change at will."""
    return first_training.shop.copied_to(tmp_path / "shop")


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test in which nothing may be fitted."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a model was fitted")

    monkeypatch.setattr(training, "fit", refuse)


@pytest.fixture
def fitted_before(monkeypatch: pytest.MonkeyPatch, first_training: FirstTraining) -> None:
    """A test whose trainings take the model of the first one for their own: only what comes after the fit is looked at."""
    monkeypatch.setattr(training, "fit", lambda *_: first_training.trained.fitted)


def customers_of(context: Context, number: int) -> DataFrame:
    """The features of a day."""
    contract = context.project.graph.contract(CUSTOMERS)
    live = context.ledger.live(CUSTOMERS)
    assert live is not None
    day = BatchRange(night(number), night(number))
    return read_batches(context.spark, context.lake, contract, live.version, day)


def scores(frame: DataFrame) -> dict[int, float]:
    return {row["customer_id"]: row["score"] for row in frame.collect()}


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_a_version_is_registered_with_its_run(first_training: FirstTraining) -> None:
    shop = first_training.shop
    (event,) = shop.timeline().events
    assert (event.event, event.version, event.as_of, event.reason) == (
        ModelEventKind.REGISTERED,
        1,
        night(DAYS),
        "first",
    )
    assert [gate["passed"] for gate in event.gates] == [True] * 7
    assert shop.aliases() == {"challenger": 1}
    assert shop.status(1) == "registered"
    kept = ModelStore(shop.context().settings).client.get_model_version(MODEL, "1")
    assert (kept.run_id, kept.source) == (event.run_id, str(shop.artifacts() / "model"))
    assert kept.tags["sha256"] == event.digest


def test_a_run_holds_everything_that_shows_how_the_model_came_about(first_training: FirstTraining) -> None:
    root = first_training.shop.artifacts()
    files = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    assert sorted(name for name in files if not name.startswith("model/sparkml/")) == [
        "baseline_profile.json",
        "code/lakesmith-0.1.0-py3-none-any.whl",
        "code/project.zip",
        "code/requirements.txt",
        "declaration.yml",
        "evaluation.json",
        "gates.json",
        "model/MLmodel",
        "model/baseline.json",
        "model/conda.yaml",
        "model/lakesmith.json",
        "model/python_env.yaml",
        "model/requirements.txt",
        "model_card.md",
        "plots/calibration.png",
        "plots/importances.png",
        "plots/lift.png",
        "plots/precision_recall.png",
        "plots/profit.png",
        "plots/roc.png",
        "training.json",
        "trials.json",
    ]
    assert (root / "declaration.yml").read_text() == (
        first_training.shop.root / "conf" / "models" / "returning.yml"
    ).read_text()
    trials = json.loads((root / "trials.json").read_text())
    assert [(trial["candidate"], trial["parameters"]) for trial in trials] == [
        ("logistic", {"regParam": 0.01, "maxIter": 10}),
        ("logistic", {"regParam": 0.1, "maxIter": 10}),
        ("forest", {"maxDepth": 3, "numTrees": 3}),
    ]
    # The card's head names the version, which was known last.
    assert (root / "model_card.md").read_text().startswith("# returning, version 1\n")


def test_a_run_names_its_inputs_with_their_versions(first_training: FirstTraining) -> None:
    shop = first_training.shop
    client = ModelStore(shop.context().settings).client
    run = client.get_run(shop.artifacts().parent.name)
    found = sorted(
        (
            entry.dataset.name,
            json.loads(entry.dataset.source),
            [tag.value for tag in entry.tags if tag.key == "mlflow.data.context"],
        )
        for entry in run.inputs.dataset_inputs
    )
    versions = shop.versions()
    wanted = [
        (
            table,
            {"path": str(shop.root / "lake" / "gold" / name), "delta_table_version": versions[table]},
            [part],
        )
        for table, name in ((CUSTOMERS, "customers"), ("gold.next_week", "next_week"))
        for part in ("test", "training")
    ]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_a_run_is_found_by_its_tags_parameters_and_metrics(first_training: FirstTraining) -> None:
    shop, trained = first_training.shop, first_training.trained
    run = ModelStore(shop.context().settings).client.get_run(shop.artifacts().parent.name)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "2024-02-14")
    assert {key: value for key, value in run.data.tags.items() if key.startswith("lakesmith.")} == {
        "lakesmith.model": "returning",
        "lakesmith.as_of": "2024-02-14",
        "lakesmith.reason": "first",
        "lakesmith.commit": "unknown",
        "lakesmith.dirty": "false",
        "lakesmith.environment": "dev",
        "lakesmith.gates": "passed",
    }
    winner = trained.fitted.winner
    assert run.data.params == {
        "candidate": winner.candidate.name,
        "algorithm": str(winner.candidate.algorithm),
        **{name: str(value) for name, value in winner.parameters.items()},
        "calibration": "platt",
        "seed": "5",
        "features": "6",
        "train_first": "2024-01-15",
        "train_last": "2024-01-27",
        "test_first": "2024-02-03",
        "test_last": "2024-02-07",
        "gap_days": "7",
    }
    tested = {
        name: (
            run.data.metrics[f"test_{name}_low"],
            run.data.metrics[f"test_{name}"],
            run.data.metrics[f"test_{name}_high"],
        )
        for name in METRICS[ProblemKind.CLASSIFICATION]
    }
    assert tested == {
        name: (interval.low, interval.value, interval.high) for name, interval in trained.test.metrics.items()
    }


def test_the_recipe_names_dates_tables_and_rows(first_training: FirstTraining) -> None:
    shop = first_training.shop
    recipe = json.loads((shop.artifacts() / "training.json").read_text())
    train_days, test_days = range(15, 28, 2), range(34, 39, 2)
    assert (recipe["night"], recipe["train"], recipe["test"]) == (
        str(night(DAYS)),
        [str(night(n)) for n in train_days],
        [str(night(n)) for n in test_days],
    )
    assert recipe["folds"] == [
        {"train": [str(night(15)), str(night(17))], "validate": [str(night(25)), str(night(27))]}
    ]
    rows = [day for (day,) in shop.rows(CUSTOMERS, "batch_date")]
    assert recipe["rows"] == {str(night(n)): rows.count(night(n)) for n in (*train_days, *test_days)}
    standing = digests(shop.context(), [CUSTOMERS])[CUSTOMERS]
    assert recipe["tables"][CUSTOMERS] == {
        "version": shop.versions()[CUSTOMERS],
        "digests": {str(night(n)): standing[night(n)] for n in (*train_days, *test_days)},
    }


def test_mlflow_loads_the_model_that_lakesmith_scores_with(
    first_training: FirstTraining, tmp_path: Path
) -> None:
    context = first_training.shop.context()
    event = first_training.shop.timeline().registered(1)
    assert event is not None
    rows = customers_of(context, 40)
    ours = scores(loaded_version(context, event).score(rows))
    assert len(ours) == rows.count()

    loaded = mlflow.spark.load_model(f"models:/{MODEL}/1", dfs_tmpdir=str(tmp_path))

    probability = vector_to_array(F.col("probability"))[1]
    assert scores(loaded.transform(rows).select("customer_id", probability.alias("score"))) == ours
    # MLflow leaves a note among the files of what it was asked for by name; the version is as good as before.
    assert (first_training.shop.artifacts() / "model" / "registered_model_meta").is_file()
    assert scores(loaded_version(context, event).score(rows)) == ours


def test_the_same_training_twice_gives_the_same_model(first_training: FirstTraining) -> None:
    shop, first = first_training.shop, first_training.trained
    context = shop.context()

    again = train(context, context.project.model(MODEL), night(DAYS))

    assert [(t.name, t.value) for t in again.fitted.trials] == [
        (t.name, t.value) for t in first.fitted.trials
    ]
    assert again.test.metrics == first.test.metrics
    assert (again.fitted.threshold, again.importances) == (first.fitted.threshold, first.importances)
    event = shop.timeline().registered(1)
    assert event is not None
    rows = customers_of(context, 40)
    assert scores(pipelines.with_score(again.fitted.model, rows)) == scores(
        loaded_version(context, event).score(rows)
    )


def test_another_model_is_another_file(copied: Shop) -> None:
    context = copied.context()

    trained, event = train_and_keep(context, context.project.model("revenue"), None, "new", promote=True)

    assert trained.passed
    assert (event.event, event.version, event.effective_from) == (ModelEventKind.PROMOTED, 1, night(DAYS))
    assert sorted(path.name for path in (copied.artifacts(1, "revenue") / "plots").iterdir()) == [
        "importances.png",
        "predicted_and_observed.png",
        "residuals.png",
    ]
    assert sorted(trained.test.metrics) == sorted(METRICS[ProblemKind.REGRESSION])
    assert copied.nights(DAYS, None, ["gold.revenue_scores"]).exit_code is ExitCode.DONE
    found = copied.rows("gold.revenue_scores", "customer_id", "model_version", "batch_date")
    known = copied.rows(CUSTOMERS, "customer_id", "batch_date")
    assert found == [(customer, 1, day) for customer, day in known if day == night(DAYS)]


# --- leaks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leak:
    """A transform that knows its future.

    Args:
        code: of a function `leak(frame)`, through which the features go last.
        found: what is said of it.
        labelled: the labels are made anew from it, since other customers have features.
    """

    code: str
    found: str
    labelled: bool = False


DIFFERS = "gold.customers 2024-01-21 comes out differently without the days after it"
LEAKS = {
    "a shifted date": Leak(
        """frame.withColumn("batch_date", F.date_sub("batch_date", 1)).where("batch_date >= '2024-01-15'")""",
        DIFFERS,
        labelled=True,
    ),
    "totals over the whole table": Leak(
        """frame.withColumn("orders_14d", F.sum("orders_14d").over(Window.partitionBy("customer_id")))""",
        DIFFERS,
    ),
    "a peek of one day": Leak(
        """frame.withColumn(
        "recency_days",
        F.coalesce(
            F.lead("recency_days").over(Window.partitionBy("customer_id").orderBy("batch_date")), "recency_days"
        ),
    )""",
        DIFFERS,
    ),
    "a path of its own": Leak(
        """frame.join(
        frame.sparkSession.read.format("delta")
        .load("LAKE/bronze/orders")
        .groupBy(F.col("customer").cast("bigint").alias("customer_id"))
        .agg(F.count("*").alias("ever")),
        "customer_id",
    ).withColumn("orders_14d", F.col("ever")).drop("ever")""",
        "gold.customers 2024-01-21 is computed from files that its windows do not allow (31, part-",
    ),
    "an age below zero": Leak(
        """frame.withColumn("recency_days", F.col("recency_days") - 1)""",
        "gold.customers.recency_days is below 0 in ",
    ),
}


@pytest.mark.parametrize("name", LEAKS)
@pytest.mark.usefixtures("no_fit")
def test_a_leak_is_found_before_anything_is_fitted(copied: Shop, name: str) -> None:
    leak = LEAKS[name]
    code = leak.code.replace("LAKE", str(copied.root / "lake"))
    copied.edit(
        JOB, '@job("gold.customers")', f'def leak(frame):\n    return {code}\n\n\n@job("gold.customers")'
    )
    copied.edit(JOB, '.drop("days", "span")', '.drop("days", "span").transform(leak)')
    copied.edit(JOB, "import DataFrame\n", "import DataFrame, Window\n")
    tables, last = ([CUSTOMERS, "gold.next_week"], DAYS) if leak.labelled else ([CUSTOMERS], LAST)
    assert copied.nights(FIRST, last, tables).exit_code is ExitCode.DONE
    context = copied.context()

    with pytest.raises(LookAhead) as caught:
        train_and_keep(context, context.project.model(MODEL), night(DAYS), "asked for")

    assert caught.value.exit_code is ExitCode.REJECTED
    assert caught.value.found.startswith(leak.found)
    assert copied.timeline().versions == (1,)
    runs = (copied.root / "lake" / "mlflow" / "artifacts" / MODEL).iterdir()
    assert [run.name for run in runs] == [copied.artifacts().parent.name]


@pytest.mark.usefixtures("no_fit")
def test_features_without_a_leak_come_to_the_fit(first_training: FirstTraining) -> None:
    context = first_training.shop.context()
    with pytest.raises(AssertionError, match="a model was fitted"):
        train(context, context.project.model(MODEL), night(DAYS))


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (
            "conf/tables/gold.customers.yml",
            "{last: 14d}",
            "{ahead: 1d}",
            "conf/models/returning.yml:7: features.table: features of D would know D+1 through gold.customers -> bronze.orders "
            "(ahead: 1d)",
        ),
        (
            "conf/models/returning.yml",
            "gap: 7d",
            "gap: 6d",
            "conf/models/returning.yml:13: split.gap: a gap of 6d lets training labels see the test dates; write at least 7d",
        ),
    ],
    ids=["features that look ahead", "a gap shorter than the horizon"],
)
def test_a_leak_that_is_declared_never_loads(
    tmp_path: Path, file: str, old: str, new: str, problem: str
) -> None:
    shop = Shop.made_in(tmp_path / "shop")
    shop.edit(file, old, new)
    with pytest.raises(InvalidProject) as caught:
        shop.context()
    assert problem in [str(found) for found in caught.value.problems]


@pytest.mark.usefixtures("no_fit")
def test_a_gap_too_short_is_found_in_the_dates_too(first_training: FirstTraining) -> None:
    context = first_training.shop.context()
    declared = context.project.model(MODEL)
    short = replace(declared, split=replace(declared.split, gap_days=6))

    with pytest.raises(LookAhead) as caught:
        train(context, short, night(DAYS))

    assert caught.value.found == (
        "the label of 2024-01-19 is decided on 2024-01-26, after 2024-01-25, on which the model is judged"
    )


# --- gates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    """What makes one gate say no, and what it says.

    Args:
        gates: changes of the declaration's.
        text: with the numbers of the model in it.
        before: done to the shop before the training.
    """

    gates: str
    text: str
    before: Callable[[Shop, pytest.MonkeyPatch], None] = lambda shop, patched: None


def with_an_oracle(shop: Shop, patched: pytest.MonkeyPatch) -> None:
    """The champion knows the labels."""
    shop.promote(1, 40)
    oracle = SimpleNamespace(
        facts=SimpleNamespace(threshold=0.5),
        score=lambda rows: rows.withColumn("score", F.abs(F.col("label") - 0.01)),
    )
    patched.setattr(training, "loaded_version", lambda context, event: oracle)


def with_a_late_order(shop: Shop, patched: pytest.MonkeyPatch) -> None:
    """A file of a training date's window arrives anew, with one order more."""
    file = shop.root / "landing" / "orders" / f"{night(14)}.csv"
    file.write_text(file.read_text() + "100,9.99,web\n")


REFUSALS = {
    "minimum": Refusal(
        "{minimum: {roc_auc: 0.99}}", "roc_auc {roc_auc:.4f} should be at least 0.9900 (required)"
    ),
    # Nobody is missed by contacting all, and no more can be found than are there.
    "baseline": Refusal(
        "{baselines: [recall]}", "recall {recall:.4f} should be above 1.0000 (baseline base_rate)"
    ),
    "champion": Refusal(
        "{}",
        "log_loss {log_loss:.4f} should be at most 0.0201 (champion, version 1, with its tolerance)",
        with_an_oracle,
    ),
    "calibration": Refusal("{calibration: 0.0001}", "ece {ece:.4f} should be at most 0.0001 (allowed)"),
    "fresh": Refusal(
        "{}",
        "14 batches read are not fresh: gold.customers 2024-01-15 (stale), gold.customers 2024-01-17 (stale), "
        "gold.customers 2024-01-19 (stale) and more",
        with_a_late_order,
    ),
}


@pytest.mark.parametrize("gate", REFUSALS)
@pytest.mark.usefixtures("fitted_before")
def test_a_gate_that_says_no_keeps_the_version_from_use(
    copied: Shop,
    first_training: FirstTraining,
    gate: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal = REFUSALS[gate]
    (copied.root / "conf" / "dev.yml").write_text(f"models: {{returning: {{gates: {refusal.gates}}}}}\n")
    refusal.before(copied, monkeypatch)
    champion = copied.timeline().champion
    metrics = {name: found.value for name, found in first_training.trained.test.metrics.items()}
    text = refusal.text.format(**metrics)
    project = ["--project", str(copied.root)]
    capsys.readouterr()

    code = main(["train", MODEL, "--promote", "--json", *project])

    said = json.loads(capsys.readouterr().out)
    assert code == ExitCode.REJECTED
    assert said["passed"] is False
    refused = [(found["gate"], found["text"]) for found in said["gates"] if not found["passed"]]
    assert (gate, text) in refused
    assert {name for name, _ in refused} == {gate}
    assert (said["version"]["version"], said["version"]["event"]) == (2, "validation_failed")
    assert copied.status(2) == "validation_failed"
    assert copied.timeline().champion == champion
    assert (copied.artifacts(2) / "model" / "MLmodel").is_file()

    assert main(["models", "promote", MODEL, "2", *project]) == ExitCode.REJECTED

    texts = "; ".join(found for _, found in refused)
    assert capsys.readouterr().err == (
        f"error: returning version 2 is not promoted: {texts}. To promote it all the same, say why: "
        'lakesmith models promote returning 2 --force --reason "..."\n'
    )
    assert copied.timeline().champion == champion


@pytest.mark.usefixtures("fitted_before")
def test_a_training_that_passes_is_promoted_where_that_was_asked_for(
    copied: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    code = main(
        ["train", MODEL, "--promote", "--reason", "new data", "--json", "--project", str(copied.root)]
    )
    said = json.loads(capsys.readouterr().out)
    assert (code, said["passed"]) == (ExitCode.DONE, True)
    assert (said["version"]["event"], said["version"]["version"]) == ("promoted", 2)
    assert copied.aliases() == {"champion": 2}
    assert [(e.event, e.reason) for e in copied.timeline().events[1:]] == [
        (ModelEventKind.REGISTERED, "new data"),
        (ModelEventKind.PROMOTED, "new data"),
    ]


@pytest.mark.usefixtures("fitted_before")
def test_a_champion_that_cannot_be_loaded_keeps_others_from_its_place(copied: Shop) -> None:
    copied.promote(1, 40)
    (copied.artifacts() / "model" / "lakesmith.json").unlink()
    context = copied.context()

    trained, event = train_and_keep(context, context.project.model(MODEL), None, "drift", promote=True)

    (refused,) = [verdict for verdict in trained.verdicts if not verdict.passed]
    assert refused.gate == "champion"
    assert refused.text.startswith(
        "the champion, version 1, cannot be compared with: returning version 1 cannot be used: its files have SHA-256 "
    )
    assert event.event is ModelEventKind.VALIDATION_FAILED
    assert copied.aliases() == {"champion": 1}

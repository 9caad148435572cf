"""Making a model again from its run id, by the code that made it, and comparing two versions on the same rows.

Owns what "the same" means: every test metric to six decimals, and every score of the test rows to six decimals, which is
what a score table keeps.
"""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith.config.secrets import unresolved
from lakesmith.contracts.declaration import METRICS, ModelDeclaration
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.engine.context import Context
from lakesmith.engine.serving import loaded_version
from lakesmith.engine.training import PinnedRows, ordered_rows, rows_of
from lakesmith.errors import DataRejected, LakesmithError, UsageError
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ml import pipelines
from lakesmith.ml.archived_code import ArchivedCodeUnusable, run_archived
from lakesmith.ml.code_version import CodeVersion, code_version, differences
from lakesmith.ml.evaluation_values import Evaluation, Interval
from lakesmith.ml.fitting import evaluate, fit, paired_difference
from lakesmith.ml.frames import SCORE, collect_predictions, of_dates
from lakesmith.ml.serving import ModelFacts, folder_digest, load_model
from lakesmith.ml.split import AsOfDates, Fold
from lakesmith.ml.store import MODEL_FOLDER, ModelStore

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Comparison", "NotReproduced", "Reproduction", "compare", "refit", "reproduce"]

log = logging.getLogger(__name__)

_DECIMALS = 6
_RECIPE, _CODE = "training.json", "code"
_METRICS_FILE, _SCORES_FILE = "metrics.json", "scores.parquet"
_NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_LINES_SHOWN = 3


class NotReproduced(DataRejected):
    """A refit gave other metrics or scores than the run that it follows."""

    def __init__(self, run_id: str, found: str) -> None:
        self.run_id = run_id
        super().__init__(f"run {run_id} is not reproduced: {found}.")


@dataclass(frozen=True)
class Reproduction:
    """What came of making a model again.

    Args:
        recorded: the test metrics of the run.
        again: those of the refit.
        scores: test rows compared.
        scores_differ: of them those whose scores differ at six decimals.
        environment: what differs between then and now, in words.
    """

    model: str
    run_id: str
    recorded: Mapping[str, float]
    again: Mapping[str, float]
    scores: int
    scores_differ: int
    environment: tuple[str, ...]

    @property
    def differing(self) -> tuple[str, ...]:
        """The metrics that are not the same to six decimals."""
        return tuple(name for name, value in self.recorded.items() if not _same(value, self.again.get(name)))

    @property
    def same(self) -> bool:
        """True when nothing differs."""
        return not self.differing and not self.scores_differ


def _same(recorded: float, again: float | None) -> bool:
    """True for numbers that are equal to six decimals, and for two that are undefined."""
    if again is None or math.isnan(recorded) or math.isnan(again):
        return again is not None and math.isnan(recorded) and math.isnan(again)
    return round(recorded, _DECIMALS) == round(again, _DECIMALS)


def refit(context: Context, recipe_file: Path, out: Path) -> None:
    """Follows a run's recipe with the code at work, and leaves metrics and scores in a folder.

    Args:
        recipe_file: `training.json` of the run.
        out: gets metrics.json and scores.parquet.
    """
    recipe = json.loads(recipe_file.read_text(encoding="utf-8"))
    declaration = _as_then(context.project.model(recipe["model"]), recipe)
    contract = context.project.graph.contract(declaration.features_table)
    pinned = _pinned(recipe)
    out.mkdir(parents=True, exist_ok=True)
    with ordered_rows(context, declaration, pinned) as (_, train_rows, test_rows, counts):
        fitted = fit(
            declaration,
            contract,
            train_rows,
            pinned.dates,
            sum(counts[day] for day in pinned.dates.train),
            lambda *_: None,
        )
        scored = pipelines.with_score(fitted.model, test_rows).persist()
        tested = sum(counts[day] for day in pinned.dates.test)
        found = evaluate(
            declaration, collect_predictions(declaration, scored, tested), fitted.threshold, replicates=0
        )
        scored.select(declaration.entity, BATCH_DATE, SCORE).coalesce(1).write.mode("overwrite").parquet(
            (out / _SCORES_FILE).as_uri()
        )
        scored.unpersist()
    metrics = {name: interval.value for name, interval in found.metrics.items()}
    (out / _METRICS_FILE).write_text(json.dumps(metrics), encoding="utf-8")


def reproduce(context: Context, run_id: str, tell: Callable[[str], None]) -> Reproduction:
    """Makes the model of a run again, in a process of its own with the code that the run kept.

    Args:
        tell: gets the log of that process, line by line.

    Raises:
        UsageError: there is no such run, or it is no training.
        ArchivedCodeUnusable: the code that it kept does not run here.
        NotReproduced: its recipe or its model is not what the training left, or the code ended by an error.
    """
    from mlflow.exceptions import MlflowException

    store = ModelStore(context.settings)
    with store.translating():
        try:
            run = store.client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in _NO_SUCH_RUN:
                raise
            raise UsageError(
                f"there is no run {run_id!r} in {store.shown_uri}. Runs: lakesmith models list"
            ) from error
    model = run.data.tags.get("lakesmith.model")
    if model is None:
        raise UsageError(f"run {run_id!r} is no training of Lakesmith: it has no tag lakesmith.model.")
    with (
        tempfile.TemporaryDirectory(prefix="lakesmith-reproduce-") as folder,
        store.artifacts(model, run_id, _RECIPE) as recipe_file,
        store.artifacts(model, run_id, _CODE) as code,
        store.artifacts(model, run_id, MODEL_FOLDER) as model_folder,
    ):
        recipe = _read_recipe(run_id, recipe_file)
        digest = folder_digest(model_folder)
        _check_registered(context, model, run_id, digest)
        said: deque[str] = deque(maxlen=_LINES_SHOWN)

        def hear(line: str) -> None:
            said.append(line)
            tell(line)

        now = code_version(context.project.root)
        then = CodeVersion.from_json(recipe["code"])
        out = Path(folder) / "out"
        ended = run_archived(
            _archive(code, "*.whl"),
            _archive(code, "*.zip"),
            ["models", "refit", str(recipe_file), "--out", str(out), "--env", context.settings.environment],
            _environment(context),
            Path(folder),
            tell=hear,
        )
        if ended.code:
            raise NotReproduced(
                run_id,
                f"the code that trained it ended with exit code {ended.code} and said: {' / '.join(said) or 'nothing'}",
            )
        again = json.loads((out / _METRICS_FILE).read_text(encoding="utf-8"))
        # The session must be there before Spark's loader is.
        spark = context.spark
        loaded = load_model(model, 0, digest, model_folder)
        scores, differ = _compared(
            loaded.score(_test_rows(context, loaded.facts, _pinned(recipe))),
            spark.read.parquet((out / _SCORES_FILE).as_uri()),
            loaded.facts.entity,
        )
    return Reproduction(
        model, run_id, recipe["metrics"], again, scores, differ, tuple(differences(then, now))
    )


def _read_recipe(run_id: str, file: Path) -> dict[str, Any]:
    try:
        recipe: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        _pinned(recipe)
        for key in ("metrics", "code"):
            recipe[key].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"its {_RECIPE} is not what a training writes ({type(error).__name__}: {error})"
        raise NotReproduced(run_id, found) from error
    return recipe


def _check_registered(context: Context, model: str, run_id: str, digest: str) -> None:
    """Refuses a model other than the one registered, before anything is made to be compared with it."""
    registered = next((e for e in context.ledger.timeline(model).events if e.run_id == run_id), None)
    if registered is not None and registered.digest != digest:
        raise NotReproduced(
            run_id,
            f"the files of its model have SHA-256 {digest[:12]}..., registered was {registered.digest[:12]}...; bring them back "
            f"from a backup",
        )


def _test_rows(context: Context, facts: ModelFacts, pinned: PinnedRows) -> DataFrame:
    """The rows that the model was tested on, as the table has them: today's contract may name other columns."""
    table = facts.features_table
    reader = context.spark.read.format("delta").option("versionAsOf", pinned.versions[table])
    return of_dates(reader.load(context.lake.path(table)), pinned.dates.test)


def _archive(code: Path, pattern: str) -> Path:
    found = next(code.glob(pattern), None)
    if found is None:
        raise ArchivedCodeUnusable(code / pattern, "the run holds no such file")
    return found


def _compared(recorded: DataFrame, again: DataFrame, entity: str) -> tuple[int, int]:
    """Rows of both, and those that are not in both with the same score."""
    from pyspark.sql import functions as F

    key = [entity, BATCH_DATE]
    one = recorded.select(*key, F.round(SCORE, _DECIMALS).alias("recorded"))
    other = again.select(*key, F.round(SCORE, _DECIMALS).alias("again"))
    both = one.join(other, key, "full")
    same = F.coalesce(F.col("recorded") == F.col("again"), F.lit(False))
    row = both.agg(F.count(F.lit(1)).alias("rows"), F.count(F.when(~same, 1)).alias("differ")).collect()[0]
    return int(row["rows"]), int(row["differ"])


def _environment(context: Context) -> dict[str, str]:
    """Variables with which archived code finds this environment's data, and its jars."""
    settings = context.settings
    told = {
        "LAKESMITH__LAKE_ROOT": settings.lake_root,
        "LAKESMITH__JARS_DIR": str(settings.jars_dir),
        "LAKESMITH__SPARK__DRIVER_MEMORY": settings.spark.driver_memory,
    }
    if settings.landing is not None:
        told["LAKESMITH__LANDING_ROOT"] = settings.landing
    if settings.mlflow.tracking_uri is not None:
        told["LAKESMITH__MLFLOW__TRACKING_URI"] = unresolved(settings.mlflow.tracking_uri)
    # Under spark-submit this process' JVM is not the child's.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_GATEWAY")}
    return {**kept, **told}


def _as_then(declaration: ModelDeclaration, recipe: Mapping[str, Any]) -> ModelDeclaration:
    """The declaration with the winner as the only candidate."""
    chosen = next((c for c in declaration.candidates if c.name == recipe["candidate"]), None)
    if chosen is None:
        raise LakesmithError(
            f"{declaration.name}: {declaration.file} has no candidate {recipe['candidate']!r}, which won then."
        )
    search = {name: (value,) for name, value in recipe["parameters"].items()}
    return replace(
        declaration, candidates=(replace(chosen, search=search),), trials=1, seed=int(recipe["seed"])
    )


def _pinned(recipe: Mapping[str, Any]) -> PinnedRows:
    def days(texts: list[str]) -> tuple[date, ...]:
        return tuple(date.fromisoformat(text) for text in texts)

    dates = AsOfDates(
        date.fromisoformat(recipe["night"]),
        days(recipe["train"]),
        tuple(Fold(days(fold["train"]), days(fold["validate"])) for fold in recipe["folds"]),
        days(recipe["test"]),
    )
    tables = recipe["tables"]
    return PinnedRows(dates, {name: table["version"] for name, table in tables.items()}, {}, ())


@dataclass(frozen=True)
class Comparison:
    """Two versions on the test rows of the newer one's training.

    Args:
        dates: these rows' as-of dates.
        differences: metric -> first minus second, rows paired.
    """

    model: str
    versions: tuple[int, int]
    dates: tuple[date, ...]
    evaluations: tuple[Evaluation, Evaluation]
    differences: Mapping[str, Interval]


def compare(
    context: Context, declaration: ModelDeclaration, first: ModelEvent, second: ModelEvent
) -> Comparison:
    """Measures two versions on the same rows: those that the later training was tested on.

    Raises:
        ModelUnusable, FeatureMissing: a version cannot score them.
    """
    store = ModelStore(context.settings)
    later = max(first, second, key=lambda event: (event.as_of, event.version))
    with store.artifacts(later.model, later.run_id, _RECIPE) as recipe_file:
        pinned = _pinned(json.loads(recipe_file.read_text(encoding="utf-8")))
    rows = rows_of(context, declaration, pinned.versions, pinned.dates.test).persist()
    count = rows.count()
    loaded = [loaded_version(context, event) for event in (first, second)]
    found = [collect_predictions(declaration, each.score(rows), count) for each in loaded]
    rows.unpersist()
    thresholds = (loaded[0].facts.threshold, loaded[1].facts.threshold)
    gaps = {
        metric: paired_difference(declaration, found[0], found[1], metric, thresholds)
        for metric in METRICS[declaration.problem]
    }
    return Comparison(
        declaration.name,
        (first.version, second.version),
        pinned.dates.test,
        (evaluate(declaration, found[0], thresholds[0]), evaluate(declaration, found[1], thresholds[1])),
        gaps,
    )

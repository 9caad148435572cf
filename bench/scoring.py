"""Scoring a batch beside `transform` and a Parquet write of the same model and rows, as they come and spread over the cores."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from bench.lakes import ROOT
from bench.measure import Side, in_turns, ratio
from bench.report import Report, Table
from bench.size import Size
from lakesmith.contracts.model import BATCH_DATE, ModelRole
from lakesmith.engine.context import Context
from lakesmith.engine.run import run_table
from lakesmith.engine.submit import open_context
from lakesmith.jobs import Job
from lakesmith.ledger.arms import arms_on
from lakesmith.ml.pipelines import with_score
from lakesmith.ml.store import MODEL_FOLDER, ModelStore

_MODEL = "repurchase"
_FEATURES, _SCORES = "gold.customer_features", "gold.customer_scores"


def run(size: Size) -> Report:
    """Lakesmith's run of gold.customer_scores, and the same scores by hand, without audit or record."""
    rounds = size.rounds_or(5 if size.full else 2)
    context = _demo(size)
    spark = context.spark
    history = context.ledger.history(_SCORES)
    night = max(history.records)
    rows = _enlarge(context, night, size.rows_or(1_000_000))
    event = arms_on(context.ledger.timeline(_MODEL), night, ModelRole.CHAMPION)[0].event

    def ours(number: int) -> None:
        found = run_table(context, context.project.graph.contracts[_SCORES], [night], force=True)
        if found.error is not None or found.waiting:
            raise AssertionError(f"{_SCORES} {night}: {found.error or found.waiting}")

    def by_hand(folder_of_scores: str, *, spread: bool) -> None:
        features = (
            spark.read.format("delta")
            .load(context.lake.path(_FEATURES))
            .where(F.col(BATCH_DATE) == F.lit(night))
        )
        if spread:
            features = features.repartition(spark.sparkContext.defaultParallelism, "customer_id")
        with ModelStore(context.settings).artifacts(event.model, event.run_id, MODEL_FOLDER) as folder:
            scored = with_score(PipelineModel.load((folder / "sparkml").as_uri()), features)
            by_likelihood = Window.partitionBy(BATCH_DATE).orderBy(F.desc("score"), "customer_id")
            scores = scored.select(
                "customer_id",
                F.round("score", 6).alias("probability"),
                F.ntile(10).over(by_likelihood).alias("decile"),
                F.lit(event.model).alias("model_name"),
                F.lit(event.version).alias("model_version"),
                F.lit("champion").alias("served_by"),
                BATCH_DATE,
            )
            scores.write.mode("overwrite").parquet(str(size.folder / folder_of_scores))

    sides = [
        Side("Lakesmith", ours),
        Side("transform and a Parquet write", lambda _: by_hand("scores", spread=False)),
        Side("the same, rows spread over the cores first", lambda _: by_hand("spread", spread=True)),
    ]
    measured = in_turns(sides, rounds, spark)
    mine, theirs, spread = measured.values()
    published = (
        spark.read.format("delta").load(context.lake.path(_SCORES)).where(F.col(BATCH_DATE) == F.lit(night))
    )
    sums = [
        frame.agg(F.count("*"), F.sum(F.round("probability", 6)), F.sum("decile")).first()
        for frame in (published, *(spark.read.parquet(str(size.folder / n)) for n in ("scores", "spread")))
    ]
    told = [(row[0], round(row[1], 2), row[2]) for row in sums if row is not None]
    if len(set(told)) > 1:
        raise AssertionError(f"scores differ: {told}")
    return Report(
        name="scoring",
        title="Scoring",
        command=size.command("scoring"),
        size={"rows": rows, "rounds": rounds},
        rows=rows,
        measured=list(measured.values()),
        ratios=[
            ratio("scoring / transform and a Parquet write", mine, theirs, limit=1.15),
            ratio("scoring / the same, rows spread over the cores first", mine, spread),
        ],
        tables=[
            Table("Equal in all of them", ("rows", "sum of probabilities", "sum of deciles"), [list(told[0])])
        ],
    )


def _demo(size: Size) -> Context:
    """The demo's lake: 120 simulated days, a model that was trained on them, its scores."""
    project = size.folder / "project"
    for name in ("conf", "jobs"):
        shutil.copytree(ROOT / name, project / name)
    (project / ".jars").symlink_to(ROOT / ".jars")
    subprocess.run(
        [str(Path(sys.executable).parent / "lakesmith"), "demo", "--project", str(project)],
        check=True,
        capture_output=True,
    )
    return open_context("demo", project)


def _enlarge(context: Context, night: date, rows: int) -> int:
    """Publishes the features of the night anew, every customer many times under numbers of their own; gives the rows."""
    features = (
        context.spark.read.format("delta")
        .load(context.lake.path(_FEATURES))
        .where(F.col(BATCH_DATE) == F.lit(night))
    )
    few = features.localCheckpoint()
    copies = -(-rows // few.count())

    def many(days: DataFrame) -> DataFrame:
        return few.crossJoin(context.spark.range(copies)).select(
            (F.col("customer_id") * copies + F.col("id")).alias("customer_id"),
            *[c for c in few.columns if c != "customer_id"],
        )

    found = run_table(
        context, context.project.graph.contracts[_FEATURES], [night], job=Job(_FEATURES, many), force=True
    )
    if found.error is not None or found.waiting or found.reasons:
        raise AssertionError(f"{_FEATURES} {night}: {found.error or found.waiting or found.reasons}")
    return copies * few.count()

"""Rows to train on and to measure: features and labels of some as-of dates, joined.

Owns the training frame's shape and its order, on which a refit with the same seed depends, and the one door through which
predictions come to the driver, bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pyspark.sql import functions as F

from lakesmith.contracts.declaration import ModelDeclaration, ProblemKind
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.errors import DataRejected, InputMissing

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = [
    "LABEL",
    "SCORE",
    "Predictions",
    "check_labels",
    "collect_predictions",
    "in_order",
    "is_classification",
    "of_dates",
    "training_frame",
]

LABEL = "label"
"""The label as the algorithms take it: a double, 0 and 1 for a class."""

SCORE = "score"
"""What a fitted model adds: the probability of the positive class, or the predicted number."""

_ROWS_PER_TASK = 250_000
_MOST_ROWS_MEASURED = 2_000_000


def training_frame(declaration: ModelDeclaration, features: DataFrame, labels: DataFrame) -> DataFrame:
    """One row for each entity and as-of date that has features: entity, `batch_date`, the features, `label`.

    Args:
        features: rows of the features table, of the as-of dates only.
        labels: rows of the label table, of the same dates.
    """
    known = labels.select(
        BATCH_DATE, declaration.entity, F.col(declaration.label.column).cast("double").alias(LABEL)
    )
    wanted = [declaration.entity, BATCH_DATE, *declaration.features]
    return features.select(*wanted).join(known, on=[BATCH_DATE, declaration.entity], how="left")


def in_order(frame: DataFrame, declaration: ModelDeclaration, rows: int) -> DataFrame:
    """The rows spread and sorted in one way, whatever files they came from.

    Sums of doubles and the draws of a forest depend on where a row stands. Up to a quarter of a million rows are one task, so
    that not even the order in which tasks end can matter.
    """
    tasks = -(-max(rows, 1) // _ROWS_PER_TASK)
    return frame.repartition(tasks, declaration.entity).sortWithinPartitions(BATCH_DATE, declaration.entity)


def of_dates(frame: DataFrame, dates: Sequence[date]) -> DataFrame:
    """The rows of some as-of dates."""
    return frame.where(F.col(BATCH_DATE).isin(list(dates)))


def check_labels(declaration: ModelDeclaration, frame: DataFrame, lag_days: int) -> dict[date, int]:
    """Rows by as-of date, once every row has a label.

    Args:
        lag_days: of the label table: the night of D owns its batch D - lag_days.

    Raises:
        InputMissing: rows without a label.
        DataRejected: labels of a classification that are neither 0 nor 1.
    """
    counts = frame.groupBy(BATCH_DATE).agg(
        F.count(F.lit(1)).alias("rows"),
        F.count(F.when(F.col(LABEL).isNull(), 1)).alias("unknown"),
        F.count(F.when(~F.col(LABEL).isin(0.0, 1.0), 1)).alias("others"),
    )
    rows = counts.collect()
    others = sum(row["others"] for row in rows)
    if is_classification(declaration) and others:
        raise DataRejected(
            f"{declaration.name}: {others} labels in {declaration.label.table}.{declaration.label.column} are neither 0 nor 1. "
            f"Say what is predicted by a boolean, or declare problem: regression in {declaration.file}."
        )
    found = {row[BATCH_DATE]: (row["rows"], row["unknown"]) for row in rows}
    unknown = {day: missing for day, (_, missing) in sorted(found.items()) if missing}
    if unknown:
        day, missing = next(iter(unknown.items()))
        raise InputMissing(
            f"{declaration.name}: {missing} rows of {declaration.features_table} {day} have no label in "
            f"{declaration.label.table}; {len(unknown)} as-of dates are so. Publish the labels first: "
            f"lakesmith run --date {day + timedelta(lag_days)} --table {declaration.label.table}"
        )
    return {day: rows for day, (rows, _) in found.items()}


@dataclass(frozen=True)
class Predictions:
    """What a model said of some rows, and what was so.

    Args:
        labels: float64 (rows,); 0 and 1 for a class.
        scores: float64 (rows,).
        entities: int64 (rows,); equal numbers are one entity.
        segments: name of a segment -> its texts (rows,).
        share: of the rows measured; below 1 where there were too many for one machine.
    """

    labels: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]
    entities: npt.NDArray[np.int64]
    segments: dict[str, npt.NDArray[np.object_]]
    share: float = 1.0


def collect_predictions(
    declaration: ModelDeclaration, scored: DataFrame, rows: int, *, segments: bool = False
) -> Predictions:
    """The scores of a frame, in one order; of more than two million rows those of a sample of entities.

    Args:
        scored: a training frame with `score`.
        rows: how many it has.
        segments: also the declaration's segments.
    """
    share = min(1.0, _MOST_ROWS_MEASURED / max(rows, 1))
    entity = F.xxhash64(F.col(declaration.entity))
    if share < 1:
        scored = scored.where(F.pmod(entity, F.lit(1_000_000)) < F.lit(int(share * 1_000_000)))
    texts: list[Column] = (
        [F.expr(sql).cast("string").alias(f"segment_{name}") for name, sql in declaration.segments.items()]
        if segments
        else []
    )
    columns = [
        F.col(LABEL).alias("label"),
        F.col(SCORE).cast("double").alias("score"),
        entity.alias("entity"),
    ]
    table = (
        scored.select(BATCH_DATE, *columns, *texts)
        .toArrow()
        .sort_by([(BATCH_DATE, "ascending"), ("entity", "ascending")])
    )
    return Predictions(
        table["label"].to_numpy(),
        table["score"].to_numpy(),
        table["entity"].to_numpy(),
        {name: table[f"segment_{name}"].to_numpy() for name in (declaration.segments if segments else ())},
        share,
    )


def is_classification(declaration: ModelDeclaration) -> bool:
    """True when the score is a probability."""
    return declaration.problem is ProblemKind.CLASSIFICATION

"""`monitoring.model_performance` as a DataFrame: what Spark hands to `lakesmith.monitoring.performance`, and takes from it.

Owns how scores come to the driver beside their labels, bounded: at most about 50,000 entities of a day, drawn by a hash of their
key so that a night and a range draw the same, and at most as many days at once as a few of the longest windows have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F

from lakesmith.contracts.judged import LONGEST_WINDOW
from lakesmith.contracts.model import BATCH_DATE, MODEL_VERSION, SERVED_BY, Judged, ModelRole
from lakesmith.monitoring.performance import (
    PERFORMANCE_COLUMNS,
    LabelledScores,
    PerformanceSettings,
    TestFigures,
    performance_rows,
    performance_settings,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["JudgedModels", "JudgedTable", "performance_frame"]

_MOST_ENTITIES = 50_000
_PARTS = 1_000_000
_DEGRADED = "degraded"
_DRIFT = ("table_name", "column_name", "verdict", "baseline")


@dataclass(frozen=True)
class JudgedTable:
    """A table of scores in one run.

    Args:
        scores, labels: their rows of the days that the run may read; so are those of `features`, None without segments.
        counts: day -> rows of scores, from the statistics of their files.
        windows: batch -> the days that it may read.
        test_of: what a version was found to be when it was trained; None where nothing is known of it.
    """

    judged: Judged
    scores: DataFrame
    labels: DataFrame
    features: DataFrame | None
    counts: Mapping[date, int]
    windows: Mapping[date, Sequence[date]]
    test_of: Callable[[int], TestFigures | None]


@dataclass(frozen=True)
class JudgedModels:
    """All that a run judges.

    Args:
        drift: rows of the table of drift, of the batches; None where there is no such table.
    """

    spark: SparkSession
    tables: tuple[JudgedTable, ...]
    drift: DataFrame | None


def performance_frame(
    judged: JudgedModels, batches: Sequence[date], settings: Mapping[str, Any]
) -> DataFrame:
    """The rows of `monitoring.model_performance`, with `batch_date`."""
    limits = performance_settings(settings)
    drift = _drift(judged.drift)
    rows = [row for table in judged.tables for row in _rows(table, batches, drift, limits)]
    columns = {**PERFORMANCE_COLUMNS, BATCH_DATE: "date"}
    schema = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    return judged.spark.createDataFrame([tuple(row[name] for name in columns) for row in rows], schema)


def _drift(drift: DataFrame | None) -> dict[date, list[dict[str, Any]]]:
    """What was said of whole tables against their baselines, by day."""
    found: dict[date, list[dict[str, Any]]] = {}
    if drift is None:
        return found
    said = (F.col("drift_type") == "BASELINE") & (F.col("slice") == "") & F.col("verdict").isNotNull()
    for row in drift.where(said).select(BATCH_DATE, *_DRIFT).collect():
        found.setdefault(row[BATCH_DATE], []).append(row.asDict())
    return found


def _rows(
    table: JudgedTable,
    batches: Sequence[date],
    drift: Mapping[date, Sequence[Mapping[str, Any]]],
    settings: PerformanceSettings,
) -> Iterator[dict[str, Any]]:
    rows = _Rows(table, batches)
    tests: dict[int, TestFigures | None] = {}
    for day in batches:
        drawn = _drawn(table, day)
        known = {day: rows.of(day, drawn)}
        versions = {int(version) for version in known[day].versions}
        tests |= {version: table.test_of(version) for version in versions - tests.keys()}
        for length in settings.windows:
            # Longer windows are fetched only where a shorter one has too few.
            near = [day - timedelta(back) for back in range(length)]
            readable = [each for each in near if each in table.windows[day] and each not in known]
            rows.fetch(readable)
            known |= {each: rows.of(each, drawn) for each in readable}
            if _enough(known, day, settings.least_entities):
                break
        yield from performance_rows(
            table.judged.model,
            table.judged.table,
            day,
            known,
            tests,
            drift.get(day, ()),
            settings,
            shadow=table.judged.role is ModelRole.CHALLENGER,
            share=drawn / _PARTS,
        )


def _drawn(table: JudgedTable, day: date) -> int:
    """How many parts of a million of the entities are measured on a day; the same ones of all days of its windows."""
    most = max((table.counts.get(each, 0) for each in table.windows[day]), default=0)
    return _PARTS if most <= _MOST_ENTITIES else _MOST_ENTITIES * _PARTS // most


def _enough(days: Mapping[date, LabelledScores], day: date, least: int) -> bool:
    """True when every version that scored on a day has so many entities."""
    today = days[day]
    every = LabelledScores.together(list(days.values()))
    pairs = {(int(v), str(r)) for v, r in zip(today.versions, today.roles, strict=True)}
    return all(len(np.unique(every.of(*pair).entities)) >= least for pair in pairs)


@dataclass
class _Rows:
    """The rows of days, fetched as they are asked for, those of the run's next days along with them."""

    table: JudgedTable
    batches: Sequence[date]
    _known: dict[date, tuple[LabelledScores, np.ndarray[Any, Any]]] = field(default_factory=dict)

    def of(self, day: date, drawn: int) -> LabelledScores:
        """The rows of a day, of the part of the entities that is drawn."""
        self.fetch([day])
        rows, parts = self._known[day]
        return rows if drawn == _PARTS else rows.where(parts < drawn)

    def fetch(self, days: Sequence[date]) -> None:
        """Makes these days known."""
        lacking = [day for day in days if day not in self._known]
        if not lacking:
            return
        ahead = [day for day in self.batches if day > max(lacking) and day not in self._known]
        wanted = [*lacking, *ahead[: LONGEST_WINDOW - 1]]
        past = max(lacking) - timedelta(2 * LONGEST_WINDOW)
        self._known = {day: rows for day, rows in self._known.items() if day > past}
        self._known |= self._fetched(sorted(wanted))

    def _fetched(self, days: Sequence[date]) -> dict[date, tuple[LabelledScores, np.ndarray[Any, Any]]]:
        judged, entity = self.table.judged, F.col(self.table.judged.model.entity)
        keys = [BATCH_DATE, judged.model.entity]
        of_days = F.col(BATCH_DATE).isin(list(days))
        part = F.pmod(F.xxhash64(entity.cast("string")), F.lit(_PARTS)).cast("int")
        asking = [day for day in self.batches if {*self.table.windows[day]} & {*days}]
        drawn = max(_drawn(self.table, day) for day in asking)
        label = F.col(judged.model.label.column).cast("double").alias("_label")
        told = SERVED_BY in self.table.scores.columns
        role = F.col(SERVED_BY) if told else F.lit(str(judged.role))
        scores = self.table.scores.where(of_days & (role != _DEGRADED) & (part < drawn)).select(
            *keys,
            F.col(judged.score).cast("double").alias("_score"),
            F.col(MODEL_VERSION).cast("bigint").alias("_version"),
            role.alias("_role"),
        )
        labels = self.table.labels.where(of_days).select(*keys, label).where(F.col("_label").isNotNull())
        joined = scores.join(labels, keys)
        segments = judged.model.segments if self.table.features is not None else {}
        if self.table.features is not None:
            texts = [F.expr(sql).cast("string").alias(f"_segment_{n}") for n, sql in segments.items()]
            joined = joined.join(self.table.features.where(of_days).select(*keys, *texts), keys, "left")
        found = (
            joined.select(
                BATCH_DATE,
                F.xxhash64(entity).alias("_entity"),
                part.alias("_part"),
                *["_score", "_label", "_version", "_role", *(f"_segment_{name}" for name in segments)],
            )
            .toArrow()
            .sort_by([(BATCH_DATE, "ascending"), ("_entity", "ascending")])
        )
        columns = {name: found[name].to_numpy() for name in found.column_names if name != BATCH_DATE}
        on = found[BATCH_DATE].to_numpy()
        rows = LabelledScores(
            columns["_score"],
            columns["_label"],
            columns["_entity"],
            columns["_version"],
            columns["_role"],
            {name: columns[f"_segment_{name}"] for name in segments},
        )
        known = {}
        for day in days:
            here = on == np.datetime64(day)
            known[day] = rows.where(here), columns["_part"][here]
        return known

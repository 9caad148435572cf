"""Training a model: from pinned feature and label batches to a version in the registry, or to the reason why not.

Owns the order of the steps: dates, freshness, pins, guards, search, measurement, gates, keeping, registration. What each step
does is in `lakesmith.ml`. Nothing of the test rows is looked at before the winner is refit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import pin_inputs
from lakesmith.engine.serving import loaded_version
from lakesmith.engine.transforming import (
    SettingsRead,
    load_job,
    rows_with_outcome,
    transform_inputs,
    transformed,
)
from lakesmith.errors import InputMissing, LakesmithError
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.reading import read_batches
from lakesmith.lake.staging import OUTCOME, RowOutcome
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.state import BatchState, State
from lakesmith.ml import guards, pipelines
from lakesmith.ml.evaluation_values import Evaluation, Interval
from lakesmith.ml.fitting import Fitted, evaluate, fit, fit_baseline, paired_difference
from lakesmith.ml.frames import (
    LABEL,
    Predictions,
    check_labels,
    collect_predictions,
    in_order,
    of_dates,
    training_frame,
)
from lakesmith.ml.gates import Verdict, judge
from lakesmith.ml.profile import baseline_profile
from lakesmith.ml.split import AsOfDates, as_of_dates

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakesmith.monitoring.baseline import TableBaseline

__all__ = ["Champion", "PinnedRows", "Trained", "TrainingProgress", "known_night", "train"]


class TrainingProgress(Protocol):
    """Told how far a training is."""

    def step(self, what: str) -> None:
        """A step begins."""

    def tried(self, trial: str, done: int, of: int) -> None:
        """One combination was tried."""


class _Silent:
    def step(self, what: str) -> None: ...

    def tried(self, trial: str, done: int, of: int) -> None: ...


@dataclass(frozen=True)
class PinnedRows:
    """What a training reads.

    Args:
        versions: table -> version, of the features and of the labels.
        digests: table -> as-of date -> digest of the batch.
        not_fresh: batches that are there and not fresh: `table day (state)`.
    """

    dates: AsOfDates
    versions: Mapping[str, int]
    digests: Mapping[str, Mapping[date, str]]
    not_fresh: tuple[str, ...]


@dataclass(frozen=True)
class Champion:
    """The champion beside the candidate, on the same rows.

    Args:
        difference: candidate minus champion in the champion gate's metric.
    """

    event: ModelEvent
    evaluation: Evaluation
    difference: Interval


@dataclass(frozen=True)
class Trained:
    """A model that was trained and measured, before anything was kept.

    Args:
        rows: as-of date -> rows.
        missing_shares: feature that may be null -> share of the training rows in which it is.
        profile: the training rows' distributions.
        train_mean: mean label of the training rows.
        segments: name -> text -> its measurement on the test.
        seconds: step -> wall time.
        drift_baselines: `features` of the training rows and `score` of the test's: what nights are compared with.
    """

    declaration: ModelDeclaration
    contract: Contract
    pinned: PinnedRows
    fitted: Fitted
    rows: Mapping[date, int]
    missing_shares: Mapping[str, float]
    importances: Mapping[str, float]
    profile: Mapping[str, Any]
    train_mean: float
    test: Evaluation
    baselines: Mapping[str, Evaluation]
    segments: Mapping[str, Mapping[str, Evaluation]]
    champion: Champion | None
    verdicts: tuple[Verdict, ...]
    seconds: Mapping[str, float]
    drift_baselines: Mapping[str, TableBaseline | None] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True when no gate said no."""
        return all(verdict.passed for verdict in self.verdicts)


def known_night(context: Context, declaration: ModelDeclaration) -> date:
    """The last night whose labels are published.

    Raises:
        InputMissing: there are none.
    """
    table = declaration.label.table
    history = context.ledger.history(table)
    days = [day for day in history.records if history.standing(day) is not None]
    if not days:
        raise InputMissing(
            f"{declaration.name}: {table} has no batch yet. Publish it first: lakesmith backfill --from A --to B"
        )
    return max(days) + timedelta(context.project.graph.contract(table).lag_days)


def pin_rows(context: Context, declaration: ModelDeclaration, night: date) -> PinnedRows:
    """Which batches a training as of a night reads, in which versions, and whether they are fresh.

    Raises:
        HistoryTooShort: the split does not fit before the night.
        InputMissing: a batch was never published.
    """
    graph = context.project.graph
    # What this process ran a moment ago is to be seen.
    context.ledger.refresh(graph.order)
    features, labels = declaration.features_table, declaration.label.table
    lag = graph.contract(labels).lag_days
    dates = as_of_dates(declaration.name, declaration.split, graph.starts[features], night, lag)
    versions: dict[str, int] = {}
    digests: dict[str, dict[date, str]] = {}
    not_fresh: list[str] = []
    for table in (features, labels):
        own_lag = timedelta(graph.contract(table).lag_days)
        nights = BatchRange(min(dates.all) + own_lag, max(dates.all) + own_lag)
        states = context.judge.judge(nights, [table]).get(table, {})
        history, live = context.ledger.history(table), context.ledger.live(table)
        digests[table] = {}
        for day in dates.all:
            state, standing = states.get(day), history.standing(day)
            if standing is None or live is None or state is None:
                why = state.reason if state is not None else "not due"
                raise InputMissing(
                    f"{declaration.name}: {table} {day} is needed and was never published ({why}). "
                    f"Publish it first: lakesmith run --date {day + own_lag} --table {table}"
                )
            if state.state is not State.FRESH:
                not_fresh.append(f"{table} {day} ({state.state})")
            digests[table][day] = standing.digest
        assert live is not None
        versions[table] = live.version
    return PinnedRows(dates, versions, digests, tuple(not_fresh))


def rows_of(
    context: Context, declaration: ModelDeclaration, versions: Mapping[str, int], days: Sequence[date]
) -> DataFrame:
    """The training frame of some as-of dates, at pinned versions."""
    frames = [
        of_dates(
            read_batches(
                context.spark,
                context.lake,
                context.project.graph.contract(table),
                versions[table],
                BatchRange(min(days), max(days)),
            ),
            days,
        )
        for table in (declaration.features_table, declaration.label.table)
    ]
    return training_frame(declaration, *frames)


def train(
    context: Context, declaration: ModelDeclaration, night: date, progress: TrainingProgress | None = None
) -> Trained:
    """Trains and measures a model; keeps nothing.

    Args:
        night: the last night that may be known.

    Raises:
        HistoryTooShort, InputMissing: there is not enough to train on.
        LookAhead: a row knows its future.
        FitFailed: a candidate cannot be fitted.
    """
    progress = progress or _Silent()
    clock = _Clock()
    contract = context.project.graph.contract(declaration.features_table)
    progress.step("pinning")
    with clock.of("pinning"):
        pinned = pin_rows(context, declaration, night)
        dates = pinned.dates
    with ordered_rows(context, declaration, pinned) as (rows, train_rows, test_rows, counts):
        progress.step("looking for look-ahead")
        with clock.of("guards"):
            guards.check_gaps(declaration, dates)
            guards.check_ages(declaration, contract, rows)
            _check_delete_the_future(context, declaration, contract, pinned)
        progress.step("searching")
        count = sum(counts[day] for day in dates.train)
        with clock.of("search and refit"):
            fitted = fit(declaration, contract, train_rows, dates, count, progress.tried)
        progress.step("measuring")
        tested = sum(counts[day] for day in dates.test)
        with clock.of("measurement"):
            scored = pipelines.with_score(fitted.model, test_rows)
            predictions = collect_predictions(declaration, scored, tested, segments=True)
            test = evaluate(declaration, predictions, fitted.threshold)
            baselines = {
                baseline.name: evaluate(
                    declaration,
                    collect_predictions(
                        declaration,
                        fit_baseline(declaration, contract, baseline, train_rows)(test_rows),
                        tested,
                    ),
                    fitted.threshold,
                )
                for baseline in declaration.baselines
            }
            segments = _by_segment(declaration, predictions, fitted.threshold)
            champion, unusable = _champion(
                context, declaration, test_rows, tested, predictions, fitted.threshold
            )
            missing = _missing_shares(declaration, contract, train_rows, count)
            importances = pipelines.importances(fitted.model, train_rows)
            numeric = [name for name in declaration.features if name not in declaration.categorical]
            profile = baseline_profile(contract, train_rows, numeric, declaration.categorical)
            drift_baselines = _drift_baselines(declaration, contract, train_rows, scored)
            train_mean = float(train_rows.agg({LABEL: "avg"}).collect()[0][0])
    verdicts = judge(
        declaration,
        _values(test),
        {name: _values(found) for name, found in baselines.items()},
        (champion.event.version, _values(champion.evaluation)) if champion is not None else None,
        pinned.not_fresh,
    )
    return Trained(
        declaration,
        contract,
        pinned,
        fitted,
        counts,
        missing,
        importances,
        profile,
        train_mean,
        test,
        baselines,
        segments,
        champion,
        (*verdicts, *unusable),
        clock.seconds,
        drift_baselines,
    )


@contextmanager
def ordered_rows(
    context: Context, declaration: ModelDeclaration, pinned: PinnedRows
) -> Iterator[tuple[DataFrame, DataFrame, DataFrame, dict[date, int]]]:
    """All rows, those to train on and those to test on, cached in one order, and rows by as-of date."""
    dates = pinned.dates
    lag = context.project.graph.contract(declaration.label.table).lag_days
    every = rows_of(context, declaration, pinned.versions, dates.all).persist()
    kept = [every]
    try:
        counts = check_labels(declaration, every, lag)
        parts = []
        for days in (dates.train, dates.test):
            size = sum(counts.get(day, 0) for day in days)
            parts.append(in_order(of_dates(every, days), declaration, size).persist())
            kept.append(parts[-1])
        yield every, parts[0], parts[1], {day: counts.get(day, 0) for day in dates.all}
    finally:
        for frame in kept:
            frame.unpersist()


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - began


def _check_delete_the_future(
    context: Context, declaration: ModelDeclaration, contract: Contract, pinned: PinnedRows
) -> None:
    """Computes two batches of the features anew, each by itself; those that are not fresh may well differ."""
    table = contract.table
    stale = {text.rpartition(" (")[0] for text in pinned.not_fresh}
    days = guards.days_to_check(pinned.dates, _days_with_rows(context, contract))
    guards.check_delete_the_future(
        declaration,
        contract,
        lambda day: pinned.digests[table][day],
        lambda day: _computed_alone(context, declaration, contract, day),
        [day for day in days if f"{table} {day}" not in stale],
    )


def _days_with_rows(context: Context, contract: Contract) -> list[date]:
    """The days on which the features' inputs hold rows."""
    days: set[date] = set()
    for entry in contract.inputs:
        live = context.ledger.live(entry.table) if entry.table else None
        if live is not None:
            days |= {day for day, batch in live.batches.items() if batch.rows}
    return sorted(days)


def _computed_alone(context: Context, declaration: ModelDeclaration, contract: Contract, day: date) -> str:
    """The digest that a batch has when nothing but it is computed."""
    state = BatchState(contract.table, day, State.FRESH)
    pinned = pin_inputs(context, contract, [state])
    settings = SettingsRead(context.settings.of_transforms)
    inputs = transform_inputs(context, contract, pinned, [day])
    job = load_job(context.project.root, contract)
    frame = rows_with_outcome(contract, transformed(job, contract, inputs, [day], settings))
    guards.check_files(declaration, contract, day, frame.inputFiles(), pinned.file_names)
    kept = frame.where((frame[OUTCOME] == str(RowOutcome.PUBLISHED)) & (frame[BATCH_DATE] == day))
    found = kept.agg(
        *[column.alias(name) for name, column in digest_aggregates(contract.columns).items()]
    ).collect()[0]
    return digest_of(contract.columns, found.asDict())[0]


def _by_segment(
    declaration: ModelDeclaration, predictions: Predictions, threshold: float | None
) -> dict[str, dict[str, Evaluation]]:
    found: dict[str, dict[str, Evaluation]] = {}
    for name, texts in predictions.segments.items():
        found[name] = {}
        for text in sorted({str(value) for value in texts}):
            chosen = texts.astype(str) == text
            part = Predictions(
                predictions.labels[chosen], predictions.scores[chosen], predictions.entities[chosen], {}
            )
            found[name][text] = evaluate(declaration, part, threshold)
    return found


def _champion(
    context: Context,
    declaration: ModelDeclaration,
    rows: DataFrame,
    count: int,
    candidate: Predictions,
    threshold: float | None,
) -> tuple[Champion | None, tuple[Verdict, ...]]:
    """The champion on the same rows; a verdict against promotion when it cannot be compared with."""
    event = context.ledger.timeline(declaration.name).champion
    if event is None:
        return None, ()
    try:
        loaded = loaded_version(context, event)
        theirs = collect_predictions(declaration, loaded.score(rows), count)
    except LakesmithError as error:
        text = f"the champion, version {event.version}, cannot be compared with: {error}"
        return None, (Verdict("champion", False, None, None, text),)
    metric = declaration.gates.champion_metric
    own_threshold = loaded.facts.threshold
    gap = paired_difference(declaration, candidate, theirs, metric, (threshold, own_threshold))
    return Champion(event, evaluate(declaration, theirs, own_threshold), gap), ()


def _missing_shares(
    declaration: ModelDeclaration, contract: Contract, rows: DataFrame, count: int
) -> dict[str, float]:
    from pyspark.sql import functions as F

    nullable = [name for name in declaration.features if contract.column(name).nullable]
    if not nullable:
        return {}
    filled = rows.agg(*[F.count(name).alias(name) for name in nullable]).collect()[0].asDict()
    return {name: 1 - filled[name] / count for name in nullable}


def _drift_baselines(
    declaration: ModelDeclaration, contract: Contract, train_rows: DataFrame, scored: DataFrame
) -> dict[str, TableBaseline | None]:
    """What the nights that the model scores are compared with: the features that it was trained on, the scores of its test."""
    from lakesmith.ml.frames import SCORE
    from lakesmith.monitoring.profile import Measure
    from lakesmith.monitoring.scan import measure_of
    from lakesmith.monitoring.tables import find_baseline

    kinds = {field.name: field.dataType for field in train_rows.schema.fields}
    columns = {
        c.name: measure_of(kinds[c.name], subject=c.subject or c.name == declaration.entity)
        for c in contract.columns
        if c.name in kinds
    }
    slices = contract.profile.slices if contract.profile is not None else ()
    # A customer is in the rows of every as-of date.
    return {
        "features": find_baseline(train_rows, columns, slices, repeated=True),
        "score": find_baseline(scored.select(BATCH_DATE, SCORE), {SCORE: Measure.NUMBER}, repeated=True),
    }


def _values(found: Evaluation) -> dict[str, float]:
    return {name: interval.value for name, interval in found.metrics.items()}


def recipe(trained: Trained, context: Context) -> dict[str, Any]:
    """What `reproduce` follows, as JSON."""
    dates = trained.pinned.dates
    return {
        "model": trained.declaration.name,
        "night": dates.night.isoformat(),
        "train": [day.isoformat() for day in dates.train],
        "folds": [
            {
                "train": [day.isoformat() for day in fold.train],
                "validate": [day.isoformat() for day in fold.validate],
            }
            for fold in dates.folds
        ],
        "test": [day.isoformat() for day in dates.test],
        "tables": {
            table: {
                "version": version,
                "digests": {day.isoformat(): d for day, d in trained.pinned.digests[table].items()},
            }
            for table, version in trained.pinned.versions.items()
        },
        "rows": {day.isoformat(): count for day, count in trained.rows.items()},
        "candidate": trained.fitted.winner.candidate.name,
        "parameters": dict(trained.fitted.winner.parameters),
        "seed": trained.declaration.seed,
        "overrides": context.settings.models.get(trained.declaration.name, {}),
        "metrics": _values(trained.test),
    }

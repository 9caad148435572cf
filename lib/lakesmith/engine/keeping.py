"""From a trained model to a version in the registry, with everything that shows how it came about.

Owns which facts of a training go where in its MLflow run. How a run is laid out is `lakesmith.ml.tracking`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.model import ModelRole
from lakesmith.engine.context import Context
from lakesmith.engine.training import Trained, TrainingProgress, known_night, recipe, train
from lakesmith.ledger.model_events import ModelEvent, TrainedOn
from lakesmith.ledger.ops import now
from lakesmith.ledger.retraining import RetrainingEvent, RetrainingRecord, standing_request
from lakesmith.ml import plots
from lakesmith.ml.card import model_card
from lakesmith.ml.card_facts import CardFacts, ChampionFact, SplitFact, TableFact, TrialFact
from lakesmith.ml.code_archive import build_project, build_wheel
from lakesmith.ml.code_version import CodeVersion, code_version, lock_file
from lakesmith.ml.frames import is_classification
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.serving import ModelFacts
from lakesmith.ml.store import EVALUATION_FILE, ModelStore
from lakesmith.ml.tracking import TrainingLog, flat_metrics, log_training

__all__ = ["CARD", "bring_into_use", "keep", "next_batch", "requested", "train_and_keep"]

CARD = "model_card.md"
"""The card's place in a run."""

_SPARK_PACKAGES = ("pyspark", "numpy", "pandas")


def keep(context: Context, trained: Trained, reason: str) -> ModelEvent:
    """Logs a training to MLflow and registers its model, whatever the gates said.

    Args:
        reason: why it was trained: schedule, drift, performance, new data, code, or in words.

    Raises:
        StoreUnreachable: MLflow does not take it; nothing is registered.
        CodeNotArchivable: the code cannot be kept.
    """
    store = ModelStore(context.settings)
    root = context.project.root
    version = code_version(root)
    with tempfile.TemporaryDirectory(prefix="lakesmith-code-") as folder:
        code = [build_wheel(Path(folder)), build_project(root, Path(folder)), lock_file(root, Path(folder))]
        run = log_training(store, _log(context, trained, reason, version, code))
    model, night = trained.declaration.name, trained.pinned.dates.night
    first = next_batch(context, model)
    pinned = trained.pinned
    event = ModelRegistry(store, context.ledger).register(
        model,
        run,
        night,
        trained.verdicts,
        reason,
        first,
        TrainedOn(pinned.versions, pinned.digests, pinned.dates.test),
    )
    # Only now has the card a version to be headed by.
    with tempfile.TemporaryDirectory(prefix="lakesmith-card-") as folder, store.translating():
        card = _card_text(trained, version, run.run_id, event.version)
        (Path(folder) / CARD).write_text(card, encoding="utf-8")
        store.keep(model, run.run_id, Path(folder))
    return event


def train_and_keep(
    context: Context,
    declaration: ModelDeclaration,
    night: date | None,
    reason: str,
    *,
    promote: bool = False,
    progress: TrainingProgress | None = None,
) -> tuple[Trained, ModelEvent]:
    """Trains a model, keeps it and registers it; what `lakesmith train` and `jobs/ml/train.py` do.

    Args:
        night: the last night that may be known; None for the last whose labels are published.
        promote: make it the champion if every gate passes.

    Raises:
        HistoryTooShort, InputMissing, LookAhead, FitFailed: nothing was trained.
        StoreUnreachable: nothing was kept.
    """
    known = night if night is not None else known_night(context, declaration)
    trained = train(context, declaration, known, progress)
    if progress is not None:
        progress.step("keeping it in MLflow")
    event = keep(context, trained, reason)
    if requested(context, declaration.name) is not None:
        # Whatever the gates say: the same training on the next night would say the same.
        answer = RetrainingRecord(
            declaration.name, RetrainingEvent.ANSWERED, known, now(), reason, event.version
        )
        context.ledger.ops.append([answer])
    if promote and trained.passed:
        event = bring_into_use(context, declaration, event.version, reason=reason)
    return trained, event


def requested(context: Context, model: str) -> RetrainingRecord | None:
    """The request for a retraining of a model that no training has answered yet."""
    return standing_request(context.ledger.ops.records(RetrainingRecord), model)


def bring_into_use(
    context: Context,
    declaration: ModelDeclaration,
    version: int,
    first: date | None = None,
    *,
    at_once: bool = False,
    force: bool = False,
    reason: str = "",
) -> ModelEvent:
    """Makes a version the champion: step by step where a rollout is declared and there is a champion, else at once.

    Args:
        first: the first batch that it scores, or is in shadow for; None for the next one.
        at_once: whatever is declared.
        force: although a gate said no.

    Raises:
        NoSuchVersion, GateFailed, UsageError: it is not promoted.
    """
    registry = ModelRegistry(ModelStore(context.settings), context.ledger)
    model, policy = declaration.name, declaration.rollout
    champion = context.ledger.timeline(model).champion
    first = first or next_batch(context, model)
    share = 100 if policy is None else 0 if policy.shadow_nights else policy.shares[0]
    if champion is None or at_once or share == 100:
        return registry.promote(model, version, first, force=force, reason=reason)
    begins = first or champion.as_of
    return registry.roll_out(model, version, share, begins, force=force, reason=reason)


def next_batch(context: Context, model: str) -> date | None:
    """The first batch that no version scored yet; the champion's first where none was scored at all, None before any champion."""
    scored: list[date] = []
    for table in context.project.graph.score_tables(model, ModelRole.CHAMPION):
        history = context.ledger.history(table)
        scored += [day for day in history.records if history.standing(day) is not None]
    if scored:
        return max(scored) + timedelta(1)
    champion = context.ledger.timeline(model).champion
    return champion.effective_from if champion is not None else None


def _log(
    context: Context, trained: Trained, reason: str, version: CodeVersion, code: list[Path]
) -> TrainingLog:
    declaration, winner, dates = trained.declaration, trained.fitted.winner, trained.pinned.dates
    metrics = flat_metrics("test", trained.test, intervals=True)
    metrics |= flat_metrics("validation", trained.fitted.validation, intervals=False)
    for name, found in trained.baselines.items():
        metrics |= flat_metrics(f"baseline_{name}", found, intervals=False)
    for name, texts in trained.segments.items():
        for text, found in texts.items():
            metrics |= flat_metrics(f"segment_{name}_{_slug(text)}", found, intervals=False)
    if trained.champion is not None:
        metrics |= flat_metrics("champion", trained.champion.evaluation, intervals=False)
    if trained.fitted.threshold is not None:
        metrics["threshold"] = trained.fitted.threshold
    metrics |= {f"seconds_{step.replace(' ', '_')}": seconds for step, seconds in trained.seconds.items()}
    tests = {"training": dates.train, "test": dates.test}
    return TrainingLog(
        declaration=declaration,
        contract=trained.contract,
        model=trained.fitted.model,
        facts=ModelFacts(
            model=declaration.name,
            problem=str(declaration.problem),
            entity=declaration.entity,
            features_table=declaration.features_table,
            features={name: str(trained.contract.column(name).type) for name in declaration.features},
            missing_shares=dict(trained.missing_shares),
            threshold=trained.fitted.threshold,
        ),
        parameters={
            "candidate": winner.candidate.name,
            "algorithm": str(winner.candidate.algorithm),
            **winner.parameters,
            "calibration": str(declaration.calibration),
            "seed": declaration.seed,
            "features": len(declaration.features),
            "train_first": dates.train[0],
            "train_last": dates.train[-1],
            "test_first": dates.test[0],
            "test_last": dates.test[-1],
            "gap_days": declaration.split.gap_days,
        },
        metrics=metrics,
        tags={
            "lakesmith.model": declaration.name,
            "lakesmith.as_of": dates.night.isoformat(),
            "lakesmith.reason": reason,
            "lakesmith.commit": version.commit,
            "lakesmith.dirty": str(version.dirty).lower(),
            "lakesmith.environment": context.settings.environment,
            "lakesmith.gates": "passed" if trained.passed else "failed",
        },
        inputs=[
            (table, context.lake.path(table), number, part)
            for table, number in trained.pinned.versions.items()
            for part in tests
        ],
        documents=lambda run_id: _documents(context, trained, version, run_id),
        pictures=_pictures(trained),
        code=code,
        baseline={
            part: found.to_dict() for part, found in trained.drift_baselines.items() if found is not None
        },
        requirements=[
            f"{name}=={version.packages[name]}" for name in _SPARK_PACKAGES if name in version.packages
        ],
    )


def _documents(context: Context, trained: Trained, version: CodeVersion, run_id: str) -> Mapping[str, Any]:
    evaluations = {
        "test": trained.test.to_dict(),
        "validation": trained.fitted.validation.to_dict(),
        "baselines": {name: found.to_dict() for name, found in trained.baselines.items()},
        "segments": {
            name: {text: found.to_dict() for text, found in texts.items()}
            for name, texts in trained.segments.items()
        },
        "train_mean": trained.train_mean,
    }
    if trained.champion is not None:
        evaluations["champion"] = {
            "version": trained.champion.event.version,
            "evaluation": trained.champion.evaluation.to_dict(),
        }
    return {
        "training.json": {**recipe(trained, context), "code": version.to_json()},
        EVALUATION_FILE: evaluations,
        "gates.json": [verdict.to_dict() for verdict in trained.verdicts],
        "trials.json": [
            {
                "candidate": trial.candidate.name,
                "parameters": dict(trial.parameters),
                trained.declaration.metric: trial.value,
                "seconds": round(trial.seconds, 3),
            }
            for trial in trained.fitted.trials
        ],
        "baseline_profile.json": dict(trained.profile),
        CARD: _card_text(trained, version, run_id, None),
        "declaration.yml": (context.project.root / trained.declaration.file).read_text(encoding="utf-8"),
    }


def _card_text(trained: Trained, code: CodeVersion, run_id: str, number: int | None) -> str:
    return model_card(replace(_card(trained, code, run_id), version=number))


def _card(trained: Trained, version: CodeVersion, run_id: str) -> CardFacts:
    declaration, dates, winner = trained.declaration, trained.pinned.dates, trained.fitted.winner
    champion = trained.champion
    validated = sorted({day for fold in dates.folds for day in fold.validate})
    parts = {"training": dates.train, "validation": tuple(validated), "test": dates.test}
    means = {
        "training": trained.train_mean,
        "validation": trained.fitted.validation.label_mean,
        "test": trained.test.label_mean,
    }
    commit = f"{version.commit}{' with local changes' if version.dirty else ''}"
    return CardFacts(
        model=declaration.name,
        version=None,
        run_id=run_id,
        owner=declaration.owner,
        description=declaration.description,
        intended_use=declaration.intended_use,
        night=dates.night,
        trained_at=now(),
        entity=declaration.entity,
        features_table=declaration.features_table,
        features=len(declaration.features),
        label=f"{declaration.label.table}.{declaration.label.column}",
        horizon_days=declaration.label.horizon_days,
        tables=tuple(
            TableFact(table, number, dates.all[0], dates.all[-1], sum(trained.rows.values()))
            for table, number in trained.pinned.versions.items()
        ),
        splits=tuple(
            SplitFact(name, days[0], days[-1], len(days), sum(trained.rows[day] for day in days), means[name])
            for name, days in parts.items()
        ),
        metric=declaration.metric,
        trials=tuple(
            TrialFact(trial.candidate.name, trial.parameters, trial.value, chosen=trial is winner)
            for trial in trained.fitted.trials
        ),
        algorithm=str(winner.candidate.algorithm),
        calibration=declaration.calibration,
        test=trained.test,
        baselines=trained.baselines,
        champion=ChampionFact(
            champion.event.version,
            champion.evaluation,
            declaration.gates.champion_metric,
            champion.difference,
        )
        if champion is not None
        else None,
        segments=trained.segments,
        gates=trained.verdicts,
        limits=declaration.limits,
        seed=declaration.seed,
        code_version=f"{commit}, Lakesmith {version.lakesmith_version}",
        environment={"python": version.python, **version.packages},
        importances=trained.importances,
    )


def _pictures(trained: Trained) -> dict[str, bytes]:
    test, others = trained.test, dict(trained.baselines)
    if trained.champion is not None:
        others[f"champion, version {trained.champion.event.version}"] = trained.champion.evaluation
    names, values = list(trained.importances), list(trained.importances.values())
    pictures = {"importances.png": plots.importances(names, values)}
    if is_classification(trained.declaration):
        return pictures | {
            "roc.png": plots.roc(test, others),
            "precision_recall.png": plots.precision_recall(test, others),
            "calibration.png": plots.calibration(test),
            "lift.png": plots.lift(test, others),
            "profit.png": plots.profit(test),
        }
    return pictures | {
        "predicted_and_observed.png": plots.predicted_and_observed(test, others),
        "residuals.png": plots.residuals(test),
    }


def _slug(text: str) -> str:
    """A text as part of a metric's name."""
    return "".join(c if c.isalnum() else "_" for c in text.lower())[:40]

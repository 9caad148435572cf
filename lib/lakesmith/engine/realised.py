"""Two versions by what became of those whom they scored, once that is known.

Owns which rows count for which version: those that it served, and, for the comparison on the same rows, also those that it
scored in shadow. Nothing is scored again; what was published counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import METRICS, ModelDeclaration
from lakesmith.contracts.model import ModelRole
from lakesmith.engine.context import Context
from lakesmith.engine.scored_rows import Outcomes, outcomes, score_table
from lakesmith.errors import InputMissing
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ml.bootstrap import intervals, ratio
from lakesmith.ml.evaluation_values import Evaluation, Interval
from lakesmith.ml.fitting import evaluate, paired_difference
from lakesmith.ml.serving import ModelFacts
from lakesmith.ml.store import MODEL_FOLDER, ModelStore

__all__ = ["Arms", "Realised", "Served", "compare_realised"]


@dataclass(frozen=True)
class Served:
    """What one version came to among those whom it served.

    Args:
        days: the first and the last batch; None where it served nobody whose label is known.
        outcome: the mean of the labels, with the interval of resampling the entities; None as above.
        evaluation: None as above.
    """

    version: int
    days: BatchRange | None
    outcome: Interval | None
    evaluation: Evaluation | None


@dataclass(frozen=True)
class Arms:
    """Both versions on the rows that both scored.

    Args:
        days: the first and the last batch.
        differences: metric -> first minus second, rows paired.
    """

    days: BatchRange
    evaluations: tuple[Evaluation, Evaluation]
    differences: Mapping[str, Interval]


@dataclass(frozen=True)
class Realised:
    """Two versions by what really happened.

    Args:
        served: each version among those whom it served.
        paired: both on the same rows, in shadow or not; None where there are no such rows.
    """

    model: str
    versions: tuple[int, int]
    served: tuple[Served, Served]
    paired: Arms | None


def compare_realised(
    context: Context, declaration: ModelDeclaration, first: ModelEvent, second: ModelEvent
) -> Realised:
    """Compares two versions by their published scores and the labels that have come since.

    Raises:
        InputMissing: neither version has a score whose label is known.
    """
    served = [_rows(context, declaration, event.version, ModelRole.CHAMPION) for event in (first, second)]
    shadow = [_rows(context, declaration, event.version, ModelRole.CHALLENGER) for event in (first, second)]
    if all(rows is None for rows in (*served, *shadow)):
        raise InputMissing(
            f"no score of {declaration.name} versions {first.version} and {second.version} has a label yet: labels of D are "
            f"known {declaration.label.horizon_days} days later, in {declaration.label.table}."
        )
    thresholds = _threshold(context, first), _threshold(context, second)
    return Realised(
        declaration.name,
        (first.version, second.version),
        (
            _served(declaration, first.version, served[0], thresholds[0]),
            _served(declaration, second.version, served[1], thresholds[1]),
        ),
        _paired(declaration, _scored(served[0], shadow[0]), _scored(served[1], shadow[1]), thresholds),
    )


def _rows(context: Context, declaration: ModelDeclaration, version: int, role: ModelRole) -> Outcomes | None:
    table = score_table(context, declaration.name, role)
    names = [table.table if table is not None else "", declaration.label.table]
    if table is None or any(context.lake.open(name) is None for name in names):
        return None
    found = outcomes(context, declaration, table, version)
    return found if len(found) else None


def _scored(served: Outcomes | None, shadow: Outcomes | None) -> Outcomes | None:
    """The rows that a version scored in any way; what it served goes before what it scored in shadow."""
    if served is None or shadow is None:
        return served or shadow
    return served.and_others(shadow)


def _served(
    declaration: ModelDeclaration, version: int, rows: Outcomes | None, threshold: float | None
) -> Served:
    if rows is None:
        return Served(version, None, None, None)
    found = evaluate(declaration, rows.predictions, threshold)
    return Served(version, rows.days, _outcome(declaration, rows), found)


def _outcome(declaration: ModelDeclaration, rows: Outcomes) -> Interval:
    """The mean label, entities resampled."""
    numbers, labels = rows.numbers, rows.labels
    sums, counts = np.bincount(numbers, labels), np.bincount(numbers).astype(float)
    found = intervals(
        len(counts),
        len(rows),
        lambda weights: {"outcome": ratio(weights @ sums, weights @ counts)},
        replicates=declaration.bootstrap,
        seed=declaration.seed,
    )
    return found["outcome"]


def _paired(
    declaration: ModelDeclaration,
    first: Outcomes | None,
    second: Outcomes | None,
    thresholds: tuple[float | None, float | None],
) -> Arms | None:
    if first is None or second is None:
        return None
    one, other = first.matched(second)
    if not len(one):
        return None
    found = one.predictions, other.predictions
    return Arms(
        one.days,
        (evaluate(declaration, found[0], thresholds[0]), evaluate(declaration, found[1], thresholds[1])),
        {
            metric: paired_difference(declaration, *found, metric, thresholds)
            for metric in METRICS[declaration.problem]
        },
    )


def _threshold(context: Context, event: ModelEvent) -> float | None:
    with ModelStore(context.settings).artifacts(event.model, event.run_id, MODEL_FOLDER) as folder:
        return ModelFacts.read(folder).threshold

"""A column's batches beside its baseline: every figure of how they differ.

Owns the figures of one comparison, with what they are where a side is empty, constant or all null. Whether that is called
drift is `lakesmith.monitoring.decision`. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lakesmith.monitoring.cells import Cells, cells_of, missing_cells, new_categories, vanished_categories
from lakesmith.monitoring.distances import (
    Test,
    chi_squared,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
    more_of_the_rare,
    population_stability,
    stability_of_chance,
    total_variation,
    wasserstein,
)
from lakesmith.monitoring.profile import ColumnProfile

__all__ = ["Comparison", "Evidence", "compare", "usual_effect"]

_USUAL_LEVEL = 0.95


@dataclass(frozen=True)
class Evidence:
    """What is judged: how much differs, and how likely chance alone makes such a difference.

    Args:
        effect: the population stability index less what chance gives on average; at least 0.
        pvalue: of the tests that samples are drawn from one distribution; with two tests twice the smaller one.
    """

    effect: float
    pvalue: float


@dataclass(frozen=True)
class Comparison:
    """How a column's batches differ from its baseline. A figure is None where it is undefined, never NaN.

    Args:
        baseline: the profile that is compared with.
        current: the profile of the batches.
        cells: both as counts over the same cells.
        repeated: the batches hold the same entities again and again.
        population_stability_index: over the cells, as are js_distance, tv_distance, l_infinity_distance and chi_squared.
        ks: only of numbers, over the fine bins, nulls and NaN left aside; as is wasserstein_distance.
        distribution: over the cells; None where a side has no row.
        missing: the same over value, NaN and null only.
        new: values that the baseline does not have.
        vanished: values that are gone.
    """

    baseline: ColumnProfile
    current: ColumnProfile
    cells: Cells
    repeated: bool
    population_stability_index: float | None
    js_distance: float | None
    tv_distance: float | None
    l_infinity_distance: float | None
    chi_squared: Test | None
    ks: Test | None
    wasserstein_distance: float | None
    distribution: Evidence | None
    missing: Evidence | None
    new: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def rows(self) -> float:
        """How many independent rows the smaller side has: those of one batch where entities repeat."""
        thin = _thin(self.baseline, self.current, self.repeated)
        return min(self.baseline.count / thin[0], self.current.count / thin[1])


def compare(baseline: ColumnProfile, current: ColumnProfile, *, repeated: bool = False) -> Comparison:
    """Every figure of how two profiles of a column differ.

    Args:
        baseline: what is compared with.
        current: what is compared, measured by the baseline's layout.
        repeated: the batches of each side hold the same entities (a row per customer each night): as many independent rows
            as one batch has, though many were added up. Tests that took them all for independent would cry wolf.

    Raises:
        ProfilesDiffer: they were measured in different ways.
    """
    cells = cells_of(baseline, current)
    thin = _thin(baseline, current, repeated)
    thinned = cells.thinned(*thin)
    ks = transport = None
    if baseline.numbers is not None and current.numbers is not None:
        ks = kolmogorov_smirnov(baseline.numbers, current.numbers, thin=thin)
        ranges = [(p.minimum, p.maximum) for p in (baseline, current)]
        known = [(low, high) for low, high in ranges if low is not None and high is not None]
        if len(known) == 2:
            transport = wasserstein(
                baseline.numbers, current.numbers, baseline_range=known[0], current_range=known[1]
            )
    return Comparison(
        baseline,
        current,
        cells,
        repeated,
        population_stability_index=population_stability(cells.baseline, cells.current),
        js_distance=jensen_shannon(cells.baseline, cells.current),
        tv_distance=total_variation(cells.baseline, cells.current),
        l_infinity_distance=l_infinity(cells.baseline, cells.current),
        chi_squared=chi_squared(thinned.baseline, thinned.current),
        ks=ks,
        wasserstein_distance=transport,
        distribution=_evidence(thinned),
        missing=_evidence(missing_cells(baseline, current).thinned(*thin)),
        new=tuple(new_categories(baseline, current)),
        vanished=tuple(vanished_categories(baseline, current)),
    )


def usual_effect(
    baseline: ColumnProfile, windows: Sequence[ColumnProfile], *, repeated: bool = False
) -> float:
    """How far a quiet window is off the baseline: the 0.95 quantile of the effects of the baseline's own windows.

    Weekdays, months and chance make batches differ from their sum. What the baseline's own batches do is no drift.

    Args:
        baseline: the sum of all its batches.
        windows: the baseline's batches, added up to windows of the length that is judged.
        repeated: as `compare` has it.

    Returns:
        0 without windows.
    """
    compared = (compare(baseline, window, repeated=repeated).distribution for window in windows)
    effects = sorted(found.effect for found in compared if found is not None)
    return effects[int(_USUAL_LEVEL * (len(effects) - 1))] if effects else 0.0


def _thin(baseline: ColumnProfile, current: ColumnProfile, repeated: bool) -> tuple[float, float]:
    return (max(baseline.batches, 1), max(current.batches, 1)) if repeated else (1, 1)


def _evidence(cells: Cells) -> Evidence | None:
    index = population_stability(cells.baseline, cells.current)
    test = chi_squared(cells.baseline, cells.current)
    if index is None or test is None:
        return None
    rare = more_of_the_rare(cells.baseline, cells.current)
    pvalue = test.pvalue if rare is None else min(1.0, 2 * min(test.pvalue, rare))
    effect = max(0.0, index - stability_of_chance(cells.baseline, cells.current))
    return Evidence(effect, pvalue)

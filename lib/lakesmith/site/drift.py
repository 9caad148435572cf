"""Drift of a table's columns: what was decided, by which figures, and two pictures each. Pure.

The figures are those of the rows of `monitoring.drift_metrics`; nothing is computed anew but the cells of the pictures: of
numbers about ten, each with a tenth of the baseline where its values do not repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.ledger.troubles import count
from lakesmith.monitoring.stored import TREND
from lakesmith.site import charts
from lakesmith.site.charts import Chart
from lakesmith.site.metrics import Drift, Histogram, MetricTables
from lakesmith.site.words import amount, whole

__all__ = ["FIGURES", "ColumnDrift", "column_drifts", "picture_cells"]

FIGURES = (
    ("population_stability_index", "population stability index"),
    ("js_distance", "Jensen-Shannon distance"),
    ("ks_test", "Kolmogorov-Smirnov statistic"),
    ("chi_squared_test", "chi-squared statistic"),
    ("wasserstein_distance", "Wasserstein distance"),
    ("tv_distance", "total variation"),
    ("l_infinity_distance", "L-infinity distance"),
    ("avg_delta", "change of the mean"),
    ("percent_null_delta", "change of nulls, percentage points"),
)
"""The figures of a comparison in the order in which they are shown, each with its name."""

_CELLS = 10
_CATEGORIES = 12
_NIGHTS = 180
_ORDER = {"drifted": 0, "no trend": 2, "too few": 3}


@dataclass(frozen=True)
class ColumnDrift:
    """One column.

    Args:
        newest: its last comparison with a baseline, else with the window before.
        says: what was decided, in a sentence.
        spread: baseline and current rows by cell; None where no histogram is kept.
        through_time: the index night by night; None with one night only.
        slices: last comparisons of slices that drifted.
    """

    column: str
    newest: Drift
    before: Drift | None
    says: str
    spread: Chart | None
    through_time: Chart | None
    slices: Sequence[Drift] = ()


def column_drifts(metrics: MetricTables, table: str, night: date | None = None) -> list[ColumnDrift]:
    """The columns of a table, drifted ones first, each with its last comparison.

    Args:
        night: only columns that were compared in this night.
    """
    found = []
    for column in metrics.columns_judged(table):
        nights = metrics.drift[table, column]
        against = [d for d in nights if not d.slice and d.kind != "CONSECUTIVE"]
        consecutive = [d for d in nights if not d.slice and d.kind == "CONSECUTIVE"]
        shown = against or consecutive
        if not shown or (night is not None and shown[-1].last != night):
            continue
        newest = shown[-1]
        slices = {d.slice: d for d in nights if d.slice and d.kind == newest.kind}
        found.append(
            ColumnDrift(
                column=column,
                newest=newest,
                before=consecutive[-1] if against and consecutive else None,
                says=_says(newest),
                spread=_spread(metrics, newest),
                through_time=_through_time(shown[-_NIGHTS:]),
                slices=[d for d in slices.values() if d.drifted and d.last == newest.last],
            )
        )
    return sorted(found, key=lambda c: (_ORDER.get(c.newest.verdict, 1), -_effect(c.newest), c.column))


def _effect(drift: Drift) -> float:
    return drift.figures.get("effect") or 0.0


def _says(drift: Drift) -> str:
    against = drift.baseline or ("its baseline" if drift.kind != "CONSECUTIVE" else "the window before")
    if drift.reason == TREND:
        against = "its trend"
    window = f"{count(drift.days, 'batch')} to {drift.last}"
    rows = drift.figures.get("rows_judged")
    judged = f", {whole(rows)} independent rows" if rows is not None else ""
    figures = (
        f"effect {amount(drift.figures.get('effect'), 3)}, limit {amount(drift.figures.get('effect_limit'), 3)}; "
        f"corrected p {amount(drift.figures.get('adjusted_pvalue'), 3)}"
    )
    why = f" by its {drift.reason}" if drift.reason and drift.reason != TREND else ""
    verdict = {"drifted": f"Drifted{why}", "stable": "Stable", "too few": "Too few rows to say"}.get(
        drift.verdict, f"{drift.verdict[:1].upper()}{drift.verdict[1:]}" if drift.verdict else "Not judged"
    )
    changed = [f"new: {', '.join(drift.new[:5])}" if drift.new else ""]
    changed += [f"gone: {', '.join(drift.vanished[:5])}" if drift.vanished else ""]
    also = "".join(f"; {text}" for text in changed if text)
    return f"{verdict} against {against}: {figures}; {window}{judged}{also}."


def _spread(metrics: MetricTables, drift: Drift) -> Chart | None:
    name = (drift.table, drift.column)
    current = _window(metrics.recent.get(name, {}), drift)
    if current is None or not current.rows:
        return None
    baseline = metrics.baselines.get(name)
    if baseline is not None and (baseline.edges != current.edges or not baseline.rows):
        baseline = None
    labels, counted = picture_cells(baseline, current)
    says = f"Share of rows by cell, {count(drift.days, 'batch')} to {drift.last}"
    series = {"now": counted[-1]} if baseline is None else {"now": counted[-1], "baseline": counted[0]}
    return charts.histogram(f"{drift.column}: how it is spread", says, labels, series, "share of rows, %")


def _window(recent: Mapping[date, Histogram], drift: Drift) -> Histogram | None:
    """The batches of the window together; only those that were counted on the bins of the last."""
    days = [drift.last - timedelta(back) for back in range(drift.days)]
    whole_window = recent.get(drift.last)
    for day in days[1:]:
        earlier = recent.get(day)
        if whole_window is not None and earlier is not None:
            whole_window = whole_window.plus(earlier) or whole_window
    return whole_window


def picture_cells(baseline: Histogram | None, current: Histogram) -> tuple[list[str], list[list[float]]]:
    """What the cells of a picture are called, and the percent of the rows in each; of the baseline first, where there is one."""
    sides = [side for side in (baseline, current) if side is not None]
    if current.edges:
        labels, groups = _number_groups(baseline if baseline is not None else current)
        shares = [[sum(side.counts[at] for at in group) for group in groups] for side in sides]
    else:
        known: dict[str, int] = {}
        for side in sides:
            for label, n in zip(side.labels, side.counts, strict=False):
                known[label] = known.get(label, 0) + n
        ranked = sorted(known, key=lambda label: (-known[label], label))
        labels, rest = ranked[:_CATEGORIES], ranked[_CATEGORIES:]
        shares = []
        for side in sides:
            counted = dict(zip(side.labels, side.counts, strict=False))
            others = [sum(counted.get(label, 0) for label in rest)] if rest else []
            shares.append([*(counted.get(label, 0) for label in labels), *others])
        labels = [*labels, *(["(others)"] if rest else [])]
    if any(side.nulls for side in sides):
        labels = [*labels, "(null)"]
        shares = [[*found, side.nulls] for found, side in zip(shares, sides, strict=True)]
    return labels, [[100 * n / side.rows for n in found] for found, side in zip(shares, sides, strict=True)]


def _number_groups(base: Histogram) -> tuple[list[str], list[list[int]]]:
    """Neighbouring bins put together until each holds about a tenth; below and above stay alone."""
    aim = sum(base.counts) / _CELLS
    edges, last = base.edges, len(base.edges)
    groups, labels, open_group, held, low = [[0]], [f"< {amount(edges[0], 3)}"], list[int](), 0, edges[0]
    for at in range(1, last):
        open_group.append(at)
        held += base.counts[at]
        if held >= aim or at == last - 1:
            high = edges[at]
            labels.append(amount(high, 3) if low == high else f"{amount(low, 3)} to {amount(high, 3)}")
            groups.append(open_group)
            open_group, held, low = [], 0, high
    groups.append([last])
    labels.append(f"> {amount(edges[-1], 3)}")
    # Neighbours may round to the same text, and a picture has one place for each name.
    return [text if text not in labels[:at] else f"{text} ({at})" for at, text in enumerate(labels)], groups


def _through_time(nights: Sequence[Drift]) -> Chart | None:
    if len(nights) < 2:
        return None
    days = [night.last for night in nights]
    # Windows of several lengths have several limits: in parts of its own each night compares with the others.
    parts = [_part_of_limit(night) for night in nights]
    index = [night.figures.get("population_stability_index") for night in nights]
    judged = any(part is not None for part in parts)
    name, values = ("effect", parts) if judged else ("index", index)
    if not any(value is not None for value in values):
        return None
    known = [value for value in values if value is not None]
    drifted = sum(night.drifted for night in nights)
    highest = f"{amount(max(known), 3)}{' times the limit' if judged else ''}"
    says = f"{count(len(days), 'night')}, highest {highest}; drift was found in {drifted}."
    return charts.lines(
        f"{nights[-1].column}: {name} through time",
        says,
        days,
        {name: values},
        "times the limit" if judged else name,
        limits={"limit": 1.0} if judged else None,
        width=300,
    )


def _part_of_limit(drift: Drift) -> float | None:
    effect, limit = drift.figures.get("effect"), drift.figures.get("effect_limit")
    return effect / limit if effect is not None and limit else None

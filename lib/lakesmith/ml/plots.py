"""Plots of an evaluation, as PNG bytes.

Owns what each plot of a classification shows, and the list of all plots. Its title is the finding; a reader who sees
nothing else has read the number and how sure it is. The data come from `Evaluation.curves`, never from rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from lakesmith.ml.evaluation_values import ClassificationCurves, Curve, Evaluation, Interval
from lakesmith.ml.importance_plot import importances
from lakesmith.ml.plot_style import (
    FAINT,
    INK,
    MODEL,
    OTHERS,
    QUIET,
    REFERENCE,
    Line,
    frame,
    key,
    made_of,
    note,
    png,
    styled,
)
from lakesmith.ml.regression_plots import predicted_and_observed, residuals
from lakesmith.ml.wording import interval_text, number_text, thousands

__all__ = [
    "calibration",
    "importances",
    "lift",
    "precision_recall",
    "predicted_and_observed",
    "profit",
    "residuals",
    "roc",
]

# Precision over the first few rows jumps between 0 and 1 and says nothing: it is drawn from here on.
_LEAST_RECALL = 0.01


class _Line(NamedTuple):
    """A curve with the name and the metric that it is listed by."""

    name: str
    curve: Curve
    found: Interval


def roc(evaluation: Evaluation, others: Mapping[str, Evaluation], *, on: str = "Test") -> bytes:
    """The receiver operating characteristic: the model's and that of others on the same rows.

    Args:
        evaluation: of the model, a classification.
        others: baselines and the champion by name; the first six are shown.
        on: the split the rows are of, which begins the title.
    """
    lines = [
        _Line(name, _curves(each).roc, each.metrics["roc_auc"]) for name, each in _named(evaluation, others)
    ]
    with styled():
        figure = frame(f"{on} ROC AUC {interval_text(evaluation.metrics['roc_auc'])}", made_of(evaluation))
        axes = figure.add_subplot()
        _unit_axes(axes, "taken share of the negative rows", "taken share of the positive rows")
        axes.plot([0, 1], [0, 1], **REFERENCE)
        _draw(axes, lines, "lower right")
        return png(figure)


def precision_recall(evaluation: Evaluation, others: Mapping[str, Evaluation], *, on: str = "Test") -> bytes:
    """Precision against recall: the model's and that of others on the same rows.

    Args:
        evaluation: of the model, a classification.
        others: baselines and the champion by name; the first six are shown.
        on: the split the rows are of, which begins the title.
    """
    rate = evaluation.base_rate
    lines = [
        _Line(name, _from_recall(_curves(each).pr), each.metrics["pr_auc"])
        for name, each in _named(evaluation, others)
    ]
    with styled():
        found = interval_text(evaluation.metrics["pr_auc"])
        figure = frame(f"{on} average precision {found}", made_of(evaluation))
        axes = figure.add_subplot()
        _unit_axes(
            axes, "recall: taken share of the positive rows", "precision: positive share of those taken"
        )
        axes.axhline(rate, **REFERENCE)
        note(axes, 0.005, rate, f"base rate {number_text(rate)}", "below" if rate > 0.1 else "above")
        _draw(axes, lines, "upper right")
        return png(figure)


def calibration(evaluation: Evaluation, *, on: str = "Test") -> bytes:
    """What was observed where the model said so much, and how many rows it said it of.

    Args:
        evaluation: of the model, a classification.
        on: the split the rows are of, which begins the title.
    """
    curves = _curves(evaluation)
    filled = [each for each in curves.calibration if each.count]
    with styled():
        title = f"{on} calibration error {interval_text(evaluation.metrics['ece'])}"
        figure = frame(title, made_of(evaluation), size=(7.2, 6.2))
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _unit_axes(axes, "", "observed share of positive rows")
        axes.plot([0, 1], [0, 1], **REFERENCE)
        note(axes, 0.94, 0.95, "as predicted", "above", ha="right")
        axes.plot(
            [each.predicted for each in filled],
            [each.observed for each in filled],
            color=MODEL,
            linewidth=1.8,
            marker="o",
            markersize=6,
            clip_on=False,
        )
        axes.tick_params(labelbottom=False)
        _histogram(below, curves)
        figure.align_ylabels([axes, below])
        return png(figure)


def _histogram(axes: Axes, curves: ClassificationCurves) -> None:
    shown = curves.probabilities
    width = shown.edges[1] - shown.edges[0]
    for counts, color in ((shown.counts, FAINT), (shown.positives, MODEL)):
        axes.bar(shown.edges[:-1], counts, width * 0.92, align="edge", color=color)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("rows")
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: thousands(value)))
    for text, color, height in (("positive", MODEL, 0.97), ("negative", QUIET, 0.77)):
        axes.text(0.985, height, text, color=color, ha="right", va="top", transform=axes.transAxes)


def lift(evaluation: Evaluation, others: Mapping[str, Evaluation], *, on: str = "Test") -> bytes:
    """The observed rate of each tenth of the rows, best first, over the base rate.

    Args:
        evaluation: of the model, a classification.
        others: baselines and the champion by name; the first six that rank at all are shown.
        on: the split the rows are of, which begins the title.
    """
    values = _curves(evaluation).lift
    tenths = range(1, len(values) + 1)
    ranking = [(name, _curves(other).lift) for name, other in others.items()]
    ranking = [(name, heights) for name, heights in ranking if max(heights) - min(heights) > 1e-9]
    entries: list[tuple[str, Line]] = [("model", {"color": MODEL, "linewidth": 7, "solid_capstyle": "butt"})]
    with styled():
        title = f"{on} lift of the best tenth {interval_text(evaluation.metrics['lift_10'])}"
        figure = frame(title, made_of(evaluation))
        axes = figure.add_subplot()
        axes.bar(tenths, values, 0.72, color=MODEL)
        axes.axhline(1, **REFERENCE)
        for (name, heights), color in zip(ranking, OTHERS, strict=False):
            look: Line = {"color": color, "linewidth": 2.2, "solid_capstyle": "butt"}
            for tenth, height in zip(tenths, heights, strict=True):
                axes.plot([tenth - 0.42, tenth + 0.42], [height, height], **look)
            entries.append((name, look))
        # The number stands at the foot of its bar, and on top of one that is too low for it.
        low = 0.06 * max((height for height in values if not math.isnan(height)), default=1)
        for tenth, height in zip(tenths, values, strict=True):
            if not math.isnan(height):
                at, color = (0.0, "white") if height > low else (height, INK)
                note(axes, tenth, at, f"{height:.2f}", "above", ha="center", color=color)
        axes.set_ylim(bottom=0)
        axes.set_xticks(list(tenths))
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel("tenth of the rows, highest probabilities first")
        axes.set_ylabel(f"observed rate / base rate ({number_text(evaluation.base_rate)})")
        key(axes, entries, "upper right")
        return png(figure)


def profit(evaluation: Evaluation, *, on: str = "Test") -> bytes:
    """What contacting everybody from a threshold on would have brought, for every threshold.

    Args:
        evaluation: of the model, a classification.
        on: the split the rows are of, which begins the title.
    """
    curve, threshold, costs = _curves(evaluation).profit, evaluation.threshold, evaluation.costs
    if threshold is None or costs is None:
        raise TypeError("a profit needs a threshold and costs, and this evaluation has none")
    found, everybody = evaluation.metrics["profit"], curve.y[-1]
    paid = f"a contact costs {costs.contact:g} and brings {costs.gain:g} where it is positive"
    with styled():
        title = f"{on} profit for 1,000 rows: {interval_text(found)}"
        figure = frame(
            title if threshold <= 1 else f"{on}: nobody is contacted, since no contact pays",
            f"{made_of(evaluation, bounds=False)}; {paid}",
        )
        axes = figure.add_subplot()
        axes.axhline(0, **REFERENCE)
        # Above the highest probability nobody is contacted, below the lowest everybody.
        x, y = (1.0, curve.x[0], *curve.x, 0.0), (0.0, 0.0, *curve.y, everybody)
        axes.plot(x, y, color=MODEL, linewidth=1.8, drawstyle="steps-post")
        axes.set_xlim(-0.01, 1.01)
        axes.margins(y=0.12)
        axes.set_xlabel("threshold: least probability that is contacted")
        axes.set_ylabel("profit for 1,000 rows")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: thousands(value)))
        note(axes, 1, 0, "contact nobody", "above", ha="right")
        note(axes, 0, everybody, f"contact everybody: {thousands(everybody)}", "below")
        if threshold <= 1:
            axes.plot([threshold], [found.value], "o", color=OTHERS[0], markersize=8, zorder=4)
            text = f"threshold {number_text(threshold)}, chosen on validation"
            note(axes, threshold + 0.015, found.value, text, "above", color=OTHERS[0])
        return png(figure)


def _unit_axes(axes: Axes, across: str, up: str) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    axes.xaxis.set_major_locator(MultipleLocator(0.2))
    axes.yaxis.set_major_locator(MultipleLocator(0.2))
    axes.set_xlabel(across)
    axes.set_ylabel(up)


def _named(evaluation: Evaluation, others: Mapping[str, Evaluation]) -> list[tuple[str, Evaluation]]:
    return [("model", evaluation), *others.items()]


def _from_recall(curve: Curve) -> Curve:
    first = sum(x < _LEAST_RECALL for x in curve.x)
    return Curve(curve.x[first:], curve.y[first:])


def _draw(axes: Axes, lines: Sequence[_Line], place: str) -> None:
    """Draws the curves, the first as the model's, and names them with their metric, the best first."""
    looks: list[Line] = [{"color": MODEL, "linewidth": 2.4, "zorder": 3}]
    looks += [{"color": color, "linewidth": 1.3, "zorder": 2} for color in OTHERS]
    drawn = list(zip(lines, looks, strict=False))
    for line, look in drawn:
        # A model that says the same of everybody is a point.
        axes.plot(line.curve.x, line.curve.y, marker="o" if len(line.curve.x) == 1 else None, **look)
    drawn.sort(
        key=lambda pair: -math.inf if math.isnan(pair[0].found.value) else pair[0].found.value, reverse=True
    )
    key(axes, [(f"{line.name}  {interval_text(line.found)}", look) for line, look in drawn], place)


def _curves(evaluation: Evaluation) -> ClassificationCurves:
    if not isinstance(evaluation.curves, ClassificationCurves):
        raise TypeError("this plot is of a classification, and the evaluation of a regression")
    return evaluation.curves

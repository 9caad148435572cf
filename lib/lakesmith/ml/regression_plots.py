"""The plots of a regression's evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lakesmith.ml.evaluation_values import Evaluation, Histogram, RegressionCurves
from lakesmith.ml.plot_style import (
    MODEL,
    OTHERS,
    REFERENCE,
    Line,
    frame,
    key,
    made_of,
    png,
    styled,
)
from lakesmith.ml.wording import interval_text, number_text, thousands

__all__ = ["predicted_and_observed", "residuals"]


def predicted_and_observed(
    evaluation: Evaluation, others: Mapping[str, Evaluation], *, on: str = "Test"
) -> bytes:
    """The mean label of each tenth of the predictions against their mean.

    Args:
        evaluation: of the model, a regression.
        others: baselines and the champion by name; the first six are shown.
        on: the split the rows are of, which begins the title.
    """
    looks: list[Line] = [{"color": MODEL, "linewidth": 2.2, "marker": "o", "markersize": 6, "zorder": 3}]
    looks += [
        {"color": color, "linewidth": 1.3, "marker": "o", "markersize": 4, "zorder": 2} for color in OTHERS
    ]
    named = [(name, each, _curves(each).deciles) for name, each in (("model", evaluation), *others.items())]
    with styled():
        figure = frame(f"{on} R² {interval_text(evaluation.metrics['r2'])}", made_of(evaluation))
        axes = figure.add_subplot()
        entries = []
        for (name, each, deciles), look in zip(named, looks, strict=False):
            axes.plot([one.predicted for one in deciles], [one.observed for one in deciles], **look)
            entries.append((f"{name}  R² {number_text(each.metrics['r2'].value)}", look))
        anywhere = named[0][2][0].predicted
        axes.axline((anywhere, anywhere), slope=1, **REFERENCE)
        axes.set_xlabel("mean prediction of a tenth of the rows")
        axes.set_ylabel("mean label of the same rows")
        key(axes, [*entries, ("as predicted", REFERENCE)], "upper left")
        return png(figure)


def residuals(evaluation: Evaluation, *, on: str = "Test") -> bytes:
    """How far labels lie from predictions, small and large ones, and how often.

    Args:
        evaluation: of the model, a regression.
        on: the split the rows are of, which begins the title.
    """
    curves = _curves(evaluation)
    found, bias = evaluation.metrics["rmse"], evaluation.metrics["bias"].value
    median: Line = {"color": MODEL, "linewidth": 1.4, "marker": "o", "markersize": 5}
    band: Line = {"color": MODEL, "linewidth": 5, "alpha": 0.28}
    with styled():
        title = f"{on} RMSE {interval_text(found)}, bias {number_text(bias, beside=found.value)}"
        figure = frame(title, made_of(evaluation))
        axes, aside = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        x = [each.predicted for each in curves.deciles]
        lows, highs = (
            [getattr(each, edge) for each in curves.deciles] for edge in ("residual_low", "residual_high")
        )
        axes.axhline(0, **REFERENCE)
        axes.vlines(x, lows, highs, **band)
        axes.plot(x, [each.residual_median for each in curves.deciles], **median)
        axes.margins(y=0.1)
        axes.set_xlabel("mean prediction of a tenth of the rows")
        axes.set_ylabel("label \N{MINUS SIGN} prediction")
        key(axes, [("median", median), ("eight of ten rows", band)], "upper left")
        _histogram(aside, curves.residuals)
        return png(figure)


def _histogram(axes: Axes, shown: Histogram) -> None:
    heights = [0.9 * (high - low) for low, high in itertools.pairwise(shown.edges)]
    axes.barh(shown.edges[:-1], shown.counts, heights, align="edge", color=MODEL)
    axes.axhline(0, **REFERENCE)
    axes.set_xlabel("rows")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: thousands(value)))


def _curves(evaluation: Evaluation) -> RegressionCurves:
    if not isinstance(evaluation.curves, RegressionCurves):
        raise TypeError("this plot is of a regression, and the evaluation of a classification")
    return evaluation.curves

"""The plot of what a model looks at."""

from __future__ import annotations

from collections.abc import Sequence

from lakesmith.ml.plot_style import INK, MODEL, QUIET, frame, png, styled
from lakesmith.ml.wording import number_text

__all__ = ["importances"]

_MOST = 20


def importances(names: Sequence[str], values: Sequence[float], *, measure: str = "importance") -> bytes:
    """The features that matter most, largest first; at most twenty.

    Args:
        names: of the features, at least one.
        values: how much each matters, as many; less than 0 ranks by its size.
        measure: what the values are, for the axis.
    """
    ranked = sorted(zip(names, values, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
    shown = ranked[:_MOST]
    count = "1 feature" if len(ranked) == 1 else f"{len(ranked)} features, the largest first"
    with styled():
        figure = frame(
            f"{shown[0][0]} matters most: {number_text(shown[0][1])}",
            f"{_MOST} of {count}" if len(ranked) > _MOST else count,
            size=(7.2, 1.5 + 0.27 * max(len(shown), 3)),
        )
        axes = figure.add_subplot()
        places = range(len(shown))
        axes.barh(places, [value for _, value in shown], 0.7, color=MODEL)
        axes.set_yticks(list(places), [name for name, _ in shown], color=INK)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.margins(x=0.1)
        axes.set_xlabel(measure)
        axes.tick_params(axis="y", length=0)
        axes.axvline(0, color=QUIET, linewidth=0.8)
        axes.spines["left"].set_visible(False)
        for place, (_, value) in zip(places, shown, strict=True):
            # Right of the bar, also of one that points to the left: left of it are the names.
            at, text = (max(value, 0.0), place), number_text(value, beside=shown[0][1])
            axes.annotate(
                text, at, (4, 0), textcoords="offset points", va="center", fontsize=8.5, color=QUIET
            )
        return png(figure)

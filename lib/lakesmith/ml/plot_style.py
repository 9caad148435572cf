"""How plots look, and how they become PNG.

Owns the palette, the frame around every plot and the promise that the same numbers give the same bytes: matplotlib's own
fonts, none of the user's settings, no date and no version in the file. No pyplot, so no state between plots.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker, TextArea, VPacker

from lakesmith.ml.evaluation_values import Evaluation
from lakesmith.ml.wording import counted

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType

__all__ = [
    "FAINT",
    "INK",
    "MODEL",
    "OTHERS",
    "QUIET",
    "REFERENCE",
    "Line",
    "frame",
    "key",
    "made_of",
    "note",
    "png",
    "styled",
]

Line = dict[str, Any]
"""How a line is drawn, as matplotlib's keywords."""

MODEL = "#1f4e79"
"""The model itself, everywhere."""
OTHERS = ("#c0702a", "#6f8f72", "#8a6fa8", "#7f7f7f", "#4fa3b5", "#b8a13a")
"""What it is compared with, in order."""
INK = "#222222"
QUIET = "#6b6b6b"
FAINT = "#d5d5d5"
REFERENCE: Line = {"color": "#b3b3b3", "linewidth": 1.0, "zorder": 1}
"""A line that says where nothing would be gained, or nothing be wrong."""

_SIZE = (7.2, 5.2)
_DPI = 140
_STYLE: dict[RcKeyType, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.unicode_minus": True,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "lines.solid_capstyle": "round",
    "text.parse_math": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults and this style, whatever the user has set; it's as before afterwards."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def frame(title: str, subtitle: str, *, size: tuple[float, float] = _SIZE) -> Figure:
    """An empty figure with its finding as title and what it was found on below that.

    Args:
        size: width and height in inches.
    """
    figure = Figure(figsize=size, dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    top = 1 - 0.16 / size[1]
    figure.text(0.025, top, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.025, top - 0.30 / size[1], subtitle, fontsize=9.5, color=QUIET, va="top")
    room = (0.018, 0.01, 0.97, 1 - 0.72 / size[1])
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=room, w_pad=0.06, h_pad=0.06, wspace=0, hspace=0))
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG, without metadata."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def key(axes: Axes, entries: Sequence[tuple[str, Line]], place: str) -> None:
    """Names the lines of a plot, each after a piece of its line.

    Args:
        entries: text and looks of each line, in the order they are listed.
        place: matplotlib's `loc`: where the plot has room.
    """
    rows: list[Artist] = []
    for text, line in entries:
        sample = DrawingArea(24, 10)
        sample.add_artist(Line2D([2, 22], [5, 5], **line))
        words = TextArea(text, textprops={"fontsize": 9.5, "color": line["color"]})
        rows.append(HPacker(children=[sample, words], align="center", pad=0, sep=5))
    block = VPacker(children=rows, align="left", pad=0, sep=4)
    box = AnchoredOffsetbox(loc=place, child=block, frameon=False, borderpad=0.8)
    axes.add_artist(box)


def note(axes: Axes, x: float, y: float, text: str, side: str, **looks: Any) -> None:
    """A text right above or below a place of the plot.

    Args:
        side: `above` or `below`.
        looks: further keywords of matplotlib's texts.
    """
    above = side == "above"
    looks = {"fontsize": 9, "color": QUIET, "va": "bottom" if above else "top", **looks}
    axes.annotate(text, (x, y), (0, 4 if above else -4), textcoords="offset points", **looks)


def made_of(evaluation: Evaluation, *, bounds: bool = True) -> str:
    """The line below a title: how many rows and entities, and what the brackets are.

    Args:
        bounds: the title has brackets.
    """
    made = f"{counted(evaluation.rows, 'row')} of {counted(evaluation.entities, 'entity', 'entities')}"
    bounded = bounds and evaluation.replicates and evaluation.entities > 1
    return f"{made}; in brackets 95 % intervals, entities resampled" if bounded else made

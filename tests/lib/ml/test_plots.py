"""Plots: PNG of the same bytes each time, whose titles say the finding and whose lines carry their names.

What they look like nobody tests; look at them.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from lakesmith.contracts.declaration import Costs
from lakesmith.ml import importance_plot, plot_style, plots, regression_plots
from lakesmith.ml.evaluation import NOBODY, Evaluation, classification, regression

COSTS = Costs(contact=1.0, gain=4.0)
AT = np.arange(500)
LABELS = (AT * 37) % 100 < 10 + AT // 10


def scored(sharpness: float, threshold: float = 0.3, replicates: int = 20) -> Evaluation:
    probabilities = np.clip(LABELS.mean() + sharpness * (AT - 250) / 500, 0, 1)
    return classification(
        LABELS, probabilities, AT // 5, threshold=threshold, costs=COSTS, replicates=replicates, seed=1
    )


def one_class() -> Evaluation:
    return classification(
        np.zeros(4, dtype=bool),
        np.array([0.1, 0.2, 0.2, 0.6]),
        np.arange(4),
        threshold=0.5,
        costs=COSTS,
        replicates=5,
        seed=1,
    )


def predicted(slope: float) -> Evaluation:
    amounts = 10 + AT / 20 + (AT * 37) % 11
    return regression(amounts, amounts.mean() + slope * (AT - 250) / 20, AT // 5, replicates=20, seed=1)


MODEL, OTHERS = scored(0.6), {"base_rate": scored(0.0), "recency": scored(0.2)}
AMOUNT, AMOUNTS = predicted(0.9), {"mean": predicted(0.0)}

PLOTS: dict[str, Callable[[], bytes]] = {
    "roc": lambda: plots.roc(MODEL, OTHERS),
    "precision_recall": lambda: plots.precision_recall(MODEL, OTHERS),
    "calibration": lambda: plots.calibration(MODEL),
    "lift": lambda: plots.lift(MODEL, OTHERS),
    "profit": lambda: plots.profit(MODEL),
    "importances": lambda: plots.importances(["c", "a", "b"], [0.0001, 0.3, -0.2]),
    "predicted_and_observed": lambda: plots.predicted_and_observed(AMOUNT, AMOUNTS),
    "residuals": lambda: plots.residuals(AMOUNT),
}
TITLES = {
    "roc": "Test ROC AUC 0.682 (",
    "precision_recall": "Test average precision 0.4",
    "calibration": "Test calibration error 0.0",
    "lift": "Test lift of the best tenth 1.628",
    "profit": "Test profit for 1,000 rows: 4",
    "importances": "a matters most: 0.300",
    "predicted_and_observed": "Test R² 0.8",
    "residuals": "Test RMSE 3.2",
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were made into PNG while the test ran."""
    return captured(monkeypatch)


def captured(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    seen: list[Figure] = []

    def keep(figure: Figure) -> bytes:
        seen.append(figure)
        return plot_style.png(figure)

    for module in (plots, regression_plots, importance_plot):
        monkeypatch.setattr(module, "png", keep)
    return seen


@cache
def once(name: str) -> tuple[Figure, bytes]:
    """A plot of the list, drawn for the first test that looks at it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        figures = captured(monkeypatch)
        png = PLOTS[name]()
    return figures[0], png


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def chunks(png: bytes) -> list[str]:
    """The types of a PNG's chunks."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        found.append(png[at + 4 : at + 8].decode())
        at += 12 + length
    return found


def test_every_plot_is_drawn_here() -> None:
    assert sorted(PLOTS) == sorted(TITLES) == plots.__all__


@pytest.mark.parametrize("name", PLOTS)
def test_the_bytes_are_the_same_each_time_whatever_the_user_has_set(name: str) -> None:
    _, before = once(name)
    with mpl.rc_context({"font.size": 31, "savefig.dpi": 17, "axes.facecolor": "red", "axes.grid": True}):
        theirs = dict(mpl.rcParams)
        assert PLOTS[name]() == before
        assert dict(mpl.rcParams) == theirs


@pytest.mark.parametrize("name", PLOTS)
def test_a_png_tells_no_date_and_no_version(name: str) -> None:
    assert {"IHDR", "IDAT", "IEND"} <= set(chunks(once(name)[1])) <= {"IHDR", "pHYs", "IDAT", "IEND"}


@pytest.mark.parametrize("name", PLOTS)
def test_the_title_is_the_finding(name: str) -> None:
    figure, _ = once(name)

    title, subtitle = (text.get_text() for text in figure.texts)
    assert title.startswith(TITLES[name])
    if name != "importances":
        assert subtitle.startswith("500 rows of 100 entities")


@pytest.mark.parametrize("name", PLOTS)
def test_no_text_leaves_the_picture(name: str) -> None:
    figure, _ = once(name)

    (left, bottom, right, top), (width, height) = (
        figure.get_tightbbox().extents,
        figure.get_size_inches(),
    )
    assert left >= 0
    assert bottom >= 0
    assert right <= width
    assert top <= height


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roc", ["model  0.682", "recency  0.682", "base_rate  0.500"]),
        ("precision_recall", ["model  0.499", "recency  0.499", "base_rate  0.344", "base rate 0.344"]),
        ("lift", ["model", "recency"]),
        ("profit", ["threshold 0.300, chosen on validation", "contact everybody: 376", "contact nobody"]),
        ("calibration", ["as predicted", "positive", "negative"]),
        ("predicted_and_observed", ["model  R² 0.8", "mean  R² 0.000"]),
        ("residuals", ["median", "eight of ten rows"]),
        ("importances", ["0.300", "\N{MINUS SIGN}0.200", "0.000"]),
    ],
)
def test_what_is_drawn_is_named(name: str, expected: list[str]) -> None:
    figure, _ = once(name)

    found = texts(figure)
    for each in expected:
        assert any(text.startswith(each) for text in found), (each, found)


def test_whoever_ranks_nobody_is_left_out_of_the_lift() -> None:
    assert not any("base_rate" in text for text in texts(once("lift")[0]))


def test_curves_are_named_best_first(drawn: list[Figure]) -> None:
    plots.roc(OTHERS["base_rate"], {"undefined": one_class(), "sharp": MODEL})

    named = [text for text in texts(drawn[0]) if text.startswith(("model  ", "undefined  ", "sharp  "))]
    assert [text.split()[0] for text in named] == ["sharp", "model", "undefined"]


def test_the_curves_are_those_of_the_evaluation(drawn: list[Figure]) -> None:
    plots.roc(MODEL, {})

    line = drawn[0].axes[0].lines[-1]
    assert (tuple(line.get_xdata()), tuple(line.get_ydata())) == (MODEL.curves.roc.x, MODEL.curves.roc.y)


def test_precision_is_drawn_from_a_hundredth_of_recall_on(drawn: list[Figure]) -> None:
    plots.precision_recall(MODEL, {})

    drawn_from = min(drawn[0].axes[0].lines[-1].get_xdata())
    assert MODEL.curves.pr.x[0] < 0.01 <= drawn_from == min(x for x in MODEL.curves.pr.x if x >= 0.01)


def test_features_stand_by_the_size_of_what_they_weigh() -> None:
    labels = [label.get_text() for label in once("importances")[0].axes[0].get_yticklabels()]

    assert labels == ["a", "b", "c"]


def test_the_profit_curve_runs_from_nobody_to_everybody(drawn: list[Figure]) -> None:
    plots.profit(MODEL)

    x, y = next(line.get_data() for line in drawn[0].axes[0].lines if len(line.get_xdata()) > 3)
    assert (x[0], y[0], x[-1], y[-1]) == (1, 0, 0, MODEL.curves.profit.y[-1])
    assert all(first >= second for first, second in pairwise(x))


def test_of_many_features_twenty_are_shown(drawn: list[Figure]) -> None:
    plots.importances([f"feature_{at:02}" for at in range(31)], [at / 10 for at in range(31)])

    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert "20 of 31 features, the largest first" in texts(drawn[0])
    assert labels == [f"feature_{at:02}" for at in range(30, 10, -1)]


def test_where_no_contact_pays_the_title_says_so(drawn: list[Figure]) -> None:
    plots.profit(scored(0.6, threshold=NOBODY))

    assert drawn[0].texts[0].get_text() == "Test: nobody is contacted, since no contact pays"


def test_without_intervals_no_brackets_are_explained(drawn: list[Figure]) -> None:
    plots.roc(scored(0.6, replicates=0), {}, on="Validation")

    assert [text.get_text() for text in drawn[0].texts] == [
        "Validation ROC AUC 0.682",
        "500 rows of 100 entities",
    ]


@pytest.mark.parametrize(
    "draw",
    [
        lambda evaluation: plots.roc(evaluation, {}),
        lambda evaluation: plots.precision_recall(evaluation, {}),
        lambda evaluation: plots.lift(evaluation, {}),
        plots.calibration,
        plots.profit,
    ],
)
def test_one_class_can_be_drawn_and_a_regression_is_refused(draw: Callable[[Evaluation], bytes]) -> None:
    assert draw(one_class()).startswith(b"\x89PNG")
    with pytest.raises(TypeError, match="of a classification"):
        draw(AMOUNT)


@pytest.mark.parametrize("draw", [lambda each: plots.predicted_and_observed(each, {}), plots.residuals])
def test_a_constant_can_be_drawn_and_a_classification_is_refused(
    draw: Callable[[Evaluation], bytes],
) -> None:
    assert draw(AMOUNTS["mean"]).startswith(b"\x89PNG")
    with pytest.raises(TypeError, match="of a regression"):
        draw(MODEL)


def test_no_plot_needs_pyplot() -> None:
    code = (
        "import sys; from lakesmith.ml import plots; plots.importances(['a'], [1.0]); "
        "print('matplotlib.pyplot' in sys.modules, 'pyspark' in sys.modules, 'mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False", "False"]

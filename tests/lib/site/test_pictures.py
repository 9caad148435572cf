"""Charts as pictures: their texts are text, their colours the page's, and each is drawn once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

from lakesmith.site import charts
from lakesmith.site.charts import Chart
from lakesmith.site.drift import picture_cells
from lakesmith.site.metrics import Histogram
from lakesmith.site.pictures import Pictures
from sites import HOSTILE
from workspaces import day

DAYS = [day(1) + timedelta(n) for n in range(5)]


def every_kind(text: str) -> list[Chart]:
    numbers = [1.0, 2.0, 3.0, 4.0, 5.0]
    levels = dict.fromkeys(("p10", "p25", "p50", "p75", "p90"), numbers)
    return [
        charts.steps(text, text, DAYS, {text: numbers, "other": numbers}, text),
        charts.lines(text, text, DAYS, {text: numbers}, text, limits={text: 2.5}),
        charts.bands(text, text, DAYS, levels, text),
        charts.histogram(text, text, [text, "b"], {text: [1.0, 2.0], "before": [2.0, 1.0]}, text),
        charts.pair(text, text, [(0.1, 0.2), (0.3, 0.4)], text, text, diagonal=True),
    ]


def test_markup_in_a_chart_is_text(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    for chart in every_kind(HOSTILE):
        svg = pictures.draw(chart.spec)
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
        assert tags <= {"svg", "g", "path", "line", "rect", "text", "tspan", "defs", "clipPath"}, tags
        assert "<script" not in svg
        assert "style=" not in svg
        assert "&lt;script&gt;" in svg


def test_colours_are_the_pages_own(tmp_path: Path) -> None:
    for chart in every_kind("n"):
        svg = Pictures(tmp_path).draw(chart.spec)
        assert "var(--s1)" in svg
        assert "#" not in svg.replace("url(#", "")


def test_a_chart_whose_figures_are_the_same_is_drawn_once(tmp_path: Path) -> None:
    first = Pictures(tmp_path)
    drawn = [first.draw(chart.spec) for chart in [*every_kind("n"), *every_kind("n")]]
    first.finish()
    again = Pictures(tmp_path)
    assert [again.draw(chart.spec) for chart in every_kind("n")] == drawn[:5]
    assert (first.drawn, again.drawn) == (5, 0)


def test_the_table_of_a_chart_has_its_figures() -> None:
    chart = charts.steps("t", "s", DAYS, {"rows": [1.0, 2000.0, 3.5, None, 0.0]}, "rows")
    assert chart.figures.head == ("day", "rows")
    assert [row[1] for row in chart.figures.rows] == ["0", "–", "3.5", "2,000", "1"]


def test_bins_are_put_together_until_each_holds_a_tenth_of_the_baseline() -> None:
    edges = tuple(float(n) for n in range(21))
    baseline = Histogram(edges, (0, *([5] * 20), 0), (), 0, 100)
    current = Histogram(edges, (10, *([2] * 20), 40), (), 10, 100)
    labels, (before, now) = picture_cells(baseline, current)
    assert len(labels) == len(set(labels)) == 13
    assert before == [0, *([10] * 10), 0, 0]
    assert now == [10, *([4] * 10), 40, 10]
    assert labels[0] == "< 0"
    assert labels[-2:] == ["> 20", "(null)"]


def test_categories_are_ranked_and_the_rest_is_one_cell() -> None:
    names = tuple(f"c{n:02d}" for n in range(20))
    found = Histogram((), tuple(range(20, 0, -1)), names, 0, 210)
    labels, (shares,) = picture_cells(None, found)
    assert labels == [*names[:12], "(others)"]
    assert round(sum(shares), 6) == 100

"""The charts of the pages as Vega-Lite specifications, each with a sentence and a table that say the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from lakesmith.site.words import amount, whole

__all__ = ["Chart", "Figures", "bands", "bars", "histogram", "lines", "pair", "steps"]

_WIDE, _HIGH = 620, 150
_NAMED = 90
"""Marks up to so many carry their figures; more would weigh more than they tell, and the table has them."""


@dataclass(frozen=True)
class Figures:
    """The figures of a chart as a table.

    Args:
        rows: cells, as texts.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart for everybody.

    Args:
        title: what it shows.
        says: its gist in a sentence.
        spec: of Vega-Lite.
        figures: the same as a table.
    """

    title: str
    says: str
    spec: Mapping[str, Any]
    figures: Figures


def steps(
    title: str,
    says: str,
    days: Sequence[date],
    series: Mapping[str, Sequence[float | None]],
    unit: str,
    *,
    stacked: bool = True,
    width: int = _WIDE,
) -> Chart:
    """Counts day by day, as areas on each other.

    Args:
        series: by name, as many values as days.
        unit: what is counted.
    """
    values = [
        {"day": day.isoformat(), "what": name, "n": found[at] or 0}
        for name, found in series.items()
        for at, day in enumerate(days)
    ]
    few = len(values) <= _NAMED
    colour: dict[str, Any] = {"field": "what", "type": "nominal", "sort": list(series)}
    if len(series) == 1:
        colour["legend"] = None
    mark: dict[str, Any] = {"type": "bar"} if few else {"type": "area", "interpolate": "step", "aria": False}
    x = {"field": "day", "type": "temporal", "title": None, "axis": {"format": _format(days), "tickCount": 8}}
    if few:
        x |= {"timeUnit": "yearmonthdate"}
    spec = {
        "width": width,
        "height": _HIGH,
        "data": {"values": values},
        "mark": mark,
        "encoding": {
            "x": x,
            "y": {"field": "n", "type": "quantitative", "title": unit, "stack": "zero" if stacked else None},
            "color": colour,
            "order": {"field": "what", "sort": "descending"},
        },
    }
    return Chart(title, says, spec, _by_day(days, series))


def lines(
    title: str,
    says: str,
    days: Sequence[date],
    series: Mapping[str, Sequence[float | None]],
    unit: str,
    *,
    limits: Mapping[str, float] | None = None,
    width: int = _WIDE,
    height: int = _HIGH,
) -> Chart:
    """Numbers through time, with limits as dashed rules.

    Args:
        limits: by what they are called.
    """
    values = [
        {"day": day.isoformat(), "what": name, "n": found[at]}
        for name, found in series.items()
        for at, day in enumerate(days)
        if found[at] is not None
    ]
    few = len(values) <= _NAMED
    mark = {"type": "line", "aria": False, "point": {"aria": True, "size": 18} if few else False}
    colour: dict[str, Any] = {"field": "what", "type": "nominal", "sort": list(series)}
    if len(series) == 1:
        colour["legend"] = None
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": values},
            "mark": mark,
            "encoding": {
                "x": {
                    "field": "day",
                    "type": "temporal",
                    "title": None,
                    "axis": {"format": _format(days), "tickCount": 6},
                },
                "y": {"field": "n", "type": "quantitative", "title": unit, "scale": {"zero": bool(limits)}},
                "color": colour,
            },
        }
    ]
    for name, limit in (limits or {}).items():
        layers.append(
            {
                "data": {"values": [{"n": limit, "what": name}]},
                "mark": {"type": "rule", "strokeDash": [4, 3], "aria": False},
                "encoding": {"y": {"field": "n", "type": "quantitative"}},
            }
        )
    spec = {"width": width, "height": height, "layer": layers}
    return Chart(title, says, spec, _by_day(days, series))


def bands(
    title: str, says: str, days: Sequence[date], levels: Mapping[str, Sequence[float | None]], unit: str
) -> Chart:
    """Quantiles through time: the middle half and the middle four fifths as bands, the median as a line.

    Args:
        levels: `p10`, `p25`, `p50`, `p75`, `p90`, as many values as days.
    """
    values = [
        {"day": day.isoformat(), **{name: found[at] for name, found in levels.items()}}
        for at, day in enumerate(days)
        if all(found[at] is not None for found in levels.values())
    ]
    x = {"field": "day", "type": "temporal", "title": None, "axis": {"format": _format(days), "tickCount": 6}}

    def band(low: str, high: str, opacity: float) -> dict[str, Any]:
        return {
            "mark": {"type": "area", "opacity": opacity, "aria": False},
            "encoding": {
                "x": x,
                "y": {"field": low, "type": "quantitative", "title": unit},
                "y2": {"field": high},
            },
        }

    spec = {
        "width": _WIDE,
        "height": 190,
        "data": {"values": values},
        "layer": [
            band("p10", "p90", 0.22),
            band("p25", "p75", 0.4),
            {
                "mark": {"type": "line", "aria": False, "point": {"size": 18}},
                "encoding": {"x": x, "y": {"field": "p50", "type": "quantitative"}},
            },
        ],
    }
    return Chart(title, says, spec, _by_day(days, levels))


def histogram(
    title: str,
    says: str,
    cells: Sequence[str],
    series: Mapping[str, Sequence[float]],
    unit: str,
    *,
    width: int = 300,
) -> Chart:
    """Shares by cell: the first series as bars, a second one as a line of steps over them.

    Args:
        cells: what each is called, in order.
        series: by name, as many numbers as cells.
    """
    order = list(cells)
    named = list(series)
    layers = []
    for at, name in enumerate(named):
        values = [{"cell": cell, "n": series[name][place], "what": name} for place, cell in enumerate(order)]
        mark: dict[str, Any] = {"type": "bar", "opacity": 0.85} if at == 0 else {
            "type": "tick", "thickness": 3, "aria": False,
        }  # fmt: skip
        layers.append(
            {
                "data": {"values": values},
                "mark": mark,
                "encoding": {
                    "x": {
                        "field": "cell",
                        "type": "ordinal",
                        "sort": order,
                        "title": None,
                        "axis": {"labelAngle": -35, "labelLimit": 90, "labelOverlap": "greedy"},
                    },
                    "y": {"field": "n", "type": "quantitative", "title": unit},
                    "color": {
                        "field": "what",
                        "type": "nominal",
                        "scale": {"domain": named, "range": ["var(--s1)", "var(--s2)"][: len(named)]},
                        "legend": {} if len(named) > 1 else None,
                    },
                },
            }
        )
    spec = {"width": width, "height": _HIGH, "layer": layers}
    rows = tuple((cell, *(amount(found[at]) for found in series.values())) for at, cell in enumerate(order))
    return Chart(title, says, spec, Figures(("cell", *named), rows))


def bars(title: str, says: str, values: Mapping[str, float], unit: str, *, width: int = 420) -> Chart:
    """One bar for each name, the longest first as they are given."""
    spec = {
        "width": width,
        "height": {"step": 20},
        "data": {"values": [{"name": name, "n": n} for name, n in values.items()]},
        "mark": "bar",
        "encoding": {
            "y": {
                "field": "name",
                "type": "nominal",
                "sort": list(values),
                "title": None,
                "axis": {"labelLimit": 240},
            },
            "x": {"field": "n", "type": "quantitative", "title": unit},
        },
    }
    rows = tuple((name, amount(n)) for name, n in values.items())
    return Chart(title, says, spec, Figures(("", unit), rows))


def pair(
    title: str,
    says: str,
    points: Sequence[tuple[float, float]],
    across: str,
    up: str,
    *,
    diagonal: bool = False,
    domain: tuple[float, float] | None = None,
) -> Chart:
    """Points joined by a line, with the diagonal on which both are equal where that means something."""
    scale = {"domain": list(domain)} if domain else {}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [{"x": x, "y": y} for x, y in points]},
            "mark": {
                "type": "line",
                "aria": False,
                "point": {"size": 28} if len(points) <= _NAMED else False,
            },
            "encoding": {
                "x": {"field": "x", "type": "quantitative", "title": across, "scale": scale},
                "y": {"field": "y", "type": "quantitative", "title": up, "scale": scale},
                "order": {"field": "x"},
            },
        }
    ]
    if diagonal:
        low, high = domain or (0.0, 1.0)
        layers.append(
            {
                "data": {"values": [{"x": low, "y": low}, {"x": high, "y": high}]},
                "mark": {"type": "line", "strokeDash": [4, 3], "color": "var(--soft)", "aria": False},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative"},
                    "y": {"field": "y", "type": "quantitative"},
                },
            }
        )
    spec = {"width": 300, "height": 220, "layer": layers}
    rows = tuple((amount(x), amount(y)) for x, y in points)
    return Chart(title, says, spec, Figures((across, up), rows))


def _format(days: Sequence[date]) -> str:
    """How days are written below a chart: the year only where there is more than one."""
    return "%d %b" if not days or days[0].year == days[-1].year else "%b %Y"


def _by_day(days: Sequence[date], series: Mapping[str, Sequence[float | None]]) -> Figures:
    """A row a day, the newest first."""

    def cell(value: float | None) -> str:
        whole_number = value is not None and value == int(value) and abs(value) >= 1
        return whole(value) if whole_number else amount(value)

    rows = tuple(
        (day.isoformat(), *(cell(found[at]) for found in series.values())) for at, day in enumerate(days)
    )
    return Figures(("day", *series), tuple(reversed(rows)))

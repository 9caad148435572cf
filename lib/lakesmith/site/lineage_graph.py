"""The lineage graph laid out in layers: what is made of nothing stands on top, what is made of it below. Pure.

A node's layer is its longest way from the top. Within a layer nodes stand where their neighbours are: a few sweeps down and up,
each ordering a layer by the mean place of what it is joined to. An edge over several layers has a place of its own in each of
them, so that it passes between boxes and not behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise

__all__ = ["Box", "Line", "Picture", "lay_out"]

_WIDTH, _HEIGHT = 204, 42
_APART_X, _APART_Y = 26, 40
_BEND_WIDTH = 18
_MARGIN = 12
_SWEEPS = 8


@dataclass(frozen=True)
class Box:
    """A node and where it is."""

    name: str
    x: float
    y: float
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True)
class Line:
    """An edge, as the path of an SVG."""

    start: str
    end: str
    label: str
    path: str


@dataclass(frozen=True)
class Picture:
    """All of it, and how large it is."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class _Chain:
    """An edge with the places that it passes, its ends included."""

    edge: tuple[str, str, str]
    stops: tuple[str, ...]


def lay_out(nodes: Iterable[str], edges: Sequence[tuple[str, str, str]]) -> Picture:
    """Where every node and edge is drawn.

    Args:
        nodes: names, in the order in which equals are to stand.
        edges: start, end and label. One from a node to itself is not drawn; one that would close a circle is, and does not decide
            where a node stands.
    """
    names = list(dict.fromkeys(nodes))
    layers = _layers(names, edges)
    chains = _chains(layers, edges)
    places = {**layers, **{stop: layer for chain in chains for stop, layer in _bends(chain, layers)}}
    rows = _ordered(places, [pair for chain in chains for pair in _pairs(chain.stops)])
    widths = [sum(_wide(n, layers) for n in row) + _APART_X * max(len(row) - 1, 0) for row in rows]
    width = 2 * _MARGIN + max(widths, default=0)
    boxes: dict[str, Box] = {}
    for at, row in enumerate(rows):
        x = (width - widths[at]) / 2
        for name in row:
            wide = _wide(name, layers)
            boxes[name] = Box(name, x, _MARGIN + at * (_HEIGHT + _APART_Y), wide)
            x += wide + _APART_X
    height = 2 * _MARGIN + len(rows) * _HEIGHT + max(len(rows) - 1, 0) * _APART_Y
    lines = [Line(*chain.edge, _path([boxes[stop] for stop in chain.stops])) for chain in chains]
    return Picture(width, height, tuple(boxes[name] for name in names), tuple(lines))


def _wide(name: str, layers: Mapping[str, int]) -> int:
    return _WIDTH if name in layers else _BEND_WIDTH


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str, str]]) -> dict[str, int]:
    known = set(names)
    before: dict[str, set[str]] = {name: set() for name in names}
    for start, end, _ in edges:
        if start in known and end in known and start != end and not _reaches(before, end, start):
            before[end].add(start)
    layers: dict[str, int] = {}
    for name in TopologicalSorter({name: sorted(found) for name, found in before.items()}).static_order():
        layers[name] = max((layers[parent] + 1 for parent in before[name]), default=0)
    return layers


def _reaches(before: Mapping[str, set[str]], goal: str, start: str) -> bool:
    """True when `goal` is among what `start` is made of."""
    waiting, seen = [start], {start}
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        new = before[here] - seen
        seen |= new
        waiting += new
    return False


def _chains(layers: Mapping[str, int], edges: Sequence[tuple[str, str, str]]) -> list[_Chain]:
    found = []
    for number, (start, end, label) in enumerate(edges):
        if start == end or start not in layers or end not in layers:
            continue
        between = range(layers[start] + 1, layers[end])
        # No node is called so: names are identifiers.
        stops = (start, *(f"{number} at {layer}" for layer in between), end)
        found.append(_Chain((start, end, label), stops))
    return found


def _bends(chain: _Chain, layers: Mapping[str, int]) -> list[tuple[str, int]]:
    first = layers[chain.stops[0]] + 1
    return [(stop, first + at) for at, stop in enumerate(chain.stops[1:-1])]


def _pairs(stops: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(stops))


def _ordered(places: Mapping[str, int], joints: Sequence[tuple[str, str]]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(places.values(), default=-1) + 1)]
    for name, layer in places.items():
        rows[layer].append(name)
    above: dict[str, list[str]] = {name: [] for name in places}
    below: dict[str, list[str]] = {name: [] for name in places}
    for start, end in joints:
        if places[start] < places[end]:
            above[end].append(start)
            below[start].append(end)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _sort(row, rows, above if down else below)
    return rows


def _sort(row: list[str], rows: Sequence[Sequence[str]], near: Mapping[str, Sequence[str]]) -> None:
    """Orders a layer by the mean place of what its nodes are joined to; one that is joined to nothing keeps its own."""
    place = {name: (at + 0.5) / len(each) for each in rows for at, name in enumerate(each)}
    means = {
        name: sum(place[n] for n in near[name]) / len(near[name]) if near[name] else place[name]
        for name in row
    }
    row.sort(key=lambda name: means[name])


def _path(boxes: Sequence[Box]) -> str:
    """A curve from the lower edge of the first box through the bends to the upper edge of the last."""
    x, y = boxes[0].x + boxes[0].width / 2, boxes[0].y + boxes[0].height
    path = f"M{x:.0f},{y:.0f}"
    for at, box in enumerate(boxes[1:], start=1):
        x2, y2 = box.x + box.width / 2, box.y
        bend = max(abs(y2 - y) / 2, 14)
        path += f" C{x:.0f},{y + bend:.0f} {x2:.0f},{y2 - bend:.0f} {x2:.0f},{y2:.0f}"
        x, y = x2, y2
        if at < len(boxes) - 1:
            y = box.y + box.height
            path += f" L{x:.0f},{y:.0f}"
    return path

"""The lineage graph laid out in layers: what is made of nothing stands left, what is made of it to the right. Pure.

A node's layer is its longest way from the left. Within a layer nodes stand where their neighbours are: a few sweeps from left to
right and back, each ordering a layer by the mean place of what it is joined to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

__all__ = ["Box", "Line", "Picture", "lay_out"]

_WIDTH, _HEIGHT = 196, 42
_APART_X, _APART_Y = 64, 18
_MARGIN = 12
_SWEEPS = 6


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


def lay_out(nodes: Iterable[str], edges: Sequence[tuple[str, str, str]]) -> Picture:
    """Where every node and edge is drawn.

    Args:
        nodes: names, in the order in which equals are to stand.
        edges: start, end and label; those from a node to itself, and from a later layer to an earlier one of a cycle, are drawn,
            and do not decide where a node stands.
    """
    names = list(dict.fromkeys(nodes))
    layers = _layers(names, edges)
    columns = _ordered(layers, edges)
    tallest = max((len(column) for column in columns), default=0)
    height = 2 * _MARGIN + tallest * _HEIGHT + max(tallest - 1, 0) * _APART_Y
    boxes: dict[str, Box] = {}
    for at, column in enumerate(columns):
        used = len(column) * _HEIGHT + max(len(column) - 1, 0) * _APART_Y
        top = (height - used) / 2
        for row, name in enumerate(column):
            boxes[name] = Box(name, _MARGIN + at * (_WIDTH + _APART_X), top + row * (_HEIGHT + _APART_Y))
    width = 2 * _MARGIN + len(columns) * _WIDTH + max(len(columns) - 1, 0) * _APART_X
    lines = [
        Line(start, end, label, _path(boxes[start], boxes[end]))
        for start, end, label in edges
        if start in boxes and end in boxes and start != end
    ]
    return Picture(width, height, tuple(boxes[name] for name in names), tuple(lines))


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str, str]]) -> dict[str, int]:
    known = set(names)
    before: dict[str, set[str]] = {name: set() for name in names}
    for start, end, _ in edges:
        # A model reads what the tables of its scores stand beside: what would close a circle decides nothing.
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


def _ordered(layers: Mapping[str, int], edges: Sequence[tuple[str, str, str]]) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name, layer in layers.items():
        columns[layer].append(name)
    joined: dict[str, set[str]] = {name: set() for name in layers}
    for start, end, _ in edges:
        if start in joined and end in joined:
            joined[start].add(end)
            joined[end].add(start)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            place = {name: at / max(len(c) - 1, 1) for c in columns for at, name in enumerate(c)}

            def middle(name: str, place: Mapping[str, float] = place, forward: bool = forward) -> float:
                near = [
                    n
                    for n in joined[name]
                    if (layers[n] < layers[name]) is forward and layers[n] != layers[name]
                ]
                return sum(place[n] for n in near) / len(near) if near else place[name]

            column.sort(key=middle)
    return columns


def _path(start: Box, end: Box) -> str:
    x1, y1 = start.x + start.width, start.y + start.height / 2
    x2, y2 = end.x, end.y + end.height / 2
    bend = max(abs(x2 - x1) / 2, 24)
    return f"M{x1:.0f},{y1:.0f} C{x1 + bend:.0f},{y1:.0f} {x2 - bend:.0f},{y2:.0f} {x2:.0f},{y2:.0f}"

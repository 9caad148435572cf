"""Where boxes and edges of the lineage graph are drawn."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.site.lineage_graph import Box, lay_out

NAMES = [f"n{number}" for number in range(9)]
EDGES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.just("same_day")), max_size=20, unique=True
)


def overlap(one: Box, other: Box) -> bool:
    apart = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not apart and one.y == other.y


@given(EDGES)
def test_boxes_never_overlap_and_stay_within_the_picture(edges: list[tuple[str, str, str]]) -> None:
    picture = lay_out(NAMES, edges)
    assert [box.name for box in picture.boxes] == NAMES
    assert not [pair for pair in combinations(picture.boxes, 2) if overlap(*pair)]
    for box in picture.boxes:
        assert 0 <= box.x <= picture.width - box.width
        assert 0 <= box.y <= picture.height - box.height
    assert {(line.start, line.end) for line in picture.lines} == {(a, b) for a, b, _ in edges if a != b}


def test_what_is_made_of_something_stands_below_it() -> None:
    edges = [("a", "b", ""), ("b", "c", ""), ("a", "c", ""), ("b", "b", "previous: 1d")]
    boxes = {box.name: box for box in lay_out("abc", edges).boxes}
    assert boxes["a"].y < boxes["b"].y < boxes["c"].y


def test_an_edge_over_a_layer_passes_beside_the_box_in_it() -> None:
    picture = lay_out("abc", [("a", "b", ""), ("b", "c", ""), ("a", "c", "")])
    boxes = {box.name: box for box in picture.boxes}
    (long,) = (line for line in picture.lines if (line.start, line.end) == ("a", "c"))
    bend_x = float(long.path.split(" L")[1].split(",")[0])
    assert not boxes["b"].x <= bend_x <= boxes["b"].x + boxes["b"].width


@pytest.mark.parametrize("names", ["", "a"])
def test_a_graph_of_nothing_or_of_one_is_one(names: str) -> None:
    assert len(lay_out(names, []).boxes) == len(names)

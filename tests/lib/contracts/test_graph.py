"""The table graph: order, relatives, first days and what is due, on graphs of any shape."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph, find_cycle
from lakesmith.contracts.model import Contract, Input, Source, SourceFormat, Suite
from lakesmith.contracts.windows import Window
from lakesmith.errors import UsageError

START = date(2011, 1, 1)


def source(name: str, start: date = START) -> Source:
    return Source(name, "", (), SourceFormat.CSV, (), start)


def contract(table: str, *parents: str, sources: tuple[str, ...] = (), lag_days: int = 0) -> Contract:
    inputs = [Input(f"i{n}", Window.same_day(), table=parent) for n, parent in enumerate(parents)]
    inputs += [Input(f"s{n}", Window.same_day(), source=name) for n, name in enumerate(sources)]
    return Contract(table, "", "", "", tuple(inputs), (), (), Suite(table), lag_days=lag_days)


def graph(*contracts: Contract, sources: tuple[Source, ...] = (source("s"),)) -> TableGraph:
    return TableGraph({c.table: c for c in contracts}, {s.name: s for s in sources})


@st.composite
def edges(draw: st.DrawFn) -> dict[str, list[str]]:
    """Tables t.0 .. t.n, each made from any of those before it, in a drawn order of names."""
    names = draw(st.permutations([f"t.{n}" for n in range(draw(st.integers(1, 8)))]))
    return {
        name: draw(st.lists(st.sampled_from(names[:n]), unique=True)) if n else []
        for n, name in enumerate(names)
    }


def made_of(parents: dict[str, list[str]]) -> TableGraph:
    return graph(*(contract(table, *of, sources=() if of else ("s",)) for table, of in parents.items()))


def ancestors(parents: dict[str, list[str]], table: str) -> set[str]:
    return set(parents[table]).union(*(ancestors(parents, parent) for parent in parents[table]))


@given(edges())
def test_every_table_comes_after_all_that_it_reads(parents: dict[str, list[str]]) -> None:
    order = made_of(parents).order
    assert sorted(order) == sorted(parents)
    assert all(order.index(parent) < order.index(table) for table, of in parents.items() for parent in of)


@given(edges(), st.randoms(use_true_random=False))
def test_the_order_does_not_hang_on_the_order_of_files(parents: dict[str, list[str]], random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    shuffled = list(parents.items())
    random.shuffle(shuffled)
    assert made_of(dict(shuffled)).order == made_of(parents).order


@given(edges())
def test_parents_and_children_are_the_two_ends_of_an_edge(parents: dict[str, list[str]]) -> None:
    tables = made_of(parents)
    for table in parents:
        assert set(tables.children(table)) == {other for other, of in parents.items() if table in of}
        assert set(tables.parents(table)) == set(parents[table])


@given(edges())
def test_a_graph_without_a_circle_has_no_cycle(parents: dict[str, list[str]]) -> None:
    assert find_cycle(made_of(parents).contracts) is None


def test_a_cycle_is_named_from_each_table_to_the_one_that_reads_it() -> None:
    circle = {c.table: c for c in (contract("x.a", "x.c"), contract("x.b", "x.a"), contract("x.c", "x.b"))}
    cycle = find_cycle(circle)
    assert cycle is not None
    assert cycle[0] == cycle[-1]
    assert all(before in [i.table for i in circle[after].inputs] for before, after in pairwise(cycle))
    assert set(cycle) == {"x.a", "x.b", "x.c"}


def test_reading_itself_and_what_does_not_exist_is_no_cycle() -> None:
    own = contract("g.a", "g.a", "g.elsewhere", sources=("s",))
    assert find_cycle({"g.a": own}) is None
    assert graph(own).parents("g.a") == ("g.elsewhere",)
    assert graph(own).children("g.a") == ()


def test_a_table_starts_with_the_earliest_source_that_it_comes_from() -> None:
    late = source("late", START + timedelta(10))
    tables = graph(
        contract("b.early", sources=("s",)),
        contract("b.late", sources=("late",)),
        contract("b.both", sources=("late", "s")),
        contract("s.late", "b.late"),
        contract("g.mixed", "s.late", "b.early", "g.mixed"),
        sources=(source("s"), late),
    )
    assert tables.starts == {
        "b.early": START,
        "b.late": late.start,
        "b.both": START,
        "s.late": late.start,
        "g.mixed": START,
    }


@given(st.integers(-40, 40), st.integers(0, 40), st.integers(0, 30))
def test_due_are_the_batches_of_the_nights_minus_the_lag_since_the_start(
    offset: int, length: int, lag: int
) -> None:
    tables = graph(contract("b.a", sources=("s",), lag_days=lag))
    nights = BatchRange(START + timedelta(offset), START + timedelta(offset + length))
    due = tables.due("b.a", nights)
    expected = [night - timedelta(lag) for night in nights if night - timedelta(lag) >= START]
    assert (due.days() if due else []) == expected


def test_an_unknown_table_is_refused_with_those_that_there_are() -> None:
    tables = graph(contract("b.a", sources=("s",)), contract("s.b", "b.a"))
    with pytest.raises(UsageError) as caught:
        tables.contract("s.c")
    assert str(caught.value) == "there is no table 's.c'. Tables: b.a, s.b"

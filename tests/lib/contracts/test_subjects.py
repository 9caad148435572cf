"""When a value names a person: one form for all spellings of an id, and free text that is read generously."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.load import load_project
from lakesmith.contracts.subjects import SubjectColumns, canonical, leaves, mentions, source_columns
from workspaces import METERS


@pytest.mark.parametrize(
    "written", ["17850", "17850.0", " 17850 ", "017850", "17850.00", 17850, 17850.0, Decimal("17850.0")]
)
def test_all_spellings_of_an_id_are_one(written: object) -> None:
    assert canonical(written) == "17850"


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("17850.5", "17850.5"),
        ("-17850", "-17850"),
        ("17850a", "17850a"),
        ("1,785", "1,785"),
        (" High St ", "High St"),
        ("0", "0"),
        ("000", "0"),
        ("", None),
        ("  ", None),
        (None, None),
        (True, None),
    ],
)
def test_what_is_no_whole_number_stays_as_it_is(written: object, form: str | None) -> None:
    assert canonical(written) == form


@pytest.mark.parametrize(
    "text",
    [
        '536365,85123A,WHITE HEART,6,"2010-12-01 08:26:00,2.55,17850.0,United Kingdom',
        '{"customer": 17850, "broken',
        "customer=17850;",
        "C17850 wants to be called",
        "17850",
    ],
)
def test_free_text_mentions_an_id_wherever_it_stands_by_itself(text: str) -> None:
    assert "17850" in mentions(text)


@pytest.mark.parametrize("text", ["178500", "117850", "2.17850", "17850.5", "", "High St"])
def test_a_part_of_another_number_is_no_id(text: str) -> None:
    assert "17850" not in mentions(text)


def test_words_and_whole_fields_are_mentioned() -> None:
    assert "High St" in mentions("ask High St about it")
    assert {"High St", "High", "St", "m1"} <= mentions('m1,x,"High St"')


@given(
    st.integers(0, 10**18),
    st.sampled_from(["{}", "{}.0", " {}", "{} ", "0{}", "{}.00"]),
    st.sampled_from(["", ",", ",,", '"', " ", "\t", ";", ":", "=", "a,"]),
)
def test_whatever_the_spelling_and_the_neighbours(number: int, spelling: str, beside: str) -> None:
    written = spelling.format(number)
    assert canonical(written) == str(number)
    assert str(number) in mentions(f"{beside}{written}{beside[::-1]}")


def test_values_inside_of_values_are_found() -> None:
    assert list(leaves({"a": [1, {"b": None}], "c": ("d",)})) == ["a", 1, "b", "c", "d"]


def test_columns_that_can_name_somebody_follow_from_the_contracts() -> None:
    graph = load_project(METERS).graph
    bronze = SubjectColumns.of(graph.contracts["bronze.readings"])
    assert (bronze.identity, bronze.free_text) == (("street",), ("extra", "malformed"))
    assert not SubjectColumns.of(graph.contracts["gold.usage"])
    assert source_columns(graph, "readings").identity == ("street",)
    assert bronze.within(["street", "meter"]).all == ("street",)

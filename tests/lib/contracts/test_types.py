"""Column types: every type can be written and read back, and each refusal says what was expected where."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.types import (
    ArrayType,
    ColumnType,
    DecimalType,
    MapType,
    PrimitiveType,
    StructType,
    parse_type,
)

PRIMITIVES = [
    *("string", "bigint", "int", "smallint", "tinyint", "float", "double", "boolean", "binary", "date"),
    "timestamp",
]
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
LEAVES = st.sampled_from(PRIMITIVES).map(PrimitiveType) | st.integers(1, 38).flatmap(
    lambda precision: st.builds(DecimalType, st.just(precision), st.integers(0, precision))
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(NAMES, inner, min_size=1, max_size=3).map(lambda fields: tuple(fields.items()))
    return st.builds(ArrayType, inner) | st.builds(MapType, inner, inner) | st.builds(StructType, fields)


TYPES: st.SearchStrategy[ColumnType] = st.recursive(LEAVES, nested, max_leaves=6)


@given(TYPES)
def test_a_type_is_read_as_it_is_written(kind: ColumnType) -> None:
    assert parse_type(str(kind)) == kind


@given(TYPES)
def test_blanks_and_capitals_of_the_words_do_not_matter(kind: ColumnType) -> None:
    spaced = "".join(f" {c} " if c in "<>(),:" else c for c in str(kind))
    assert parse_type(f" {spaced}\n") == kind


@pytest.mark.parametrize("name", PRIMITIVES)
def test_capitals_are_the_same_type(name: str) -> None:
    assert parse_type(name.upper()) == PrimitiveType(name)


@pytest.mark.parametrize(
    ("synonym", "name"), [("long", "bigint"), ("integer", "int"), ("short", "smallint"), ("byte", "tinyint")]
)
def test_the_other_name_of_a_type_is_the_same_type(synonym: str, name: str) -> None:
    assert parse_type(f"array<{synonym}>") == ArrayType(PrimitiveType(name))


@pytest.mark.parametrize(
    ("text", "delta"),
    [
        ("bigint", "long"),
        ("int", "integer"),
        ("smallint", "short"),
        ("tinyint", "byte"),
        ("decimal(12,3)", "decimal(12,3)"),
        ("array<int>", {"type": "array", "elementType": "integer", "containsNull": True}),
        (
            "map<string,array<date>>",
            {
                "type": "map",
                "keyType": "string",
                "valueType": {"type": "array", "elementType": "date", "containsNull": True},
                "valueContainsNull": True,
            },
        ),
        (
            "struct<id:string,n:bigint>",
            {
                "type": "struct",
                "fields": [
                    {"name": "id", "type": "string", "nullable": True, "metadata": {}},
                    {"name": "n", "type": "long", "nullable": True, "metadata": {}},
                ],
            },
        ),
    ],
)
def test_a_type_as_delta_writes_it(text: str, delta: object) -> None:
    assert parse_type(text).delta() == delta


KNOWN = (
    "string, bigint, int, smallint, tinyint, float, double, boolean, binary, date, timestamp, "
    "decimal(p,s), array<..>, map<..,..>, struct<..:..>"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strng", f"'strng' is not a column type; known: {KNOWN}"),
        ("array<void>", f"'void' is not a column type; known: {KNOWN}"),
        ("", "'' ends where a type was expected"),
        ("array<", "'array<' ends where a type was expected"),
        ("array", "'array' ends where '<' was expected"),
        ("array<int", "'array<int' ends where '>' was expected"),
        ("array<int,int>", "'array<int,int>': expected '>', found ','"),
        ("map<int>", "'map<int>': expected ',', found '>'"),
        ("decimal(10)", "'decimal(10)': expected ',', found ')'"),
        ("decimal(a,2)", "'decimal(a,2)': expected a number, found 'a'"),
        ("decimal(39,2)", "'decimal(39,2)': a decimal has 1 to 38 digits and no more decimals than digits"),
        ("decimal(0,0)", "'decimal(0,0)': a decimal has 1 to 38 digits and no more decimals than digits"),
        ("decimal(3,4)", "'decimal(3,4)': a decimal has 1 to 38 digits and no more decimals than digits"),
        ("struct<>", "'struct<>': '>' is not a field name"),
        ("struct<a>", "'struct<a>': expected ':', found '>'"),
        ("struct<a:int", "'struct<a:int' ends where ',' or '>' was expected"),
        ("struct<a:int;b:int>", "'struct<a:int;b:int>': expected ',' or '>' after the field 'a'"),
        ("struct<a:int,a:int>", "'struct<a:int,a:int>': the field 'a' stands twice"),
        ("int int", "'int int': unexpected 'int' after the type"),
        ("bigint not null", "'bigint not null': unexpected 'not' after the type"),
    ],
)
def test_a_wrong_type_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_type(text)


@given(st.text(alphabet="abint<>(),: 0123456789", max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        kind = parse_type(text)
    except ValueError:
        return
    assert parse_type(str(kind)) == kind

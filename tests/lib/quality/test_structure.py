from __future__ import annotations

from typing import Any

import pytest

from lakesmith.contracts.model import Expectation
from lakesmith.contracts.types import parse_type
from lakesmith.quality.structure import structure_question

COLUMNS = {
    name: parse_type(text)
    for name, text in {
        "name": "string",
        "place": "struct<x:int,near:struct<y:string>>",
        "stops": "array<struct<z:int>>",
        "batch_date": "date",
    }.items()
}
# Great Expectations lists the fields of structs, at any depth, but not those inside of arrays.
LISTED = ["name", "place", "place.x", "place.near", "place.near.y", "stops", "batch_date"]


@pytest.mark.parametrize(
    ("kind", "kwargs", "success"),
    [
        ("table_column_count_to_equal", {"value": 7}, True),
        ("table_column_count_to_be_between", {"max_value": 6}, False),
        ("table_columns_to_match_ordered_list", {"column_list": LISTED}, True),
        ("table_columns_to_match_ordered_list", {"column_list": list(COLUMNS)}, False),
        ("table_columns_to_match_set", {"column_set": LISTED}, True),
        ("table_columns_to_match_set", {"column_set": list(COLUMNS)}, False),
        ("table_columns_to_match_set", {"column_set": list(COLUMNS), "exact_match": False}, True),
        ("table_columns_to_match_set", {"column_set": []}, False),
        ("table_columns_to_match_set", {}, False),
        ("column_to_exist", {"column": "stops", "column_index": 5}, True),
        ("column_to_exist", {"column": "batch_date", "column_index": -1}, True),
        ("column_to_exist", {"column": "name", "column_index": -8}, False),
        ("column_to_exist", {"column": "name", "column_index": 7}, False),
    ],
)
def test_the_structure_is_judged_as_great_expectations_lists_it(
    kind: str, kwargs: dict[str, Any], success: bool
) -> None:
    asked = structure_question(Expectation(f"expect_{kind}", kwargs, "rule"), COLUMNS)

    assert asked is not None
    assert asked.answer({}).success is success


@pytest.mark.parametrize(
    ("kind", "kwargs", "success"),
    [
        ("column_type_to_be", {"column": "name", "type_": "StringType"}, True),
        ("column_type_to_be", {"column": "name", "type_": "AtomicType"}, True),
        ("column_type_to_be", {"column": "place", "type_": "ArrayType"}, False),
        ("column_values_to_be_of_type", {"column": "stops", "type_": "ArrayType"}, True),
        ("column_values_to_be_of_type", {"column": "batch_date", "type_": "datetime"}, None),
        ("column_values_to_be_in_type_list", {"column": "batch_date"}, True),
        ("column_values_to_be_in_type_list", {"column": "name", "type_list": ["Text", "StringType"]}, True),
        ("column_values_to_be_in_type_list", {"column": "name", "type_list": ["LongType"]}, False),
        # Great Expectations raises; it says so itself.
        ("column_type_to_be", {"column": "name", "type_": "string"}, None),
        ("column_values_to_be_of_type", {"column": "name", "type_": "Text"}, None),
        ("column_values_to_be_in_type_list", {"column": "name", "type_list": ["Text"]}, None),
        ("column_values_to_be_in_type_list", {"column": "name", "type_list": [1, "StringType"]}, None),
        ("column_values_to_be_in_type_list", {"column": "name", "type_list": ["Any", "StringType"]}, None),
        # Its row condition can be one that cannot be computed.
        ("column_values_to_be_of_type", {"column": "name", "type_": "X", "row_condition": "true"}, None),
    ],
)
def test_types_of_columns_are_judged_by_the_contract(
    kind: str, kwargs: dict[str, Any], success: bool | None
) -> None:
    asked = structure_question(Expectation(f"expect_{kind}", kwargs, "rule"), COLUMNS)

    assert (None if asked is None else asked.answer({}).success) is success

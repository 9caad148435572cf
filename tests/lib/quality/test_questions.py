from __future__ import annotations

from typing import Any

import pytest

from lakesmith.contracts.model import Expectation
from lakesmith.contracts.types import parse_type
from lakesmith.quality.questions import Aggregates, question

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
    asked = question(Expectation(f"expect_{kind}", kwargs, "rule"), COLUMNS, Aggregates())

    assert asked is not None
    assert asked.answer({}).success is success

"""Masking: what of a result may be kept, given which columns identify a person.

Owns the one decision for compiled results and for those of Great Expectations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakesmith.contracts.expectations import named_columns
from lakesmith.contracts.model import Contract, Expectation

__all__ = ["COUNTING_TYPES", "is_masked"]

COUNTING_TYPES = {
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_unique_value_count_to_be_between",
    "expect_column_type_to_be",
    "expect_column_values_to_be_in_type_list",
    "expect_column_values_to_be_of_type",
    "expect_table_column_count_to_be_between",
    "expect_table_column_count_to_equal",
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
    "expect_table_row_count_to_be_between",
    "expect_table_row_count_to_equal",
    "unexpected_rows_expectation",
}
"""Their observed value counts rows or names columns and types, whatever the column; never a row's value."""


def is_masked(expectation: Expectation, contract: Contract) -> bool:
    """True when the observed value could show something of a subject and must not be kept."""
    if expectation.type in COUNTING_TYPES:
        return False
    subjects = {column.name for column in contract.columns if column.subject}
    about = {name for _, name in named_columns(expectation.kwargs)}
    return bool(subjects & (about | _condition_columns(expectation.kwargs.get("row_condition"))))


def _condition_columns(condition: Any) -> set[str]:
    if not isinstance(condition, Mapping):
        return set()
    if "conditions" in condition:
        return {name for part in condition["conditions"] for name in _condition_columns(part)}
    column = condition.get("column")
    return {column["name"]} if isinstance(column, Mapping) else set()

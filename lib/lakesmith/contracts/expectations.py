"""Expectation types: what the catalogue knows of each, which columns it names, which make row rules.

Owns facts about types, never about one suite file; the grammar and the messages are
`lakesmith.contracts.suites`. Never imports Great Expectations: its types and parameters are in
`expectation_catalogue.json`, made by `python -m lakesmith.quality.catalogue`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from lakesmith.contracts.types import ColumnType, DecimalType, PrimitiveType

__all__ = [
    "GROUP_TOTALS",
    "ROW_RULE_TYPES",
    "Domain",
    "ExpectationType",
    "Family",
    "catalogue",
    "default_rule_name",
    "family",
    "named_columns",
    "why_no_row_rule",
]

GROUP_TOTALS = "expect_group_totals_to_equal_input"
"""Lakesmith's own batch expectation: totals by group equal those of an input of the same day."""


class Domain(StrEnum):
    """What an expectation looks at."""

    COLUMN_MAP = "column_map"
    PAIR_MAP = "pair_map"
    MULTICOLUMN_MAP = "multicolumn_map"
    AGGREGATE = "aggregate"
    BATCH = "batch"
    CUSTOM = "custom"

    @property
    def is_map(self) -> bool:
        """True when the expectation is a question about each row."""
        return self in (Domain.COLUMN_MAP, Domain.PAIR_MAP, Domain.MULTICOLUMN_MAP)


class Family(StrEnum):
    """Column types that compare with one another."""

    NUMBER = "number"
    STRING = "string"
    DATE = "date"
    TIMESTAMP = "timestamp"
    BOOLEAN = "boolean"
    OTHER = "other"


@dataclass(frozen=True)
class ExpectationType:
    """One type of expectation and its parameters.

    Args:
        spark: Great Expectations can answer it on Spark.
    """

    name: str
    domain: Domain
    required: frozenset[str]
    optional: frozenset[str]
    spark: bool = True

    @property
    def parameters(self) -> frozenset[str]:
        """Every parameter that it takes."""
        return self.required | self.optional


ROW_RULE_TYPES = frozenset(
    {
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_to_be_in_set",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_be_null",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_match_regex_list",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_not_match_regex",
        "expect_column_values_to_not_match_regex_list",
        "expect_multicolumn_sum_to_equal",
        "expect_multicolumn_values_to_be_equal",
        "expect_select_column_values_to_be_unique_within_record",
    }
)
"""The types that compile to a predicate on one row, so that a row that breaks them can be told apart."""


@cache
def catalogue() -> Mapping[str, ExpectationType]:
    """Every built-in type by name: Great Expectations' own and Lakesmith's."""
    text = (
        resources.files("lakesmith.contracts")
        .joinpath("expectation_catalogue.json")
        .read_text(encoding="utf-8")
    )
    types = {
        name: ExpectationType(
            name,
            Domain(entry["domain"]),
            frozenset(entry["required"]),
            frozenset(entry["optional"]),
            entry["spark"],
        )
        for name, entry in json.loads(text)["types"].items()
    }
    types[GROUP_TOTALS] = ExpectationType(
        GROUP_TOTALS, Domain.BATCH, frozenset({"input", "group_by", "totals"}), frozenset({"where"})
    )
    return MappingProxyType(types)


def family(column_type: ColumnType) -> Family:
    """The family that a column type belongs to."""
    if isinstance(column_type, DecimalType):
        return Family.NUMBER
    if not isinstance(column_type, PrimitiveType):
        return Family.OTHER
    match column_type.name:
        case "bigint" | "int" | "smallint" | "tinyint" | "float" | "double":
            return Family.NUMBER
        case "string" | "date" | "timestamp" | "boolean":
            return Family(column_type.name)
        case _:
            return Family.OTHER


def named_columns(kwargs: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The columns that parameters name, each as (place, column): `("column_list[1]", "stock_code")`."""
    named = [
        (key, kwargs[key]) for key in ("column", "column_A", "column_B") if isinstance(kwargs.get(key), str)
    ]
    for key in ("column_list", "column_set", "group_by"):
        columns = kwargs.get(key)
        if isinstance(columns, list | tuple):
            named += [
                (f"{key}[{at}]", column) for at, column in enumerate(columns) if isinstance(column, str)
            ]
    return tuple(named)


def default_rule_name(type_name: str, kwargs: Mapping[str, Any]) -> str:
    """The name of a rule that has none of its own, from its columns and type: `country_not_be_null`."""
    short = re.sub(r"^expect_(column_values_to_|column_pair_values_|column_value_|column_|)", "", type_name)
    columns = [column for _, column in named_columns(kwargs)]
    return re.sub(r"[^a-z0-9_]", "_", "_".join([*columns, short]).lower())


def why_no_row_rule(type_name: str, kwargs: Mapping[str, Any]) -> str | None:
    """Why an expectation cannot quarantine rows; None when it can."""
    known = catalogue().get(type_name)
    if type_name not in ROW_RULE_TYPES:
        if known is not None and known.domain.is_map:
            return "it cannot be decided by looking at one row alone"
        return "it judges a batch as a whole, not single rows"
    if kwargs.get("mostly", 1) != 1:
        return "`mostly` below 1 lets some rows break it, so no single row is at fault; leave `mostly` out"
    if kwargs.get("condition_parser") not in (None, "spark"):
        return "its row_condition is in a legacy syntax; write a condition object, or condition_parser spark"
    return None

"""Structure: expectations about columns only, which the contract answers; nothing is read.

Owns which types these are, and Spark's classes of types as Great Expectations names them. Staged rows have the
contract's columns and types, or they could not have been staged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from pyspark.sql import types as spark_types

from lakesmith.contracts.model import Expectation
from lakesmith.contracts.types import ArrayType, ColumnType, DecimalType, MapType, PrimitiveType, StructType
from lakesmith.quality.questions import Question, between
from lakesmith.quality.results import Outcome

__all__ = ["STRUCTURE_TYPES", "structure_question"]


def structure_question(expectation: Expectation, columns: Mapping[str, ColumnType]) -> Question | None:
    """The question that an expectation asks of columns alone; None when they can't answer it.

    Args:
        expectation: of a suite that was read without problems.
        columns: the types of the table's columns, in order, `batch_date` last.
    """
    outcome: Outcome | None = None
    if judge := _STRUCTURE.get(expectation.type):
        outcome = judge(expectation.kwargs, list(_with_nested(columns)))
    elif expectation.type in _TYPED and expectation.kwargs.get("row_condition") is None:
        outcome = _TYPED[expectation.type](
            expectation.kwargs, _spark_class(columns[expectation.kwargs["column"]])
        )
    if outcome is None:
        return None
    return Question(expectation, lambda _: outcome)


def _with_nested(columns: Mapping[str, ColumnType], parent: str = "") -> Iterator[str]:
    """The names of columns as Great Expectations lists them on Spark: after a struct come its fields."""
    for name, kind in columns.items():
        yield parent + name
        if isinstance(kind, StructType):
            yield from _with_nested(dict(kind.fields), f"{parent}{name}.")


def _column_exists(kwargs: Mapping[str, Any], columns: list[str]) -> Outcome:
    at = kwargs.get("column_index")
    if at:
        # As in Python, which Great Expectations asks: -1 is the last column.
        there = -len(columns) <= at < len(columns)
        return Outcome(there and columns[int(at)] == kwargs["column"], measures=False)
    return Outcome(kwargs["column"] in columns, measures=False)


def _column_count_equals(kwargs: Mapping[str, Any], columns: list[str]) -> Outcome:
    return Outcome(len(columns) == int(kwargs["value"]), observed_value=len(columns))


def _column_count_between(kwargs: Mapping[str, Any], columns: list[str]) -> Outcome:
    return between(len(columns), kwargs)


def _columns_in_order(kwargs: Mapping[str, Any], columns: list[str]) -> Outcome:
    expected = kwargs.get("column_list")
    if expected is None or list(expected) == columns:
        return Outcome(True, observed_value=columns)
    compared = zip_longest(range(max(len(expected), len(columns))), expected, columns)
    different = [
        {"Expected Column Position": at, "Expected": wanted, "Found": found}
        for at, wanted, found in compared
        if wanted != found
    ]
    return Outcome(False, observed_value=columns, details={"details": {"mismatched": different}})


def _columns_as_set(kwargs: Mapping[str, Any], columns: list[str]) -> Outcome:
    expected, found = set(kwargs.get("column_set") or ()), set(columns)
    if expected == found:
        return Outcome(True, observed_value=sorted(found))
    different = {"unexpected": sorted(found - expected), "missing": sorted(expected - found)}
    details = {"details": {"mismatched": {key: names for key, names in different.items() if names}}}
    kept = not kwargs.get("exact_match", True) and not different["missing"]
    return Outcome(kept, observed_value=sorted(found), details=details)


_STRUCTURE: Mapping[str, Callable[[Mapping[str, Any], list[str]], Outcome]] = {
    "expect_column_to_exist": _column_exists,
    "expect_table_column_count_to_be_between": _column_count_between,
    "expect_table_column_count_to_equal": _column_count_equals,
    "expect_table_columns_to_match_ordered_list": _columns_in_order,
    "expect_table_columns_to_match_set": _columns_as_set,
}


_SPARK_CLASSES: Mapping[str, type[spark_types.DataType]] = {
    "bigint": spark_types.LongType,
    "binary": spark_types.BinaryType,
    "boolean": spark_types.BooleanType,
    "date": spark_types.DateType,
    "double": spark_types.DoubleType,
    "float": spark_types.FloatType,
    "int": spark_types.IntegerType,
    "smallint": spark_types.ShortType,
    "string": spark_types.StringType,
    "timestamp": spark_types.TimestampType,
    "tinyint": spark_types.ByteType,
}


def _spark_class(kind: ColumnType) -> type[spark_types.DataType]:
    match kind:
        case PrimitiveType(name):
            return _SPARK_CLASSES[name]
        case DecimalType():
            return spark_types.DecimalType
        case ArrayType():
            return spark_types.ArrayType
        case MapType():
            return spark_types.MapType
        case StructType():
            return spark_types.StructType


def _class_named(name: Any) -> type[spark_types.DataType] | None:
    """A class of types. What else is in pyspark.sql.types Great Expectations mostly raises for, and says so itself."""
    found = getattr(spark_types, name, None) if isinstance(name, str) else None
    return found if isinstance(found, type) and issubclass(found, spark_types.DataType) else None


def _type_is(kwargs: Mapping[str, Any], found: type[spark_types.DataType]) -> Outcome | None:
    wanted = _class_named(kwargs["type_"])
    return None if wanted is None else Outcome(issubclass(found, wanted), observed_value=found.__name__)


def _type_is_listed(kwargs: Mapping[str, Any], found: type[spark_types.DataType]) -> Outcome | None:
    listed = kwargs.get("type_list")
    if listed is None:
        return Outcome(True, observed_value=found.__name__)
    # Names that pyspark does not know are passed over, as long as it knows one.
    known = [_class_named(name) for name in listed if not isinstance(name, str) or hasattr(spark_types, name)]
    wanted = tuple(each for each in known if each is not None)
    if not wanted or len(wanted) < len(known):
        return None
    return Outcome(issubclass(found, wanted), observed_value=found.__name__)


_TYPED: Mapping[str, Callable[[Mapping[str, Any], type[spark_types.DataType]], Outcome | None]] = {
    "expect_column_type_to_be": _type_is,
    "expect_column_values_to_be_in_type_list": _type_is_listed,
    "expect_column_values_to_be_of_type": _type_is,
}
STRUCTURE_TYPES = frozenset({*_STRUCTURE, *_TYPED})
"""The types that look at columns only; the contract answers them."""

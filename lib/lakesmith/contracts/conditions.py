"""Row conditions: which rows an expectation looks at, checked as Great Expectations 1.x writes them.

A condition is an object, for example
`{"type": "comparison", "column": {"name": "quantity"}, "operator": ">", "parameter": 0}`, or of the types
`nullity`, `and`, `or`, `pass_through`; or the older text with `condition_parser: spark`. Refuses what Great
Expectations itself refuses, and columns that do not exist; the SQL of `pass_through` only Spark can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lakesmith.contracts.expectations import Family, family
from lakesmith.contracts.types import ColumnType
from lakesmith.contracts.values import EXPECTED, fits

__all__ = ["UnknownColumn", "check_row_condition"]


class UnknownColumn(str):
    """A finding that is about a column nobody declared: the text is the column's name."""

    __slots__ = ()


_OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN")
_TYPES = ("comparison", "nullity", "and", "or", "pass_through")
_KEYS = {
    "comparison": {"type", "column", "operator", "parameter"},
    "nullity": {"type", "column", "is_null"},
    "and": {"type", "conditions"},
    "or": {"type", "conditions"},
    "pass_through": {"type", "pass_through_filter"},
}
_MOST_CONDITIONS = 100
_TOO_LONG = 10**38


def check_row_condition(
    kwargs: Mapping[str, Any], columns: Mapping[str, ColumnType]
) -> Iterator[tuple[str, str]]:
    """What is wrong with the row condition of an expectation, as (place below `kwargs`, message).

    A message that is an `UnknownColumn` names a column that does not exist.
    """
    condition, parser = kwargs.get("row_condition"), kwargs.get("condition_parser")
    if parser not in (None, "spark", "great_expectations"):
        yield (
            "condition_parser",
            f"{parser!r} does not work on Spark; leave it out and write a condition object",
        )
    if condition is None:
        if parser is not None:
            yield "condition_parser", "there is no row_condition for it to read"
        return
    if isinstance(condition, str):
        if not condition.strip():
            yield "row_condition", "the condition is empty"
        return
    yield from _check(condition, "row_condition", columns, within=None)
    if (count := _count(condition)) > _MOST_CONDITIONS:
        yield "row_condition", f"{count} conditions; Great Expectations takes {_MOST_CONDITIONS}"


def _check(
    condition: Any, place: str, columns: Mapping[str, ColumnType], within: str | None
) -> Iterator[tuple[str, str]]:
    if not isinstance(condition, dict) or condition.get("type") not in _TYPES:
        yield place, f"expected a condition object with a type among {', '.join(_TYPES)}; found {condition!r}"
        return
    kind = condition["type"]
    if unknown := sorted(set(condition) - _KEYS[kind]):
        yield (
            place,
            f"unknown key(s) {', '.join(unknown)}; a {kind} condition has {', '.join(sorted(_KEYS[kind]))}",
        )
        return
    if missing := sorted(_KEYS[kind] - set(condition)):
        yield place, f"a {kind} condition needs {', '.join(missing)}"
        return
    match kind:
        case "and" | "or":
            yield from _check_group(condition, place, columns, within)
        case "pass_through" if within is not None:
            yield (
                place,
                "SQL inside a group is refused by Great Expectations; write the whole condition as SQL",
            )
        case "pass_through":
            if (
                not isinstance(condition["pass_through_filter"], str)
                or not condition["pass_through_filter"].strip()
            ):
                yield f"{place}.pass_through_filter", "expected a SQL condition"
        case _:
            yield from _check_column(condition, place, columns)


def _check_group(
    condition: dict[str, Any], place: str, columns: Mapping[str, ColumnType], within: str | None
) -> Iterator[tuple[str, str]]:
    kind, parts = condition["type"], condition["conditions"]
    if not isinstance(parts, list) or not parts:
        yield f"{place}.conditions", "expected a list of one or more conditions"
        return
    if kind == "or" and within is not None:
        yield place, "an or inside another group is refused by Great Expectations; write the or outermost"
        return
    for at, part in enumerate(parts):
        yield from _check(part, f"{place}.conditions[{at}]", columns, within=kind)


def _check_column(
    condition: dict[str, Any], place: str, columns: Mapping[str, ColumnType]
) -> Iterator[tuple[str, str]]:
    column = condition["column"]
    if not isinstance(column, dict) or set(column) != {"name"} or not isinstance(column["name"], str):
        yield f"{place}.column", f'expected {{"name": "<column>"}}, found {column!r}'
    elif column["name"] not in columns:
        yield f"{place}.column.name", UnknownColumn(column["name"])
    if condition["type"] == "nullity":
        if not isinstance(condition["is_null"], bool):
            yield f"{place}.is_null", f"expected true or false, found {condition['is_null']!r}"
        return
    operator, parameter = condition["operator"], condition["parameter"]
    if operator not in _OPERATORS:
        yield f"{place}.operator", f"expected one of {', '.join(_OPERATORS)}; found {operator!r}"
        return
    listed = operator in ("IN", "NOT_IN")
    if listed and (not isinstance(parameter, list) or not parameter or not _are_alike(parameter)):
        yield f"{place}.parameter", f"{operator} needs a list of one or more values, all texts or all numbers"
    elif not listed and not isinstance(parameter, str | int | float):
        yield (
            f"{place}.parameter",
            f"expected a text or a number, found {parameter!r}; for null use type nullity",
        )
    elif isinstance(column, dict) and column.get("name") in columns:
        values = parameter if listed else [parameter]
        yield from _check_values(values, f"{place}.parameter", columns[column["name"]])


def _check_values(values: list[Any], place: str, column: ColumnType) -> Iterator[tuple[str, str]]:
    """Whether values compare with a column's: Spark finds out row by row, when it casts the column."""
    kind = family(column)
    if kind is Family.OTHER:
        yield place, f"the column is {column}, which compares with no value; write the condition as SQL"
    elif wrong := [value for value in values if not fits(value, kind)]:
        yield place, f"expected {EXPECTED[kind]} for a column of type {column}, found {wrong[0]!r}"
    elif any("\\x" in repr(value).replace("\\\\", "") for value in values):
        # Great Expectations writes a text into SQL as Python would.
        yield place, "Spark reads the escapes of characters like a hard space in another way; write it as SQL"
    elif any(isinstance(value, int) and abs(value) >= _TOO_LONG for value in values):
        yield place, "Spark reads whole numbers of at most 38 digits; write it as 1e39"


def _are_alike(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values) or all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _count(condition: Any) -> int:
    parts = condition.get("conditions") if isinstance(condition, dict) else None
    return sum(_count(part) for part in parts) if isinstance(parts, list) else 1

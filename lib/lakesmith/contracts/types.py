"""Column types: the grammar a contract uses, Spark's names for it and Delta's.

Owns parsing and the two spellings. A type is a value; two spellings of one type are equal after parsing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["ArrayType", "ColumnType", "DecimalType", "MapType", "PrimitiveType", "StructType", "parse_type"]

# Spark's name -> the name in Delta's schema JSON. timestamp_ntz, void and variant need table features that
# DESIGN section 5 refuses.
_DELTA_NAMES = {
    "string": "string",
    "bigint": "long",
    "int": "integer",
    "smallint": "short",
    "tinyint": "byte",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "binary": "binary",
    "date": "date",
    "timestamp": "timestamp",
}
_SYNONYMS = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint"}
_MAX_PRECISION = 38


@dataclass(frozen=True)
class PrimitiveType:
    """A type without parameters, by Spark's name."""

    name: str

    def __str__(self) -> str:
        return self.name

    def delta(self) -> Any:
        """The type as Delta's schema JSON writes it."""
        return _DELTA_NAMES[self.name]


@dataclass(frozen=True)
class DecimalType:
    """A decimal of `precision` digits, `scale` of them after the point."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})"

    def delta(self) -> Any:
        """The type as Delta's schema JSON writes it."""
        return str(self)


@dataclass(frozen=True)
class ArrayType:
    """A list of values of one type, which may be null."""

    element: ColumnType

    def __str__(self) -> str:
        return f"array<{self.element}>"

    def delta(self) -> Any:
        """The type as Delta's schema JSON writes it."""
        return {"type": "array", "elementType": self.element.delta(), "containsNull": True}


@dataclass(frozen=True)
class MapType:
    """Keys and values, each of one type; values may be null."""

    key: ColumnType
    value: ColumnType

    def __str__(self) -> str:
        return f"map<{self.key},{self.value}>"

    def delta(self) -> Any:
        """The type as Delta's schema JSON writes it."""
        return {
            "type": "map",
            "keyType": self.key.delta(),
            "valueType": self.value.delta(),
            "valueContainsNull": True,
        }


@dataclass(frozen=True)
class StructType:
    """Named fields, in order; each may be null."""

    fields: tuple[tuple[str, ColumnType], ...]

    def __str__(self) -> str:
        return f"struct<{','.join(f'{name}:{kind}' for name, kind in self.fields)}>"

    def delta(self) -> Any:
        """The type as Delta's schema JSON writes it."""
        return {
            "type": "struct",
            "fields": [
                {"name": name, "type": kind.delta(), "nullable": True, "metadata": {}}
                for name, kind in self.fields
            ],
        }


ColumnType = PrimitiveType | DecimalType | ArrayType | MapType | StructType


def parse_type(text: str) -> ColumnType:
    """A column type from its text: `bigint`, `decimal(18,2)`, `array<struct<id:string,n:int>>`.

    Raises:
        ValueError: the text is no type; the message says what was expected where.
    """
    parser = _Parser(text)
    parsed = parser.type()
    parser.end()
    return parsed


class _Parser:
    """Recursive descent over the tokens of one type."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = re.findall(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[<>(),:]|\S", text)
        self.at = 0

    def type(self) -> ColumnType:
        name = self.next("a type").lower()
        name = _SYNONYMS.get(name, name)
        match name:
            case "decimal":
                return self.decimal()
            case "array":
                self.expect("<")
                element = self.type()
                self.expect(">")
                return ArrayType(element)
            case "map":
                self.expect("<")
                key = self.type()
                self.expect(",")
                value = self.type()
                self.expect(">")
                return MapType(key, value)
            case "struct":
                return self.struct()
            case _ if name in _DELTA_NAMES:
                return PrimitiveType(name)
            case _:
                known = ", ".join([*_DELTA_NAMES, "decimal(p,s)", "array<..>", "map<..,..>", "struct<..:..>"])
                raise ValueError(f"{name!r} is not a column type; known: {known}")

    def decimal(self) -> DecimalType:
        self.expect("(")
        precision = self.number()
        self.expect(",")
        scale = self.number()
        self.expect(")")
        if not 1 <= precision <= _MAX_PRECISION or scale > precision:
            raise ValueError(
                f"{self.text!r}: a decimal has 1 to {_MAX_PRECISION} digits and no more decimals than digits"
            )
        return DecimalType(precision, scale)

    def struct(self) -> StructType:
        self.expect("<")
        fields: list[tuple[str, ColumnType]] = []
        while True:
            name = self.next("a field name")
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"{self.text!r}: {name!r} is not a field name")
            if name in dict(fields):
                raise ValueError(f"{self.text!r}: the field {name!r} stands twice")
            self.expect(":")
            fields.append((name, self.type()))
            if self.next("',' or '>'") == ">":
                return StructType(tuple(fields))
            if self.tokens[self.at - 1] != ",":
                raise ValueError(f"{self.text!r}: expected ',' or '>' after the field {name!r}")

    def number(self) -> int:
        token = self.next("a number")
        if not token.isdigit():
            raise ValueError(f"{self.text!r}: expected a number, found {token!r}")
        return int(token)

    def expect(self, token: str) -> None:
        found = self.next(repr(token))
        if found != token:
            raise ValueError(f"{self.text!r}: expected {token!r}, found {found!r}")

    def next(self, expected: str) -> str:
        if self.at >= len(self.tokens):
            raise ValueError(f"{self.text!r} ends where {expected} was expected")
        self.at += 1
        return self.tokens[self.at - 1]

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise ValueError(f"{self.text!r}: unexpected {self.tokens[self.at]!r} after the type")

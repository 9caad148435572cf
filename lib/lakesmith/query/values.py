"""Values of an answer as text for people and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["json_value", "text_of", "unique"]


def text_of(value: Any) -> str:
    """A value as a cell shows it; times are UTC."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat(sep=" ").removesuffix("+00:00")
        case bytes():
            return value.hex()
        case dict():
            return f"{{{', '.join(f'{key}: {text_of(inner)}' for key, inner in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(text_of(inner) for inner in value)}]"
        case _:
            return str(value)


def json_value(value: Any) -> Any:
    """A value as JSON has it. Numbers that a double cannot hold become text, and so do NaN and the infinities."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if int(float(value)) == value else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            near = float(value)
            return near if Decimal(repr(near)) == value else f"{value:f}"
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case dict():
            return {str(key): json_value(inner) for key, inner in value.items()}
        case list() | tuple():
            return [json_value(inner) for inner in value]
        case bytes():
            return value.hex()
        case _:
            return str(value)


def unique(names: Sequence[str]) -> list[str]:
    """The names of columns, a repeated one with its number: an answer may have two of one name."""
    found: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in found:
            number += 1
            candidate = f"{name}_{number}"
        found.append(candidate)
    return found

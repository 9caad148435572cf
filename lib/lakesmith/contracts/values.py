"""Values in suites: which values of JSON can stand for a value of a column.

Owns the narrow reading: what Python, Spark and Great Expectations all take for the same number, day or time.
Each of them alone takes more (`2011-W09-2`, a fraction of nine digits, a whole number of 400 digits).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lakesmith.contracts.expectations import Family

__all__ = ["EXPECTED", "fits", "is_gregorian", "is_number", "precision"]

EXPECTED: Mapping[Family, str] = {
    Family.NUMBER: "a number",
    Family.STRING: "a text",
    Family.DATE: "a day written YYYY-MM-DD",
    Family.TIMESTAMP: "a day or a time written YYYY-MM-DDTHH:MM:SS",
    Family.BOOLEAN: "true or false",
}
"""What a value of each family looks like, for messages; the other families have no values in JSON."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_REFORM = datetime(1582, 10, 15)  # noqa: DTZ001 - of no zone, as the texts that it is compared with
_TIME = re.compile(
    _DAY.pattern + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])?)?"
)


def fits(value: Any, kind: Family) -> bool:
    """True when a value can be compared with those of a column of this family."""
    match kind:
        case Family.NUMBER:
            return is_number(value)
        case Family.STRING:
            return isinstance(value, str)
        case Family.BOOLEAN:
            return isinstance(value, bool)
        case Family.DATE:
            return isinstance(value, str) and _DAY.fullmatch(value) is not None and _parses(value)
        case Family.TIMESTAMP:
            return isinstance(value, str) and _TIME.fullmatch(value) is not None and _parses(value)
        case Family.OTHER:
            return False


def is_number(value: Any) -> bool:
    """True for a number that a double reaches: in JSON a whole number can be longer."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def precision(text: str) -> str:
    """What a day or a time that `fits` is: `day`, `time`, or `time with a zone`; two of a kind compare."""
    if _DAY.fullmatch(text):
        return "day"
    return "time" if datetime.fromisoformat(text).tzinfo is None else "time with a zone"


def is_gregorian(text: str) -> bool:
    """True for a day or a time that `fits` and that every calendar counts alike, from 1582-10-15 on."""
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)) >= _REFORM


def _parses(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True

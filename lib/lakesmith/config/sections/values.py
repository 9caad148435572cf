"""What sections of settings are made of: their base, and how values are read from YAML and from variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, SecretStr

from lakesmith.config.durations import parse_days, parse_seconds

__all__ = [
    "HIGHEST_PORT",
    "SECRET_NAME",
    "USER_INFO",
    "Conf",
    "Day",
    "Days",
    "MaybeSecret",
    "Memory",
    "Port",
    "Seconds",
    "Secret",
    "Section",
    "Texts",
    "days",
    "lists",
    "seconds",
    "size_in_bytes",
]

_MEMORY = re.compile(r"[1-9][0-9]*[kmgt]")
_SIZE = re.compile(r"([1-9][0-9]{0,5})([kmg])")
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
HIGHEST_PORT = 65535
SECRET_NAME = re.compile(r"secret|passw(or)?d|token|credential|(access|api)[._-]?key", re.IGNORECASE)
USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")


def seconds(value: object) -> int:
    """A duration with its unit, in seconds."""
    if not isinstance(value, str):
        raise ValueError("expected a duration with its unit, like 60s, 5m or 1h")  # noqa: TRY004  # pydantic's way
    return parse_seconds(value)


def days(value: object) -> int:
    """A number of days with its unit."""
    if not isinstance(value, str):
        raise ValueError("expected a number of days, like 90d")  # noqa: TRY004  # pydantic's way
    return parse_days(value)


def size_in_bytes(value: object) -> int:
    """A size with its unit, in bytes."""
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no size; write it like 128m (units: k, m, g)")
    return int(found.group(1)) * _UNITS[found.group(2)]


def _memory_size(value: object) -> object:
    """A size of memory, as Spark and containers write it; the text stays."""
    if isinstance(value, str | int) and not _MEMORY.fullmatch(str(value)):
        raise ValueError(f"{value!r} is no size of memory; write it like 4g (units: k, m, g, t)")
    return value


def _secret_text(value: object) -> object:
    """A password may be digits only, which YAML takes for a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _listed(value: object) -> object:
    """A list of YAML as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _conf_text(value: object) -> object:
    """Spark's settings are text; `true` and `200` in YAML mean that text."""
    if not isinstance(value, dict):
        return value
    return {key: _scalar_text(element) for key, element in value.items()}


def _scalar_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def lists(value: object) -> object:
    """A mapping whose lists are tuples."""
    return {key: _listed(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _calendar_day(value: object) -> object:
    """A day, as YAML or a variable has it; None stays."""
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("expected a day, like 2011-03-01") from None


class Section(BaseModel):
    """A section of settings: frozen, with no other keys, read strictly, and never shown by an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Secret = Annotated[SecretStr | None, BeforeValidator(_secret_text)]
Seconds = Annotated[PositiveInt, BeforeValidator(seconds)]
Days = Annotated[PositiveInt, BeforeValidator(days)]
Day = Annotated[date | None, BeforeValidator(_calendar_day)]
Memory = Annotated[str, BeforeValidator(_memory_size)]
Conf = Annotated[Mapping[str, str | SecretStr], BeforeValidator(_conf_text)]
MaybeSecret = str | SecretStr | None
"""A text that may hold a secret, and so may be a reference to one."""
Port = Annotated[PositiveInt, Field(le=HIGHEST_PORT)]

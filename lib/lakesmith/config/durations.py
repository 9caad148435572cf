"""Durations as people write them in settings and contracts: `45s`, `30m`, `2h`; whole days as `90d`. One unit at a time."""

from __future__ import annotations

import re

__all__ = ["parse_days", "parse_seconds"]

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_seconds(text: str) -> int:
    """The seconds of a duration written like `45s`, `30m` or `2h`.

    Raises:
        ValueError: any other text.
    """
    match = re.fullmatch(r"(0|[1-9][0-9]{0,8})([smh])", text)
    if not match:
        raise ValueError(f"{text!r} is not a duration; write a whole number with s, m or h, like 30m")
    return int(match.group(1)) * _SECONDS[match.group(2)]


def parse_days(text: str) -> int:
    """The days of a duration written like `90d`.

    Raises:
        ValueError: any other text.
    """
    match = re.fullmatch(r"(0|[1-9][0-9]{0,5})d", text)
    if not match:
        raise ValueError(f"{text!r} is no number of days; write it like 90d")
    return int(match.group(1))

"""What the batches of a table are compared with: profiles of the rows that a model was trained on, or of earlier batches.

Owns a baseline as a value, its JSON, and how later batches are measured to go with it. No Spark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from lakesmith.monitoring.comparison import usual_effect
from lakesmith.monitoring.decision import window_days
from lakesmith.monitoring.problems import ProfileUnreadable
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, merge_profiles

__all__ = ["ColumnBaseline", "TableBaseline", "baseline_of"]

_FORMAT = 1
_LENGTHS = (1, 3, 7, 28)
Slice = tuple[str | None, str | None]


@dataclass(frozen=True)
class ColumnBaseline:
    """A column's baseline.

    Args:
        profile: of all its batches together.
        usual: see `lakesmith.monitoring.comparison.usual_effect`, each with the length in days of the windows that it is of.
    """

    profile: ColumnProfile
    usual: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class TableBaseline:
    """The baseline of a table's columns.

    Args:
        first, last: the days of its batches.
        columns: by slicing expression, its value (both None for all rows) and column.
    """

    first: date
    last: date
    columns: Mapping[tuple[str | None, str | None, str], ColumnBaseline]

    def layout(self, column: str, data_type: str) -> ColumnLayout | None:
        """How a column is measured to go with the baseline; None where it knows no such column of that type."""
        found = self.columns.get((None, None, column))
        return found.profile.layout() if found is not None and found.profile.data_type == data_type else None

    def renamed(self, names: Mapping[str, str]) -> TableBaseline:
        """Only some columns, by other names, of all rows.

        Args:
            names: the baseline's name of a column -> the name it gets.
        """
        kept: dict[tuple[str | None, str | None, str], ColumnBaseline] = {
            (None, None, new): replace(found, profile=replace(found.profile, column=new))
            for old, new in names.items()
            if (found := self.columns.get((None, None, old))) is not None
        }
        return TableBaseline(self.first, self.last, kept)

    def to_dict(self) -> dict[str, Any]:
        """The baseline in JSON's types."""
        return {
            "format": _FORMAT,
            "first": self.first.isoformat(),
            "last": self.last.isoformat(),
            "columns": [
                {
                    "slice_key": key[0],
                    "slice_value": key[1],
                    "usual": [list(each) for each in found.usual],
                    "profile": found.profile.to_dict(),
                }
                for key, found in self.columns.items()
            ],
        }

    @staticmethod
    def from_dict(stored: Mapping[str, Any]) -> TableBaseline:
        """The baseline that `to_dict` gave.

        Raises:
            ProfileUnreadable: it was written in another form, or is none.
        """
        if stored.get("format") != _FORMAT:
            raise ProfileUnreadable(f"its format is {stored.get('format')!r}, not {_FORMAT}")
        columns: dict[tuple[str | None, str | None, str], ColumnBaseline] = {}
        for entry in stored["columns"]:
            profile = ColumnProfile.from_dict(entry["profile"])
            key = (entry["slice_key"], entry["slice_value"], profile.column)
            columns[key] = ColumnBaseline(
                profile, tuple((length, effect) for length, effect in entry["usual"])
            )
        first, last = (date.fromisoformat(stored[end]) for end in ("first", "last"))
        return TableBaseline(first, last, columns)


def baseline_of(
    batches: Iterable[tuple[date, Slice, Iterable[ColumnProfile]]], *, repeated: bool = False
) -> TableBaseline | None:
    """The baseline that some batches make.

    Args:
        batches: of each day and slice the profiles of all columns, on the same bins.
        repeated: the batches hold the same entities again and again.

    Returns:
        None without a batch.
    """
    profiles: dict[tuple[str | None, str | None, str], dict[date, ColumnProfile]] = defaultdict(dict)
    days: set[date] = set()
    for day, of, columns in batches:
        days.add(day)
        for profile in columns:
            profiles[(*of, profile.column)][day] = profile
    if not days:
        return None
    span = (max(days) - min(days)).days + 1
    found: dict[tuple[str | None, str | None, str], ColumnBaseline] = {}
    for key, parts in profiles.items():
        whole = merge_profiles(parts[day] for day in sorted(parts))
        # As it will be read again, so that it is the same before and after.
        whole = replace(whole, moments=whole.moments.rounded() if whole.moments is not None else None)
        usual = [
            (length, usual_effect(whole, _windows(parts, length), repeated=repeated))
            for length in _LENGTHS
            if 2 * length <= span or length == 1
        ]
        found[key] = ColumnBaseline(whole, tuple(usual))
    return TableBaseline(min(days), max(days), found)


def _windows(profiles: Mapping[date, ColumnProfile], length: int) -> list[ColumnProfile]:
    """The baseline's own windows of a length, one that ends with each of its days."""
    first = min(profiles) + timedelta(length - 1)
    return [merge_profiles(window_days(profiles, day, length)) for day in sorted(profiles) if day >= first]

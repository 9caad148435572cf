"""Counts of categories: those that a baseline knows, and the new ones. No Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakesmith.monitoring.problems import ProfilesDiffer

__all__ = ["MOST_CATEGORIES", "MOST_NEW", "CategoryCounts"]

MOST_CATEGORIES = 100
"""A column with more values is a text, of which groups of values are counted and no value is kept."""

MOST_NEW = 20
"""So many new values of a batch are kept by name, the most frequent ones."""


@dataclass(frozen=True)
class CategoryCounts:
    """How many rows have each value.

    Args:
        known: the baseline's values in order, each with its rows.
        new: values that the baseline does not have, in order, each with rows; where a batch has more than `MOST_NEW` of
            them, the rarer ones are only in `unnamed`.
        unnamed: rows with a new value that is not in `new`.
    """

    known: tuple[tuple[str, int], ...]
    new: tuple[tuple[str, int], ...] = ()
    unnamed: int = 0

    @staticmethod
    def of(categories: Sequence[str], counted: Mapping[str, int]) -> CategoryCounts:
        """The counts of one batch.

        Args:
            categories: the baseline's values.
            counted: rows by value, of all values that the batch has.
        """
        known = tuple((value, counted.get(value, 0)) for value in sorted(set(categories)))
        others = [(value, rows) for value, rows in counted.items() if value not in set(categories) and rows]
        frequent = sorted(others, key=lambda entry: (-entry[1], entry[0]))
        unnamed = sum(rows for _, rows in frequent[MOST_NEW:])
        return CategoryCounts(known, tuple(sorted(frequent[:MOST_NEW])), unnamed)

    @property
    def total(self) -> int:
        """Rows with a value."""
        return sum(rows for _, rows in self.known) + self.unknown

    @property
    def unknown(self) -> int:
        """Rows with a value that the baseline does not have."""
        return sum(rows for _, rows in self.new) + self.unnamed

    @property
    def distinct(self) -> int:
        """How many values there are; at least, where some have no name here."""
        return sum(rows > 0 for _, rows in (*self.known, *self.new)) + (self.unnamed > 0)

    def merged(self, other: CategoryCounts) -> CategoryCounts:
        """The counts of both samples together.

        Raises:
            ProfilesDiffer: the baselines know other values.
        """
        if [value for value, _ in self.known] != [value for value, _ in other.known]:
            raise ProfilesDiffer("their baselines know other categories")
        known = tuple((value, a + b) for (value, a), (_, b) in zip(self.known, other.known, strict=True))
        named = dict(self.new)
        for value, rows in other.new:
            named[value] = named.get(value, 0) + rows
        return CategoryCounts(known, tuple(sorted(named.items())), self.unnamed + other.unnamed)

    def frequent(self, most: int) -> list[tuple[str, int]]:
        """The most frequent values with their rows, most rows first."""
        found = [(value, rows) for value, rows in (*self.known, *self.new) if rows]
        return sorted(found, key=lambda entry: (-entry[1], entry[0]))[:most]

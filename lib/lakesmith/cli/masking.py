"""Which columns of rows that a person looks at are masked.

Owns that decision for every command that shows rows of a table by itself: columns of subjects, and what may hold a whole record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakesmith.contracts.model import Contract

__all__ = ["MASK", "masked_columns", "shown_row", "shown_value"]

MASK = "***"

_WHOLE_RECORDS = ("extra", "malformed")


def masked_columns(contract: Contract) -> frozenset[str]:
    """The columns of a table whose values may say something of a person.

    A landing table that has any keeps whole records, or fields that nobody declared, in `malformed` and `extra`.
    """
    subjects = {column.name for column in contract.columns if column.subject}
    if subjects and any(entry.source for entry in contract.inputs):
        subjects |= {column.name for column in contract.columns if column.name in _WHOLE_RECORDS}
    return frozenset(subjects)


def shown_value(name: str, value: object, masked: Iterable[str]) -> object:
    """A value, or the mask where it is one of a masked column; that there is no value is no secret."""
    return MASK if name in masked and value is not None else value


def shown_row(row: Mapping[str, object], masked: Iterable[str]) -> dict[str, object]:
    """A row with its masked columns covered."""
    return {name: shown_value(name, value, masked) for name, value in row.items()}

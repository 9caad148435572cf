"""When a value names a person: the one rule, for landing files, tables and the proof that somebody was erased.

Owns the canonical form of an id and which columns of a table are looked at. An id is compared as a whole: white space around it
does not count, nor zeros before its digits, nor a fraction of zeros (`17850`, ` 17850.0 ` and `017850` are one). In free text, a
record that did not parse or a column that nobody declared, every number and every word counts that stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from lakesmith.contracts.model import Column, Contract

if TYPE_CHECKING:
    from lakesmith.contracts.graph import TableGraph

__all__ = ["EXTRA", "MALFORMED", "SubjectColumns", "canonical", "leaves", "mentions", "source_columns"]

MALFORMED, EXTRA = "malformed", "extra"
"""The columns of free text that every source has: a record that cannot be split, and columns that nobody declared."""

_WHOLE = re.compile(r"0*([0-9]+)(?:\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_MOST_WORDS = 4
_FIELD = re.compile(r"[,;|\t\r\n\"]+")
_WORD = re.compile(r"[\s,;|\"'(){}\[\]<>:=]+")


def canonical(value: object) -> str | None:
    """The form in which an id is compared; None for what can be none.

    A text that is no whole number is compared as it stands, trimmed.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    text = str(value) if not isinstance(value, Decimal) else format(value, "f")
    text = text.strip()
    found = _WHOLE.fullmatch(text)
    return (found.group(1) if found else text) or None


def mentions(text: str) -> frozenset[str]:
    """The canonical forms of all that a free text may name: its numbers, its fields, its words and a few words together."""
    words = [word for word in _WORD.split(text) if word]
    together = [
        " ".join(words[at : at + length])
        for length in range(2, _MOST_WORDS + 1)
        for at in range(len(words) - length + 1)
    ]
    pieces = [*_NUMBER.findall(text), *_FIELD.split(text), *words, *together]
    return frozenset(form for piece in pieces if (form := canonical(piece)) is not None)


def leaves(value: object) -> Iterator[object]:
    """The values inside of a list, a map or a struct; a plain value is its own."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif value is not None:
        yield value


@dataclass(frozen=True)
class SubjectColumns:
    """The columns of a table in which a person can be named.

    Args:
        identity: hold an id, or lists of ids, and nothing else.
        free_text: may hold an id among other things.
    """

    identity: tuple[str, ...] = ()
    free_text: tuple[str, ...] = ()

    @classmethod
    def of(cls, contract: Contract) -> SubjectColumns:
        """A table's: its subject columns, and what it took over of a source's free text."""
        free = tuple(c.name for c in contract.columns if c.name in (MALFORMED, EXTRA))
        return cls(tuple(c.name for c in contract.columns if c.subject and c.name not in free), free)

    @property
    def all(self) -> tuple[str, ...]:
        """Both kinds."""
        return self.identity + self.free_text

    def __bool__(self) -> bool:
        return bool(self.all)

    def within(self, names: Iterable[str]) -> SubjectColumns:
        """Those of them that a file has."""
        present = set(names)
        return SubjectColumns(
            tuple(n for n in self.identity if n in present), tuple(n for n in self.free_text if n in present)
        )


def source_columns(graph: TableGraph, source: str) -> SubjectColumns:
    """A source's: the columns that any table which reads it declares as a subject's, and its free text."""
    declared: list[Column] = [
        column
        for contract in graph.contracts.values()
        if any(entry.source == source for entry in contract.inputs)
        for column in contract.columns
        if column.subject and column.name != MALFORMED
    ]
    own = {column.name for column in graph.sources[source].columns}
    return SubjectColumns(tuple(dict.fromkeys(c.name for c in declared if c.name in own)), (EXTRA, MALFORMED))

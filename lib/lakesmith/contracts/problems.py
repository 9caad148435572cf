"""Values of a YAML file together with their place in it, so that each mistake is reported where it stands.

Owns the reading of fields: every getter returns the value, or reports what was expected and returns None,
so that one mistake never hides another. What fields there are is `lakesmith.contracts.sources` and
`lakesmith.contracts.tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from lakesmith.config.yaml_text import YamlPath, YamlText, YamlValue, describe, dotted
from lakesmith.errors import LakesmithError, Problem

__all__ = ["Document", "Entry", "Fields", "nearest"]

_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=StrEnum)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None when none is near."""
    matches = get_close_matches(name, list(known), n=1)
    return str(matches[0]) if matches else None


@dataclass(frozen=True)
class Document:
    """One file: its text as YAML, and the mistakes found in it so far."""

    text: YamlText
    problems: list[Problem] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The file, relative to the project."""
        return self.text.file

    @property
    def top(self) -> Entry:
        """The whole file as an entry."""
        return Entry(self, (), self.text.value)

    def has_problem(self, key: str) -> bool:
        """True when something is wrong at or below a key of the file's first level."""
        return any(p.place == key or p.place.startswith((f"{key}.", f"{key}[")) for p in self.problems)

    def report(self, path: YamlPath, message: str, near: str | None = None) -> None:
        """Notes a mistake at a place of the file; a place that is not there counts for the one around it."""
        self.problems.append(
            Problem(self.file, dotted(path), message, line=self.text.line(path), nearest=near)
        )


@dataclass(frozen=True)
class Entry:
    """A value at its place in a file."""

    document: Document
    path: YamlPath
    value: YamlValue

    def report(self, message: str, near: str | None = None) -> None:
        """Notes a mistake here."""
        self.document.report(self.path, message, near)

    def expected(self, what: str) -> None:
        """Notes that something else stands here; not again where the YAML itself has no value to give."""
        if self.value is None and any(p.place == dotted(self.path) for p in self.document.text.problems):
            return
        self.report(f"expected {what}, found {describe(self.value)}")

    def entries(self, what: str = "keys and values") -> dict[str, Entry]:
        """The values of a mapping by their keys; none when it is no mapping."""
        if not isinstance(self.value, dict):
            self.expected(what)
            return {}
        return {key: Entry(self.document, (*self.path, key), value) for key, value in self.value.items()}

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> Fields:
        """The values of a mapping whose keys are fixed; reports unknown and missing keys.

        Of a file without a value nothing more is reported: that it has none, is its reader's message.
        """
        needed = tuple(required)
        allowed = (*needed, *optional)
        if self.value is None and not self.path:
            return Fields({})
        found = self.entries(f"keys and values ({', '.join(allowed)})")
        if not isinstance(self.value, dict):
            return Fields({})
        meant: set[str | None] = set()
        for key, entry in found.items():
            if key not in allowed:
                left = [name for name in allowed if name not in found]
                near = nearest(key, left) or nearest(key, allowed)
                entry.report(f"unknown key; allowed: {', '.join(allowed)}", near)
                meant.add(near)
        if missing := [repr(key) for key in needed if key not in found and key not in meant]:
            what = f"the key {missing[0]} is" if len(missing) == 1 else f"the keys {', '.join(missing)} are"
            self.report(f"{what} missing")
        return Fields({key: found[key] for key in allowed if key in found})

    def items(self, what: str = "a list") -> list[Entry]:
        """The elements of a list; none when it is no list."""
        if not isinstance(self.value, list):
            self.expected(what)
            return []
        return [Entry(self.document, (*self.path, n), value) for n, value in enumerate(self.value)]

    def text(self, what: str = "text") -> str | None:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            self.expected(what)
            return None
        return self.value

    def flag(self) -> bool | None:
        """True or false."""
        if not isinstance(self.value, bool):
            self.expected("true or false")
            return None
        return self.value

    def whole(self, least: int, most: int | None = None) -> int | None:
        """A whole number of at least `least` and at most `most`."""
        value = self.value
        in_range = isinstance(value, int) and value >= least and (most is None or value <= most)
        if isinstance(value, bool) or not in_range:
            limits = f"of at least {least}" if most is None else f"from {least} to {most}"
            self.expected(f"a whole number {limits}")
            return None
        assert isinstance(value, int)
        return value

    def number(self, least: float, most: float) -> float | None:
        """A number from `least` to `most`."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.expected(f"a number from {least:g} to {most:g}")
            return None
        return float(value)

    def choice(self, names: Iterable[str]) -> str | None:
        """One of several words."""
        known = tuple(names)
        if self.value in known:
            return str(self.value)
        near = nearest(self.value.lower(), known) if isinstance(self.value, str) else None
        self.report(f"expected {_either(known)}, found {describe(self.value)}", near)
        return None

    def member(self, words: type[_Word]) -> _Word | None:
        """One word of an enumeration."""
        word = self.choice(words)
        return None if word is None else words(word)

    def parsed(self, parse: Callable[[str], _T], what: str) -> _T | None:
        """A text in a grammar of its own; what the parser raises is the message."""
        text = self.text(what)
        if text is None:
            return None
        try:
            return parse(text)
        except (ValueError, LakesmithError) as error:
            self.report(str(error))
            return None


@dataclass(frozen=True)
class Fields:
    """The values of a mapping whose keys are fixed, those that are there."""

    entries: Mapping[str, Entry]

    def read(self, key: str, read: Callable[[Entry], _T | None], default: _T) -> _T:
        """The value of a key; the default where the key is missing or its value was reported.

        A file with mistakes is never used, so the default of a needed key only lets the reading go on.
        """
        if key not in self.entries:
            return default
        value = read(self.entries[key])
        return default if value is None else value


def _either(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

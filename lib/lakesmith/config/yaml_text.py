"""YAML as this project reads it: plain values, the line of each, and every mistake as a `Problem`.

Owns the dialect. Scalars are those of YAML 1.2 in its core schema, so that a column called `no` or `on`
stays a name and a day stays text: only true and false are booleans, nothing is a date, a number with
leading zeros is text. Refuses repeated keys, keys that are no scalars, tags and several documents in a
file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError
from yaml.resolver import BaseResolver

from lakesmith.errors import Problem

__all__ = ["YamlPath", "YamlText", "YamlValue", "describe", "dotted", "read_yaml"]

YamlValue = dict[str, "YamlValue"] | list["YamlValue"] | str | int | float | bool | None
YamlPath = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset({f"{_TAG}str", f"{_TAG}map", f"{_TAG}seq"})
_PLAIN_STYLES = ("", None)
_SHOWN = 60
_DEEPEST = 50


@dataclass(frozen=True)
class YamlText:
    """What one YAML text says.

    Args:
        file: the name that its problems carry.
        value: the plain value; None for an empty text and for one that is no YAML.
        lines: line number, from 1, of each key and list element, by its path.
        problems: every mistake of the text itself. Values of repeated keys are those of the first.
    """

    file: str
    value: YamlValue
    lines: Mapping[YamlPath, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, path: YamlPath) -> int | None:
        """The line of a place, or of the nearest place around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None


def dotted(path: YamlPath) -> str:
    """A path as people read it: `columns.customer_id.type`, `patterns[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def describe(value: object) -> str:
    """A value as an error names it: its kind and at most a line of it; no more of what is not YAML's."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
            return f"the text {shown!r}"
        case int() | float():
            return f"the number {value}"
        case Mapping():
            return "keys and values" if value else "an empty mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return "another value"


def read_yaml(text: str, file: str) -> YamlText:
    """A YAML text as values with their lines; mistakes are returned, not raised.

    Args:
        text: the whole text.
        file: how problems name it.
    """
    try:
        root = _compose(text)
    except yaml.MarkedYAMLError as error:
        return _unreadable(file, error, text.count("\n") + 1)
    except ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        code = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"is not YAML: the character U+{code:04X} is not allowed"
        return YamlText(file, None, problems=(Problem(file, "", message, line=line),))
    except RecursionError:
        return YamlText(file, None, problems=(Problem(file, "", "is nested too deeply to be read"),))
    if root is None:
        return YamlText(file, None)
    builder = _Builder(file)
    value = builder.value(root, ())
    return YamlText(file, value, builder.lines, tuple(builder.problems))


def _unreadable(file: str, error: yaml.MarkedYAMLError, lines: int) -> YamlText:
    mark = error.problem_mark or error.context_mark
    # A bracket that is never closed is noticed after the last line.
    line = min(mark.line + 1, lines) if mark else None
    column = f", column {mark.column + 1}" if mark and mark.line < lines else ""
    message = f"is not YAML{column}: {_one_line(error.problem or 'unreadable')}"
    if error.context:
        begun = f" that begins in line {error.context_mark.line + 1}" if error.context_mark else ""
        message += f" ({_one_line(error.context)}{begun})"
    return YamlText(file, None, problems=(Problem(file, "", message, line=line),))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _compose(text: str) -> Node | None:
    try:
        from yaml._yaml import CParser
    except ImportError:  # PyYAML built without libyaml: the same nodes and marks, more slowly
        return yaml.compose(text, Loader=yaml.BaseLoader)

    class Loader(CParser, BaseResolver):
        def __init__(self) -> None:
            CParser.__init__(self, text)
            BaseResolver.__init__(self)

    node: Node | None = Loader().get_single_node()
    return node


def _plain(text: str) -> YamlValue:
    """The value of an unquoted scalar, by YAML 1.2's core schema without octal and hexadecimal numbers."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-+.0123456789":
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


_WORDS: Mapping[str, YamlValue] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class _Builder:
    """Turns nodes into values and notes where each stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[YamlPath, int] = {}
        self.problems: list[Problem] = []
        self.open: set[int] = set()

    def value(self, node: Node, path: YamlPath) -> YamlValue:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if node.tag not in _TAGS:
            tag = node.tag.replace(_TAG, "!!")
            self.report(path, line, f"the tag {tag!r} is not supported; leave it out")
            return None
        if isinstance(node, ScalarNode):
            return _plain(node.value) if node.style in _PLAIN_STYLES else str(node.value)
        if len(path) > _DEEPEST:
            self.report((), line, f"is nested too deeply: at most {_DEEPEST} levels")
            return None
        if id(node) in self.open:
            self.report(path, line, "an alias must not stand inside its own anchor")
            return None
        self.open.add(id(node))
        value: YamlValue = None
        if isinstance(node, MappingNode):
            value = self.mapping(node, path)
        elif isinstance(node, SequenceNode):
            value = self.sequence(node, path)
        self.open.remove(id(node))
        return value

    def mapping(self, node: MappingNode, path: YamlPath) -> YamlValue:
        values: dict[str, YamlValue] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self.report(path, line, "a key must be plain text, not a list or a mapping")
                continue
            key = str(key_node.value)
            place = (*path, key)
            if key in values:
                first = self.lines[place]
                self.report(place, line, f"the key {key!r} stands twice; the first is in line {first}")
                continue
            self.lines[place] = line
            values[key] = self.value(value_node, place)
        return values

    def sequence(self, node: SequenceNode, path: YamlPath) -> YamlValue:
        return [self.value(element, (*path, n)) for n, element in enumerate(node.value)]

    def report(self, path: YamlPath, line: int, message: str) -> None:
        self.problems.append(Problem(self.file, dotted(path), message, line=line))

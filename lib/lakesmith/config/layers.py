"""Layers of settings: files and variables laid over each other, each value with its origin.

Owns which keys exist (taken from `Settings`), how variables are named and read, and the messages about
keys. Values are checked by `Settings` once all layers lie on each other. Secrets are wrapped before
anything else looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr

from lakesmith.config.settings import Settings
from lakesmith.config.yaml_text import YamlPath, YamlValue, describe, dotted, read_yaml
from lakesmith.errors import Problem

__all__ = ["Layers", "Origin"]

_PREFIX = "LAKESMITH__"
_SECRETS = "storage_options"
# Their values are texts, whatever YAML would take them for.
_TEXTS = "connections"
# Where a value may hold a secret, so that no message shows one.
_GUARDED = (
    (_SECRETS,),
    ("spark", "conf"),
    ("mlflow",),
    ("openlineage",),
    ("stack", "environment"),
    ("alerts", "webhook"),
    ("alerts", "email"),
    (_TEXTS,),
)
_LOADERS_OWN = {
    "environment": "is chosen by --env or the variable LAKESMITH_ENV",
    "project_root": "is the folder that is worked in, or the variable LAKESMITH_PROJECT",
    "origins": "is kept by Lakesmith itself",
}


@dataclass(frozen=True)
class Origin:
    """Where a value was set: a file with its line, or a variable."""

    name: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class _Kind(Enum):
    """What a key holds, as far as the laying of layers must know."""

    FREE = "keys of the project's own"
    TREE = "keys of the project's own, on any level"
    TEXT = "text or nothing"
    OTHER = "any other value"


_Keys = Mapping[str, "_Kind | _Keys"]


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _keys(model: type[BaseModel]) -> _Keys:
    keys: dict[str, _Kind | _Keys] = {}
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys[info.alias or name] = _keys(kind)
        elif get_origin(kind) is Mapping:
            nested = any(get_origin(inner) is Mapping or _is_section(inner) for inner in get_args(kind))
            keys[info.alias or name] = _Kind.TREE if nested else _Kind.FREE
        else:
            texts = {str, SecretStr}
            text = {kind, *get_args(kind)} & {Path, *texts} and set(get_args(kind)) <= {NoneType, *texts}
            keys[info.alias or name] = _Kind.TEXT if text else _Kind.OTHER
    return keys


_ALLOWED: _Keys = {key: node for key, node in _keys(Settings).items() if key not in _LOADERS_OWN}


class Layers:
    """Values of several files and variables; what is added later lies on top.

    Attributes:
        values: everything set so far, nested as `Settings` is.
        origins: where each value was set, by its path.
        problems: mistakes in the layers' keys and syntax, in the order found.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.origins: dict[YamlPath, Origin] = {}
        self.problems: list[Problem] = []

    def add_file(self, path: Path, name: str) -> None:
        """Lays a YAML file on top.

        Args:
            path: the file.
            name: how origins and problems name it.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            self._report(Origin(name), (), "is not UTF-8 text")
            return
        except OSError as error:
            self._report(Origin(name), (), f"cannot be read: {error.strerror}; it must be a file of settings")
            return
        document = read_yaml(text, name)
        self.problems.extend(_without_secret(problem) for problem in document.problems)
        if document.value is not None:
            layer = _Layer(lambda place: Origin(name, document.line(place)), (), _ALLOWED, self.values)
            self._lay(document.value, layer)

    def add_variables(self, environ: Mapping[str, str]) -> None:
        """Lays the variables LAKESMITH__... on top; of two that overlap the deeper one wins."""
        for name in sorted(environ, key=lambda name: (name.count("__"), name)):
            if name.startswith(_PREFIX):
                self._add_variable(name, environ[name])
            elif (meant := _with_two_underscores(name)) is not None:
                message = "is not read: settings follow two underscores"
                self._report(Origin(f"variable {name}"), (), message, meant)

    def _add_variable(self, name: str, text: str) -> None:
        origin = Origin(f"variable {name}")
        steps = name.removeprefix(_PREFIX).split("__")
        kind: _Kind | _Keys = _ALLOWED
        path: YamlPath = ()
        while steps and not isinstance(kind, _Kind):
            path = (*path, steps.pop(0).lower())
            if path[-1] not in kind:
                self._unknown(origin, path, kind)
                return
            kind = kind[str(path[-1])]
        if kind is _Kind.TREE:
            path, steps = (*path, *(_own_key(step) for step in steps)), []
        if steps and kind is not _Kind.FREE:
            self._report(origin, path, "holds one value and has no keys")
            return
        if steps:
            path = (*path, _own_key("__".join(steps)))
        known = len(self.problems)
        value = self._variable_value(origin, path, kind, text, whole=not steps)
        if len(self.problems) > known:
            return
        for step in reversed(path):
            value = {str(step): value}
        self._lay(value, _Layer(lambda _: origin, (), _ALLOWED, self.values))

    def _variable_value(
        self, origin: Origin, path: YamlPath, kind: _Kind | _Keys, text: str, *, whole: bool
    ) -> YamlValue:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._report(origin, path, "is not UTF-8 text")
            return None
        one_text = (
            (kind is _Kind.TREE and path[0] == _TEXTS and len(path) > 2)
            or kind is _Kind.TEXT
            or (kind is _Kind.FREE and not whole and path[0] != "parameters")
        )
        if one_text and (text or kind is _Kind.FREE) and text not in ("null", "~"):
            return text
        document = read_yaml(text, origin.name)
        for problem in document.problems:
            # A parser quotes what it stumbles over, which may be a piece of a secret.
            self._report(origin, path, "is not YAML" if _is_guarded(path) else problem.message)
        return document.value

    def _lay(self, value: YamlValue, layer: _Layer) -> None:
        if value is None:
            return  # a heading whose lines are all comments
        if not isinstance(value, dict):
            found = "one value" if _is_guarded(layer.path) else describe(value)
            self._report(layer.origin(layer.path), layer.path, f"expected keys and values, found {found}")
            return
        for key, inner in value.items():
            path = (*layer.path, key)
            kind: _Kind | _Keys = _Kind.OTHER
            if layer.keys is _Kind.TREE:
                if inner is None:
                    continue  # a heading as above, on whatever level
                kind = _Kind.TREE if isinstance(inner, dict) else _Kind.OTHER
            if not isinstance(layer.keys, _Kind):
                if key not in layer.keys:
                    self._unknown(layer.origin(path), path, layer.keys)
                    continue
                kind = layer.keys[key]
            if isinstance(kind, _Kind) and kind not in (_Kind.FREE, _Kind.TREE):
                secret = path[0] == _SECRETS and inner is not None and not isinstance(inner, dict | list)
                layer.target[key] = SecretStr(str(inner)) if secret else inner
                self._forget_origins(path)
                self.origins[path] = layer.origin(path)
            else:
                below = layer.target.setdefault(key, {})
                if not isinstance(below, dict):  # keys over one value, which only a tree may hold
                    below = layer.target[key] = {}
                    self._forget_origins(path)
                self._lay(inner, _Layer(layer.origin, path, kind, below))

    def _forget_origins(self, path: YamlPath) -> None:
        """Drops where a value was set that another one now replaces, keys and all."""
        for replaced in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[replaced]

    def _unknown(self, origin: Origin, path: YamlPath, keys: _Keys) -> None:
        key = str(path[-1])
        if len(path) == 1 and key in _LOADERS_OWN:
            self._report(origin, path, f"cannot be set here: it {_LOADERS_OWN[key]}")
            return
        outer, _, inner = key.partition(".")
        if inner and outer in keys:
            message = f"keys stand inside each other, without a point between them: {outer}: {{{inner}: ...}}"
            self._report(origin, path, message)
            return
        near = get_close_matches(key.lower(), keys, n=1)
        self._report(origin, path, f"unknown key; allowed: {', '.join(keys)}", near[0] if near else None)

    def _report(self, origin: Origin, path: YamlPath, message: str, nearest: str | None = None) -> None:
        self.problems.append(Problem(origin.name, dotted(path), message, line=origin.line, nearest=nearest))


@dataclass(frozen=True)
class _Layer:
    """One mapping of a layer: where it stands, which keys it may have and what it is laid on."""

    origin: Callable[[YamlPath], Origin]
    path: YamlPath
    keys: _Keys | Literal[_Kind.FREE, _Kind.TREE]
    target: dict[str, object]


def _own_key(step: str) -> str:
    """A key of the project's own as a variable names it: upper case is read as lower case."""
    return step.lower() if step.isupper() else step


def _is_guarded(path: YamlPath) -> bool:
    return any(path[: len(guarded)] == guarded for guarded in _GUARDED)


def _without_secret(problem: Problem) -> Problem:
    """The problem of a file's text, without the tag that it names: a secret may begin with `!`."""
    if "the tag " not in problem.message or not _is_guarded(tuple(problem.place.split("."))):
        return problem
    return replace(problem, message="a value that begins with ! is a tag to YAML; write it in quotes")


def _with_two_underscores(name: str) -> str | None:
    """The variable that was meant by LAKESMITH_LAKE_ROOT; None for a variable that has no such meaning."""
    rest = name.removeprefix("LAKESMITH_")
    if rest == name or rest.split("__")[0].lower() not in _ALLOWED:
        return None
    return f"{_PREFIX}{rest}"

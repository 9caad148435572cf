"""The code that a transform reaches, as text in which only behaviour counts.

Owns finding the definitions and writing them down so that comments, formatting, docstrings, annotations and
the Python version make no difference. A job is parsed, never imported.

The reach of a transform is its own function, and everything of the project that its names lead to: functions, classes and
constants of its module, and of modules under the project's lib/ and jobs/ and of Lakesmith itself. Other packages are not
followed: their versions are pinned. Nothing here needs more than the standard library.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lakesmith.config.archive import package_folder
from lakesmith.errors import ConfigurationError

__all__ = ["transform_code"]


def transform_code(job: Path, table: str, root: Path) -> list[str]:
    """Every definition that the transform of a table reaches, as stable text, in order of name.

    Raises:
        ConfigurationError: the file cannot be parsed, or no function in it is decorated `@job("<table>")`.
    """
    module = _Module.of(job, (root / "lib", root / "jobs", package_folder().parent))
    name = module.transform_of(table)
    reached: dict[tuple[str, str], str] = {}
    pending = [(module, name)]
    while pending:
        where, wanted = pending.pop()
        if (where.label, wanted) in reached:
            continue
        definition = where.definitions.get(wanted)
        if definition is not None:
            reached[(where.label, wanted)] = "\n".join(_text(node) for node in definition)
            pending.extend((where, used) for node in definition for used in _names(node))
            for node in definition:
                pending.extend(where.through_modules(node))
        elif wanted in where.imported:
            origin, original = where.imported[wanted]
            found = where.find(origin)
            if found is not None and original is not None:
                pending.append((found, original))
    # Labels are positions in a package, not paths of a machine.
    return [f"{label}:{name}\n{text}" for (label, name), text in sorted(reached.items())]


@dataclass(frozen=True)
class _Module:
    """One parsed file: its definitions and what its names were imported as."""

    label: str
    roots: tuple[Path, ...]
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, file: Path, roots: tuple[Path, ...], dotted: str = "job") -> _Module:
        return _parse(file, roots, dotted, file.stat().st_mtime_ns)

    def find(self, dotted: str) -> _Module | None:
        """A module of the project or of Lakesmith by its dotted name; None for any other package."""
        file = _locate(dotted, self.roots)
        return _Module.of(file, self.roots, dotted) if file is not None else None

    def through_modules(self, node: ast.AST) -> Iterator[tuple[_Module, str]]:
        """`windows.pairs` where `windows` is an imported module of the project: the definition behind the dot."""
        for attribute in ast.walk(node):
            if isinstance(attribute, ast.Attribute) and isinstance(attribute.value, ast.Name):
                origin = self.imported.get(attribute.value.id)
                if origin is not None:
                    dotted = origin[0] if origin[1] is None else f"{origin[0]}.{origin[1]}"
                    found = self.find(dotted)
                    if found is not None:
                        yield found, attribute.attr

    def transform_of(self, table: str) -> str:
        for name, nodes in self.definitions.items():
            for node in nodes:
                if isinstance(node, ast.FunctionDef) and any(_is_job(d, table) for d in node.decorator_list):
                    return name
        raise ConfigurationError(
            f'{self.label}: no function is decorated @job("{table}"). '
            f"Decorate the transform, or name another job in conf/tables/{table}.yml."
        )


@lru_cache(maxsize=2048)
def _locate(dotted: str, roots: tuple[Path, ...]) -> Path | None:
    parts = dotted.split(".")
    for root in roots:
        for file in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
            if file.is_file():
                return file
    return None


@lru_cache(maxsize=512)
def _parse(file: Path, roots: tuple[Path, ...], dotted: str, changed: int) -> _Module:
    """Parsed once for each state of a file (`changed` is its modification time)."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ConfigurationError(
            f"{file.name}:{error.lineno}: not valid Python: {error.msg}. Mend the file, then check with: lakesmith doctor"
        ) from None
    module = _Module(dotted if dotted != "job" else file.stem, roots)
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                module.definitions.setdefault(node.name, []).append(node)
            case ast.Assign():
                for target in node.targets:
                    for name in _bound(target):
                        module.definitions.setdefault(name, []).append(node)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
                module.definitions.setdefault(name, []).append(node)
            case ast.Import():
                for alias in node.names:
                    module.imported[alias.asname or alias.name.split(".")[0]] = (alias.name, None)
            case ast.ImportFrom(module=str(origin), level=0):
                for alias in node.names:
                    module.imported[alias.asname or alias.name] = (origin, alias.name)
            case ast.ImportFrom(level=level) if level:
                package = dotted.split(".")[:-level]
                origin = ".".join([*package, node.module] if node.module else package)
                for alias in node.names:
                    module.imported[alias.asname or alias.name] = (origin, alias.name)
            case _:
                pass
    return module


def _bound(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id


def _is_job(decorator: ast.expr, table: str) -> bool:
    match decorator:
        case ast.Call(
            func=ast.Name(id="job") | ast.Attribute(attr="job"), args=[ast.Constant(value=name), *_]
        ):
            return bool(name == table)
        case _:
            return False


def _names(node: ast.AST) -> list[str]:
    """The names that a definition reads. Decorators and annotations say nothing of the rows."""
    found: list[str] = []
    for inner in _behaviour(node):
        if isinstance(inner, ast.Name):
            found.append(inner.id)
    return found


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it that can change what the code does."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in _SILENT_FIELDS:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _behaviour(child)


# Annotations, positions and the fields that only some Python versions have.
_SILENT_FIELDS = frozenset(
    {"annotation", "returns", "decorator_list", "type_comment", "type_params", "ctx", "kind"}
)


def _text(node: Any) -> str:
    """A syntax tree as text that is the same on every supported Python: no positions, docstrings or absent fields."""
    match node:
        case ast.AST():
            parts = []
            for name, value in ast.iter_fields(node):
                if (
                    name in _SILENT_FIELDS
                    or (value is None and not isinstance(node, ast.Constant))
                    or value == []
                ):
                    continue
                if name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    value = _without_docstring(value)
                parts.append(f"{name}={_text(value)}")
            return f"{type(node).__name__}({','.join(parts)})"
        case list():
            return f"[{','.join(_text(item) for item in node)}]"
        case _:
            return repr(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
        case _:
            return body

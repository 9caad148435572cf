"""Which columns of its inputs each column of a result comes from, read off Spark's analyzed plan.

Owns the reading of the plan's JSON. Pure: `columns_of` needs no Spark. `marked` names an input's frame, so that its columns are
found again in the plan whatever was done to them, also where Spark gives one side of a self-join new ids.

What a plan cannot say is said: through an operator that runs Python on whole rows (mapInPandas, applyInPandas and the like) any
column may come from any other; through a Python function a column comes from the function's arguments, in what way nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lakesmith.ledger.columns import ColumnSource, TableColumns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["analyzed_plan", "columns_of", "marked"]

_MARK = "_lakesmith_input_"
# Operators whose output is that of their only child.
_PASSING = frozenset(
    {
        "SubqueryAlias", "Filter", "Sort", "GlobalLimit", "LocalLimit", "Limit", "Offset", "Tail", "Distinct", "Deduplicate",
        "DeduplicateWithinWatermark", "Repartition", "RepartitionByExpression", "RebalancePartitions", "Sample", "UnresolvedHint",
        "ResolvedHint", "WithFilter", "CollectMetrics", "EventTimeWatermark", "View", "Subquery", "WithCTE",
    }
)  # fmt: skip
# Joins that give the columns of their left side only.
_LEFT_ONLY = ("LeftSemi", "LeftAnti")
# Operators whose expressions decide which rows there are, and the fields that do.
_DECIDING = {
    "Filter": ("condition",),
    "Join": ("condition",),
    "Aggregate": ("groupingExpressions",),
    "Deduplicate": ("keys",),
}
_FUNCTIONS = ("PythonUDF", "PythonUDAF", "ScalaUDF", "ScalaUDAF", "ScalaAggregator", "PythonUDTF")
_SUBQUERIES = ("ScalarSubquery", "Exists", "ListQuery", "LateralSubquery", "InSubquery")
_LEAVES_WITHOUT_INPUT = frozenset({"LocalRelation", "OneRowRelation", "Range", "EmptyRelation"})


@dataclass
class _Node:
    """One operator or expression of a plan."""

    name: str
    fields: Mapping[str, Any]
    children: list[_Node] = field(default_factory=list)


@dataclass
class _Origin:
    """Where a value may come from, one step back."""

    ids: set[int] = field(default_factory=set)
    sources: set[ColumnSource] = field(default_factory=set)
    through: set[str] = field(default_factory=set)


def marked(frame: DataFrame, name: str) -> DataFrame:
    """An input's frame under a name that its plan keeps."""
    return frame.alias(f"{_MARK}{name}")


def analyzed_plan(frame: DataFrame) -> str:
    """The analyzed plan of a frame as Spark's JSON; nothing is computed."""
    return str(frame._jdf.queryExecution().analyzed().toJSON())


def columns_of(plan: str, targets: Mapping[str, str]) -> TableColumns:
    """Which input columns each column of a plan's result comes from.

    Args:
        plan: Spark's JSON of an analyzed plan.
        targets: what each marked input is: a table or a source.

    Raises:
        ValueError: the text is no plan.
    """
    root = _tree(json.loads(plan))
    reader = _Reader(targets)
    reader.visit(root)
    columns = {}
    for name, number in reader.output(root):
        found = reader.resolved({number})
        columns[name] = (tuple(sorted(found.sources)), tuple(sorted(found.through)))
    deciding = reader.resolved(reader.deciding)
    return TableColumns(columns, tuple(sorted(deciding.sources)), tuple(sorted(reader.opaque)))


class _Reader:
    """One walk over a plan."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._origins: dict[int, _Origin] = {}
        self.deciding: set[int] = set()
        self.opaque: set[str] = set()

    def visit(self, node: _Node) -> None:
        """Notes where every attribute that is made below a node comes from."""
        mark = _mark(node)
        if mark is not None:
            for name, number in self.output(node):
                self._origin(number).sources.add(ColumnSource(self._targets.get(mark, mark), name))
            return
        for child in node.children:
            self.visit(child)
        self._decide(node)
        for tree in _expressions(node.fields):
            for part in _every(tree):
                if part.name == "Alias":
                    self._made(_id(part.fields), part)
        if node.name in ("Union", "Expand"):
            self._merged(node)
        elif node.name == "Generate":
            generator = list(_expressions({"g": node.fields.get("generator")}))
            for number in _ids(node.fields.get("generatorOutput")):
                for tree in generator:
                    self._made(number, tree)
        elif not self._is_known(node):
            self._hidden(node)

    def _is_known(self, node: _Node) -> bool:
        return node.name in _PASSING or node.name in (
            "Project",
            "Aggregate",
            "Window",
            "Join",
            *_LEAVES_WITHOUT_INPUT,
        )

    def _hidden(self, node: _Node) -> None:
        """An operator that tells nothing: each of its columns may come from all of its children's."""
        self.opaque.add(node.name)
        below = {number for child in node.children for _, number in self.output(child)}
        for number in _ids(node.fields.get("output")) or _ids(node.fields.get("outputObjAttr")):
            origin = self._origin(number)
            origin.ids |= below - {number}
            origin.through.add(node.name)

    def _made(self, number: int | None, tree: _Node) -> None:
        if number is None:
            return
        origin = self._origin(number)
        for part in _every(tree):
            if part.name in ("AttributeReference", "OuterReference"):
                used = _id(part.fields)
                if used is not None and used != number:
                    origin.ids.add(used)
            elif part.name in _FUNCTIONS:
                origin.through.add(part.name)
            elif part.name in _SUBQUERIES:
                origin.through.add(part.name)
                self.opaque.add(part.name)

    def _merged(self, node: _Node) -> None:
        """Operators that lay several rows of columns over each other: each column comes from all in its place."""
        if node.name == "Union":
            rows = [[number for _, number in self.output(child)] for child in node.children]
            for first, *others in zip(*rows, strict=False):
                self._origin(first).ids |= set(others) - {first}
            return
        output = _ids(node.fields.get("output"))
        for projection in node.fields.get("projections") or ():
            for number, tree in zip(output, _expressions({"p": projection}), strict=False):
                self._made(number, tree)

    def _decide(self, node: _Node) -> None:
        for name in _DECIDING.get(node.name, ()):
            for tree in _expressions({name: node.fields.get(name)}):
                for part in _every(tree):
                    number = _id(part.fields) if part.name == "AttributeReference" else None
                    if number is not None:
                        self.deciding.add(number)

    def output(self, node: _Node) -> list[tuple[str, int]]:
        """The columns that an operator gives, in order."""
        fields = node.fields
        if node.name == "Project":
            return _named(fields.get("projectList"))
        if node.name == "Aggregate":
            return _named(fields.get("aggregateExpressions"))
        if node.name == "Window":
            return [*self.output(node.children[0]), *_named(fields.get("windowExpressions"))]
        if node.name == "Generate":
            made = _named(fields.get("generatorOutput"))
            unneeded = set(fields.get("unrequiredChildIndex") or ())
            kept = [c for at, c in enumerate(self.output(node.children[0])) if at not in unneeded]
            return [*kept, *made]
        if node.name == "Join":
            kind = json.dumps(fields.get("joinType"))
            sides = node.children[:1] if any(name in kind for name in _LEFT_ONLY) else node.children
            return [column for side in sides for column in self.output(side)]
        if node.name == "Union" or (node.name in _PASSING and node.children):
            return self.output(node.children[-1] if node.name == "WithCTE" else node.children[0])
        return _named(fields.get("output")) or _named(fields.get("outputObjAttr"))

    def resolved(self, numbers: set[int]) -> _Origin:
        """All that some attributes come from, back to the inputs."""
        found, waiting, seen = _Origin(), list(numbers), set(numbers)
        while waiting:
            origin = self._origins.get(waiting.pop())
            if origin is None:
                continue
            found.sources |= origin.sources
            found.through |= origin.through
            for number in origin.ids - seen:
                seen.add(number)
                waiting.append(number)
        return found

    def _origin(self, number: int) -> _Origin:
        return self._origins.setdefault(number, _Origin())


def _tree(nodes: Sequence[Mapping[str, Any]]) -> _Node:
    """A tree that is written as its nodes from the top, each before its children."""
    if not isinstance(nodes, list) or not nodes or "class" not in nodes[0]:
        raise ValueError("not a plan as Spark writes it in JSON")
    waiting: list[tuple[_Node, int]] = []
    root: _Node | None = None
    for fields in nodes:
        node = _Node(str(fields["class"]).rpartition(".")[2], fields)
        if root is None:
            root = node
        else:
            while waiting and waiting[-1][1] == 0:
                waiting.pop()
            if not waiting:
                raise ValueError("a plan with more nodes than its operators have children")
            parent, missing = waiting.pop()
            parent.children.append(node)
            waiting.append((parent, missing - 1))
        waiting.append((node, int(fields["num-children"])))
    assert root is not None
    return root


def _expressions(fields: Mapping[str, Any]) -> Iterator[_Node]:
    """The expressions that an operator holds, as trees."""
    for value in fields.values():
        if not isinstance(value, list) or not value:
            continue
        if isinstance(value[0], dict) and "class" in value[0]:
            yield _tree(value)
        elif isinstance(value[0], list):
            for part in value:
                yield from _expressions({"": part})


def _every(tree: _Node) -> Iterator[_Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def _id(fields: Mapping[str, Any]) -> int | None:
    number = (fields.get("exprId") or {}).get("id")
    return int(number) if number is not None else None


def _named(value: Any) -> list[tuple[str, int]]:
    """The names and ids of a list of named expressions."""
    found = []
    for tree in _expressions({"": value}):
        number = _id(tree.fields)
        if number is not None:
            found.append((str(tree.fields.get("name")), number))
    return found


def _ids(value: Any) -> list[int]:
    return [number for _, number in _named(value)]


def _mark(node: _Node) -> str | None:
    if node.name != "SubqueryAlias":
        return None
    identifier = node.fields.get("identifier")
    name = identifier.get("name") if isinstance(identifier, dict) else str(identifier).rpartition(".")[2]
    return str(name).removeprefix(_MARK) if str(name).startswith(_MARK) else None

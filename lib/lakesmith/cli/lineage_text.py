"""Lineage in words: a tree of tables, each with the batches that were walked, merged into ranges."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.lineage_tables import in_order, roles
from lakesmith.cli.wording import count, days_text, grid
from lakesmith.contracts.edges import Edge, neighbours
from lakesmith.ledger.columns import TableColumns
from lakesmith.ledger.lineage import BatchNode, FileNode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lakesmith.contracts.model import Contract
    from lakesmith.contracts.project import Project
    from lakesmith.engine.context import Context
    from lakesmith.ledger.columns import ColumnsRecord
    from lakesmith.ledger.lineage import ModelNode, Read, Walk
    from lakesmith.ledger.model_events import ModelEvent

__all__ = ["column_lines", "table_lines", "walk_lines"]

_NAMED = 5
_WORDS = {
    "PythonUDF": "a Python function",
    "PythonUDAF": "a Python aggregate",
    "ScalaUDF": "a function of Spark's or Java's",
    "ScalaUDAF": "an aggregate of Java's",
}
_TITLES = {"up": "made from", "down": "made from it"}


def table_lines(context: Context, contract: Contract, directions: Sequence[str]) -> list[RenderableType]:
    """The tables, sources and models around a table, each with what it holds."""
    project = context.project
    lines: list[RenderableType] = [_held(context, contract.table, "")]
    for direction in directions:
        up = direction == "up"
        near = neighbours(project, contract.table, up=up)
        lines += ["", _TITLES[direction] if near else f"{_TITLES[direction]}: nothing"]
        links = [(edge.end, edge.start) if up else (edge.start, edge.end) for edge in near]
        labels: dict[str, Text] = {}
        for edge in near:
            name = edge.start if up else edge.end
            if name not in labels:
                labels[name] = _held(context, name, _roles_text(project, name))
        lines += _tree(contract.table, links, labels, _how(near, up=up))
    return lines


def walk_lines(
    project: Project,
    start: BatchNode | FileNode | ModelEvent,
    others: Sequence[str],
    walks: Mapping[str, Walk],
) -> list[RenderableType]:
    """What was walked, by direction.

    Args:
        others: the options that would choose other rows or contents of the start.
        walks: `up`, `down` or both.
    """
    name, said = _start(start)
    lines: list[RenderableType] = [Text.assemble((name, "bold"), said)]
    if others:
        shown = ", ".join(others[-_NAMED:])
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        what = (
            "contents"
            if isinstance(start, FileNode)
            else "versions"
            if not isinstance(start, BatchNode)
            else "rows"
        )
        lines.append(f"there are other {what} of it: {shown}{more}")
    for direction, walk in walks.items():
        lines += ["", *_walk(project, _key(start), walk, direction)]
    return lines


def column_lines(contract: Contract, record: ColumnsRecord, *, is_current: bool) -> list[RenderableType]:
    """Which input columns each column of a table comes from.

    Args:
        is_current: the code has not changed since.
    """
    found = TableColumns.from_json(record.columns)
    since = "" if is_current else "; the code has changed since, the next run tells anew"
    lines: list[RenderableType] = [
        f"{contract.table}, by the plan of run {record.run_id} of {record.recorded_at:%Y-%m-%d}{since}",
        "",
    ]
    table = grid("column", "comes from", wrap=["comes from"])
    for name, (sources, through) in in_order(contract, found).items():
        said = ", ".join(str(source) for source in sources) or "no input: a constant, or made by the job"
        hidden = f" (through {', '.join(_WORDS.get(part, part) for part in through)})" if through else ""
        table.add_row(name, f"{said}{hidden}")
    lines.append(table)
    if found.deciding:
        lines += [
            "",
            f"which rows there are is decided by {', '.join(str(source) for source in found.deciding)}",
        ]
    if found.opaque:
        lines += ["", f"the plan does not show what happens inside of {', '.join(found.opaque)}"]
    return lines


def _walk(project: Project, start: str, walk: Walk, direction: str) -> list[RenderableType]:
    title = _TITLES[direction]
    parts = []
    batches = sum(len(nodes) for nodes in walk.batches.values())
    if batches:
        parts.append(f"{count(batches, 'batch')} of {count(len(walk.batches), 'table')}")
    if walk.models:
        models = len({node.event.model for node in walk.models})
        parts.append(f"{count(len(walk.models), 'version')} of {count(models, 'model')}")
    if walk.files:
        parts.append(count(len(walk.files), "landing file"))
    lines: list[RenderableType] = [f"{title}: {', '.join(parts) if parts else 'nothing'}"]
    labels: dict[str, Text] = {
        table: _batches(table, nodes, _roles_text(project, table)) for table, nodes in walk.batches.items()
    }
    versions: dict[str, list[ModelNode]] = defaultdict(list)
    for node in walk.models:
        versions[f"models.{node.event.model}"].append(node)
    labels |= {name: _versions(name, nodes) for name, nodes in versions.items()}
    sources: dict[str, list[FileNode]] = defaultdict(list)
    for file in walk.files:
        sources[file.source].append(file)
    labels |= {source: _files(source, files) for source, files in sources.items()}
    lines += _tree(start, _links(start, walk, labels, up=direction == "up"), labels, {})
    if walk.unknown:
        lines.append(
            f"not known, since it was not written down then: what {', '.join(walk.unknown[-_NAMED:])} "
            f"{'was' if len(walk.unknown) == 1 else 'were'} trained on"
        )
    return lines


def _links(start: str, walk: Walk, labels: Mapping[str, Text], *, up: bool) -> list[tuple[str, str]]:
    """From the start on, which name led to which, in the order of the tables."""
    told: list[tuple[str, Sequence[Read]]] = [
        (table, node.reads) for table, nodes in walk.batches.items() for node in nodes
    ]
    told += [(f"models.{n.event.model}", (*n.trained_on, *n.tested_on)) for n in walk.models]
    found: dict[tuple[str, str], None] = {}
    for name, reads in told:
        for read in reads:
            link = (name, read.target) if up else (read.target, name)
            if name != read.target and link[1] in labels:
                found[link] = None
    # What the start itself read or gave is not among the nodes: whatever nothing else led to hangs on it.
    led_to = {child for _, child in found}
    return [*((start, name) for name in labels if name not in led_to and name != start), *found]


def _tree(
    root: str,
    links: Iterable[tuple[str, str]],
    labels: Mapping[str, Text],
    how: Mapping[tuple[str, str], str],
) -> list[RenderableType]:
    """Every name once, below the last of those that led to it."""
    children: dict[str, list[str]] = defaultdict(list)
    for parent, child in dict.fromkeys(links):
        if parent != child:
            children[parent].append(child)
    depths: dict[str, int] = {}
    _deepen(root, 0, children, depths, [])
    places: dict[str, list[str]] = defaultdict(list)
    for child in labels:
        parents = [parent for parent in children if child in children[parent] and parent in depths]
        if child in depths and child != root and parents:
            nearest = max(parents, key=lambda parent: depths[parent])
            places[nearest].append(child)
    lines: list[RenderableType] = []

    def draw(name: str, indent: str) -> None:
        below = places[name]
        for at, child in enumerate(below):
            last = at == len(below) - 1
            others = [p for p in children if child in children[p] and p != name and p in depths]
            text = Text(f"{indent}{'└─ ' if last else '├─ '}").append_text(labels[child])
            if how.get((name, child)):
                text.append(f"  {how[name, child]}", style="dim")
            if others:
                text.append(f"  (also by {', '.join(others)})", style="dim")
            lines.append(text)
            draw(child, indent + ("   " if last else "│  "))

    draw(root, "  ")
    if root in labels:
        lines.append(Text("  and of ").append_text(labels[root]))
    return lines


def _deepen(
    name: str, depth: int, children: Mapping[str, list[str]], depths: dict[str, int], path: list[str]
) -> None:
    if name in path or depth <= depths.get(name, -1):
        return
    depths[name] = depth
    for child in children.get(name, ()):
        _deepen(child, depth + 1, children, depths, [*path, name])


def _how(edges: Sequence[Edge], *, up: bool) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in edges:
        found[(edge.end, edge.start) if up else (edge.start, edge.end)].append(edge.label)
    return {link: ", ".join(dict.fromkeys(labels)) for link, labels in found.items()}


def _held(context: Context, name: str, note: str) -> Text:
    """A table with what it holds; a source or a model by its name."""
    text = Text(name, style="bold" if not note else "")
    if name in context.project.graph.contracts:
        history, live = context.ledger.history(name), context.ledger.live(name)
        days = [day for day in history.records if history.standing(day) is not None]
        version = f", version {live.version}" if live is not None else ""
        text = Text(name).append(note, style="cyan")
        return text.append(f"  {days_text(days)}{version}" if days else "  never published")
    if name.startswith("models."):
        timeline = context.ledger.timeline(name.removeprefix("models."))
        champion = f"champion {timeline.champion.version}" if timeline.champion is not None else "no champion"
        return Text(name).append(f"  {count(len(timeline.versions), 'version')}, {champion}")
    return Text(name).append("  landing files")


def _roles_text(project: Project, table: str) -> str:
    found = roles(project, table)
    return f" ({', '.join(f'{part} of {model}' for part, model in found)})" if found else ""


def _batches(table: str, nodes: Sequence[BatchNode], note: str) -> Text:
    text = Text(table).append(note, style="cyan")
    standing = {node.record.batch_date for node in nodes if node.stands}
    replaced = [node for node in nodes if not node.stands]
    said = []
    if standing:
        said.append(days_text(standing))
    if replaced:
        days = days_text({node.record.batch_date for node in replaced})
        said.append(f"{'and ' if standing else ''}rows that were replaced since: {days}")
    versions = sorted({version for node in nodes for version in node.scored_by})
    if versions:
        said.append(f"by version {', '.join(str(version) for version in versions)}")
    return text.append(f"  {', '.join(said)}")


def _versions(name: str, nodes: Sequence[ModelNode]) -> Text:
    trained = [str(node.event.version) for node in nodes if node.trained_on or not node.known]
    tested = [str(node.event.version) for node in nodes if not node.trained_on and node.known]
    said = []
    if trained:
        of = days_text({day for node in nodes for read in node.trained_on for day in read.batches})
        said.append(
            f"version {', '.join(trained)}{f' trained on {of}' if any(n.trained_on for n in nodes) else ''}"
        )
    if tested:
        of = days_text(
            {day for n in nodes if not n.trained_on for read in n.tested_on for day in read.batches}
        )
        said.append(f"version {', '.join(tested)} only measured on {of}")
    return Text(name).append(f"  {'; '.join(said)}")


def _files(source: str, files: Sequence[FileNode]) -> Text:
    if len(files) <= _NAMED:
        return Text(source).append(f"  {', '.join(file.path for file in files)}")
    days = {file.batch_date for file in files}
    return Text(source).append(f"  {count(len(files), 'file')} of {days_text(days)}")


def _start(start: BatchNode | FileNode | ModelEvent) -> tuple[str, str]:
    if isinstance(start, BatchNode):
        record = start.record
        version = f"version {record.version}, " if record.version is not None else ""
        stands = "" if start.stands else ", replaced since"
        scored = ", ".join(str(number) for number in start.scored_by)
        by = f", scored by version {scored}" if scored else ""
        quarantined = f", {record.quarantined:,} in quarantine" if record.quarantined else ""
        return (
            f"{record.table} {record.batch_date}",
            f": {version}{count(record.rows, 'row')}{quarantined}, {record.outcome} "
            f"{record.recorded_at:%Y-%m-%d %H:%M:%S} UTC by run {record.run_id}{by}{stands}",
        )
    if isinstance(start, FileNode):
        return f"{start.source}/{start.path}", f": {start.size:,} bytes, SHA-256 {start.sha256[:12]}..."
    return (
        f"models.{start.model} version {start.version}",
        f": trained as of {start.as_of}, run {start.run_id}",
    )


def _key(start: BatchNode | FileNode | ModelEvent) -> str:
    if isinstance(start, BatchNode):
        return start.record.table
    return start.source if isinstance(start, FileNode) else f"models.{start.model}"

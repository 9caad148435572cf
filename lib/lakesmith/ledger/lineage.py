"""Lineage: what a batch was made from and what was made from it, by what runs wrote down that they read.

Owns the walk through the records, up and down. A pure function of what the caller has read: it opens nothing and starts no JVM.

What is walked is editions: the rows of one batch, by their digest. A batch that was corrected has two, and what read the first
was not reached by the second. Which edition a batch read follows from the table version that its run pinned and from the days
that its window held; days that had failed and were left out were not read. What a run read is recorded, so a window that was
changed in a contract since does not count; only records from before the days were written down are taken by the window as it is
declared now.

A version of a model is reached through the batches that it was trained on. Those of the test it learned nothing from: they are
named, and its scores are not reached through them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.graph import TableGraph
from lakesmith.ledger.arms import repeated
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.model_events import ModelEvent, ModelTimeline, TrainedOn
from lakesmith.ledger.records import BatchRecord, InputRead

__all__ = ["BatchNode", "Edition", "FileNode", "Lineage", "ModelNode", "Read", "Walk"]


@dataclass(frozen=True, order=True)
class Edition:
    """The rows of one batch of one table."""

    table: str
    batch_date: date
    digest: str


@dataclass(frozen=True)
class Read:
    """What something read of one target, as far as a walk came by there.

    Args:
        target: a table, a source, or a model as `models.<name>`.
        batches: of a table, the days.
        versions: of a model.
        files: of a source, the paths.
    """

    target: str
    batches: tuple[date, ...] = ()
    versions: tuple[int, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchNode:
    """One edition of a batch.

    Args:
        record: the last one that describes these rows.
        stands: they are what the table holds now.
        reads: what it read of what was walked.
        scored_by: of a batch of scores, the versions that gave them.
    """

    record: BatchRecord
    stands: bool
    reads: tuple[Read, ...] = ()
    scored_by: tuple[int, ...] = ()

    @property
    def edition(self) -> Edition:
        """Whose rows they are."""
        return Edition(self.record.table, self.record.batch_date, self.record.digest)


@dataclass(frozen=True)
class ModelNode:
    """One version of a model.

    Args:
        event: with which it began.
        trained_on: the batches walked that it learned from, by table.
        tested_on: those that it was only measured on.
        known: False for a version from before it was written down what it was trained on.
    """

    event: ModelEvent
    trained_on: tuple[Read, ...] = ()
    tested_on: tuple[Read, ...] = ()
    known: bool = True


@dataclass(frozen=True)
class FileNode:
    """One landing file with the content that a batch was made from."""

    source: str
    batch_date: date
    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Walk:
    """What a walk came by; the start is not part of it.

    Args:
        batches: by table, in the order in which tables are made; each by day.
        unknown: versions of models of which nobody knows what they were trained on: `model version`.
    """

    batches: Mapping[str, tuple[BatchNode, ...]]
    models: tuple[ModelNode, ...] = ()
    files: tuple[FileNode, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def editions(self) -> frozenset[Edition]:
        """The batches, by their rows."""
        return frozenset(node.edition for nodes in self.batches.values() for node in nodes)


@dataclass
class _Marks:
    """What was walked so far: editions by table and day, versions by model, contents by source and path."""

    editions: dict[str, dict[date, set[str]]] = field(default_factory=lambda: defaultdict(dict))
    versions: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    files: dict[str, dict[str, set[str]]] = field(default_factory=lambda: defaultdict(dict))

    def mark(self, edition: Edition) -> None:
        self.editions[edition.table].setdefault(edition.batch_date, set()).add(edition.digest)


class Lineage:
    """The records of a graph, ready to be walked.

    Args:
        models: the models that are declared.
        histories: the records of a table.
        timelines: the events of a model.
    """

    def __init__(
        self,
        graph: TableGraph,
        models: Mapping[str, ModelDeclaration],
        *,
        histories: Callable[[str], TableHistory],
        timelines: Callable[[str], ModelTimeline],
    ) -> None:
        self._graph = graph
        self._histories = {table: histories(table) for table in graph.order}
        self._editions = {table: _editions(history) for table, history in self._histories.items()}
        self._models = models
        self._timelines = {model: timelines(model) for model in sorted(models)}

    def down(
        self,
        *,
        editions: Iterable[Edition] = (),
        files: Iterable[FileNode] = (),
        versions: Iterable[ModelEvent] = (),
    ) -> Walk:
        """Everything that was made from some rows, landing files or versions of models."""
        marks = _Marks()
        starts = set(editions)
        for edition in starts:
            marks.mark(edition)
        for file in files:
            marks.files[file.source].setdefault(file.path, set()).add(file.sha256)
        for event in versions:
            marks.versions[event.model].add(event.version)
        started = {model: set(numbers) for model, numbers in marks.versions.items()}
        found: dict[Edition, BatchRecord] = {}
        trained: dict[tuple[str, int], ModelNode] = {}
        grows = True
        # Labels may stand after scores in the order of tables: a model that was reached late sends the walk round once more.
        while grows:
            grows = False
            for editions_of_table in self._editions.values():
                for edition, record in editions_of_table.items():
                    if edition in found or edition in starts:
                        continue
                    if next(self._hits(record, marks), None) is not None:
                        found[edition] = record
                        marks.mark(edition)
                        grows = True
            for node in self._trained(marks):
                model, number = node.event.model, node.event.version
                if number not in started.get(model, ()):
                    trained[model, number] = node
                    if node.trained_on and number not in marks.versions[model]:
                        marks.versions[model].add(number)
                        grows = True
        # What was found early may have read what was found later, too.
        nodes = [self._node(record, _merged(self._hits(record, marks))) for record in found.values()]
        return Walk(
            self._by_table(nodes),
            tuple(trained[key] for key in sorted(trained)),
            unknown=self._unknown(marks),
        )

    def up(self, *, editions: Iterable[Edition] = (), versions: Iterable[ModelEvent] = ()) -> Walk:
        """Everything that some rows or versions of models were made from."""
        starts = set(editions)
        found: dict[Edition, BatchNode] = {}
        models: dict[tuple[str, int], ModelNode] = {}
        files: dict[tuple[str, str, str], FileNode] = {}
        unknown: set[str] = set()
        waiting: list[Edition] = list(starts)
        seen = set(starts)
        events = list(versions)
        started = {(event.model, event.version) for event in events}
        entered = set(started)
        while waiting or events:
            if events:
                event = events.pop()
                node = self._whole_model(event)
                if not node.known:
                    unknown.add(f"{event.model} version {event.version}")
                if (event.model, event.version) not in started:
                    models[event.model, event.version] = node
                reached = list(_trained_editions(event))
            else:
                edition = waiting.pop()
                record = self._editions.get(edition.table, {}).get(edition)
                if record is None:
                    continue
                if edition not in starts:
                    found[edition] = self._node(record, tuple(self._everything_read(record)))
                for file in _files(record):
                    files[file.source, file.path, file.sha256] = file
                for name, number in self._served_by(record):
                    made = self._timelines[name].registered(number) if name in self._timelines else None
                    if made is not None and (name, number) not in entered:
                        entered.add((name, number))
                        events.append(made)
                reached = list(self._editions_read(record))
            for edition in reached:
                if edition not in seen:
                    seen.add(edition)
                    waiting.append(edition)
        return Walk(
            self._by_table(found.values()),
            tuple(models[key] for key in sorted(models)),
            tuple(sorted(files.values(), key=lambda f: (f.source, f.batch_date, f.path, f.sha256))),
            tuple(sorted(unknown)),
        )

    def editions(self, table: str, day: date) -> tuple[BatchNode, ...]:
        """Every edition of a batch, the one that stands last; none when it never was published."""
        found = [
            self._node(record, ())
            for edition, record in self._editions[table].items()
            if edition.batch_date == day
        ]
        return tuple(sorted(found, key=lambda node: (node.stands, node.record.recorded_at)))

    def edition_at(self, table: str, day: date, version: int) -> BatchNode | None:
        """The batch as a version of its table held it; None when that held none."""
        standing = [r for r in self._histories[table].records.get(day, ()) if r.outcome.stands]
        known = [r for r in standing if r.version is None or r.version <= version]
        if not known:
            return None
        return self._node(self._editions[table][Edition(table, day, known[-1].digest)], ())

    def files(self, source: str, path: str) -> tuple[FileNode, ...]:
        """Every content of a landing file that any batch was made from, the newest last."""
        found: dict[str, FileNode] = {}
        records = [
            record
            for editions in self._editions.values()
            for record in editions.values()
            if any(read.target == source for read in record.inputs)
        ]
        for record in sorted(records, key=lambda r: r.recorded_at):
            for file in _files(record):
                if (file.source, file.path) == (source, path):
                    found.pop(file.sha256, None)
                    found[file.sha256] = file
        return tuple(found.values())

    # --- what one record read -----------------------------------------------------------------------------------------

    def _hits(self, record: BatchRecord, marks: _Marks) -> Iterator[Read]:
        """What a batch read of what is marked, piece by piece."""
        source = _repeated_batch(record)
        if source is not None:
            again = self._repeated(record, source)
            if again is not None and again.digest in marks.editions.get(record.table, {}).get(source, ()):
                yield Read(record.table, (source,))
            return
        for read in record.inputs:
            if read.target in self._histories:
                marked = marks.editions.get(read.target)
                window = self._window(record, read) if marked else None
                if marked and window is not None:
                    for day in window if len(window) < len(marked) else [d for d in marked if d in window]:
                        if day in marked and self._edition_read(read, day) in marked[day]:
                            yield Read(read.target, (day,))
            elif read.target in marks.files:
                contents = marks.files[read.target]
                for file in read.files:
                    if file["sha256"] in contents.get(file["path"], ()):
                        yield Read(read.target, files=(file["path"],))
        for model, number in self._served_by(record):
            if number in marks.versions.get(model, ()):
                yield Read(f"models.{model}", versions=(number,))

    def _everything_read(self, record: BatchRecord) -> Iterator[Read]:
        days: dict[str, list[date]] = defaultdict(list)
        for edition in self._editions_read(record):
            days[edition.table].append(edition.batch_date)
        for table, read in days.items():
            yield Read(table, tuple(sorted(set(read))))
        for target in dict.fromkeys(file.source for file in _files(record)):
            yield Read(target, files=tuple(f.path for f in _files(record) if f.source == target))
        for model in dict.fromkeys(name for name, _ in self._served_by(record)):
            numbers = tuple(number for name, number in self._served_by(record) if name == model)
            yield Read(f"models.{model}", versions=numbers)

    def _editions_read(self, record: BatchRecord) -> Iterator[Edition]:
        """All rows of other batches that a batch was made from."""
        source = _repeated_batch(record)
        if source is not None:
            again = self._repeated(record, source)
            if again is not None:
                yield Edition(again.table, again.batch_date, again.digest)
            return
        for read in record.inputs:
            window = self._window(record, read) if read.target in self._histories else None
            for day in window or ():
                digest = self._edition_read(read, day)
                if digest is not None:
                    yield Edition(read.target, day, digest)

    def _window(self, record: BatchRecord, read: InputRead) -> BatchRange | None:
        """The days that a batch was allowed to read of a table; as declared now where the record does not say."""
        if read.window:
            first, last = read.window
            return BatchRange(date.fromisoformat(first), date.fromisoformat(last))
        contract = self._graph.contracts[record.table]
        entry = next((i for i in contract.inputs if i.name == read.name and i.table == read.target), None)
        if entry is None:
            return None
        return entry.window.reads(record.batch_date, self._graph.starts[read.target])

    def _edition_read(self, read: InputRead, day: date) -> str | None:
        """The digest of the rows that a pinned version held for a day; None when it had none or they were left out."""
        if day.isoformat() in read.left_out:
            return None
        standing = [r for r in self._histories[read.target].records.get(day, ()) if r.outcome.stands]
        known = (
            r.digest
            for r in reversed(standing)
            if r.version is None or (read.version is not None and r.version <= read.version)
        )
        return next(known, None)

    def _served_by(self, record: BatchRecord) -> tuple[tuple[str, int], ...]:
        """The models and their versions that scored a batch."""
        served: list[tuple[str, int]] = []
        for read in record.inputs:
            prefix, _, model = read.target.partition(".")
            if prefix != "models" or repeated(read) is not None:
                continue
            numbers = [arm["version"] for arm in read.files] or (
                [read.version] if read.version is not None else []
            )
            served += [(model, number) for number in numbers]
        return tuple(served)

    def _repeated(self, record: BatchRecord, source: date) -> BatchRecord | None:
        """The record of the scores that a batch repeats: what stood when it was made."""
        earlier = [
            r
            for r in self._histories[record.table].records.get(source, ())
            if r.outcome.stands and r.recorded_at < record.recorded_at
        ]
        return earlier[-1] if earlier else None

    # --- models ---------------------------------------------------------------------------------------------------

    def _trained(self, marks: _Marks) -> Iterator[ModelNode]:
        """The versions that were trained or measured on what is marked."""
        for timeline in self._timelines.values():
            for event in _registered(timeline):
                known = TrainedOn.of(event)
                if known is None:
                    continue
                hit = {
                    table: [
                        day for day, digest in digests.items() if digest in marks.editions[table].get(day, ())
                    ]
                    for table, digests in known.digests.items()
                    if table in marks.editions
                }
                node = _model_node(event, hit, known.test)
                if node.trained_on or node.tested_on:
                    yield node

    def _unknown(self, marks: _Marks) -> tuple[str, ...]:
        """Versions that may have been trained on what is marked, if only it had been written down."""
        return tuple(
            f"{model} version {event.version}"
            for model, timeline in self._timelines.items()
            if self._models[model].features_table in marks.editions
            or self._models[model].label.table in marks.editions
            for event in _registered(timeline)
            if TrainedOn.of(event) is None
        )

    def _whole_model(self, event: ModelEvent) -> ModelNode:
        known = TrainedOn.of(event)
        if known is None:
            return ModelNode(event, known=False)
        return _model_node(event, {t: list(digests) for t, digests in known.digests.items()}, known.test)

    # --- nodes ------------------------------------------------------------------------------------------------------

    def _node(self, record: BatchRecord, reads: tuple[Read, ...]) -> BatchNode:
        standing = self._histories[record.table].standing(record.batch_date)
        stands = standing is not None and standing.digest == record.digest
        return BatchNode(record, stands, reads, tuple(number for _, number in self._served_by(record)))

    def _by_table(self, nodes: Iterable[BatchNode]) -> dict[str, tuple[BatchNode, ...]]:
        by_table: dict[str, list[BatchNode]] = {table: [] for table in self._graph.order}
        for node in nodes:
            by_table[node.record.table].append(node)
        return {
            table: tuple(sorted(found, key=lambda n: (n.record.batch_date, n.record.recorded_at)))
            for table, found in by_table.items()
            if found
        }


def _editions(history: TableHistory) -> dict[Edition, BatchRecord]:
    """The last record of all the rows that a table ever held, day after day."""
    found: dict[Edition, BatchRecord] = {}
    for day in sorted(history.records):
        for record in history.records[day]:
            if record.outcome.stands:
                found[Edition(record.table, day, record.digest)] = record
    return found


def _repeated_batch(record: BatchRecord) -> date | None:
    """The day whose scores a batch holds once more; None for any other batch."""
    said = next((again for read in record.inputs if (again := repeated(read)) is not None), None)
    return date.fromisoformat(said["batch"]) if said is not None else None


def _files(record: BatchRecord) -> list[FileNode]:
    return [
        FileNode(read.target, record.batch_date, file["path"], file["sha256"], int(file["size"]))
        for read in record.inputs
        for file in read.files
        if "sha256" in file and "path" in file
    ]


def _registered(timeline: ModelTimeline) -> list[ModelEvent]:
    """The event with which every version began."""
    events = [timeline.registered(version) for version in timeline.versions]
    return [event for event in events if event is not None]


def _trained_editions(event: ModelEvent) -> Iterator[Edition]:
    """The batches that a version learned from."""
    known = TrainedOn.of(event)
    if known is None:
        return
    for table, digests in known.digests.items():
        for day, digest in digests.items():
            if day not in known.test:
                yield Edition(table, day, digest)


def _model_node(event: ModelEvent, days: Mapping[str, list[date]], test: tuple[date, ...]) -> ModelNode:
    measured = set(test)

    def part(*, tested: bool) -> tuple[Read, ...]:
        chosen: dict[str, tuple[date, ...]] = {
            table: tuple(sorted(day for day in found if (day in measured) is tested))
            for table, found in days.items()
        }
        return tuple(Read(table, found) for table, found in chosen.items() if found)

    return ModelNode(event, part(tested=False), part(tested=True))


def _merged(reads: Iterable[Read]) -> tuple[Read, ...]:
    """One entry for each target: a table may be two inputs."""
    merged: dict[str, dict[str, set[Any]]] = {}
    for read in reads:
        into = merged.setdefault(read.target, {"batches": set(), "versions": set(), "files": set()})
        into["batches"].update(read.batches)
        into["versions"].update(read.versions)
        into["files"].update(read.files)
    return tuple(
        Read(
            target,
            tuple(sorted(parts["batches"])),
            tuple(sorted(parts["versions"])),
            tuple(sorted(parts["files"])),
        )
        for target, parts in merged.items()
    )

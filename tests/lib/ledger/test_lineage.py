"""Lineage against brute force: histories of nights, corrections, failures, trainings and scores are played twice, once with one
batch corrupt, and what comes out otherwise is compared with what was said to be reached.

No Spark: a batch's rows are a hash of what it read, so that each batch that read something else is another batch.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Input
from lakesmith.ledger.arms import repeated_read
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.lineage import Edition, FileNode, Lineage, Walk
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind, ModelTimeline, TrainedOn
from lakesmith.ledger.records import EMPTY_DIGEST, BatchOutcome, BatchRecord, Fingerprints, InputRead

PROJECTS = Path(__file__).parents[2] / "projects"
METERS, SHOP = load_project(PROJECTS / "meters"), load_project(PROJECTS / "shop")
PRINTS = Fingerprints(1, "d", "a", "o")
DAYS = 24
MODEL = "returning"


def hashed(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


@dataclass
class Played:
    """A lake of one history.

    Args:
        corrupt: rows that come out otherwise, whenever they are made.
    """

    project: object
    corrupt: Edition | None = None
    histories: dict[str, TableHistory] = field(default_factory=dict)
    versions: Counter[str] = field(default_factory=Counter)
    events: list[ModelEvent] = field(default_factory=list)
    moment: datetime = datetime(2024, 3, 1, tzinfo=UTC)

    def history(self, table: str) -> TableHistory:
        return self.histories.setdefault(table, TableHistory())

    def timeline(self, model: str) -> ModelTimeline:
        return ModelTimeline.of(model, self.events)

    def tick(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment

    def publish(
        self, table: str, day: date, digest: str, reads: tuple[InputRead, ...], *, files: bool = True
    ) -> None:
        """Publishes or confirms a batch, as a run would; one without rows makes no version."""
        if self.corrupt == Edition(table, day, digest):
            digest = f"corrupt {digest}"
        standing = self.history(table).standing(day)
        outcome, version = BatchOutcome.PUBLISHED, self.versions[table]
        if standing is not None and standing.digest == digest:
            outcome, version = BatchOutcome.CONFIRMED, standing.version
        elif digest == EMPTY_DIGEST and standing is None:
            outcome, version = BatchOutcome.EMPTY, self.newest(table)
        else:
            self.versions[table] += 1
        self.add(table, day, outcome, version, digest, reads)

    def add(
        self,
        table: str,
        day: date,
        outcome: BatchOutcome,
        version: int | None,
        digest: str,
        reads: tuple[InputRead, ...],
    ) -> None:
        record = BatchRecord(
            table, day, self.tick(), f"run {self.moment:%S}", outcome, version, digest, 1, None, 0, {}, PRINTS, reads, {}, "f"
        )  # fmt: skip
        self.history(table).add(record)

    def newest(self, table: str) -> int | None:
        return self.versions[table] - 1 if self.versions[table] else None

    def run(self, table: str, day: date, *, wide: bool = False, model: int | None = None) -> None:
        """A run of one batch on what is there now; a day that is not there is left out.

        Args:
            wide: the contract allowed one more day back then.
            model: the version that scores.
        """
        contract = self.project.graph.contracts[table]  # type: ignore[attr-defined]
        start = self.project.graph.starts[table]  # type: ignore[attr-defined]
        reads, seen = [], []
        for entry in contract.inputs:
            if entry.model:
                event = self.timeline(entry.model).registered(model)
                assert event is not None
                arm = {"version": model, "served_by": "champion", "share": 100}
                reads.append(InputRead(entry.name, entry.target, model, event.digest, files=(arm,)))
                seen.append((entry.name, event.digest))
                continue
            if wide and not entry.window.is_same_day:
                entry = replace(
                    entry, window=replace(entry.window, first_offset=entry.window.first_offset - 1)
                )
            window = entry.window.reads(day, start)
            there = {
                d: r.digest for d in window or () if (r := self.history(entry.target).standing(d)) is not None
            }
            out = tuple(d.isoformat() for d in window or () if d not in there)
            ends = (window.first.isoformat(), window.last.isoformat()) if window is not None else ()
            reads.append(
                InputRead(
                    entry.name, entry.target, self.newest(entry.target), hashed(there), out, window=ends
                )
            )
            seen.append((entry.name, sorted(there.items())))
        self.publish(table, day, hashed(table, day, seen), tuple(reads))

    def repeat(self, table: str, day: date, source: date) -> None:
        """The scores of an earlier day once more."""
        earlier = self.history(table).standing(source)
        assert earlier is not None
        entry: Input = next(i for i in self.project.graph.contracts[table].inputs if i.model)  # type: ignore[attr-defined]
        others = (InputRead("customers", "gold.customers", None, EMPTY_DIGEST),)
        self.publish(
            table, day, hashed("again", earlier.digest), (*others, repeated_read(entry, source, "no model"))
        )

    def train(self, days: list[date], test: list[date]) -> None:
        tables = ("gold.customers", "gold.next_week")
        digests = {}
        for table in tables:
            found = {d: self.history(table).standing(d) for d in (*days, *test)}
            digests[table] = {d: r.digest for d, r in found.items() if r is not None}
        learned = {table: {d: x for d, x in found.items() if d in days} for table, found in digests.items()}
        number = len(self.timeline(MODEL).versions) + 1
        versions = {table: self.newest(table) or 0 for table in tables}
        self.events.append(
            ModelEvent(
                MODEL, number, ModelEventKind.REGISTERED, self.tick(), None, None, f"r{number}", hashed(number, learned),
                date(2024, 2, 1), "me", trained_on=TrainedOn(versions, digests, tuple(test)).to_json(),
            )
        )  # fmt: skip

    def down(self, edition: Edition) -> Walk:
        return self.lineage().down(editions=[edition])

    def lineage(self) -> Lineage:
        models = self.project.models  # type: ignore[attr-defined]
        return Lineage(
            self.project.graph, models, histories=self.history, timelines=self.timeline  # type: ignore[attr-defined]
        )  # fmt: skip

    def standing(self) -> dict[tuple[str, date], str]:
        return {
            (table, day): record.digest
            for table, history in self.histories.items()
            for day in history.records
            if (record := history.standing(day)) is not None
        }


def day(number: int) -> date:
    return date(2024, 1, number)


def play(seed: int, corrupt: Edition | None = None) -> Played:
    """A history: the same seed does the same things in the same order, whatever rows come of them."""
    draw = random.Random(seed)
    shop = draw.random() < 0.6
    played = Played(SHOP if shop else METERS, corrupt)
    graph = played.project.graph  # type: ignore[attr-defined]
    landing = graph.order[0]
    derived = [t for t in graph.order if t != landing and graph.contracts[t].model_input is None]
    for step in range(draw.randrange(20, 120)):
        number = min(draw.randrange(1, DAYS + 1), draw.randrange(4, DAYS + 1))
        kind = draw.random()
        trained = len(played.timeline(MODEL).versions)
        version, source, wide = draw.randrange(1, 10), draw.randrange(1, DAYS + 1), draw.random() < 0.2
        if kind < 0.25:
            content = hashed("content", seed, step)
            file = {"path": f"{day(number)}.csv", "size": 1, "modified_ns": 1, "sha256": content}
            empty = draw.random() < 0.1
            read = InputRead("files", next(iter(graph.sources)), None, content, files=(file,))
            played.publish(landing, day(number), EMPTY_DIGEST if empty else hashed(content), (read,))
        elif kind < 0.3:
            table = draw.choice(derived)
            played.add(table, day(number), BatchOutcome.FAILED, None, EMPTY_DIGEST, ())
        elif shop and kind < 0.36:
            days = sorted(draw.sample(range(1, DAYS + 1), 8))
            played.train([day(n) for n in days[:5]], [day(n) for n in days[5:]])
        elif shop and kind < 0.5 and trained:
            played.run("gold.scores", day(number), model=(version - 1) % trained + 1)
        elif (
            shop and kind < 0.55 and played.history("gold.scores").standing(day(source)) and source != number
        ):
            played.repeat("gold.scores", day(number), day(source))
        else:
            played.run(draw.choice(derived), day(number), wide=wide)
    return played


def reached(walk: Walk) -> set[tuple[str, date]]:
    return {
        (n.record.table, n.record.batch_date) for nodes in walk.batches.values() for n in nodes if n.stands
    }


@pytest.mark.parametrize("block", range(10))
def test_just_what_comes_out_otherwise_is_reached(block: int) -> None:
    """Thirty histories a block, three corrupt batches each: standing ones and such as were replaced since."""
    sizes: list[int] = []
    for seed in range(block * 30, block * 30 + 30):
        clean = play(seed)
        draw = random.Random(-seed)
        editions = [
            Edition(table, batch, record.digest)
            for table, history in clean.histories.items()
            for batch, records in history.records.items()
            for record in records
            if record.outcome.stands
        ]
        for edition in draw.sample(editions, min(3, len(editions))):
            spoilt = play(seed, edition)
            before, after = clean.standing(), spoilt.standing()
            changed = {batch for batch in before if before[batch] != after[batch]}
            walk = clean.down(edition)
            assert reached(walk) == changed - {(edition.table, edition.batch_date)}, (seed, edition)
            learned = {
                one.version
                for one, other in zip(clean.events, spoilt.events, strict=True)
                if one.digest != other.digest
            }
            assert {n.event.version for n in walk.models if n.trained_on} == learned, (seed, edition)
            sizes.append(len(changed))
    assert max(sizes) > 3, "these histories show nothing"


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_up_and_down_are_each_others_inverse(seed: int) -> None:
    clean = play(seed)
    lineage = clean.lineage()
    every = [Edition(table, batch, digest) for (table, batch), digest in clean.standing().items()]
    down = {
        (start, end) for start in every for end in lineage.down(editions=[start]).editions if end in every
    }
    up = {(start, end) for end in every for start in lineage.up(editions=[end]).editions if start in every}
    assert down == up
    assert down


def test_a_file_reaches_what_its_batch_reaches() -> None:
    clean = play(11)
    lineage = clean.lineage()
    landing = clean.project.graph.order[0]  # type: ignore[attr-defined]
    source = next(iter(clean.project.graph.sources))  # type: ignore[attr-defined]
    for batch, records in clean.history(landing).records.items():
        edition = Edition(landing, batch, records[-1].digest)
        if edition.digest == EMPTY_DIGEST:
            continue
        (file, *_) = reversed(lineage.files(source, f"{batch}.csv"))
        assert isinstance(file, FileNode)
        assert lineage.down(files=[file]).editions == {edition, *lineage.down(editions=[edition]).editions}


def test_versions_from_before_their_batches_were_written_down_are_not_known() -> None:
    played = Played(SHOP)
    played.publish("bronze.orders", day(1), "rows", ())
    played.run("gold.customers", day(1))
    played.train([day(1)], [])
    known = played.events[0]
    played.events = [replace(known, trained_on=None)]
    walk = played.down(Edition("bronze.orders", day(1), "rows"))
    assert (walk.models, walk.unknown) == ((), ("returning version 1",))
    played.events = [known]
    walk = played.down(Edition("bronze.orders", day(1), "rows"))
    assert [(n.event.version, n.trained_on[0].batches) for n in walk.models] == [(1, (day(1),))]


def test_records_from_before_windows_were_written_down_are_taken_by_the_contract() -> None:
    played = Played(METERS)
    for number in (1, 2, 3):
        played.publish("gold.usage", day(number), f"usage {number}", ())
    read = InputRead("usage", "gold.usage", 2, "w")
    played.publish("gold.usage_3d", day(3), "sum", (read,))
    for number in (1, 2, 3):
        walk = played.down(Edition("gold.usage", day(number), f"usage {number}"))
        assert reached(walk) == {("gold.usage_3d", day(3))}

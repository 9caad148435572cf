"""States and plans from made-up records, without a lake and without a JVM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.load import load_project
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import LiveBatch, LiveTable
from lakesmith.ledger.manifest import DayFiles, DayState, LandingCandidate, LandingFile, Manifest
from lakesmith.ledger.model_events import ModelTimeline
from lakesmith.ledger.plan import Asked, Plan, make_plan, with_needed
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints, InputRead
from lakesmith.ledger.state import BatchState, Judge
from lakesmith.ledger.window_digest import WindowDigests
from workspaces import METERS, day

GRAPH = load_project(METERS).graph
CODE = Fingerprints(1, "data", "audit", "doc")


class Book:
    """A ledger in memory in which every batch of some days is fresh, to be disturbed by a test."""

    def __init__(self, first: int, last: int) -> None:
        self.nights = BatchRange(day(first), day(last))
        self.landing = {d: "content" for d in self.nights if d.weekday() != 6}
        self.histories: dict[str, TableHistory] = defaultdict(TableHistory)
        self.foreign: set[tuple[str, date]] = set()
        self.code = dict.fromkeys(GRAPH.order, CODE)
        self.clock = datetime(2024, 2, 1, tzinfo=UTC)
        for table in GRAPH.order:
            for d in GRAPH.due(table, self.nights) or ():
                if table != "bronze.readings" or d in self.landing:
                    self.publish(table, d)

    def publish(
        self, table: str, d: date, digest: str = "rows", outcome: BatchOutcome = BatchOutcome.PUBLISHED
    ) -> None:
        """Writes down an attempt that reads what stands now."""
        self.clock += timedelta(seconds=1)
        self.histories[table].add(
            BatchRecord(
                table=table,
                batch_date=d,
                recorded_at=self.clock,
                run_id="r",
                outcome=outcome,
                version=self._newest(table) + 1,
                digest=digest,
                rows=1,
                read=None,
                quarantined=0,
                dropped={},
                fingerprints=CODE,
                inputs=self._reads(table, d),
                settings={"tariff": 2} if table == "gold.usage" else {},
                files=f"files of {d}",
                reason="" if outcome.stands else "kwh_sane: observed 2000",
            )
        )

    def _reads(self, table: str, d: date) -> tuple[InputRead, ...]:
        reads = []
        for entry in GRAPH.contracts[table].inputs:
            if entry.source:
                files = self._manifest(d)
                reads.append(InputRead(entry.name, entry.target, None, files.digest, files=files.to_files()))
                continue
            history = self.histories[entry.target]
            window = entry.window.reads(d, GRAPH.starts[entry.target])
            digests = {x: r.digest for x in window or () if (r := history.standing(x)) is not None}
            if entry.target == "bronze.readings" and d not in self.landing:
                digests[d] = "empty"
            sums = WindowDigests.over(window, digests).of(window) if window else WindowDigests(d).of(None)
            reads.append(InputRead(entry.name, entry.target, self._newest(entry.target), sums))
        return tuple(reads)

    def _newest(self, table: str) -> int:
        return max(self.histories[table].version, 0)

    def _manifest(self, d: date) -> Manifest:
        return Manifest("readings", d, (LandingFile(f"{d}.csv", 1, 1, self.landing[d]),))

    def judged(self) -> dict[str, dict[date, BatchState]]:
        return Judge(
            GRAPH,
            histories=self.histories.__getitem__,
            live=self._live,
            look_at=lambda tables: None,
            landed=self._landed,
            pinned=lambda source, files, known: self._manifest(files.batch_date),
            fingerprints=lambda table, scheme: self.code[table],
            timelines=ModelTimeline,
            settings={"tariff": 2},
        ).judge(self.nights)

    def _live(self, table: str) -> LiveTable:
        class Files(LiveTable):
            def files_of(this, d: date) -> str:  # `self` is the book
                standing = self.histories[table].standing(d)
                if (table, d) in self.foreign:
                    return "files of somebody else"
                return standing.files if standing is not None else "none"

        return Files(1, dict[date, LiveBatch]())

    def _landed(self, source: str, days: BatchRange) -> Mapping[date, DayFiles]:
        found = {}
        for d in days:
            if d in self.landing:
                found[d] = DayFiles(d, DayState.PRESENT, files=(LandingCandidate(f"{d}.csv", 1, 1),))
            elif d.weekday() == 6:
                found[d] = DayFiles(d, DayState.CLOSED)
            else:
                found[d] = DayFiles(d, DayState.MISSING, f"no file {d}.csv")
        return found

    def words(self) -> dict[str, str]:
        return {
            table: " ".join(str(s.state) for s in states.values()) for table, states in self.judged().items()
        }

    def plan(self) -> dict[str, list[int]]:
        plan = make_plan(GRAPH, Asked(self.nights), self.judged())
        return {step.table: [d.day for d in step.batches] for step in plan.steps}


def test_what_was_published_from_what_stands_is_fresh() -> None:
    book = Book(1, 8)
    assert set(" ".join(book.words().values()).split()) == {"fresh", "closed"}
    assert book.words()["bronze.readings"] == "fresh fresh fresh fresh fresh fresh closed fresh"
    assert book.plan() == {}


def test_a_republished_input_makes_stale_what_reads_it_and_says_so() -> None:
    book = Book(1, 5)
    book.publish("gold.usage", day(2), digest="others")
    assert book.words()["gold.usage_3d"] == "fresh stale stale stale fresh"
    # Its own batch still stands, but yesterday's is stale: staleness is transitive.
    assert book.words()["gold.running"] == "fresh stale stale stale stale"
    reason = book.judged()["gold.usage_3d"][day(3)].reason
    assert reason.startswith("gold.usage 2024-01-02 was republished at 2024-02-01")
    assert reason.endswith("with other rows: read digest rows, now others")


def test_an_input_republished_with_the_same_digest_makes_nothing_stale() -> None:
    book = Book(1, 3)
    book.publish("gold.usage", day(2))
    assert set(" ".join(book.words().values()).split()) == {"fresh"}


def test_a_changed_file_is_named() -> None:
    book = Book(1, 3)
    book.landing[day(2)] = "corrected"
    assert book.judged()["bronze.readings"][day(2)].reason == "readings: 2024-01-02.csv changed"
    assert book.words()["silver.readings"] == "fresh stale fresh"
    assert book.plan() == {
        "bronze.readings": [2],
        "silver.readings": [2],
        "gold.usage": [2],
        "gold.next_day": [1, 2],
        "gold.running": [2, 3],
        "gold.usage_3d": [2, 3],
    }


def test_changed_code_makes_its_own_table_stale_and_what_reads_it() -> None:
    book = Book(1, 2)
    book.code["gold.usage"] = replace(CODE, data="new")
    words = book.words()
    assert (words["silver.readings"], words["gold.usage"], words["gold.usage_3d"]) == (
        "fresh fresh",
        "stale stale",
        "stale stale",
    )
    assert "jobs/gold/usage.py" in book.judged()["gold.usage"][day(1)].reason


def test_a_new_suite_or_description_makes_nothing_stale() -> None:
    book = Book(1, 2)
    book.code["gold.usage"] = replace(CODE, audit="new", doc="new")
    assert set(" ".join(book.words().values()).split()) == {"fresh"}


def test_a_missing_file_blocks_by_name_without_being_runnable() -> None:
    book = Book(1, 3)
    del book.landing[day(3)]
    for table in GRAPH.order:
        book.histories[table].records.pop(day(3), None)
    book.histories["gold.next_day"].records.pop(day(2), None)
    judged = book.judged()
    assert (judged["bronze.readings"][day(3)].state, judged["bronze.readings"][day(3)].runnable) == (
        "missing",
        False,
    )
    assert judged["gold.usage"][day(3)].reason == "needs silver.readings 2024-01-03, which is blocked"
    # The label of the 2nd needs the 3rd.
    assert judged["gold.next_day"][day(2)].state == "blocked"
    assert book.plan() == {}


def test_a_failure_blocks_its_day_and_is_left_out_of_later_windows() -> None:
    book = Book(1, 4)
    for table in ("silver.readings", "gold.usage", "gold.running", "gold.usage_3d"):
        book.histories[table].records.pop(day(2), None)
    book.publish("silver.readings", day(2), outcome=BatchOutcome.REJECTED)
    judged = book.judged()
    assert judged["silver.readings"][day(2)].state == "failed"
    assert judged["gold.usage"][day(2)].state == "blocked"
    assert judged["gold.usage_3d"][day(2)].state == "blocked"
    assert judged["gold.usage_3d"][day(3)].left_out == (("gold.usage", day(2)),)
    assert judged["gold.usage_3d"][day(3)].state == "stale"


def test_a_rejected_correction_leaves_later_days_fresh() -> None:
    book = Book(1, 4)
    book.publish("silver.readings", day(2), digest="bad", outcome=BatchOutcome.REJECTED)
    words = book.words()
    assert words["silver.readings"] == "fresh failed fresh fresh"
    assert words["gold.usage"] == "fresh blocked fresh fresh"
    assert words["gold.usage_3d"] == "fresh blocked fresh fresh"


def test_files_of_somebody_else_in_the_quarantine_make_its_table_foreign() -> None:
    book = Book(1, 3)
    book.foreign.add(("quarantine.silver_readings", day(2)))
    assert book.words()["silver.readings"] == "fresh foreign fresh"
    assert book.judged()["silver.readings"][day(2)].reason == (
        "the live files of quarantine.silver_readings were written by somebody else"
    )
    # No row of it goes to quarantine, so nobody looks there.
    book.foreign.add(("quarantine.gold_usage", day(2)))
    assert book.words()["gold.usage"] == "fresh stale fresh"


def test_files_on_a_closed_day_are_foreign() -> None:
    book = Book(1, 8)
    book.foreign.add(("bronze.readings", day(7)))
    assert book.words()["bronze.readings"] == "fresh fresh fresh fresh fresh fresh foreign fresh"
    assert book.judged()["bronze.readings"][day(7)].reason == "its live files were written by somebody else"
    assert book.plan()["bronze.readings"] == [7]


def test_files_of_somebody_else_are_foreign_and_make_stale() -> None:
    book = Book(1, 3)
    book.foreign.add(("gold.usage", day(3)))
    assert book.words()["gold.usage"] == "fresh fresh foreign"
    assert book.words()["gold.usage_3d"] == "fresh fresh stale"


def test_files_of_somebody_else_are_seen_where_the_batch_cannot_be_run() -> None:
    book = Book(1, 4)
    book.publish("silver.readings", day(2), digest="bad", outcome=BatchOutcome.REJECTED)
    book.foreign.add(("gold.usage", day(2)))
    judged = book.judged()
    found = judged["gold.usage"][day(2)]
    assert found.state == "blocked"
    assert found.reason.endswith("; its live files are not those that run r published")
    # What was read of it is not there any more.
    read = judged["gold.usage_3d"][day(3)]
    assert (read.state, read.reason) == ("stale", "gold.usage 2024-01-02 is itself foreign")
    book.foreign.add(("silver.readings", day(2)))
    found = book.judged()["silver.readings"][day(2)]
    assert found.state == "failed"
    assert found.reason == "kwh_sane: observed 2000; its live files are not those that run r published"


# --- what a plan takes up --------------------------------------------------------------------------------------------


def steps(plan: Plan) -> dict[str, list[int]]:
    return {step.table: [d.day for d in step.batches] for step in plan.steps}


def planned(book: Book, first: int, last: int, **asked: Any) -> Plan:
    """The plan for some nights of a book, whose judge has seen all of it."""
    graph = TableGraph(
        {
            table: replace(contract, horizon_days=asked.pop(table.replace(".", "_"), None))
            for table, contract in GRAPH.contracts.items()
        },
        GRAPH.sources,
    )
    return make_plan(graph, Asked(BatchRange(day(first), day(last)), **asked), book.judged())


def test_a_batch_behind_a_stale_one_is_run_only_with_it() -> None:
    book = Book(1, 5)
    book.landing[day(2)] = "corrected"
    states = book.judged()["gold.usage_3d"]
    assert [(s.behind, s.runnable) for s in states.values()] == [
        (False, False),
        (True, False),
        (True, False),
        (True, False),
        (False, False),
    ]
    only_gold = {"gold.usage_3d": states}
    plan = make_plan(GRAPH, Asked(book.nights), only_gold)
    assert steps(plan) == {}
    assert [s.batch_date.day for s in plan.behind] == [2, 3, 4]
    assert steps(planned(book, 1, 5))["gold.usage_3d"] == [2, 3, 4]


def test_repairs_leave_alone_what_never_was_and_what_failed_for_good() -> None:
    book = Book(1, 5)
    book.publish("gold.usage", day(2), digest="others")
    book.publish("silver.readings", day(4), outcome=BatchOutcome.REJECTED)
    del book.histories["gold.usage_3d"].records[day(5)]
    plan = planned(book, 1, 5, stale_only=True)
    assert steps(plan) == {"gold.next_day": [1, 2], "gold.running": [2, 3], "gold.usage_3d": [2, 3]}
    assert plan.waiting == ()
    assert {table: left for table, left in plan.left_in.items() if left} == {
        "silver.readings": 1,
        "gold.usage": 1,
        "gold.next_day": 2,
        "gold.running": 1,
        "gold.usage_3d": 2,
    }


def test_a_rejected_batch_is_repaired_once_its_file_or_its_suite_changed() -> None:
    book = Book(1, 3)
    book.publish("bronze.readings", day(2), outcome=BatchOutcome.REJECTED)
    assert not book.judged()["bronze.readings"][day(2)].repairable
    assert "bronze.readings" not in steps(planned(book, 1, 3, stale_only=True))
    book.landing[day(2)] = "corrected"
    assert book.judged()["bronze.readings"][day(2)].repairable
    assert steps(planned(book, 1, 3, stale_only=True))["bronze.readings"] == [2]
    book = Book(1, 3)
    book.publish("silver.readings", day(2), outcome=BatchOutcome.REJECTED)
    book.code["silver.readings"] = replace(CODE, audit="milder")
    assert steps(planned(book, 1, 3, stale_only=True))["silver.readings"] == [2]


def test_a_night_looks_back_as_far_as_the_horizon_and_follows_the_cascade() -> None:
    book = Book(1, 12)
    book.landing[day(5)] = "too long ago"
    book.landing[day(10)] = "corrected"
    plan = planned(book, 12, 12, look_back=True, bronze_readings=3)
    assert steps(plan) == {
        "bronze.readings": [10],
        "silver.readings": [10],
        "gold.usage": [10],
        "gold.next_day": [9, 10],
        "gold.running": [10, 11, 12],
        "gold.usage_3d": [10, 11, 12],
    }
    assert steps(planned(book, 12, 12, look_back=True, bronze_readings=1)) == {}
    assert steps(planned(book, 12, 12, bronze_readings=3)) == {}


def test_looking_back_takes_up_late_files_but_not_what_was_before_the_first_batch() -> None:
    book = Book(1, 8)
    for table in GRAPH.order:
        for number in (1, 2, 5):
            book.histories[table].records.pop(day(number), None)
    plan = planned(book, 8, 8, look_back=True, bronze_readings=7)
    assert steps(plan)["bronze.readings"] == [5]
    assert steps(plan)["silver.readings"] == [5]


def test_another_suite_has_published_batches_audited_again_and_nothing_run() -> None:
    book = Book(1, 3)
    book.code["silver.readings"] = replace(CODE, audit="stricter")
    assert set(" ".join(book.words().values()).split()) == {"fresh"}
    plan = planned(book, 1, 3)
    assert [(s.table, s.batches, [d.day for d in s.audits]) for s in plan.steps] == [
        ("silver.readings", (), [1, 2, 3])
    ]
    reason = (
        f"what it is judged by changed: its suite, or what {GRAPH.contracts['silver.readings'].file} demands"
    )
    assert set(plan.steps[0].audits.values()) == {reason}
    assert steps(planned(book, 1, 3, stale_only=True)) == {}


def test_what_batches_need_comes_along_and_nothing_else() -> None:
    book = Book(1, 6)
    for table in ("silver.readings", "gold.usage", "gold.usage_3d"):
        for number in (3, 4, 6):
            del book.histories[table].records[day(number)]
    asked = Asked(BatchRange(day(5), day(6)), ("gold.usage_3d",), with_parents=True)
    needed = with_needed(GRAPH, asked, book.judged())
    assert {table: sorted(d.day for d in found) for table, found in needed.items() if found} == {
        "silver.readings": [3, 4, 6],
        "gold.usage": [3, 4, 6],
        "gold.usage_3d": [5, 6],
    }
    assert steps(make_plan(GRAPH, asked, needed)) == {
        "silver.readings": [3, 4, 6],
        "gold.usage": [3, 4, 6],
        "gold.usage_3d": [5, 6],
    }

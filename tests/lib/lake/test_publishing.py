"""The one publish path, without Spark: files are written by hand, conflicts and lost answers are made on purpose."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from lakesmith.contracts.model import Column, Contract, Suite
from lakesmith.contracts.types import parse_type
from lakesmith.errors import CommitConflict, DestructiveChange, InputChanged, UnsupportedTable
from lakesmith.faults import FaultPoint, Side, armed
from lakesmith.lake import publishing
from lakesmith.lake.publishing import publish
from lakesmith.lake.staging import RowOutcome, StagedFile
from lakesmith.lake.tables import ensure_table
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints

D1, D2, D3 = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)


def contract(*columns: Column) -> Contract:
    return Contract(
        table="gold.t",
        description="",
        owner="",
        job="jobs/gold/t.py",
        inputs=(),
        key=(),
        columns=columns or (Column("a", parse_type("bigint")),),
        suite=Suite("gold.t"),
    )


def provenance(run_id: str, version: int) -> Provenance:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    batch = BatchRecord(
        table="gold.t",
        batch_date=D1,
        recorded_at=moment,
        run_id=run_id,
        outcome=BatchOutcome.PUBLISHED,
        version=version,
        digest="digest",
        rows=1,
        read=None,
        quarantined=0,
        dropped={},
        fingerprints=Fingerprints(1, "data", "audit", "doc"),
        inputs=(),
        settings={},
        files="files",
    )
    return Provenance(run_id, "gold.t", "j", "c", "v", "dev", moment, (batch,))


class Lake:
    """A lake with one table, and runs that publish numbers to its batches."""

    def __init__(self, root: Path) -> None:
        self.location = LakeLocation(str(root))

    def stage(self, run_id: str, batches: dict[date, Sequence[int]]) -> list[StagedFile]:
        files = []
        for day, numbers in batches.items():
            path = f"batches/{run_id}/batch_date={day}/_outcome=published/part-0.parquet"
            target = Path(self.location.path("gold.t")) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"a": pa.array(numbers, pa.int64())}), target)
            stats = json.dumps({"numRecords": len(numbers)})
            size = target.stat().st_size
            files.append(StagedFile(path, day, RowOutcome.PUBLISHED, len(numbers), size, 0, stats))
        return files

    def publish(
        self,
        run_id: str,
        batches: dict[date, Sequence[int]],
        *,
        empties: Sequence[date] = (),
        unchanged: Callable[[], None] = lambda: None,
        attempts: int = 3,
    ) -> int:
        files = self.stage(run_id, batches)
        return publish(
            self.location,
            contract(),
            files,
            [*batches, *empties],
            provenance=lambda version: provenance(run_id, version),
            inputs_unchanged=unchanged,
            attempts=attempts,
        )

    def rows(self) -> list[tuple[date, int]]:
        found = DeltaTable(self.location.path("gold.t")).to_pyarrow_table().to_pylist()
        return sorted((row["batch_date"], row["a"]) for row in found)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_a_publish_replaces_its_batches_whole_and_touches_nothing_else(lake: Lake) -> None:
    assert lake.publish("r1", {D1: [1, 2], D2: [3]}) == 1
    assert lake.publish("r2", {D1: [9], D3: [5]}) == 2
    assert lake.rows() == [(D1, 9), (D2, 3), (D3, 5)]


def test_a_batch_can_become_empty(lake: Lake) -> None:
    lake.publish("r1", {D1: [1], D2: [3]})
    lake.publish("r2", {}, empties=[D1])
    assert lake.rows() == [(D2, 3)]


def test_no_published_byte_is_copied(lake: Lake) -> None:
    lake.publish("r1", {D1: [1]})
    assert DeltaTable(lake.location.path("gold.t")).file_uris() == [
        f"{lake.location.path('gold.t')}/batches/r1/batch_date={D1}/_outcome=published/part-0.parquet"
    ]


def test_a_conflict_is_tried_again_with_removes_computed_afresh(lake: Lake) -> None:
    lake.publish("r1", {D1: [1]})
    others = iter([lambda: lake.publish("other", {D1: [7], D2: [8]})])

    def someone_is_first() -> None:
        next(others, lambda: None)()

    # The table is opened before this is asked, so the other's commit makes the first attempt lose.
    lake.publish("r2", {D1: [2]}, unchanged=someone_is_first)

    assert lake.rows() == [(D1, 2), (D2, 8)]


def test_losing_every_time_is_an_error_that_a_retry_can_mend(lake: Lake) -> None:
    lake.publish("r1", {D1: [1]})
    count = iter(range(10))

    def someone_is_first() -> None:
        lake.publish(f"other{next(count)}", {D2: [8]})

    with pytest.raises(CommitConflict, match="2 times in a row") as raised:
        lake.publish("r2", {D1: [2]}, unchanged=someone_is_first, attempts=2)

    assert raised.value.retryable
    assert lake.rows() == [(D1, 1), (D2, 8)]


@pytest.mark.parametrize("kind", [OSError("connection reset"), CommitFailedError("lost")])
def test_a_lost_answer_is_a_success(lake: Lake, monkeypatch: pytest.MonkeyPatch, kind: Exception) -> None:
    lake.publish("r1", {D1: [1]})
    commit = publishing._commit

    def commit_and_lose_the_answer(*arguments: Any) -> None:
        commit(*arguments)
        raise kind

    monkeypatch.setattr(publishing, "_commit", commit_and_lose_the_answer)

    assert lake.publish("r2", {D1: [2]}) == 2
    assert lake.rows() == [(D1, 2)]
    assert DeltaTable(lake.location.path("gold.t")).version() == 2


def test_a_lost_answer_is_found_at_its_own_version_while_others_commit(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.publish("r1", {D1: [1]})
    others = iter(["r3", "r4"])
    history = DeltaTable.history

    def history_after_others(table: DeltaTable, limit: int | None = None) -> list[dict[str, Any]]:
        if (run_id := next(others, None)) is not None:
            lake.publish(run_id, {D2: [3]})
        return history(table, limit)

    def lose_the_answer(point: FaultPoint) -> None:
        if point.side is Side.AFTER and lake.rows() == [(D1, 2)]:
            monkeypatch.setattr(DeltaTable, "history", history_after_others)
            raise OSError("connection reset")

    with armed(lose_the_answer):
        assert lake.publish("r2", {D1: [2]}) == 2


def test_an_error_before_the_commit_is_not_a_success(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.publish("r1", {D1: [1]})

    def no_network(*_: Any) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(publishing, "_commit", no_network)

    with pytest.raises(OSError, match="connection refused"):
        lake.publish("r2", {D1: [2]})
    assert lake.rows() == [(D1, 1)]


def test_changed_inputs_stop_the_publish(lake: Lake) -> None:
    lake.publish("r1", {D1: [1]})

    def changed() -> None:
        raise InputChanged("somebody republished the input")

    with pytest.raises(InputChanged):
        lake.publish("r2", {D1: [2]}, unchanged=changed)
    assert lake.rows() == [(D1, 1)]


@pytest.mark.parametrize("damage", ["gone", "longer"])
def test_a_staged_file_that_is_not_whole_stops_the_publish(lake: Lake, damage: str) -> None:
    lake.publish("r1", {D1: [1]})

    def harm() -> None:
        (file,) = Path(lake.location.path("gold.t")).glob("batches/r2/**/*.parquet")
        file.unlink() if damage == "gone" else file.write_bytes(file.read_bytes() + b"x")

    with pytest.raises(InputChanged, match=r"part-0\.parquet"):
        lake.publish("r2", {D1: [2]}, unchanged=harm)
    assert lake.rows() == [(D1, 1)]


def test_tables_keep_their_log_for_two_years_and_checkpoint_each_twenty_commits(lake: Lake) -> None:
    for number in range(21):
        lake.publish(f"r{number}", {D1: [number]})
    log = Path(lake.location.path("gold.t")) / "_delta_log"
    assert [p.name[:20] for p in log.glob("*.checkpoint.parquet")] == [f"{19:020d}"]
    assert len(list(log.glob("*.json"))) == 22
    configuration = DeltaTable(lake.location.path("gold.t")).metadata().configuration
    assert configuration["delta.logRetentionDuration"] == "interval 730 days"
    assert configuration["delta.enableExpiredLogCleanup"] == "false"


def test_a_new_nullable_column_is_added_by_a_commit_of_its_own(lake: Lake) -> None:
    lake.publish("r1", {D1: [1]})
    wider = contract(Column("a", parse_type("bigint")), Column("b", parse_type("array<string>")))
    table = ensure_table(lake.location, wider)
    assert [f.name for f in table.schema().fields] == ["a", "batch_date", "b"]
    assert table.version() == 2
    assert ensure_table(lake.location, wider).version() == 2


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([Column("b", parse_type("bigint"))], "a is gone"),
        ([Column("a", parse_type("decimal(12,3)"))], r"a was long, is decimal\(12,3\)"),
        (
            [Column("a", parse_type("bigint")), Column("b", parse_type("int"), nullable=False)],
            "b is new and not nullable",
        ),
    ],
)
def test_destructive_changes_are_refused(lake: Lake, columns: list[Column], said: str) -> None:
    lake.publish("r1", {D1: [1]})
    with pytest.raises(DestructiveChange, match=said):
        ensure_table(lake.location, contract(*columns))
    assert DeltaTable(lake.location.path("gold.t")).version() == 1


def test_a_table_with_features_that_we_must_not_touch_is_refused(lake: Lake) -> None:
    write_deltalake(
        lake.location.path("gold.t"),
        pa.table({"a": [1]}),
        configuration={"delta.enableDeletionVectors": "true"},
    )
    with pytest.raises(UnsupportedTable, match="deletionVectors"):
        lake.location.open("gold.t")

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakesmith.errors import CommitConflict, UnsupportedTable
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.ops import FORMAT, Ops
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints, InputRead, RunOutcome, RunRecord

MOMENT = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RECORD = BatchRecord(
    table="gold.usage",
    batch_date=date(2024, 1, 1),
    recorded_at=MOMENT,
    run_id="r1",
    outcome=BatchOutcome.PUBLISHED,
    version=3,
    digest="abc",
    rows=2,
    read=None,
    quarantined=1,
    dropped={"second_reading": 4},
    fingerprints=Fingerprints(1, "d", "a", "o"),
    inputs=(InputRead("lines", "silver.readings", 7, "w", ("2023-12-31",), ({"path": "x.csv", "size": 1},)),),
    settings={"tariff": 2},
    files="f",
)

RUN = RunRecord(
    run_id="r1",
    table="gold.usage",
    first=date(2024, 1, 1),
    last=date(2024, 1, 2),
    started_at=MOMENT,
    finished_at=MOMENT,
    outcome=RunOutcome.PUBLISHED,
    exit_code=0,
    retryable=False,
    error="",
    batches=2,
    batches_published=2,
    batches_rejected=0,
    rows_read=None,
    rows_published=5,
    rows_quarantined=0,
    rows_dropped=0,
    version=1,
    job="jobs/gold/usage.py",
    code_version="c0ffee",
    lakesmith_version="0.1.0",
    environment="dev",
    spark_application="local-1",
    spark_jobs=4,
)


@pytest.fixture
def lake(tmp_path: Path) -> LakeLocation:
    return LakeLocation(str(tmp_path / "lake"))


def test_records_come_back_as_they_went(lake: LakeLocation) -> None:
    Ops(lake).append([RECORD])
    assert [BatchRecord.from_row(row) for row in Ops(lake).read(BatchRecord).to_pylist()] == [RECORD]
    assert BatchRecord.from_json(RECORD.to_json()) == RECORD


def test_a_lake_without_records_is_empty(lake: LakeLocation) -> None:
    assert Ops(lake).read(BatchRecord).num_rows == 0
    assert not Path(lake.root).exists()


def test_one_tables_records_can_be_read_alone(lake: LakeLocation) -> None:
    Ops(lake).append([RECORD, replace(RECORD, table="gold.other")])
    assert Ops(lake).read(BatchRecord, tables=["gold.other"])["table"].to_pylist() == ["gold.other"]


def test_a_newer_lake_is_refused_with_the_command(lake: LakeLocation) -> None:
    Ops(lake).append([RECORD])
    DeltaTable(lake.path("ops.batches")).alter.set_table_properties(
        {"lakesmith.format": str(FORMAT + 1)}, raise_if_not_exists=False
    )
    with pytest.raises(UnsupportedTable, match=r"has format 2.*pip install --upgrade lakesmith"):
        Ops(lake).read(BatchRecord)


def test_a_table_that_is_not_ours_is_refused(lake: LakeLocation) -> None:
    write_deltalake(lake.path("ops.batches"), BatchRecord.schema.empty_table())
    with pytest.raises(UnsupportedTable, match="was not written by Lakesmith"):
        Ops(lake).append([RECORD])


def test_many_small_appends_are_compacted(lake: LakeLocation) -> None:
    ops = Ops(lake)
    for _ in range(60):
        ops.append([RECORD])
    assert ops.read(BatchRecord).num_rows == 60
    assert len(DeltaTable(lake.path("ops.batches")).file_uris()) < 20


def test_a_store_that_does_not_answer_only_puts_the_compaction_off(
    lake: LakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: object) -> None:
        raise OSError("Generic S3 error: Error performing PUT http://store/x.json in 3ms - HTTP error")

    monkeypatch.setattr("deltalake.table.TableOptimizer.compact", lost)
    ops = Ops(lake)
    for _ in range(60):
        ops.append([RECORD])
    assert ops.read(BatchRecord).num_rows == len(DeltaTable(lake.path("ops.batches")).file_uris()) == 60


def test_the_last_record_wins_even_when_the_clock_went_back(lake: LakeLocation) -> None:
    ledger = Ledger(lake)
    ledger.record([RECORD])
    ledger.record([replace(RECORD, digest="later", recorded_at=MOMENT - timedelta(days=1))])
    again = Ledger(lake).history("gold.usage").standing(RECORD.batch_date)
    assert again is not None
    assert again.digest == "later"


def test_a_rejection_does_not_hide_what_stands(lake: LakeLocation) -> None:
    ledger = Ledger(lake)
    ledger.record([RECORD, replace(RECORD, outcome=BatchOutcome.REJECTED, digest="bad")])
    history = Ledger(lake).history("gold.usage")
    last, standing = history.last(RECORD.batch_date), history.standing(RECORD.batch_date)
    assert last is not None
    assert standing is not None
    assert (last.digest, standing.digest) == ("bad", "abc")


def test_runs_of_a_version_without_links_have_none(
    lake: LakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RUN
    with monkeypatch.context() as earlier:
        links = [RunRecord.schema.get_field_index(name) for name in ("spark_ui", "log")]
        schema = RunRecord.schema.remove(links[0]).remove(links[1])
        earlier.setattr(RunRecord, "schema", schema)
        Ops(lake).append([run])
    linked = replace(run, run_id="r2", log="/lake/logs/a.log", spark_ui="http://history/history/local-1/")
    assert [RunRecord.from_row(row) for row in Ops(lake).read(RunRecord).to_pylist()] == [run]
    Ops(lake).append([linked])
    found = [RunRecord.from_row(row) for row in Ops(lake).read(RunRecord).to_pylist()]
    assert sorted(found, key=lambda record: record.run_id) == [run, linked]


def test_provenance_comes_back_from_a_commit() -> None:
    said = Provenance("r1", "gold.usage", "jobs/gold/usage.py", "c0ffee", "0.1.0", "dev", MOMENT, (RECORD,))
    assert Provenance.from_commit({"userMetadata": said.to_metadata()}) == said


@pytest.mark.parametrize("metadata", [None, "", "words", "[]", '{"lakesmith": 99}'])
def test_commits_of_others_have_no_provenance(metadata: str | None) -> None:
    assert Provenance.from_commit({"userMetadata": metadata}) is None


BILLED = ("job_run", "vcpu_hours", "memory_gb_hours", "storage_gb_hours", "cost", "currency")


def test_a_cost_is_added_to_runs_of_a_version_without_any(
    lake: LakeLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ops = Ops(lake)
    with monkeypatch.context() as earlier:
        names = [name for name in RunRecord.schema.names if name not in BILLED]
        earlier.setattr(RunRecord, "schema", pa.schema([RunRecord.schema.field(name) for name in names]))
        ops.append([RUN])
    billed = replace(RUN, outcome=RunOutcome.BILLED, job_run="00f1", vcpu_hours=2.0, cost=0.1, currency="USD")

    def lacking(rows: pa.Table) -> list[RunRecord]:
        return [] if "00f1" in rows["job_run"].to_pylist() else [billed]

    assert ops.append_once(RunRecord, ["job_run"], lacking) == [billed]
    assert ops.append_once(RunRecord, ["job_run"], lacking) == ()
    assert [RunRecord.from_row(row) for row in ops.read(RunRecord).to_pylist()] == [billed, RUN]


def test_whoever_always_comes_second_gives_up_and_says_so(lake: LakeLocation) -> None:
    ops = Ops(lake)

    def lacking(rows: pa.Table) -> list[RunRecord]:
        Ops(lake).append([RUN])
        return [replace(RUN, run_id="mine")]

    with pytest.raises(
        CommitConflict, match=r"ops.runs: others wrote in all of 20 attempts to add to it; nothing was"
    ):
        ops.append_once(RunRecord, ["run_id"], lacking)
    assert set(ops.read(RunRecord)["run_id"].to_pylist()) == {"r1"}

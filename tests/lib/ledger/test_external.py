"""Tables of others: which days they hold, what changes a day, and what is said when they cannot be read."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakesmith.contracts.model import Calendar, OnMissing, Source, SourceColumn, SourceFormat
from lakesmith.errors import InputMissing, UnsupportedTable
from lakesmith.ledger.external import ExternalTable, ExternalUnreadable
from lakesmith.ledger.manifest import DayFiles, DayState, Manifest

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 4)
COLUMNS = (
    SourceColumn("meter", "Meter"),
    SourceColumn("price", "price"),
    SourceColumn("note", "note", required=False),
)
Row = tuple[date | None, str, float]


def january(number: int) -> date:
    return date(2024, 1, number)


def rows(*found: Row) -> pa.Table:
    return pa.table(
        {
            "day": pa.array([row[0] for row in found], pa.date32()),
            "Meter": pa.array([row[1] for row in found], pa.string()),
            "price": pa.array([row[2] for row in found], pa.float64()),
        }
    )


def source(**changes: object) -> Source:
    given = {
        "calendar": Calendar(frozenset({6})),
        "file": "conf/sources/tariffs.yml",
        "date_column": "day",
        **changes,
    }
    return Source("tariffs", "", (), SourceFormat.DELTA, COLUMNS, FIRST, path="x", **given)  # type: ignore[arg-type]


class Theirs:
    """The table, as its maker writes it; every look is another process's."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, *found: Row, by: list[str] | None = None) -> None:
        write_deltalake(str(self.path), rows(*found), mode="append", partition_by=by)

    def looked_at(self, **changes: object) -> ExternalTable:
        return ExternalTable(source(**changes), str(self.path), {})

    def pinned(self, known: dict[date, Manifest] | None = None) -> dict[date, Manifest]:
        table = self.looked_at(on_missing=OnMissing.EMPTY)
        return {
            day: table.pin(found, (known or {}).get(day)) for day, found in table.days(FIRST, LAST).items()
        }

    def digests(self) -> dict[date, str]:
        return {day: manifest.digest for day, manifest in self.pinned().items()}


@pytest.fixture(params=[["day"], None], ids=["partitioned", "not partitioned"])
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Theirs:
    made = Theirs(tmp_path / "tariffs")
    made.append(
        (january(1), "m1", 1.0),
        (january(1), "m2", 2.0),
        (january(3), "m1", 1.5),
        (None, "m9", 0.0),
        by=request.param,
    )
    made.append((january(2), "m1", 1.25), by=request.param)
    return made


def changed(before: dict[date, str], after: dict[date, str]) -> list[int]:
    return [day.day for day in before if before[day] != after[day]]


def test_days_are_those_that_have_rows(theirs: Theirs) -> None:
    table = theirs.looked_at()
    assert table.version == 1
    assert table.all_days() == [january(1), january(2), january(3)]
    found = table.days(FIRST, LAST)
    assert [f.state for f in found.values()] == [DayState.PRESENT] * 3 + [DayState.MISSING]
    assert found[LAST].reason == f"no row with day = 2024-01-04 in version 1 of {theirs.path}"
    with pytest.raises(
        InputMissing, match=r"tariffs has no row for 2024-01-04: .* write `missing: empty` there\."
    ):
        table.pin(LAST)
    assert table.days(january(7), january(7))[january(7)].state is DayState.CLOSED
    empty = theirs.looked_at(on_missing=OnMissing.EMPTY).pin(LAST)
    assert empty.files == ()


def test_rows_are_counted_by_day(theirs: Theirs) -> None:
    theirs.append((january(2), "m9", 1.0), (january(2), "m8", 1.0), (None, "m7", 1.0))
    found = theirs.looked_at()
    every = DeltaTable(str(theirs.path)).to_pyarrow_table()["day"].to_pylist()
    assert found.rows(FIRST, LAST) == {
        d: every.count(d) for d in {*every} if d is not None and FIRST <= d <= LAST
    }
    assert found.rows(january(2), january(2)) == {january(2): every.count(january(2))}
    assert found.rows(january(20), january(21)) == {}


def test_an_append_to_an_old_day_changes_that_day_only(theirs: Theirs) -> None:
    before = theirs.digests()
    theirs.append((january(1), "m3", 9.0))
    assert changed(before, theirs.digests()) == [1]


def test_the_same_row_once_more_is_a_change(theirs: Theirs) -> None:
    before = theirs.digests()
    theirs.append((january(2), "m1", 1.25))
    assert changed(before, theirs.digests()) == [2]


def test_a_compaction_changes_nothing(theirs: Theirs) -> None:
    theirs.append((january(1), "m3", 9.0))
    before = theirs.pinned()
    DeltaTable(str(theirs.path)).optimize.compact()
    after = theirs.pinned(known=before)
    assert {d: m.digest for d, m in after.items()} == {d: m.digest for d, m in before.items()}
    assert after[january(1)].files[0].modified_ns != before[january(1)].files[0].modified_ns


def test_a_changed_and_a_deleted_row_change_their_days(theirs: Theirs) -> None:
    before = theirs.digests()
    DeltaTable(str(theirs.path)).update(updates={"price": "price + 1"}, predicate="\"Meter\" = 'm2'")
    assert changed(before, theirs.digests()) == [1]
    DeltaTable(str(theirs.path)).delete("day = '2024-01-03'")
    assert changed(before, theirs.digests()) == [1, 3]


def test_a_column_that_nobody_reads_changes_nothing(theirs: Theirs) -> None:
    before = theirs.digests()
    table = DeltaTable(str(theirs.path))
    table.alter.add_columns([pa_field("unread")])
    assert theirs.digests() == before
    table.alter.add_columns([pa_field("note")])
    assert changed(before, theirs.digests()) == [1, 2, 3]


def pa_field(name: str) -> object:
    from deltalake import Field

    return Field(name, "string")


def test_rows_are_only_read_where_the_files_are_others(
    theirs: Theirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = theirs.pinned()
    theirs.append((january(2), "m7", 7.0))
    read: list[date] = []
    digest = ExternalTable._digest

    def watched(self: ExternalTable, day: date) -> str:
        read.append(day)
        return digest(self, day)

    monkeypatch.setattr(ExternalTable, "_digest", watched)
    theirs.pinned(known)
    assert read == [january(2)]


def the_error(table: ExternalTable) -> tuple[DayFiles, str]:
    found = table.days(FIRST, FIRST)[FIRST]
    assert found.state is DayState.INCOMPLETE
    with pytest.raises((ExternalUnreadable, UnsupportedTable)) as raised:
        table.pin(FIRST)
    assert table.all_days() == []
    assert table.version is None
    return found, str(raised.value)


def test_a_table_that_vanished(theirs: Theirs) -> None:
    shutil.rmtree(theirs.path)
    found, message = the_error(theirs.looked_at())
    assert found.reason == "there is no Delta table"
    assert message == (
        f"tariffs: there is no Delta table at {theirs.path}. Ask who makes the table, or change conf/sources/tariffs.yml."
    )


def test_a_lost_column(theirs: Theirs) -> None:
    kept = rows((january(1), "m1", 1.0)).drop_columns(["price"])
    write_deltalake(str(theirs.path), kept, mode="overwrite", schema_mode="overwrite")
    found, message = the_error(theirs.looked_at())
    assert found.reason == "the Delta table has no column price any more"
    assert message.startswith(f"tariffs: the Delta table has no column price any more at {theirs.path}. ")


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("Meter", "date_column Meter is of type string, not a date,"),
        ("when", "date_column when is no column of the Delta table"),
    ],
)
def test_a_date_column_that_is_none(theirs: Theirs, column: str, reason: str) -> None:
    assert the_error(theirs.looked_at(date_column=column))[0].reason == reason


def test_a_feature_that_cannot_be_read_without_spark(theirs: Theirs) -> None:
    log = theirs.path / "_delta_log" / "00000000000000000002.json"
    log.write_text(
        '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,'
        '"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}\n'
    )
    _, message = the_error(theirs.looked_at())
    assert message.startswith(
        f"tariffs: the table at {theirs.path} uses a Delta feature that only some readers know (deletionVectors)"
    )


def test_nothing_is_ever_written(theirs: Theirs) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in theirs.path.rglob("*"))
    theirs.digests()
    assert sorted((path, path.stat().st_mtime_ns) for path in theirs.path.rglob("*")) == before

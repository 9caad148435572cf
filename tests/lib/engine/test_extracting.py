"""Extraction: a day is landed once, whole or not at all, and only what a correction touches is repaired."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from drills.publications import copied_to
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.extracting import Extraction, databases, days_to_extract, extract
from lakesmith.engine.submit import open_context
from lakesmith.errors import ConfigurationError, ExitCode, LakesmithError, UsageError
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.ledger.audit_trail import AuditRecord
from lakesmith.ledger.extracts import ExtractAltered, ExtractedFolder
from lakesmith.ledger.manifest import DayState
from lakesmith.ledger.ops import now
from postgres import PASSWORD, Database
from tills import Tills
from workspaces import day

Land = Callable[..., Extraction]


class Killed(BaseException):
    """Stands for a process that is gone: nothing may catch it, and nothing runs after it."""


@pytest.fixture
def tills(
    tmp_path: Path, database: Database, spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> Tills:
    """The project, and ten sales on each of three days in the database."""
    for name, value in database.variables().items():
        monkeypatch.setenv(name, value)
    return Tills.made_in(tmp_path / "tills", database)


@pytest.fixture
def land(tills: Tills) -> Land:
    """Extracts days of January 2024."""

    def run(first: int, last: int | None = None, **how: Any) -> Extraction:
        context = tills.context()
        days = BatchRange(day(first), day(last or first))
        return extract(context, databases(context, ["sales"]), days, **how)

    return run


def outcomes(done: Extraction) -> list[str]:
    for each in done.days:
        if each.error is not None and not isinstance(each.error, LakesmithError):
            raise each.error
    return [str(each.outcome) for each in done.days]


def manifest(tills: Tills, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tills.landing / f"{day(number)}.manifest.json").read_text())
    return found


def test_three_days_a_night_each_a_correction_and_only_what_it_touched_is_repaired(
    tills: Tills, land: Land
) -> None:
    assert tills.states(1, 3) == {
        "bronze.sales": "missing missing missing",
        "silver.sales": "blocked blocked blocked",
        "gold.takings": "blocked blocked blocked",
    }
    assert outcomes(land(1, 3)) == ["landed"] * 3
    assert tills.landed() == [
        f"{day(number)}.{ending}" for number in (1, 2, 3) for ending in ("manifest.json", "parquet")
    ]
    assert tills.run(1, 3).exit_code is ExitCode.DONE
    assert tills.rows("bronze.sales", "id", "amount", "customer", "sold_at", "till_time", "source_file")[
        :2
    ] == [
        ("100", "0.00", None, "2024-01-01 00:00:00Z", "2024-01-01 01:00:00", "2024-01-01.parquet"),
        ("101", "1.25", "card 1", "2024-01-01 01:00:00Z", "2024-01-01 02:00:00", "2024-01-01.parquet"),
    ]
    before = {table: tills.digests(table) for table in ("bronze.sales", "gold.takings")}
    versions = tills.versions()

    tills.database.run("UPDATE sales SET amount = 99 WHERE id = 203")
    assert outcomes(land(1, 3)) == ["already"] * 3
    assert set(tills.states(1, 3).values()) == {"fresh fresh fresh"}
    done = land(1, 3, again=True, why="the till was corrected")
    assert outcomes(done) == ["unchanged", "replaced", "unchanged"]
    assert tills.states(1, 3)["bronze.sales"] == "fresh stale fresh"
    assert tills.run(1, 3).exit_code is ExitCode.DONE
    after = {table: tills.digests(table) for table in before}
    for table in before:
        assert {n for n in (1, 2, 3) if before[table][n] != after[table][n]} == {2}
    assert tills.versions() == {table: version + 1 for table, version in versions.items()}
    trail = tills.context().ledger.known(AuditRecord)
    assert [(r.action, r.table, r.first, r.why, r.details) for r in trail] == [
        ("extract", "sales", day(number), "the till was corrected", {"changed": number == 2})
        for number in (1, 2, 3)
    ]


def test_the_manifest_pins_what_was_landed_and_holds_no_secret(tills: Tills, land: Land) -> None:
    (done,) = land(2).days
    assert done.extract is not None
    found = manifest(tills, 2)
    file = tills.landing / "2024-01-02.parquet"
    assert found["files"] == [
        {
            "path": "2024-01-02.parquet",
            "size": file.stat().st_size,
            "modified_ns": file.stat().st_mtime_ns,
            "sha256": done.extract.file.sha256,
            "rows": 10,
        }
    ]
    assert found["query"].endswith(
        "WHERE s.sold_at >= DATE '2024-01-02' AND s.sold_at < DATE '2024-01-03'  -- in UTC"
    )
    named = ["source", "batch_date", "connection", "snapshot", "replaces", "who", "why"]
    assert [found[name] for name in named] == [
        "sales",
        "2024-01-02",
        "erp",
        "one statement over one connection",
        None,
        "",
        "",
    ]
    written = b"".join(path.read_bytes() for path in tills.root.rglob("*") if path.is_file())
    for secret in (PASSWORD, json.dumps(PASSWORD)[1:-1], str(tills.database.server.port)):
        assert secret.encode() not in written
    assert tills.context().folder("sales").pin(day(2)).files[0].sha256 == done.extract.file.sha256


def test_an_equal_answer_is_an_equal_file_whatever_order_it_comes_in(tills: Tills, land: Land) -> None:
    land(1)
    first = (tills.landing / "2024-01-01.parquet").read_bytes()
    tills.database.run("CREATE TABLE other AS SELECT * FROM sales ORDER BY id DESC; TRUNCATE sales")
    tills.database.run("INSERT INTO sales SELECT * FROM other ORDER BY amount * 7 % 3")
    assert outcomes(land(1, again=True, why="moved")) == ["unchanged"]
    (tills.landing / "2024-01-01.parquet").unlink()
    assert outcomes(land(1)) == ["landed"]
    assert (tills.landing / "2024-01-01.parquet").read_bytes() == first
    rows = pq.ParquetFile(tills.landing / "2024-01-01.parquet")
    assert rows.metadata.metadata is None
    assert rows.read(["id"])["id"].to_pylist() == list(range(100, 110))


def test_what_is_replaced_is_kept_with_its_manifest(tills: Tills, land: Land) -> None:
    land(1)
    old, said = (tills.landing / "2024-01-01.parquet").read_bytes(), manifest(tills, 1)
    tills.database.run("DELETE FROM sales WHERE id = 105")
    land(1, again=True, why="a sale was taken back")
    name = f".replaced/2024-01-01/{said['files'][0]['sha256'][:16]}"
    assert (tills.landing / f"{name}.parquet").read_bytes() == old
    assert json.loads((tills.landing / f"{name}.manifest.json").read_text()) == said
    assert manifest(tills, 1)["replaces"] == said["files"][0]
    assert (manifest(tills, 1)["why"], manifest(tills, 1)["files"][0]["rows"]) == ("a sale was taken back", 9)


def test_an_altered_file_is_refused_with_both_hashes_and_what_to_do(tills: Tills, land: Land) -> None:
    land(1)
    file = tills.landing / "2024-01-01.parquet"
    said = manifest(tills, 1)["files"][0]
    content, times = file.read_bytes(), file.stat()
    file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    # So that only the content tells.
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ExtractAltered) as caught:
        tills.context().folder("sales").pin(day(1))
    error = caught.value
    assert (error.expected, error.exit_code, error.batch_date) == (said["sha256"], ExitCode.REJECTED, day(1))
    for words in (
        error.expected,
        error.found,
        "lakesmith extract sales --date 2024-01-01 --again --why TEXT",
    ):
        assert words is not None
        assert words in str(error)
    assert tills.run(1).exit_code is not ExitCode.DONE
    assert tills.rows("bronze.sales") == [] if tills.context().lake.open("bronze.sales") else True

    os.utime(file)
    looked_at = tills.context().folder("sales").days(day(1), day(1))[day(1)]
    assert (looked_at.state, str(looked_at.error)) == (DayState.INCOMPLETE, str(error))
    (refused,) = land(1).days
    assert isinstance(refused.error, ExtractAltered)
    assert outcomes(land(1, again=True, why="somebody edited it")) == ["replaced"]
    assert file.read_bytes() == content
    assert tills.run(1).exit_code is ExitCode.DONE

    (tills.landing / "2024-01-02.parquet").write_bytes(content)
    (foreign,) = land(2).days
    assert "it has no manifest" in str(foreign.error)
    assert tills.states(2, 2)["bronze.sales"] == "missing"


POINTS = [
    (side, step)
    for step in (Step.READ, Step.STAGE, Step.PUT, Step.PUBLISH)
    for side in (Side.BEFORE, Side.AFTER)
]


def killed_at(side: Side, step: Step) -> Callable[[FaultPoint], None]:
    def hook(point: FaultPoint) -> None:
        if point == FaultPoint(side, step, "extract.sales"):
            raise Killed

    return hook


def test_killed_anywhere_a_day_is_what_it_was_or_what_it_will_be(tills: Tills, land: Land) -> None:
    file = tills.landing / "2024-01-01.parquet"
    previous: bytes | None = None
    for number, (side, step) in enumerate(POINTS):
        tills.database.run(f"UPDATE sales SET pieces = {number} WHERE id = 101")
        again = {"again": True, "why": "drill"} if previous is not None else {}
        with pytest.raises(Killed), armed(killed_at(side, step)):
            land(1, **again)
        folder = tills.context().folder("sales")
        assert isinstance(folder, ExtractedFolder)
        found = folder.days(day(1), day(1))[day(1)]
        if previous is None or (side, step) != (Side.AFTER, Step.PUBLISH):
            assert (file.read_bytes() if file.exists() else None) == previous, (side, step)
        else:
            assert file.read_bytes() != previous
        assert found.state is (DayState.PRESENT if file.exists() else DayState.INCOMPLETE), (
            side,
            step,
            found,
        )
        if file.exists():
            folder.pin(day(1))
        # Another day does not clear away what this one needs.
        assert outcomes(land(2)) in (["landed"], ["already"])
        assert folder.days(day(1), day(1))[day(1)].state is found.state
        done = (
            land(1, **again)
            if step in (Step.READ, Step.STAGE) or (side is Side.BEFORE and step is Step.PUT)
            else land(1)
        )
        assert done.exit_code is ExitCode.DONE, (side, step, done)
        pieces = pq.read_table(file)["pieces"].to_pylist()
        assert pieces[1] == number, (side, step)
        assert [path for path in tills.landed() if path.startswith(".extracting")] == []
        previous = file.read_bytes()


def test_a_day_without_rows_is_refused_unless_the_source_says_that_it_may_be(
    tills: Tills, land: Land
) -> None:
    done = land(4, 5)
    assert [type(each.error).__name__ for each in done.days] == ["NoRows", "NoRows"]
    assert (done.exit_code, done.retryable) == (ExitCode.MISSING, True)
    assert tills.landed() == []
    tills.edit("conf/sources/sales.yml", "start: 2024-01-01", "start: 2024-01-01\nmissing: empty")
    # Not extracted is not empty.
    assert tills.states(4, 4)["bronze.sales"] == "missing"
    assert outcomes(land(4)) == ["landed"]
    assert manifest(tills, 4)["files"][0]["rows"] == 0
    assert tills.run(4).exit_code is ExitCode.DONE


def test_closed_days_and_days_before_the_first_are_not_asked_for(tills: Tills, land: Land) -> None:
    tills.database.server.stop()
    try:
        assert outcomes(land(7)) == ["closed"]
        context = tills.context()
        before = BatchRange(date(2023, 12, 1), date(2023, 12, 31))
        assert extract(context, databases(context, []), before).days == ()
        done = land(6, 8)
        assert outcomes(done) == ["failed", "not_tried", "not_tried"]
        assert (done.exit_code, done.retryable) == (ExitCode.MISSING, True)
        assert PASSWORD not in str(done.to_json())
    finally:
        tills.database.server.start()
    assert outcomes(land(1)) == ["landed"]


def test_a_bad_query_is_no_reason_to_retry_and_ends_the_source(tills: Tills, land: Land) -> None:
    tills.edit("conf/sources/sales.yml", "s.till_time\n", "s.till\n")
    done = land(1, 3)
    assert outcomes(done) == ["failed", "not_tried", "not_tried"]
    assert (done.exit_code, done.retryable) == (ExitCode.USAGE, False)
    assert "column s.till does not exist (SQLSTATE 42703)" in str(done.days[0].error)
    tills.edit("conf/sources/sales.yml", "connection: erp", "connection: crm")
    assert "the settings have no connection 'crm'; there are: erp" in str(land(1).days[0].error)


def test_without_a_day_it_is_the_last_one_that_is_over(tills: Tills) -> None:
    today = now().date()
    assert days_to_extract(None, None) == BatchRange(today - timedelta(1), today - timedelta(1))
    with pytest.raises(UsageError, match="has not begun yet"):
        days_to_extract(today + timedelta(1), None)
    with pytest.raises(UsageError, match="'sale' is no source of kind jdbc; there are: sales"):
        databases(tills.context(), ["sale"])


def test_a_landing_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    root = copied_to(tmp_path / "meters", '{"landing_root": "s3://bucket/landing"}')
    with pytest.raises(
        ConfigurationError, match=r"into folders, and the landing root is s3://bucket/landing"
    ):
        extract(open_context("dev", root), [], BatchRange(day(1), day(1)))

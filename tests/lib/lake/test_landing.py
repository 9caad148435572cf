"""A source as Spark reads it: the same records as without Spark, and the workers' errors on the driver."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.model import Source
from lakesmith.errors import DataRejected, InputChanged, LakesmithError
from lakesmith.lake import landing
from lakesmith.lake.landing import FileColumns, inspect_headers, read_source, source_schema, translate
from lakesmith.lake.records_errors import ColumnsDoubled, ColumnsMissing, FileBroken
from lakesmith.ledger.landing_store import LandingEscape, LandingUnreadable
from lakesmith.ledger.manifest import LandingFile, LandingFolder, Manifest
from scenarios.landing_cases import CASES, DAY, expectation, land, shop

COLUMNS = ["batch_date", "source_file", "record_no", "id", "item", "price", "extra", "malformed"]
HEADER = b"Id,Item,Price\n"


def put(landing_root: Path, files: dict[str, bytes], of: Source | None = None) -> list[Manifest]:
    """Files into the folder of `shop`, and the manifests of their days."""
    folder = landing_root / "shop"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    days = sorted({date.fromisoformat(name[:10]) for name in files})
    return [LandingFolder(of or shop(), landing_root).pin(day) for day in days]


def rows(frame: DataFrame) -> list[dict[str, Any]]:
    assert frame.columns == COLUMNS
    return [row.asDict() for row in frame.orderBy("batch_date", "source_file", "record_no").collect()]


def test_every_scenario_that_has_records_gives_them_through_spark(
    spark_session: SparkSession, tmp_path: Path
) -> None:
    """All of them at once, as a range of days."""
    expected: list[dict[str, Any]] = []
    manifests: list[Manifest] = []
    day = DAY
    for case in CASES:
        told = expectation(case)
        if "error" in told or "source" in told:
            continue
        day += timedelta(1)
        land(case, tmp_path, day)
        manifests.append(LandingFolder(shop(), tmp_path).pin(day))
        for record in told["records"]:
            file = record.pop("file", f"{DAY}{manifests[-1].files[0].path[10:]}").replace(str(DAY), str(day))
            expected.append({**dict.fromkeys(COLUMNS), "batch_date": day, "source_file": file, **record})
    assert len(expected) > 60
    frame = read_source(spark_session, shop(), tmp_path, manifests)
    assert frame.schema == source_schema(shop())
    assert rows(frame) == expected


def test_no_files_give_an_empty_frame_of_the_same_schema(spark_session: SparkSession, tmp_path: Path) -> None:
    for manifests in ([], [Manifest("shop", DAY)]):
        frame = read_source(spark_session, shop(), tmp_path, manifests)
        assert frame.schema == source_schema(shop())
        assert rows(frame) == []


def test_files_share_tasks_but_keep_their_order(
    spark_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"2011-03-{day:02}.csv": HEADER + b"1,pen,0.20\n" * day for day in range(1, 31)}
    manifests = put(tmp_path, files)
    frames = [read_source(spark_session, shop(), tmp_path, manifests)]
    monkeypatch.setattr(landing, "TASK_BYTES", 200)
    frames.append(read_source(spark_session, shop(), tmp_path, manifests))
    tasks = [frame.rdd.getNumPartitions() for frame in frames]
    assert tasks == [2, 20]
    assert rows(frames[0]) == rows(frames[1])
    assert frames[0].count() == sum(range(1, 31))


def test_large_files_are_read_by_several_tasks_and_give_the_same_records(
    spark_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that can be cut; a gzip file beside them is read as one."""
    lines = [f'{n},"a ""pen""\nno. {n} {"x" * 500}",0.20\n' for n in range(12_000)]
    lines += [f'{n},"stray,0.20\n' for n in range(9)]
    text = HEADER + "".join(lines).encode()
    files = {"2011-03-01.csv": text, "2011-03-02.csv.gz": gzip.compress(text), "2011-03-03.csv": text}
    manifests = put(tmp_path, files)
    whole = read_source(spark_session, shop(), tmp_path, manifests)
    monkeypatch.setattr(landing, "TASK_BYTES", 1 << 20)
    cut = read_source(spark_session, shop(), tmp_path, manifests)
    assert (whole.rdd.getNumPartitions(), cut.rdd.getNumPartitions()) == (2, 7)
    assert cut.where("malformed IS NOT NULL").count() == 27
    assert rows(cut) == rows(whole)


def test_a_file_replaced_before_it_is_cut_is_a_changed_input(
    spark_session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = put(tmp_path, {"2011-03-01.csv": HEADER + b"1,pen,0.20\n"})
    put(tmp_path, {"2011-03-01.csv": HEADER + b"1,pen,0.30\n"})
    monkeypatch.setattr(landing, "TASK_BYTES", 1)
    with pytest.raises(Exception, match="lakesmith-error") as caught:
        read_source(spark_session, shop(), tmp_path, manifests)
    assert type(translate(caught.value)) is InputChanged


BROKEN: dict[str, tuple[bytes, type[LakesmithError], dict[str, Any]]] = {
    "a column is missing": (
        b"Id,Price\n",
        ColumnsMissing,
        {
            "missing": ["Item"],
            "found": ["Id", "Price"],
            "file": "shop/2011-03-02.csv",
            "batch_date": date(2011, 3, 2),
        },
    ),
    "a column is doubled": (
        b"Id,Item,Item\n",
        ColumnsDoubled,
        {"doubled": ["Item"], "batch_date": date(2011, 3, 2)},
    ),
    "truncated gzip": (b"\x1f\x8b\x08\x00", FileBroken, {"file": "shop/2011-03-02.csv"}),
    "text with an error's mark in it": (b'lakesmith-error:{"class": "LeaseHeld"}\n', ColumnsMissing, {}),
}


@pytest.mark.parametrize(("content", "kind", "facts"), BROKEN.values(), ids=BROKEN.keys())
def test_an_error_in_a_worker_is_that_error_on_the_driver(
    spark_session: SparkSession,
    tmp_path: Path,
    content: bytes,
    kind: type[LakesmithError],
    facts: dict[str, Any],
) -> None:
    manifests = put(tmp_path, {"2011-03-01.csv": HEADER, "2011-03-02.csv": content})
    frame = read_source(spark_session, shop(), tmp_path, manifests)
    for action in (frame.count, frame.write.format("noop").mode("overwrite").save):
        with pytest.raises(Exception, match="lakesmith-error") as caught:
            action()
        error = translate(caught.value)
        assert type(error) is kind
        assert isinstance(error, DataRejected)
        assert not error.retryable
        assert str(error).startswith("shop/2011-03-02.csv: ")
        assert {name: getattr(error, name) for name in facts} == facts


def test_a_file_replaced_after_it_was_pinned_can_be_tried_again(
    spark_session: SparkSession, tmp_path: Path
) -> None:
    manifests = put(tmp_path, {"2011-03-01.csv": HEADER + b"1,pen,0.20\n"})
    put(tmp_path, {"2011-03-01.csv": HEADER + b"1,pen,0.30\n"})
    with pytest.raises(Exception, match="lakesmith-error") as caught:
        read_source(spark_session, shop(), tmp_path, manifests).count()
    error = translate(caught.value)
    assert type(error) is InputChanged
    assert error.retryable


def test_a_worker_reads_nothing_outside_the_landing_root(spark_session: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "landing" / "shop").mkdir(parents=True)
    (tmp_path / "secret.csv").write_bytes(HEADER + b"1,secret,0.20\n")
    forged = Manifest("shop", DAY, (LandingFile("../../secret.csv", 0, 0, ""),))
    with pytest.raises(Exception, match="lakesmith-error") as caught:
        read_source(spark_session, shop(), tmp_path / "landing", [forged]).count()
    assert type(translate(caught.value)) is LandingEscape
    with pytest.raises(LandingEscape):
        inspect_headers(shop(), tmp_path / "landing", [forged])


def test_headers_are_inspected_before_anything_runs(tmp_path: Path) -> None:
    manifests = put(
        tmp_path,
        {
            "2011-03-01.csv": HEADER + b'"never read',
            "2011-03-02.csv": b"Colour,Id,Item,Size\n",
            "2011-03-03.csv": b"Id,Price\n",
        },
    )
    found = inspect_headers(shop(), tmp_path, manifests)
    assert found[:2] == [
        FileColumns(date(2011, 3, 1), "2011-03-01.csv"),
        FileColumns(date(2011, 3, 2), "2011-03-02.csv", ("Colour", "Size"), ("Price",)),
    ]
    error = found[2].error
    assert isinstance(error, ColumnsMissing)
    assert (error.batch_date, error.missing) == (date(2011, 3, 3), ["Item"])
    (tmp_path / "shop" / "2011-03-02.csv").unlink()
    with pytest.raises(LandingUnreadable):
        inspect_headers(shop(), tmp_path, manifests)


def test_json_lines_have_no_header_to_inspect(tmp_path: Path) -> None:
    of = shop({"format": "jsonl"})
    assert inspect_headers(of, tmp_path, put(tmp_path, {"2011-03-01.csv": b"{}"}, of)) == [
        FileColumns(DAY, "2011-03-01.csv")
    ]


def test_other_exceptions_are_not_translated() -> None:
    for text in (
        "boom",
        "lakesmith-error:",
        'lakesmith-error:{"class": "OSError", "message": "", "facts": {}}',
    ):
        assert translate(RuntimeError(text)) is None


def test_the_error_is_found_behind_others() -> None:
    message = json.dumps({"class": "FileBroken", "message": "shop/x: broken", "facts": {"file": "shop/x"}})
    outer = ValueError("the job failed")
    outer.__cause__ = RuntimeError(
        f"Traceback ...\nlakesmith.X: lakesmith-error:{message}\n\tat java.lang.Thread"
    )
    error = translate(outer)
    assert isinstance(error, FileBroken)
    assert (str(error), error.file) == ("shop/x: broken", "shop/x")
    typed = InputChanged("replaced")
    assert translate(typed) is typed

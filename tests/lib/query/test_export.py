"""Answers as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakesmith.errors import UsageError
from lakesmith.query.errors import QueryFailed
from lakesmith.query.export import export
from lakesmith.query.reader import Question
from lakesmith.query.tables import Tables

ODD = (
    "SELECT 'a \"quoted\", b' AS \"x,y\", e'two\\nlines' AS lines, NULL::VARCHAR AS nothing, '' AS empty, "
    "1.20::DECIMAL(5,2) AS money, DATE '2024-01-02' AS day, TIMESTAMPTZ '2024-01-02 03:04:05+00' AS moment -- odd"
)
Opened = Callable[[str | None], Tables]


def test_csv_is_rfc_4180(tables: Opened, tmp_path: Path) -> None:
    assert export(Question(tables("latest"), ODD), tmp_path / "new" / "odd.csv") == 1
    text = (tmp_path / "new" / "odd.csv").read_bytes().decode()
    assert text == (
        '"x,y",lines,nothing,empty,money,day,moment\r\n'
        '"a ""quoted"", b","two\nlines",,"",1.20,2024-01-02,2024-01-02 03:04:05+00\r\n'
    )
    assert [len(row) for row in csv.reader(io.StringIO(text, newline=""))] == [7, 7]


def test_parquet_keeps_types(tables: Opened, tmp_path: Path) -> None:
    assert export(Question(tables("latest"), ODD), tmp_path / "odd.PARQUET") == 1
    found = pq.read_table(tmp_path / "odd.PARQUET")
    assert {field.name: str(field.type) for field in found.schema}["money"] == "decimal128(5, 2)"
    assert str(found["moment"][0]) == "2024-01-02 03:04:05+00:00"


@pytest.mark.parametrize(
    "sql", ["DESCRIBE gold.usage", "SUMMARIZE gold.usage", "SHOW TABLES", "FROM gold.usage;"]
)
def test_every_answer_can_be_written(tables: Opened, tmp_path: Path, sql: str) -> None:
    question = Question(tables("latest"), sql)
    assert export(question, tmp_path / "x.csv") == question.table().num_rows > 0


def test_rows_keep_their_order(tables: Opened, tmp_path: Path) -> None:
    export(Question(tables("latest"), "SELECT kwh FROM gold.usage ORDER BY kwh DESC"), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text().split() == ["kwh", "10", "8", "1"]


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tables: Opened, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("mine")
    question = Question(tables("latest"), "SELECT 1 AS one")
    with pytest.raises(UsageError, match="--overwrite"):
        export(question, file)
    assert file.read_text() == "mine"
    export(question, file, overwrite=True)
    assert file.read_text() == "one\n1\n"


def test_a_file_that_came_meanwhile_is_kept(
    tables: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.csv"
    question = Question(tables("latest"), "SELECT 1 AS one")
    write = question.write

    def slowly(unfinished: Path, options: str) -> int:
        file.write_text("theirs")
        return write(unfinished, options)

    monkeypatch.setattr(question, "write", slowly)
    with pytest.raises(UsageError, match="there already"):
        export(question, file)
    assert [path.name for path in tmp_path.glob("*x.csv*")] == ["x.csv"]
    assert file.read_text() == "theirs"


def test_an_export_that_fails_leaves_what_was_there(tables: Opened, tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    file.write_text("old")
    failing = "SELECT CAST(meter AS INT) FROM gold.usage"
    with pytest.raises(QueryFailed, match="Conversion Error"):
        export(Question(tables("latest"), failing), file, overwrite=True)
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.glob("*x.parquet*")] == ["x.parquet"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("x.xlsx", "ending"), ("x", "ending"), ("folder.csv", "folder"), ("file/x.csv", "folder")],
)
def test_files_that_cannot_be_are_refused_before_any_work(
    tables: Opened, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=said):
        export(Question(tables("latest"), "SELECT CAST('x' AS INT)"), tmp_path / name, overwrite=True)

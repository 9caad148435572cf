"""`lakesmith sql` on a lake of two nights."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from command_lines import Ask
from lakes import record_night, write_batch
from workspaces import Workspace

USAGE = "SELECT batch_date, meter, kwh, cost FROM gold.usage ORDER BY ALL"


@pytest.fixture
def lake(meters: Workspace) -> Workspace:
    """A complete night, then one with a table in trouble."""
    write_batch(
        meters, "gold.usage", 1, [{"meter": "m1", "kwh": 1200, "cost": 20}, {"meter": "m2", "kwh": 5}]
    )
    record_night(meters, 1)
    write_batch(meters, "gold.usage", 2, [{"meter": "m1", "kwh": 7, "cost": 14}])
    record_night(meters, 2, troubles={"gold.running": "1 rejected"}, minutes=1)
    return meters


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_rows_are_shown_as_a_table_and_the_night_on_stderr(ask: Ask, lake: Workspace) -> None:
    answer = ask("sql", USAGE)
    assert answer.code == 0
    assert lines(answer.out) == [
        "batch_date  meter   kwh  cost",
        "2024-01-01  m1     1200    20",
        "2024-01-01  m2        5  NULL",
    ]
    assert answer.err.startswith("as of the night 2024-01-01 (recorded ")
    assert len(answer.err.splitlines()) == 1


def test_a_night_in_trouble_is_read_when_asked_for_and_told(ask: Ask, lake: Workspace) -> None:
    answer = ask("sql", "SELECT count(*) AS n FROM gold.usage", "--as-of", "2024-01-02")
    assert lines(answer.out) == ["n", "3"]
    first, second = answer.err.splitlines()
    assert first.startswith("as of the night 2024-01-02, which is not complete (recorded ")
    assert second == "not whole that night: gold.running (1 rejected)"


@pytest.mark.parametrize(
    "arguments",
    [("SELECT 1 AS n",), ("SELECT count(*) AS n FROM ops.nights LIMIT 0",), (USAGE, "--as-of", "latest")],
)
def test_where_no_night_makes_a_difference_none_is_told(
    ask: Ask, lake: Workspace, arguments: tuple[str, ...]
) -> None:
    answer = ask("sql", *arguments)
    assert (answer.code, answer.err) == (0, "")


def test_without_a_complete_night_the_newest_versions_are_read(ask: Ask, meters: Workspace) -> None:
    write_batch(meters, "gold.usage", 1, [{"meter": "m1"}])
    answer = ask("sql", "SELECT count(*) AS n FROM gold.usage")
    assert lines(answer.out) == ["n", "1"]
    assert answer.err == "no complete night is on record: the newest version of each table is read.\n"


def test_more_rows_than_are_shown_are_counted(ask: Ask, lake: Workspace) -> None:
    answer = ask("sql", "SELECT range AS n FROM range(1500)", "--rows", "2")
    assert lines(answer.out) == [
        "n",
        "0",
        "1",
        "... 1,498 more rows: --rows 1500 shows all, --out FILE.csv or FILE.parquet writes them",
    ]
    assert lines(ask("sql", "SELECT 1 AS n WHERE false").out) == ["n", "no rows"]


def test_a_long_text_is_broken_and_a_name_is_not(
    ask: Ask, lake: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    answer = ask("sql", "SELECT 'a_name_that_stays_in_one_piece' AS name, repeat('word ', 20) AS said")
    assert max(len(line) for line in lines(answer.out)) <= 60
    assert answer.out.count("word") == 20
    assert "a_name_that_stays_in_one_piece" in answer.out


def test_json_holds_all_rows_and_their_types(ask: Ask, lake: Workspace) -> None:
    answer = ask("sql", f"{USAGE} LIMIT 1", "--json", "--rows", "1", "--as-of", "latest")
    assert answer.json == {
        "as_of": "latest",
        "columns": [
            {"name": "batch_date", "type": "date32[day]"},
            {"name": "meter", "type": "string"},
            {"name": "kwh", "type": "int64"},
            {"name": "cost", "type": "int64"},
        ],
        "rows": [{"batch_date": "2024-01-01", "meter": "m1", "kwh": 1200, "cost": 20}],
    }
    assert ask("sql", USAGE, "--json").json["as_of"] == "2024-01-01"
    assert ask("sql", "SELECT 1 AS a, 2 AS a", "--json").json["rows"] == [{"a": 1, "a_2": 2}]


def test_a_file_is_written_instead(ask: Ask, lake: Workspace) -> None:
    answer = ask("sql", USAGE, "--out", "out/usage.csv")
    assert lines(answer.out) == ["2 rows in out/usage.csv"]
    assert answer.err.startswith("as of the night 2024-01-01")
    assert (lake.root / "out" / "usage.csv").read_bytes().count(b"\r\n") == 3
    assert ask("sql", USAGE, "--out", "out/usage.csv").code == 2
    again = ask("sql", USAGE, "--out", "out/usage.csv", "--overwrite", "--json", "--as-of", "latest")
    assert again.json == {"out": "out/usage.csv", "rows": 3}


def test_a_dash_takes_the_question_from_stdin(
    ask: Ask, lake: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 1 AS n\n"))
    assert lines(ask("sql", "-").out) == ["n", "1"]


def test_no_jvm_and_no_pandas_are_needed(lake: Workspace) -> None:
    script = (
        "import sys; from lakesmith.cli.main import main; code = main(sys.argv[1:]); "
        "print(code, [m for m in ('pyspark', 'pandas', 'great_expectations') if m in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, "sql", USAGE, "--project", str(lake.root)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.splitlines()[-1] == "0 []"


def test_what_is_not_installed_is_named(ask: Ask, lake: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("lakesmith.query")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    answer = ask("sql", USAGE)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: duckdb is not installed. Install it: pip install 'lakesmith[sql]'\n"

"""Answers over a lake: which versions they see, how files become rows, and what cannot be reached."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lakes import Asked, write_batch
from lakesmith.errors import InputMissing, UsageError
from lakesmith.query.errors import QueryFailed, QueryImpossible, QueryRefused, UnknownTable
from lakesmith.query.reader import Question
from lakesmith.query.tables import Tables
from workspaces import Workspace, day

USAGE = "SELECT batch_date, meter, kwh FROM gold.usage ORDER BY ALL"
NIGHT_1 = [(day(1), "m1", 10)]
NIGHT_2 = [*NIGHT_1, (day(2), "m1", 7), (day(2), "m2", 6)]
NEWEST = [*NIGHT_1, (day(2), "m1", 8), (day(3), "m3", 1)]


# --- nights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "rows"),
    [
        (None, NIGHT_2),
        ("2024-01-01", NIGHT_1),
        ("2024-01-02", NIGHT_2),
        ("2024-01-03", NEWEST),
        ("latest", NEWEST),
    ],
)
def test_tables_are_read_at_the_versions_of_one_night(ask: Asked, as_of: str | None, rows: object) -> None:
    assert ask(USAGE, as_of) == rows


def test_the_ledgers_own_tables_are_always_the_newest(ask: Asked) -> None:
    assert ask("SELECT count(*) FROM ops.nights", "2024-01-01") == [(3,)]


def test_a_table_that_a_night_had_not_yet_is_missing(ask: Asked, meters: Workspace) -> None:
    write_batch(meters, "silver.readings", 3, [{"meter": "m1"}])
    assert ask("SELECT count(*) FROM silver.readings") == [(1,)]
    with pytest.raises(InputMissing, match=r"silver\.readings holds nothing: .* before the night 2024-01-02"):
        ask("FROM silver.readings", None)


def test_a_quarantine_that_holds_nothing_yet_is_empty_and_typed(ask: Asked, meters: Workspace) -> None:
    counted = "SELECT count(*), count(DISTINCT unnested) FROM (SELECT unnest(broken_rules) AS unnested "
    counted += "FROM quarantine.gold_usage WHERE batch_date > DATE '2024-01-01' AND kwh > 1)"
    assert ask(counted) == [(0, 0)]
    write_batch(meters, "quarantine.gold_usage", 2, [{"kwh": 3, "broken_rules": ["a", "b"]}])
    assert ask(counted) == [(2, 2)]
    assert ask(counted, None) == [(0, 0)]


def test_a_version_whose_log_is_gone_is_told(ask: Asked, meters: Workspace) -> None:
    (meters.root / "lake" / "gold" / "usage" / "_delta_log" / f"{1:020d}.json").unlink()
    with pytest.raises(
        QueryImpossible, match=r"gold\.usage can no longer be read as of .*: the log of version \d"
    ):
        ask(USAGE, None)


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_of_other_batches_are_not_opened(ask: Asked, meters: Workspace) -> None:
    for file in (meters.root / "lake" / "gold" / "usage").glob("batch_date=2024-01-0[12]/*.parquet"):
        file.write_bytes(b"no parquet")
    assert ask("SELECT sum(kwh) FROM gold.usage WHERE batch_date = DATE '2024-01-03'") == [(1,)]
    newest = "(SELECT max(batch_date) FROM ops.batches UNION ALL SELECT DATE '2024-01-03' ORDER BY 1 LIMIT 1)"
    assert ask(f"SELECT sum(kwh) FROM gold.usage WHERE batch_date = {newest}") == [(1,)]
    with pytest.raises((QueryImpossible, QueryFailed)):
        ask("SELECT sum(kwh) FROM gold.usage")


def test_a_column_that_older_files_lack_is_null_in_them(ask: Asked, meters: Workspace) -> None:
    meters.edit(
        "conf/tables/gold.usage.yml", "  cost:", "  peak: {type: bigint, description: At noon.}\n  cost:"
    )
    write_batch(meters, "gold.usage", 4, [{"meter": "m9", "peak": 5}])
    peaks = (
        "SELECT batch_date, meter, peak FROM gold.usage WHERE batch_date <> DATE '2024-01-02' ORDER BY ALL"
    )
    assert ask(peaks) == [(day(1), "m1", None), (day(3), "m3", None), (day(4), "m9", 5)]
    with pytest.raises(QueryFailed, match="peak"):
        ask(peaks, None)


def test_a_column_that_no_file_has_yet_is_null(ask: Asked, meters: Workspace) -> None:
    meters.edit("conf/tables/gold.usage.yml", "  cost:", "  peak: {type: 'array<date>'}\n  cost:")
    write_batch(meters, "gold.usage", 4, [])
    assert ask("SELECT max(peak), count(*) FROM gold.usage") == [(None, 3)]
    assert ask("SELECT data_type FROM duckdb_columns() WHERE column_name = 'peak'") == [("DATE[]",)]


def test_files_in_folders_that_say_nothing_get_their_batch_from_the_log(
    ask: Asked, meters: Workspace
) -> None:
    table = meters.root / "lake" / "gold" / "usage"
    opened = DeltaTable(table)
    moved = pa.RecordBatchReader.from_stream(opened.get_add_actions(flatten=True)).read_all().to_pylist()
    for action in moved:
        plain = action["path"].replace("batch_date=", "of ")
        (table / plain).parent.mkdir(exist_ok=True)
        shutil.move(table / action["path"], table / plain)
        for log in (table / "_delta_log").glob("*.json"):
            log.write_text(log.read_text().replace(action["path"], plain.replace(" ", "%20")))
    assert ask(USAGE) == NEWEST
    write_batch(meters, "gold.usage", 5, [{"meter": "m5", "kwh": 5}])  # in a folder that does say so
    assert ask(USAGE) == [*NEWEST, (day(5), "m5", 5)]


def test_a_folder_called_like_a_column_is_not_taken_for_it(meters: Workspace, tmp_path: Path) -> None:
    context = meters.context()
    lake = type(context.lake)(str(tmp_path / "meter=all" / "it's" / "lake"))
    shutil.copytree(meters.root / "lake", lake.root)
    asked = Question(Tables(context.project.graph, lake, context.ledger.ops, None), USAGE)
    assert [tuple(row.values()) for row in asked.table().to_pylist()] == NEWEST


def test_an_answer_is_the_same_without_the_folder_it_was_asked_in(
    ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert ask(USAGE) == NEWEST


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("gold.usgae", "gold.usage"),
        ("usage", "gold.usage"),
        ("silver.reading", "silver.readings"),
        ("a.b.c", None),
    ],
)
def test_an_unknown_table_is_told_with_the_nearest(ask: Asked, written: str, nearest: str | None) -> None:
    with pytest.raises(UnknownTable) as raised:
        ask(f"FROM {written}")
    assert (raised.value.table, raised.value.nearest) == (written, nearest)


def test_an_unknown_column_is_told_with_those_that_there_are(ask: Asked) -> None:
    with pytest.raises(QueryFailed, match=r"(?s)kwhh.*kwh.*DESCRIBE gold\.usage"):
        ask("SELECT kwhh FROM gold.usage")


def test_names_are_read_as_sql_reads_them(ask: Asked) -> None:
    assert ask('SELECT count(*) FROM Gold."usage" JOIN GOLD.USAGE AS other USING (batch_date)') == [(3,)]


def test_tables_and_columns_are_told_with_their_descriptions(ask: Asked) -> None:
    assert ("gold.usage", "Energy a meter used in a day.") in ask("SHOW TABLES")
    assert "silver.readings" not in dict(ask("SHOW TABLES"))
    assert ask("DESCRIBE gold.usage") == [
        ("meter", "VARCHAR", "Meter."),
        ("kwh", "BIGINT", "Energy."),
        ("cost", "BIGINT", "Energy at the tariff in settings."),
        ("batch_date", "DATE", "The batch that the row belongs to."),
    ]
    assert ask("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'gold'") == [(4,)]


# --- the lock --------------------------------------------------------------------------------------------------------


def test_only_live_files_can_be_reached(ask: Asked, meters: Workspace, tmp_path: Path) -> None:
    staged = (
        meters.root / "lake" / "gold" / "usage" / "batches" / "r1" / "batch_date=2024-01-04" / "x.parquet"
    )
    staged.parent.mkdir(parents=True)
    pq.write_table(pa.table({"meter": ["secret"]}), staged)
    for source in (
        f"read_parquet('{staged}')",
        f"read_text('{tmp_path}/meters/conf/base.yml')",
        "glob('/*')",
    ):
        with pytest.raises(QueryRefused, match="only tables are read here"):
            ask(f"SELECT * FROM gold.usage, {source}")
    with pytest.raises(UnknownTable):
        ask(f"FROM '{staged}'")


def test_a_variable_of_the_caller_is_no_table(ask: Asked) -> None:
    frame = pa.table({"x": [1]})
    assert frame.num_rows
    with pytest.raises(UnknownTable):
        ask("FROM frame")
    with pytest.raises(QueryFailed):
        ask("FROM query_table('frame')")


def test_whatever_is_asked_the_lake_stays_as_it_is(ask: Asked, meters: Workspace) -> None:
    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (meters.root / "lake").rglob("*")}

    before = files()
    ask(USAGE, None)
    for sql in ("DROP TABLE gold.usage", "COPY gold.usage TO 'x.csv'"):
        with pytest.raises(UsageError):
            ask(sql)
    assert files() == before


def test_the_first_rows_are_kept_and_the_others_counted(tables: Callable[[str | None], Tables]) -> None:
    found = Question(tables("latest"), "SELECT range AS n FROM range(10000), gold.usage ORDER BY ALL").first(
        3
    )
    assert (found.shown.to_pydict(), found.rows) == ({"n": [0, 0, 0]}, 30_000)
    none = Question(tables("latest"), "SELECT meter FROM gold.usage WHERE false").first(3)
    assert (none.shown.to_pydict(), none.rows) == ({"meter": []}, 0)


def test_a_question_can_be_stopped(tables: Callable[[str | None], Tables]) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    endless = Question(
        tables("latest"), "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
    )
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            endless.table()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

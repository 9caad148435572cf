"""What readers, maintenance and forgetting make of keyed tables and of their changes: five nights of the stock list."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import lakesmith
from lakesmith.engine.forgetting import forget
from lakesmith.engine.maintaining import maintain
from lakesmith.errors import ExitCode
from lakesmith.ledger.records import BatchOutcome
from lakesmith.query.errors import QueryImpossible
from lakesmith.query.reader import Question
from lakesmith.query.tables import Tables
from stock import DAYS, Edit, Stock, Version, present, versions
from workspaces import day

ITEMS, CHANGES, QUARANTINE = "silver.items", "changes.silver_items", "quarantine.silver_items"
FIVE = {
    **DAYS,
    5: [
        Edit("a", 1, "air", "1"),
        Edit("b", 1, operation="D"),
        *(Edit(sku, 1, f"new {sku}", "2") for sku in "efgh"),
    ],
}
WHOM = "c"


@pytest.fixture(scope="module")
def five_nights(tmp_path_factory: pytest.TempPathFactory, first_stock: Stock) -> Stock:
    """A backfill of four days and the night of the fifth, which wrote a file for each row; only to be copied or read."""
    root = tmp_path_factory.mktemp("five") / "stock"
    shutil.copytree(first_stock.root, root)
    stock = Stock(root)
    stock.edit("conf/base.yml", "jars_dir: .jars", "jars_dir: .jars\nstaging: {rows_per_file: 1}")
    stock.land_edits(5, FIVE[5])
    assert stock.run(5).exit_code is ExitCode.DONE
    return stock


@pytest.fixture
def stock(tmp_path: Path, five_nights: Stock) -> Stock:
    """A copy of them, to change at will."""
    shutil.copytree(five_nights.root, tmp_path / "stock")
    return Stock(tmp_path / "stock")


def asked(stock: Stock, sql: str, as_of: str | None) -> list[tuple[object, ...]]:
    context = stock.context()
    tables = Tables.as_of(context.project.graph, context.lake, context.ledger.ops, as_of)
    return [tuple(row.values()) for row in Question(tables, sql).table().to_pylist()]


def history(stock: Stock, as_of: str | None) -> list[Version]:
    found = asked(stock, f"SELECT {', '.join(Version._fields)} FROM {ITEMS}", as_of)
    return sorted((Version(*row) for row in found), key=repr)  # type: ignore[arg-type]  # as the table has them


def test_sql_reads_keyed_tables_and_their_changes_as_a_night_left_them(five_nights: Stock) -> None:
    assert history(five_nights, "2024-01-04") == versions(DAYS)
    for newest in (None, "latest", "2024-01-05"):
        assert history(five_nights, newest) == versions(FIVE)
    changes = f"SELECT sku, name, _deleted FROM {CHANGES} WHERE batch_date = '2024-01-03' ORDER BY sku"
    assert asked(five_nights, changes, "2024-01-04") == [("c", None, True), ("d", "dates", False)]
    days = f"SELECT count(DISTINCT batch_date) FROM {CHANGES}"
    assert (asked(five_nights, days, "2024-01-04"), asked(five_nights, days, None)) == ([(4,)], [(5,)])
    described = {row[0] for row in asked(five_nights, f"DESCRIBE {QUARANTINE}", None)}
    assert described >= {"sku", "_deleted", "broken_rules", "batch_date"}
    assert not described & {"valid_from", "key_bucket"}


def test_spark_reads_keyed_tables_and_their_changes_as_a_night_left_them(five_nights: Stock) -> None:
    rows = lakesmith.table(ITEMS, as_of="2024-01-04", project=five_nights.root).collect()
    assert sorted((Version(*(row[c] for c in Version._fields)) for row in rows), key=repr) == versions(DAYS)
    changes = lakesmith.table(CHANGES, project=five_nights.root)
    assert changes.columns == ["sku", "name", "price", "_deleted", "batch_date"]
    assert changes.count() == sum(len({edit.sku for edit in edits}) for edits in FIVE.values())
    assert lakesmith.table(QUARANTINE, project=five_nights.root).count() == 0


def test_maintenance_compacts_changes_and_leaves_rows_states_and_nights_as_they_are(stock: Stock) -> None:
    files = {table: len(stock.table(table).file_uris()) for table in (ITEMS, CHANGES)}
    version, digests = stock.table(ITEMS).version(), stock.digests(ITEMS)
    done = {found.table: found for found in maintain(stock.context(), [ITEMS]).tables}

    assert set(done) == {ITEMS, CHANGES}
    assert {found.error for found in done.values()} == {None}
    assert (done[CHANGES].compacted, done[CHANGES].files_before) == ((day(5),), files[CHANGES])
    assert done[CHANGES].files_after == len(FIVE) < files[CHANGES]
    # A run writes the buckets that it touches whole: there is nothing to put together.
    assert (done[ITEMS].compacted, done[ITEMS].files_before, done[ITEMS].files_after) == (
        (),
        files[ITEMS],
        files[ITEMS],
    )
    assert all(found.checkpointed and found.kept for found in done.values())
    assert (stock.table(ITEMS).version(), stock.digests(ITEMS)) == (version, digests)
    assert set(stock.states(1, 5).values()) == {"fresh fresh fresh fresh fresh"}
    assert (history(stock, "2024-01-04"), history(stock, None)) == (versions(DAYS), versions(FIVE))

    # The next night builds upon it, and a late change reads all that was compacted.
    days = {**FIVE, 2: [*FIVE[2], Edit("h", 1, "ham", "1")], 6: [Edit("e", 1, operation="D")]}
    for number in (2, 6):
        stock.land_edits(number, days[number])
        assert stock.run(number, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert stock.history() == versions(days)


def test_a_new_rule_judges_the_changes_again_and_makes_no_version(stock: Stock) -> None:
    """What the rows of the fifth night rest on is not what the records of the days before it name."""
    suite = "conf/expectations/silver.items.json"
    versions_before = stock.versions()
    # The other edit of that article and day came later, so that no change has this name.
    stock.edit(suite, '["REJECT"]', '["REJECT", "figs"]')
    assert stock.run(1, 4).exit_code is ExitCode.DONE
    last = stock.records(ITEMS)[-4:]
    assert {(r.outcome, r.batch_date.day) for r in last} == {(BatchOutcome.CONFIRMED, n) for n in DAYS}
    assert set(stock.states(1, 5).values()) == {"fresh fresh fresh fresh fresh"}

    stock.edit(suite, '"figs"', '"bread"')
    assert stock.run(1, 5).exit_code is ExitCode.PARTIAL
    assert stock.states(1, 5)[ITEMS] == "failed failed fresh fresh fresh"
    assert (stock.versions(), stock.history()) == (versions_before, versions(FIVE))


def test_somebody_is_forgotten_in_rows_changes_and_old_versions(stock: Stock) -> None:
    done = forget(stock.context(), WHOM, "request 7")

    assert (done.errors, done.exit_code) == ([], ExitCode.DONE)
    days = {number: [edit for edit in edits if edit.sku != WHOM] for number, edits in FIVE.items()}
    assert (stock.history(), stock.present()) == (versions(days), present(days))
    assert set(stock.states(1, 5).values()) == {"fresh fresh fresh fresh fresh"}
    assert holding(stock) == []
    assert (done.found[ITEMS].keyed_rows, done.found[ITEMS].rows, done.found[ITEMS].batches) == (2, 2, {})
    assert {d.day: rows for d, rows in done.found[CHANGES].batches.items()} == {1: 1, 3: 1, 4: 1}
    assert done.rewritten == {}
    with pytest.raises(QueryImpossible, match="somebody was forgotten"):
        history(stock, "2024-01-04")
    assert history(stock, None) == versions(days)
    # What comes later is left out where it lands.
    stock.land_edits(6, [Edit(WHOM, 1, "cider", "1"), Edit("a", 1, "ale", "1")])
    assert stock.run(6, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert stock.history() == versions({**days, 6: [Edit("a", 1, "ale", "1")]})


def test_a_keyed_table_that_cannot_be_run_is_made_from_changes_without_the_person(stock: Stock) -> None:
    job = (
        "jobs/silver/items.py",
        "    return edits.select(",
        "    raise ValueError\n    return edits.select(",
    )
    stock.edit(*job)

    done = forget(stock.context(), WHOM)

    assert (done.errors, done.exit_code) == ([], ExitCode.DONE)
    assert done.rewritten == {CHANGES: [day(1), day(3), day(4)]}
    days = {number: [edit for edit in edits if edit.sku != WHOM] for number, edits in FIVE.items()}
    assert (stock.history(), stock.present()) == (versions(days), present(days))
    assert holding(stock) == []
    assert stock.states(1, 5)[ITEMS] == "failed failed failed failed failed"

    stock.edit(job[0], job[2], job[1])
    before = stock.table(ITEMS).version()
    assert stock.run(1, 5).exit_code is ExitCode.DONE
    assert set(stock.states(1, 5).values()) == {"fresh fresh fresh fresh fresh"}
    assert (stock.history(), stock.table(ITEMS).version()) == (versions(days), before)


def holding(stock: Stock) -> list[str]:
    """Files of the lake in which the person stands, read with nothing of Lakesmith."""
    found = []
    for path in (p for p in (stock.root / "lake").rglob("*") if p.is_file()):
        if path.suffix == ".parquet" and "_delta_log" not in path.parts:
            table = pq.read_table(path, partitioning=None)
            held = "sku" in table.column_names and WHOM in table["sku"].to_pylist()
        else:
            held = f'"sku":"{WHOM}"' in path.read_bytes().decode("latin-1").replace("\\", "")
        if held:
            found.append(path.relative_to(stock.root).as_posix())
    return found

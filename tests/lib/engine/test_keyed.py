"""Keyed tables through whole runs: what they hold, in whatever order their changes come, and what status says of them."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.model import Contract
from lakesmith.engine.intake import TakingIn
from lakesmith.errors import ExitCode
from lakesmith.lake import keyed
from lakesmith.ledger.records import BatchOutcome
from stock import DAYS, Edit, Stock, present, versions
from workspaces import day

ITEMS, NOW, LIST = "silver.items", "silver.items_now", "gold.price_list"
KEYED = [ITEMS, NOW]


@pytest.fixture
def stock(tmp_path: Path, spark_session: SparkSession) -> Stock:
    """The project with four days landed and nothing run."""
    return Stock.landed_in(tmp_path / "stock")


@pytest.fixture
def built(tmp_path: Path, first_stock: Stock) -> Stock:
    """A copy of the project after a backfill of four days, to change at will."""
    shutil.copytree(first_stock.root, tmp_path / "stock")
    return Stock(tmp_path / "stock")


def assert_holds(stock: Stock, days: dict[int, list[Edit]]) -> None:
    """The tables hold what follows from these days."""
    assert stock.history() == versions(days)
    assert stock.present() == present(days)


def test_a_range_holds_what_its_days_say(first_stock: Stock) -> None:
    assert_holds(first_stock, DAYS)
    assert set(first_stock.states(1, 4).values()) == {"fresh fresh fresh fresh"}
    # Of every day the state as it was known then: versions, of these current ones, of these ended ones.
    assert first_stock.rows(LIST, "batch_date", "known", "articles", "ended") == [
        (day(1), 3, 3, 0),
        (day(2), 4, 3, 1),
        (day(3), 5, 3, 2),
        (day(4), 6, 4, 2),
    ]


def test_nights_one_by_one_and_days_in_any_order_come_to_the_same(stock: Stock, first_stock: Stock) -> None:
    order = list(DAYS)
    random.Random(3).shuffle(order)
    assert order != sorted(order)
    for at, number in enumerate(order, 1):
        assert stock.run(number, tables=["bronze.edits", *KEYED]).exit_code is ExitCode.DONE
        assert_holds(stock, {n: DAYS[n] for n in order[:at]})
    for table in KEYED:
        assert stock.digests(table) == first_stock.digests(table)


def test_a_second_run_does_nothing_and_a_forced_one_makes_no_version(built: Stock) -> None:
    versions_before, records = built.versions(), len(built.records(ITEMS))
    assert built.run(1, 4).spark_jobs == 0
    assert built.run(2, tables=[ITEMS], force=True).exit_code is ExitCode.DONE
    assert built.versions() == versions_before
    assert len(built.records(ITEMS)) == records


def test_a_correction_takes_back_what_it_said_before(built: Stock) -> None:
    """Other keys than before, so that the buckets of both are made anew."""
    days = {**DAYS, 2: [Edit("e", 1, "eggs", "1"), Edit("h", 1, "ham", "1")]}
    built.land_edits(2, days[2])
    assert built.states(1, 4)[LIST] == "fresh stale stale stale"
    result = built.run(1, 4)
    assert result.exit_code is ExitCode.DONE
    assert_holds(built, days)
    assert set(built.states(1, 4).values()) == {"fresh fresh fresh fresh"}


def test_a_correction_that_means_the_same_makes_no_version(built: Stock) -> None:
    """The log changes, the last change of each key and day does not: nothing that reads the table becomes stale."""
    built.land_edits(2, [*DAYS[2], Edit("b", 0, "bagel", "7")])
    before = built.versions()
    assert built.run(1, 4).exit_code is ExitCode.DONE
    after = built.versions()
    assert {table for table in after if after[table] != before[table]} == {"bronze.edits"}
    assert built.records(ITEMS)[-1].outcome is BatchOutcome.CONFIRMED


def test_a_rejected_batch_changes_nothing_and_later_ones_go_on_without_it(stock: Stock) -> None:
    wrong = [*DAYS[2], Edit("a", 5, "REJECT", "1")]
    stock.land_edits(2, wrong)
    assert stock.run(1, 4, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.PARTIAL
    assert stock.history() == versions({n: DAYS[n] for n in (1, 3, 4)})
    assert stock.states(1, 4)[ITEMS] == "fresh failed fresh fresh"

    stock.land_edits(2, DAYS[2])
    assert stock.run(2, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert stock.history() == versions(DAYS)


def test_a_rejected_correction_leaves_what_was_published(built: Stock) -> None:
    built.land_edits(2, [Edit("a", 1, "REJECT", "1")])
    assert built.run(2, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.REJECTED
    assert_holds(built, DAYS)
    # A late batch makes its buckets anew from all changes; those of the day that was rejected are the old ones.
    days = {**DAYS, 1: [*DAYS[1], Edit("f", 1, "fish", "3")]}
    built.land_edits(1, days[1])
    assert built.run(1, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert built.history() == versions(days)


def test_a_quarantined_change_does_not_win_the_day(built: Stock) -> None:
    days = {**DAYS, 4: [*DAYS[4], Edit("b", 9, "bad", "-1")]}
    built.land_edits(4, days[4])
    assert built.run(4, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert built.history() == versions(DAYS)
    assert built.rows("quarantine.silver_items", "sku", "broken_rules") == [("b", ["price_not_negative"])]


def test_somebody_elses_rows_are_foreign_and_the_next_run_replaces_them(
    built: Stock, spark_session: SparkSession
) -> None:
    built.table(ITEMS).delete("sku = 'a'")
    assert built.states(1, 4)[ITEMS] == "foreign foreign foreign foreign"
    assert built.run(3, tables=[ITEMS]).exit_code is ExitCode.DONE
    assert_holds(built, DAYS)
    assert built.states(1, 4)[ITEMS] == "fresh fresh fresh fresh"


def test_what_a_crash_left_between_changes_and_rows_is_taken_in_later(
    built: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = {**DAYS, 5: [Edit("a", 1, "air", "1")], 6: [Edit("g", 1, "gin", "1")]}
    for number in (5, 6):
        built.land_edits(number, days[number])

    def dies(self: TakingIn) -> None:
        raise KeyError("the process ends here")

    with monkeypatch.context() as patched:
        patched.setattr(TakingIn, "carry_out", dies)
        assert built.run(5, tables=["bronze.edits", ITEMS]).exit_code is not ExitCode.DONE
    assert built.history() == versions(DAYS)
    assert built.run(6, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert built.history() == versions(days)
    assert built.states(5, 6)[ITEMS] == "fresh fresh"


def test_a_night_in_order_reads_its_own_changes_only(built: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read does not grow with history: the touched buckets, and the changes of the day."""
    read: list[tuple[bool, list[object]]] = []
    folded = keyed.fold

    def watched(contract: Contract, rows: DataFrame | None, changes: DataFrame, **more: Any) -> DataFrame:
        days = sorted(row[0] for row in changes.select("batch_date").distinct().collect())
        read.append((rows is not None, days))
        return folded(contract, rows, changes, **more)

    monkeypatch.setattr("lakesmith.engine.intake.fold", watched)
    built.land_edits(5, [Edit("a", 1, "air", "1")])
    before = live_files(built)
    assert built.run(5, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert read == [(True, [day(5)])]
    [(_, written)] = live_files(built) - before
    assert before - live_files(built) == {(path, bucket) for path, bucket in before if bucket == written}
    assert before & live_files(built), "all buckets were written: the test would prove nothing"

    built.land_edits(2, [*DAYS[2], Edit("a", 1, "amber", "1")])
    assert built.run(2, tables=["bronze.edits", ITEMS]).exit_code is ExitCode.DONE
    assert read[1:] == [(False, [day(n) for n in range(1, 6)])]


def live_files(stock: Stock) -> set[tuple[str, int]]:
    live = stock.context().ledger.live(ITEMS)
    assert live is not None
    return {(path, bucket) for bucket, of in live.buckets.items() for path in of.paths}


def test_a_full_dump_deletes_what_it_does_not_list_unless_it_is_too_small(stock: Stock) -> None:
    shelf = ["bronze.edits", "silver.shelf"]
    dumps = {1: ["ale", "bread", "cake"], 2: ["ale"], 3: [], 4: ["ale", "dates"]}
    for number, names in dumps.items():
        stock.land_edits(number, [Edit(name[0], at, name) for at, name in enumerate(names)])
    assert stock.run(1, 4, shelf).exit_code is ExitCode.PARTIAL
    # The second is too small; on the third there is none.
    assert stock.states(1, 4)["silver.shelf"] == "fresh failed fresh fresh"
    columns = ("name", "valid_from", "valid_to", "is_current")
    ended = [("bread", day(1), day(4), False), ("cake", day(1), day(4), False)]
    assert stock.rows("silver.shelf", *columns) == [
        ("ale", day(1), None, True),
        *ended,
        ("dates", day(4), None, True),
    ]

    stock.land_edits(2, [Edit("a", 1, "ale"), Edit("c", 1, "cake")])
    assert stock.run(2, tables=shelf).exit_code is ExitCode.DONE
    assert stock.rows("silver.shelf", *columns) == [
        ("ale", day(1), None, True),
        ("bread", day(1), day(2), False),
        ("cake", day(1), day(4), False),
        ("dates", day(4), None, True),
    ]


def test_commits_say_what_they_took_in(first_stock: Stock) -> None:
    table = DeltaTable(first_stock.context().lake.path(ITEMS))
    assert table.metadata().partition_columns == ["key_bucket"]
    record = first_stock.records(ITEMS)[1]
    taken = next(read for read in record.inputs if read.target == "changes.silver_items")
    assert (record.batch_date, record.rows, taken.digest) == (day(2), 2, record.digest)
    assert set(taken.files[0]["buckets"]) <= {0, 1, 2}


def test_another_number_of_buckets_is_refused(built: Stock) -> None:
    built.edit("conf/tables/silver.items.yml", "buckets: 3", "buckets: 4")
    result = built.run(1, tables=[ITEMS], force=True)
    assert result.exit_code is ExitCode.USAGE
    assert "buckets was 3, is 4" in str(result.tables[ITEMS].error)

"""What is known of a run's inputs before anything is read."""

from __future__ import annotations

from datetime import date

import pytest

from lakesmith.contracts.model import Contract, Input, Suite
from lakesmith.contracts.windows import Window
from lakesmith.engine.pinning import PinnedInputs, PinnedTable
from lakesmith.ledger.live import LiveBatch, LiveTable

MON, TUE, WED = (date(2024, 1, day) for day in (1, 2, 3))
READ = LiveTable(1, {MON: LiveBatch(("b",), 90, 1_000), TUE: LiveBatch(("c",), 7, 10)})
KEYED = LiveTable(1, {}, {0: LiveBatch(("d",), 5, 100), 1: LiveBatch(("e",), 5, 1)})


@pytest.fixture
def target() -> LiveTable:
    return LiveTable(2, {MON: LiveBatch(("a",), 500, 1)})


def pinned(window: Window, read: LiveTable | None = READ) -> PinnedInputs:
    contract = Contract(
        "silver.rows", "Rows.", "tests", "jobs/silver/rows.py", (), (), (), Suite("silver.rows")
    )
    windows = {day: window.reads(day, MON) for day in (MON, TUE, WED)}
    table = PinnedTable(Input("rows", window, "silver.rows"), contract, 1, read, windows, {})
    return PinnedInputs((table,), ())


def test_a_batch_is_expected_to_be_as_large_as_what_it_reads_of_its_day(target: LiveTable) -> None:
    assert pinned(Window.same_day()).expected_rows(TUE, target) == 7


def test_what_only_looks_back_is_expected_to_be_as_large_as_the_batch_before(target: LiveTable) -> None:
    looks_back = pinned(Window.last(30))
    assert looks_back.expected_rows(TUE, target) == 500
    assert looks_back.expected_rows(TUE, None) == 0


@pytest.mark.parametrize(
    ("window", "read", "size"),
    [
        (Window.same_day(), READ, 1_010),
        (Window.last(2), READ, 1_000 + 1_010 + 10),
        (Window.last(30), READ, 1_000 + 1_010 + 1_010),
        (Window.same_day(), KEYED, 3 * 101),
        (Window.same_day(), None, 0),
    ],
    ids=["its own day", "two days", "all days", "a keyed table", "never made"],
)
def test_each_batch_counts_what_it_reads(window: Window, read: LiveTable | None, size: int) -> None:
    assert pinned(window, read).size == size

"""What is known of a run's inputs before anything is read."""

from __future__ import annotations

from datetime import date

import pytest

from lakesmith.contracts.model import Contract, Input, Suite
from lakesmith.contracts.windows import Window
from lakesmith.engine.pinning import PinnedInputs, PinnedTable
from lakesmith.ledger.live import LiveBatch, LiveTable

MON, TUE = date(2024, 1, 1), date(2024, 1, 2)


@pytest.fixture
def target() -> LiveTable:
    return LiveTable(2, {MON: LiveBatch(("a",), 500, 1)})


def pinned(window: Window) -> PinnedInputs:
    contract = Contract(
        "silver.rows", "Rows.", "tests", "jobs/silver/rows.py", (), (), (), Suite("silver.rows")
    )
    read = LiveTable(1, {MON: LiveBatch(("b",), 90, 1), TUE: LiveBatch(("c",), 7, 1)})
    table = PinnedTable(Input("rows", window, "silver.rows"), contract, 1, read, {}, {})
    return PinnedInputs((table,), ())


def test_a_batch_is_expected_to_be_as_large_as_what_it_reads_of_its_day(target: LiveTable) -> None:
    assert pinned(Window.same_day()).expected_rows(TUE, target) == 7


def test_what_only_looks_back_is_expected_to_be_as_large_as_the_batch_before(target: LiveTable) -> None:
    looks_back = pinned(Window.last(30))
    assert looks_back.expected_rows(TUE, target) == 500
    assert looks_back.expected_rows(TUE, None) == 0

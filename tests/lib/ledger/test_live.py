"""What a table holds right now."""

from __future__ import annotations

from datetime import date

import pytest

from lakesmith.ledger.live import LiveBatch, LiveTable

MON, TUE, WED, THU = (date(2024, 1, day) for day in (1, 2, 3, 4))


@pytest.mark.parametrize(("day", "rows"), [(MON, 0), (TUE, 5), (WED, 5), (THU, 0)])
def test_a_batch_has_about_as_many_rows_as_it_had_or_the_one_before(day: date, rows: int) -> None:
    table = LiveTable(3, {TUE: LiveBatch(("a",), 5, 1), THU: LiveBatch(("b",), None, 1)})
    assert table.rows_about(day) == rows

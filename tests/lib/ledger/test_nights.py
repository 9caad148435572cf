"""Which night a reader reads, from the records alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lakesmith.errors import UsageError
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.nights import choose_night
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import NightRecord


def _ops(folder: Path, *nights: tuple[int, bool]) -> Ops:
    """Records in the order in which they were made: the last night of each, and whether it was complete."""
    ops = Ops(LakeLocation(str(folder / "lake")))
    for order, (night, complete) in enumerate(nights):
        moment = datetime(2024, 2, 1, order, tzinfo=UTC)
        versions = {"gold.usage": order}
        troubles = {} if complete else {"gold.usage": "1 rejected"}
        ops.append(
            [NightRecord(date(2024, 1, 1), date(2024, 1, night), moment, complete, versions, troubles)]
        )
    return ops


@pytest.mark.parametrize(
    ("nights", "as_of", "chosen"),
    [
        ([(1, True), (2, True)], None, 1),
        ([(1, True), (2, False)], None, 0),
        ([(2, True), (1, True)], None, 1),  # a repair of an older night is the newest state of all tables
        ([(1, False)], None, None),
        ([], None, None),
        ([(1, True), (2, True)], "latest", None),
        ([(1, True), (2, True), (1, True)], "2024-01-01", 2),
        ([(1, True), (1, False)], "2024-01-01", 0),
        ([(1, False), (1, False)], "2024-01-01", 1),
    ],
)
def test_a_night_is_its_newest_record_and_a_complete_one_first(
    tmp_path: Path, nights: list[tuple[int, bool]], as_of: str | None, chosen: int | None
) -> None:
    found = choose_night(_ops(tmp_path, *nights), as_of)
    assert (found.versions["gold.usage"] if found is not None else None) == chosen


def test_a_night_without_a_record_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends with the night 2024-01-09\. None was made yet"):
        choose_night(_ops(tmp_path), "2024-01-09")
    ops = _ops(tmp_path, *((night, True) for night in range(1, 6)))
    with pytest.raises(
        UsageError, match=r"On record: 2024-01-05, 2024-01-04, 2024-01-03 and 2 earlier\. .*--as-of latest"
    ):
        choose_night(ops, "2024-01-09")
    with pytest.raises(UsageError, match="is not a day"):
        choose_night(ops, "yesterday")


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    row = _ops(tmp_path, (3, False)).read(NightRecord).to_pylist()[0]
    assert NightRecord.from_row(row) == NightRecord(
        date(2024, 1, 1),
        date(2024, 1, 3),
        datetime(2024, 2, 1, tzinfo=UTC),
        False,
        {"gold.usage": 0},
        {"gold.usage": "1 rejected"},
    )

"""Which nights kept a promise, by records whose times are chosen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.service_levels import Measure, ServiceLevel
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints, InputRead, NightRecord
from lakesmith.service_levels.measuring import measured, service_levels
from workspaces import METERS, Workspace, day

CODE = Fingerprints(1, "d", "a", "o")


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(METERS, tmp_path / "meters")))


def at(number: int, hour: float) -> datetime:
    """So many hours after midnight (UTC) of a day."""
    return datetime.combine(day(1), time(), UTC) + timedelta(days=number - 1, hours=hour)


def batch(number: int, recorded: datetime, table: str = "gold.usage", **changes: Any) -> BatchRecord:
    record = BatchRecord(
        table, day(number), recorded, "r", BatchOutcome.PUBLISHED, None, "x", 8, None, 0, {}, CODE, (), {}, ""
    )
    return replace(record, **changes)


def landed(number: int, recorded: datetime, written: datetime) -> BatchRecord:
    """A batch of bronze that read a file of some time."""
    file = {"path": "x.csv", "size": 1, "modified_ns": int(written.timestamp() * 1e9), "sha256": ""}
    read = InputRead("files", "readings", None, "d", files=(file,))
    return batch(number, recorded, "bronze.readings", inputs=(read,))


def kept(
    workspace: Workspace, level: ServiceLevel, *records: BatchRecord | NightRecord, now: datetime
) -> Mapping[int, bool]:
    """Day of January 2024 -> whether the promise was kept."""
    ops = Ops(workspace.context().lake)
    for record in records:
        ops.append([record])
    context = workspace.context()
    nights = context.ledger.ops.records(NightRecord)
    found = measured(level, context.project.graph, context.ledger, nights, now)
    return {(m.day - date(2023, 12, 31)).days: m.kept for m in found}


def published_by(table: str = "gold.usage", **changes: Any) -> ServiceLevel:
    level = ServiceLevel("x", "", Measure.PUBLISHED_BY, 0.9, 28, table=table, by=time(6))
    return replace(level, **changes)


def test_a_batch_is_on_time_when_it_was_first_published_by_then(meters: Workspace) -> None:
    records = [
        batch(1, at(2, 5.9)),
        batch(2, at(3, 6)),
        batch(3, at(4, 6.1)),
        # What is published again later was there in time.
        batch(1, at(9, 0)),
        # The fourth never came, and the fifth's time is not over.
        batch(4, at(5, 5), outcome=BatchOutcome.REJECTED),
    ]
    expected = {1: True, 2: True, 3: False, 4: False}
    assert kept(meters, published_by(), *records, now=at(6, 5.9)) == expected
    assert kept(meters, published_by(), now=at(6, 6.1)) == {**expected, 5: False}


def test_times_are_those_of_the_zone(meters: Workspace) -> None:
    """In New York six o'clock is eleven in UTC, in winter."""
    level = published_by(timezone="America/New_York")
    assert kept(meters, level, batch(1, at(2, 10.9)), batch(2, at(3, 11.1)), now=at(4, 0)) == {
        1: True,
        2: False,
    }


def test_a_lagged_table_is_due_with_its_night(meters: Workspace) -> None:
    """gold.next_day of the 1st belongs to the night of the 2nd."""
    assert kept(meters, published_by("gold.next_day"), batch(1, at(3, 5), "gold.next_day"), now=at(3, 7)) == {
        2: True
    }


def test_history_that_was_loaded_later_was_never_late(meters: Workspace) -> None:
    loaded = [batch(number, at(20, 9)) for number in range(1, 17)]
    live = [batch(17, at(20, 9)), batch(18, at(20, 9)), batch(19, at(20, 5))]

    assert kept(meters, published_by(), *loaded, now=at(20, 10)) == {}
    assert kept(meters, published_by(), *live, now=at(20, 10)) == {17: False, 18: False, 19: True}


def test_a_night_is_on_time_when_it_was_complete_by_then(meters: Workspace) -> None:
    level = ServiceLevel("x", "", Measure.NIGHTS_ON_TIME, 0.9, 28, by=time(7))
    nights = [
        NightRecord(day(1), day(1), at(2, 3), True, {}),
        NightRecord(day(2), day(2), at(3, 3), False, {}, {"gold.usage": "1 rejected"}),
        NightRecord(day(2), day(2), at(3, 8), True, {}),
        NightRecord(day(3), day(3), at(4, 3), False, {}, {"gold.usage": "1 rejected"}),
    ]
    assert kept(meters, level, *nights, now=at(4, 12)) == {1: True, 2: False, 3: False}


def test_from_the_last_file_to_the_table(meters: Workspace) -> None:
    level = ServiceLevel("x", "", Measure.LANDING_TO_PUBLISHED, 0.9, 28, table="gold.usage", within=2 * 3600)
    records = [
        *(landed(1, at(2, 2), at(2, 1)), batch(1, at(2, 3))),
        *(landed(2, at(3, 2), at(3, 1)), batch(2, at(3, 3.5))),
        *(landed(3, at(4, 2), at(4, 1)), batch(3, at(4, 2), outcome=BatchOutcome.REJECTED)),
        # A file that is older than its day is measured as it is; one that came after it was read tells nothing.
        *(landed(4, at(5, 2), at(5, 9)), batch(4, at(5, 3))),
        landed(5, at(6, 1), at(6, 0.9)),
    ]
    expected = {1: True, 2: False, 3: False}
    assert kept(meters, level, *records, now=at(6, 2)) == expected
    assert kept(meters, level, now=at(6, 3)) == {**expected, 5: False}


def test_the_share_in_quarantine_of_each_batch(meters: Workspace) -> None:
    level = ServiceLevel("x", "", Measure.QUARANTINED_SHARE, 0.9, 28, table="gold.usage", at_most=0.1)
    records = [
        batch(1, at(2, 1), read=10, rows=9, quarantined=1),
        batch(2, at(3, 1), rows=8, quarantined=2),
        batch(3, at(4, 1), rows=0),
        # The last attempt counts.
        batch(4, at(5, 1), read=10, rows=5, quarantined=5),
        batch(4, at(5, 2), read=10, rows=10, quarantined=0),
    ]
    assert kept(meters, level, *records, now=at(9, 0)) == {1: True, 2: False, 4: True}


def test_what_failed_is_mended_in_time_or_not(meters: Workspace) -> None:
    level = ServiceLevel("x", "", Measure.TIME_TO_RECOVER, 0.9, 28, within=5 * 3600)
    failed = {"outcome": BatchOutcome.FAILED}
    records = [
        *(batch(1, at(2, 1), **failed), batch(1, at(2, 3), **failed), batch(1, at(2, 5.5))),
        *(batch(2, at(3, 1), **failed), batch(2, at(3, 7))),
        batch(3, at(4, 1), "silver.readings", **failed),
        batch(4, at(5, 1)),
        # From the first failure on, however often it was tried in between.
        *(batch(5, at(1, 1), **failed), batch(5, at(1, 4), **failed), batch(5, at(1, 7))),
    ]
    assert kept(meters, level, *records, now=at(4, 5)) == {1: False, 2: True, 3: False}
    assert kept(meters, level, now=at(4, 7)) == {1: False, 2: True, 3: False, 4: False}
    assert kept(meters, replace(level, table="gold.usage"), now=at(4, 7)) == {1: False, 2: True, 3: False}


def test_a_project_without_promises_keeps_none(meters: Workspace) -> None:
    context = meters.context()

    assert service_levels(context.project, context.ledger, at(9, 0)) == ()


def test_the_window_of_incidents_ends_today(meters: Workspace) -> None:
    """A quiet month is a kept promise, not one that nobody looked at since."""
    (meters.root / "conf" / "slo.yml").write_text(
        "mended: {measure: time_to_recover, within: 5h, target: 0.5, window: 7d}\n"
    )
    Ops(meters.context().lake).append([batch(1, at(2, 1), outcome=BatchOutcome.FAILED)])
    context = meters.context()

    [soon] = service_levels(context.project, context.ledger, at(3, 0))
    [later] = service_levels(context.project, context.ledger, at(20, 0))

    assert (soon.kept, soon.measured, soon.until) == (0, 1, day(3))
    assert (later.kept, later.measured, later.until) == (0, 0, day(20))

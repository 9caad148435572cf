"""What is repaired on its own, what on demand, and what is judged again without being computed."""

from __future__ import annotations

from typing import Any

import pytest

from lakesmith.engine import run as runs
from lakesmith.errors import ExitCode, LakesmithError
from lakesmith.ledger.records import BatchOutcome, NightRecord
from workspaces import Workspace, day

ALL = ("bronze.readings", "silver.readings", "gold.usage", "gold.next_day", "gold.running", "gold.usage_3d")
SUITE = "conf/expectations/silver.readings.json"


def _computed(result: Any) -> dict[str, list[int]]:
    return {
        table: sorted(d.day for d in found.batches) for table, found in result.tables.items() if found.batches
    }


def _fails_to_compute(*_: object) -> None:
    raise AssertionError("a transform was run")


@pytest.fixture
def transformless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No attempt may be made: what is judged again is not computed again."""
    monkeypatch.setattr(runs, "Attempt", _fails_to_compute)


def test_a_night_repairs_what_happened_within_the_horizon(built: Workspace) -> None:
    built.edit("conf/tables/bronze.readings.yml", "rows: preserving", "rows: preserving\nhorizon: 2d")
    built.land(2, ("m1", 70, ""), ("m2", 6, ""))
    built.land(4, ("m1", 2, ""))
    night = built.run(4, look_back=True)
    assert night.exit_code is ExitCode.DONE
    assert _computed(night) == {
        "bronze.readings": [2, 4],
        "silver.readings": [2, 4],
        "gold.usage": [2, 4],
        "gold.next_day": [1, 2, 3],
        "gold.running": [2, 3, 4],
        "gold.usage_3d": [2, 3, 4],
    }
    assert built.rows("gold.running", "batch_date", "meter", "kwh")[-2:] == [
        (day(4), "m1", 83),
        (day(4), "m2", 11),
    ]
    assert {state for states in built.states(1, 4).values() for state in states.split()} == {"fresh"}


def test_a_night_leaves_alone_what_happened_before_the_horizon(built: Workspace) -> None:
    built.edit("conf/tables/bronze.readings.yml", "rows: preserving", "rows: preserving\nhorizon: 2d")
    built.land(1, ("m1", 70, ""), ("m2", 6, ""))
    built.land(4, ("m1", 2, ""))
    night = built.run(4, look_back=True)
    assert night.exit_code is ExitCode.DONE
    assert built.states(1, 1)["bronze.readings"] == "stale"
    assert night.tables["bronze.readings"].with_outcome(BatchOutcome.PUBLISHED) == [day(4)]


def test_repairs_run_only_what_changed_and_what_hangs_on_it(built: Workspace) -> None:
    versions = built.versions()
    first = {table: built.digests(table) for table in ALL}
    built.land(3, ("m1", 9, ""))
    repaired = built.run(1, 3, stale_only=True)
    assert _computed(repaired) == {
        "bronze.readings": [3],
        "silver.readings": [3],
        "gold.usage": [3],
        "gold.next_day": [2],
        "gold.running": [3],
        "gold.usage_3d": [3],
    }
    assert {table: version - versions[table] for table, version in built.versions().items()} == dict.fromkeys(
        ALL, 1
    )
    built.land(3, ("m1", 1, "High St"))
    assert _computed(built.run(1, 3, stale_only=True)) == _computed(repaired)
    assert {table: built.digests(table) for table in ALL} == first


def test_another_suite_that_passes_is_confirmed_without_computing(
    built: Workspace, transformless: None
) -> None:
    versions = built.versions()
    built.edit(SUITE, '"max_value": 1000', '"max_value": 900')
    assert built.states(1, 3)["silver.readings"] == "fresh fresh fresh"
    night = built.run(1, 3)
    assert night.exit_code is ExitCode.DONE
    assert _computed(night) == {"silver.readings": [1, 2, 3]}
    assert built.versions() == versions
    assert [r.outcome for r in built.records("silver.readings")[-3:]] == [BatchOutcome.CONFIRMED] * 3
    again = built.run(1, 3)
    assert (again.spark_jobs, _computed(again)) == (0, {})


def test_another_suite_that_fails_is_said_and_nothing_published_is_taken_away(
    built: Workspace, transformless: None
) -> None:
    rows, versions = built.rows("silver.readings"), built.versions()
    built.edit(SUITE, '"max_value": 1000', '"max_value": 8')
    night = built.run(1, 3)
    assert night.exit_code is ExitCode.PARTIAL
    assert night.tables["silver.readings"].reasons == {day(1): "kwh_sane: observed 10"}
    assert built.states(1, 3)["silver.readings"] == "failed fresh fresh"
    assert (built.rows("silver.readings"), built.versions()) == (rows, versions)


def test_a_suite_put_right_makes_a_failed_batch_fresh_again(built: Workspace) -> None:
    versions = built.versions()
    built.edit(SUITE, '"max_value": 1000', '"max_value": 8')
    built.run(1, 3)
    built.edit(SUITE, '"max_value": 8', '"max_value": 1000')
    assert built.run(1, 3, stale_only=True).exit_code is ExitCode.DONE
    assert built.run(1, 3).exit_code is ExitCode.DONE
    assert {state for states in built.states(1, 3).values() for state in states.split()} == {"fresh"}
    assert built.versions() == versions


def test_an_audit_that_finds_other_rows_than_were_written_is_loud(
    built: Workspace, transformless: None
) -> None:
    context = built.context()
    standing = context.ledger.history("silver.readings").standing(day(2))
    assert standing is not None
    context.ledger.record([type(standing)(**{**vars(standing), "digest": "what it was once"})])
    built.edit(SUITE, '"max_value": 1000', '"max_value": 900')
    night = built.run(2, tables=["silver.readings"])
    error = night.tables["silver.readings"].error
    assert isinstance(error, LakesmithError)
    assert str(error).startswith("silver.readings 2024-01-02: the published files hold other rows than run ")
    assert "lakesmith run --date 2024-01-02 --table silver.readings --force" in str(error)


def test_a_limit_that_became_stricter_is_held_against_what_was_counted(meters: Workspace) -> None:
    meters.land(2, ("m1", 7, ""), ("m2", -1, ""), ("m3", 1, ""), ("m4", 1, ""), ("m5", 1, ""))
    meters.run(1, 2, ["bronze.readings", "silver.readings"])
    assert meters.states(2, 2)["silver.readings"] == "fresh"
    meters.edit("conf/tables/silver.readings.yml", "share: 0.25", "share: 0.1")
    night = meters.run(1, 2, ["silver.readings"])
    assert night.tables["silver.readings"].reasons == {
        day(2): "1 of 5 rows (20.00%) are quarantined; the contract allows 10.00%."
    }


def test_a_table_with_its_parents(meters: Workspace) -> None:
    night = meters.run(3, tables=["gold.usage_3d"], with_parents=True)
    assert night.exit_code is ExitCode.DONE
    assert _computed(night) == {
        "bronze.readings": [1, 2, 3],
        "silver.readings": [1, 2, 3],
        "gold.usage": [1, 2, 3],
        "gold.usage_3d": [3],
    }


def test_a_night_record_of_repairs_says_what_they_left(built: Workspace) -> None:
    built.land(4, ("m1", 2, ""))
    built.land(3, ("m1", 9, ""))
    built.run(1, 4, stale_only=True)
    rows = built.context().ledger.ops.read(NightRecord).to_pylist()
    record = NightRecord.from_row(max(rows, key=lambda row: row["recorded_at"]))
    assert not record.complete
    assert record.troubles["bronze.readings"] == "1 left"
    assert record.versions == built.versions()

"""Tables of profiles and drift as nights write them: what is in them, what makes them stale, and what a night costs."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from lakesmith.cli.main import main
from lakesmith.errors import ExitCode
from lakesmith.ledger.baselines import BaselineRecord
from lakesmith.ledger.records import RunRecord
from profiled_meters import DRIFT, PROFILES, TABLES, profiled_meters, readings
from workspaces import Workspace, day

LAST = 6


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Workspace:
    """Six days in one backfill; on the sixth every reading is ten times what it should be."""
    meters = profiled_meters(tmp_path_factory.mktemp("profiled") / "meters")
    for number in range(1, LAST + 1):
        meters.land(number, *readings(number, factor=10 if number == LAST else 1))
    assert meters.run(1, LAST, TABLES).exit_code is ExitCode.DONE
    return meters


def again(meters: Workspace, root: Path) -> Workspace:
    """A copy, to change at will."""
    shutil.copytree(meters.root, root)
    return Workspace(root)


def rows(meters: Workspace, table: str, number: int) -> list[dict[str, Any]]:
    """The rows of a batch."""
    return [
        row for row in meters.table(table).to_pyarrow_table().to_pylist() if row["batch_date"] == day(number)
    ]


def test_rows_are_what_plain_code_says_of_the_batch(built: Workspace) -> None:
    found = {
        (row["table_name"], row["log_type"], row["slice"], row["column_name"]): row
        for row in rows(built, PROFILES, 5)
    }
    numbers = [float(str(reading[1])) for reading in readings(5)]
    kwh = found["silver.readings", "INPUT", "", "kwh"]
    assert (kwh["count"], kwh["num_nulls"], kwh["min"], kwh["max"]) == (60, 0, min(numbers), max(numbers))
    assert kwh["avg"] == pytest.approx(np.mean(numbers))
    assert kwh["window"]["start"].date() == day(5)
    assert kwh["baseline"] == "2024-01-01 .. 2024-01-04"
    half = found["silver.readings", "INPUT", "meter < 'm30' = true", "kwh"]
    assert (half["count"], half["num_nulls"]) == (30, 0)
    # Of a person's column nothing but rows and nulls.
    street = found["silver.readings", "INPUT", "", "street"]
    assert (street["count"], street["num_nulls"], street["frequent_items"], street["distinct_count"]) == (
        60,
        0,
        None,
        None,
    )
    base = found["silver.readings", "BASELINE", "", "kwh"]
    assert (base["count"], base["window"]["start"].date()) == (240, day(1))
    assert [each["days"] for each in base["usual_effects"]] == [1]
    assert ("gold.usage", "INPUT", "", "cost") in found
    assert not [key for key in found if key[:2] == ("gold.usage", "BASELINE")]


def test_before_the_baseline_is_past_nothing_is_compared_with_it(built: Workspace) -> None:
    assert {row["log_type"] for row in rows(built, PROFILES, 4)} == {"INPUT"}
    assert {row["drift_type"] for row in rows(built, DRIFT, 4)} == {"CONSECUTIVE"}
    assert rows(built, DRIFT, 1) == []


def test_what_was_planted_is_called_drift_and_nothing_else(
    built: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {
        number: {
            row["column_name"]: row["verdict"]
            for row in rows(built, DRIFT, number)
            if row["slice"] == "" and row["verdict"]
        }
        for number in (5, 6)
    }
    assert said[5] == {"kwh": "stable", "meter": "stable", "street": "stable"}
    assert said[6] == {"kwh": "drifted", "meter": "stable", "street": "stable"}

    assert main(["drift", "--project", str(built.root)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("2024-01-06: 1 of 3 columns has drifted, and 2 of 6 in slices")
    assert "mean up by" in text
    assert (
        main(["drift", "silver.readings", "--date", "2024-01-05", "--project", str(built.root), "--json"])
        == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert (told["date"], told["drifted"], len(told["columns"])) == ("2024-01-05", [], 9)


def test_nights_give_what_the_range_gives_and_a_rerun_is_a_no_op(built: Workspace, tmp_path: Path) -> None:
    nightly = again(built, tmp_path / "meters")
    shutil.rmtree(nightly.root / "lake")
    assert nightly.run(1, 3, TABLES).exit_code is ExitCode.DONE
    for number in range(4, LAST + 1):
        assert nightly.run(number, None, TABLES).exit_code is ExitCode.DONE
    for table in (PROFILES, DRIFT):
        assert nightly.digests(table) == built.digests(table)
        assert set(nightly.states(1, LAST)[table].split()) == {"fresh"}

    versions = nightly.versions()
    assert nightly.run(LAST, None, TABLES, force=True).exit_code is ExitCode.DONE
    assert nightly.versions() == versions
    # Made once, and read by every night after.
    assert Counter(record.table for record in nightly.context().ledger.ops.records(BaselineRecord)) == {
        "silver.readings": 1
    }
    runs = nightly.context().ledger.ops.read(RunRecord, tables=[PROFILES]).to_pylist()
    jobs = [run["spark_jobs"] for run in sorted(runs, key=lambda run: run["started_at"])]
    assert max(jobs[-2:]) <= max(jobs[:2])


def test_a_corrected_day_is_profiled_again_and_a_late_table_joins(built: Workspace, tmp_path: Path) -> None:
    meters = again(built, tmp_path / "meters")
    meters.land(5, *readings(5)[:-1])
    assert meters.run(5, None, ["bronze.readings", "silver.readings"]).exit_code is ExitCode.DONE
    assert meters.states(5, 5)[PROFILES] == "stale"

    assert meters.run(5, None, TABLES).exit_code is ExitCode.DONE

    counts = {
        row["table_name"]: row["count"]
        for row in rows(meters, PROFILES, 5)
        if row["column_name"] == ":table" and row["slice"] == "" and row["log_type"] == "INPUT"
    }
    assert counts == {"silver.readings": 59, "gold.usage": 59}
    # What the day after compares itself with is another, too.
    assert meters.states(6, 6)[DRIFT] == "stale"


def test_what_is_not_there_is_left_out_and_nothing_at_all_is_waited_for(
    built: Workspace, tmp_path: Path
) -> None:
    meters = again(built, tmp_path / "meters")
    meters.land(8, *readings(8))
    assert meters.states(8, 8)[PROFILES] == "blocked"
    assert meters.run(8, None, ["bronze.readings", "silver.readings", PROFILES]).exit_code is ExitCode.DONE
    assert {row["table_name"] for row in rows(meters, PROFILES, 8)} == {"silver.readings"}

    assert meters.run(8, None, ["gold.usage"]).exit_code is ExitCode.DONE

    assert meters.states(8, 8)[PROFILES] == "stale"
    assert meters.run(8, None, [PROFILES]).exit_code is ExitCode.DONE
    assert {row["table_name"] for row in rows(meters, PROFILES, 8)} == {"silver.readings", "gold.usage"}


def test_settings_of_drift_make_drift_stale_and_profiles_not(built: Workspace, tmp_path: Path) -> None:
    meters = again(built, tmp_path / "meters")
    meters.edit("conf/base.yml", "least_rows: 50", "least_rows: 60")

    states = meters.states(5, 6)

    assert (states[PROFILES], states[DRIFT]) == ("fresh fresh", "stale stale")
    reasons = meters.context().judge.judge(_nights(6), [DRIFT])[DRIFT][day(6)].reason
    assert reasons.endswith("monitoring.drift.least_rows")


def _nights(number: int) -> Any:
    from lakesmith.contracts.days import BatchRange

    return BatchRange(day(number), day(number))


def test_asking_for_a_profile_makes_no_batch_of_the_table_stale(built: Workspace, tmp_path: Path) -> None:
    meters = again(built, tmp_path / "meters")
    meters.edit("conf/tables/gold.usage.yml", "profile: true\n", "profile: {slices: [kwh > 50]}\n")

    states = meters.states(2, 6)

    assert set(states["gold.usage"].split()) == {"fresh"}
    assert set(states[PROFILES].split()) == {"stale"}


def test_a_closed_day_is_profiled_as_an_empty_batch(built: Workspace, tmp_path: Path) -> None:
    meters = again(built, tmp_path / "meters")
    assert meters.run(7, None, TABLES).exit_code is ExitCode.DONE

    counts = {row["count"] for row in rows(meters, PROFILES, 7) if row["log_type"] == "INPUT"}
    verdicts = {row["verdict"] for row in rows(meters, DRIFT, 7) if row["drift_type"] == "BASELINE"}

    assert counts == {0}
    assert date(2024, 1, 7) in {row["batch_date"] for row in rows(meters, DRIFT, 7)}
    assert verdicts == {"too few", None} or "drifted" in verdicts

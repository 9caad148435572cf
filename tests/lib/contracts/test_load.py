"""Every mistake that a project's files can hold, as scenarios: tests/scenarios/contracts/<case>.yml."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import (
    Calendar,
    Completion,
    Mode,
    OnMissing,
    QuarantineLimit,
    Rows,
    SourceColumn,
)
from lakesmith.contracts.project import Project
from lakesmith.errors import ExitCode, InvalidProject
from scenarios import project_cases
from scenarios.project_cases import read_case

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "contracts"
SOUND = SCENARIOS / project_cases.SOUND
CASES = sorted(SCENARIOS.glob("*.yml"))
assert CASES, f"no scenarios in {SCENARIOS}"


def changed_project(root: Path, changes: dict[str, Any]) -> Path:
    return project_cases.changed_project(SOUND, root, changes)


def reported(root: Path) -> list[str]:
    try:
        load_project(root)
    except InvalidProject as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_mistakes_are_reported_word_for_word(case: Path, tmp_path: Path) -> None:
    changes, expected = read_case(case)
    assert reported(changed_project(tmp_path / "project", changes)) == expected


def test_scenarios_hold_no_file_that_the_harness_overlooks() -> None:
    assert {path.suffix for path in SCENARIOS.iterdir() if path != SOUND} == {".yml"}


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(SOUND)


def test_an_error_tells_how_many_mistakes_and_what_to_do(tmp_path: Path) -> None:
    root = changed_project(tmp_path / "p", {"conf/expectations/gold.outlooks.json": None})
    with pytest.raises(InvalidProject) as caught:
        load_project(root)
    assert caught.value.exit_code is ExitCode.USAGE
    assert not caught.value.retryable
    assert str(caught.value) == (
        "1 mistake in the project's files:\n"
        "  conf/expectations/gold.outlooks.json: is missing; a suite without rules is "
        '{"name": "gold.outlooks", "expectations": []}\n'
        "Mend them, then check with: lakesmith doctor"
    )


def test_a_file_that_is_no_utf8_is_reported(tmp_path: Path) -> None:
    root = changed_project(tmp_path / "p", {})
    path = root / "conf/tables/gold.outlooks.yml"
    path.write_bytes(path.read_bytes().replace(b"three days", "drei schöne Tage".encode("latin-1")))
    assert reported(root) == ["conf/tables/gold.outlooks.yml:2: is not UTF-8 text"]


def test_a_job_behind_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = changed_project(tmp_path / "p", {"jobs/gold/outlooks.py": None})
    (tmp_path / "elsewhere.py").write_text("")
    (root / "jobs/gold/outlooks.py").symlink_to(tmp_path / "elsewhere.py")
    assert reported(root) == [
        "conf/tables/gold.outlooks.yml:4: job: jobs/gold/outlooks.py leads out of the project's folder jobs/"
    ]


def test_custom_expectation_types_are_known_with_their_parameters(tmp_path: Path) -> None:
    suite = (
        '{"name": "gold.outlooks", "expectations": '
        '[{"type": "expect_warm_days", "kwargs": {"column": "warmer", "share": 0.5}}]}'
    )
    root = changed_project(tmp_path / "p", {"conf/expectations/gold.outlooks.json": suite})
    assert len(reported(root)) == 1
    project = load_project(root, {"expect_warm_days": frozenset({"column", "share"})})
    assert [e.type for e in project.graph.contract("gold.outlooks").suite.expectations] == [
        "expect_warm_days"
    ]


def test_a_source_is_read_as_it_is_written(project: Project) -> None:
    source = project.graph.sources["weather-stations"]
    assert source.name == "weather-stations"
    assert source.description == "Readings of the town's weather stations."
    assert source.patterns == ("{batch_date}.csv", "{batch_date}-*.csv.gz")
    assert source.format == "csv"
    assert source.start == date(2024, 1, 1)
    assert source.columns == (
        SourceColumn("station", "Station"),
        SourceColumn("measured_at", "Time"),
        SourceColumn("celsius", "Temp (C)", required=False),
    )
    closed = {date(2024, 5, 1), date(2024, 12, 24), date(2024, 12, 25), date(2024, 12, 26)}
    assert source.calendar == Calendar(frozenset({6}), frozenset(closed))
    assert source.completion == Completion(stable_for=timedelta(minutes=10))
    assert source.on_missing is OnMissing.EMPTY
    assert source.delimiter == ";"
    assert source.max_record_bytes == 65536
    assert source.file == "conf/sources/weather-stations.yml"


def test_what_a_source_leaves_out_has_defaults(tmp_path: Path) -> None:
    text = """
source: weather-stations
description: Readings.
patterns: ["{batch_date}.jsonl"]
format: jsonl
start: 2024-01-01
columns:
  station:
  measured_at: {required: false}
complete: {marker: "done/{batch_date}"}
"""
    root = changed_project(tmp_path / "p", {"conf/sources/weather-stations.yml": text})
    source = load_project(root).graph.sources["weather-stations"]
    assert source.columns == (
        SourceColumn("station", "station"),
        SourceColumn("measured_at", "measured_at", required=False),
    )
    assert source.calendar == Calendar()
    assert source.completion == Completion(marker="done/{batch_date}")
    assert source.on_missing is OnMissing.ERROR
    assert (source.delimiter, source.max_record_bytes) == (",", 1 << 20)


def test_a_contract_is_read_as_it_is_written(project: Project) -> None:
    silver = project.graph.contract("silver.readings")
    assert silver.file == "conf/tables/silver.readings.yml"
    assert (silver.owner, silver.job, silver.resources) == (
        "weather-team",
        "jobs/silver/readings.py",
        "small",
    )
    assert silver.rows is Rows.PRESERVING
    assert silver.mode is Mode.RANGE
    assert silver.key == ("station", "measured_at")
    assert [(c.name, str(c.type), c.nullable, c.scale, c.unit) for c in silver.columns] == [
        ("station", "string", False, None, None),
        ("measured_at", "timestamp", False, None, None),
        ("celsius", "double", True, 2, "C"),
    ]
    assert silver.quarantine_limit == QuarantineLimit(0.1, 500)
    assert (silver.retries, silver.timeout, silver.lag_days, silver.horizon_days) == (2, 900, 0, None)
    assert [e.rule for e in silver.suite.row_rules] == ["celsius_is_earthly"]
    assert [(i.name, i.target, str(i.window)) for i in silver.inputs] == [
        ("records", "bronze.readings", "same_day")
    ]


def test_a_table_that_reads_itself_goes_batch_by_batch(project: Project) -> None:
    weeks = project.graph.contract("gold.station_weeks")
    assert weeks.reads_itself
    assert weeks.mode is Mode.PER_BATCH
    assert [(i.name, str(i.window)) for i in weeks.inputs] == [
        ("readings", "last: 7d"),
        ("before", "previous: 1d"),
    ]
    assert (weeks.horizon_days, weeks.change_data_feed) == (14, True)
    outlooks = project.graph.contract("gold.outlooks")
    assert (outlooks.lag_days, str(outlooks.inputs[1].window)) == (3, "ahead: 3d")


def test_the_reference_project_is_sound() -> None:
    root = Path(__file__).parents[3]
    assert "silver.sales_lines" in load_project(root).graph.order

"""conf/slo.yml: what it may say, and what is said of mistakes."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from lakesmith.contracts.load import load_project
from lakesmith.contracts.service_levels import Measure, ServiceLevel, load_service_levels
from lakesmith.errors import InvalidProject
from workspaces import METERS

GRAPH = load_project(METERS).graph


def load(root: Path, text: str) -> tuple[ServiceLevel, ...]:
    (root / "conf").mkdir(exist_ok=True)
    (root / "conf" / "slo.yml").write_text(text)
    return load_service_levels(root, GRAPH)


def problems(root: Path, text: str) -> list[str]:
    with pytest.raises(InvalidProject) as error:
        load(root, text)
    return [str(problem).removeprefix("conf/slo.yml:") for problem in error.value.problems]


def test_a_level_is_read_whole(tmp_path: Path) -> None:
    text = """
    usage_on_time:
      description: Usage is there in time.
      measure: published_by
      table: gold.usage
      by: "06:30"
      timezone: Europe/London
      target: 0.95
      window: 28d
    mended: {measure: time_to_recover, within: 90m, target: 0.8}
    """
    assert load(tmp_path, text) == (
        ServiceLevel(
            "usage_on_time",
            "Usage is there in time.",
            Measure.PUBLISHED_BY,
            0.95,
            28,
            table="gold.usage",
            by=time(6, 30),
            timezone="Europe/London",
        ),
        ServiceLevel("mended", "", Measure.TIME_TO_RECOVER, 0.8, 28, within=5400),
    )
    assert [level.promise for level in load(tmp_path, text)] == [
        "gold.usage by 06:30 Europe/London",
        "any table mended within 90 m",
    ]


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_nothing_may_be_promised(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == ()
    assert load_service_levels(tmp_path / "elsewhere", GRAPH) == ()


def test_all_mistakes_are_told_at_once_where_they_are(tmp_path: Path) -> None:
    text = """a: {measure: published_by, table: gold.usages, by: 6:00, target: 0.9}
b: {measure: published_bye, target: 2}
c: {measure: quarantined_share, table: gold.usage, at_most: 5, within: 4h, target: 0.9}
d: {measure: landing_to_published, table: gold.usage, target: 0, within: 4 hours}
e: {measure: nights_on_time, by: "25:00", timezone: Europe/Londn, window: 4w, targt: 0.9}
F-1: {measure: nights_on_time, by: "05:00", target: 0.9}
"""
    a_time = "expected a time of the day with two digits each, like 06:00"
    assert problems(tmp_path, text) == [
        "1: a.table: there is no table 'gold.usages'. Did you mean 'gold.usage'?",
        f"1: a.by: {a_time}, found the text '6:00'",
        "2: b.measure: expected published_by, landing_to_published, nights_on_time, quarantined_share or "
        "time_to_recover, found the text 'published_bye'. Did you mean 'published_by'?",
        "2: b.target: expected a number from 0 to 1, found the number 2",
        "3: c.within: unknown key; allowed: measure, target, table, at_most, description, window",
        "3: c.at_most: expected a number from 0 to 1, found the number 5",
        "4: d.target: a promise that is never kept promises nothing; write a share like 0.95",
        "4: d.within: '4 hours' is not a duration; write a whole number with s, m or h, like 30m",
        "5: e.targt: unknown key; allowed: measure, target, by, description, window, timezone. Did you mean 'target'?",
        "5: e.window: '4w' is not a number of days; write it like 90d",
        f"5: e.by: {a_time}, found the text '25:00'",
        "5: e.timezone: 'Europe/Londn' is no time zone; write it like Europe/London or UTC",
        "6: F-1: 'F-1' is no name; write it in lower-case letters, digits and _",
    ]


def test_a_file_that_is_no_yaml_is_said_to_be_none(tmp_path: Path) -> None:
    assert "is not YAML" in problems(tmp_path, "a: [\n")[0]


def test_the_file_of_the_project_is_right() -> None:
    root = Path(__file__).parents[3]

    levels = load_service_levels(root, load_project(root).graph)
    assert {level.measure for level in levels} == set(Measure)

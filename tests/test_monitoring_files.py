"""The dashboard and the alert rules of infra/monitoring use what is exported, and the rules are those of conf/slo.yml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakesmith.config.load import load_settings
from lakesmith.contracts.load import load_project
from lakesmith.contracts.service_levels import load_service_levels
from lakesmith.metrics.catalogue import METRICS
from lakesmith.metrics.prometheus_rules import prometheus_rules

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "infra" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))

_SELECTOR = re.compile(r"(lakesmith_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"')
_GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")


def queries() -> Iterator[tuple[str, str]]:
    """Every query with what its legend or its texts say."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"], ""
    for group in RULES["groups"]:
        for rule in group["rules"]:
            yield rule["expr"], " ".join(rule["annotations"].values())


def mistakes(query: str, legend: str) -> list[str]:
    """Names and labels that are not exported."""
    found = []
    labels: set[str] = set()
    for name, inside in _SELECTOR.findall(query):
        if name not in METRICS:
            found.append(name)
            continue
        labels |= set(METRICS[name].labels)
        asked = set(_MATCHER.findall(inside))
        found += [f"{name}{{{label}}}" for label in sorted(asked - set(METRICS[name].labels))]
    grouped = {label.strip() for inside in _GROUPED.findall(query) for label in inside.split(",")}
    told = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", legend))
    asked_of_a_variable = set(re.findall(r"label_values\(\w+, (\w+)\)", query))
    found += sorted((grouped | told | asked_of_a_variable) - labels)
    # A legend can only show what a sum leaves.
    if grouped and "sum by" in query and " on " not in query:
        found += sorted(told - grouped)
    return found


@pytest.mark.parametrize(("query", "legend"), sorted(set(queries())))
def test_every_metric_and_label_is_exported(query: str, legend: str) -> None:
    assert mistakes(query, legend) == []


@pytest.mark.parametrize(
    ("query", "legend", "found"),
    [
        ("lakesmith_nights > 0", "", ["lakesmith_nights"]),
        ('lakesmith_batches{day="x"}', "", ["lakesmith_batches{day}"]),
        ("sum by (day) (lakesmith_batches)", "", ["day"]),
        ("sum by (table) (lakesmith_batches)", "{{state}}", ["state"]),
        ("lakesmith_night_complete", "{{table}}", ["table"]),
    ],
)
def test_one_that_is_not_would_be_noticed(query: str, legend: str, found: list[str]) -> None:
    assert mistakes(query, legend) == found


def test_every_metric_is_looked_at_by_somebody() -> None:
    used = {name for query, _ in queries() for name, _ in _SELECTOR.findall(query)}

    # For queries of one's own.
    assert set(METRICS) - used == {
        "lakesmith_cost_total",
        "lakesmith_read_seconds",
        "lakesmith_run_seconds_total",
        "lakesmith_last_run_timestamp_seconds",
        "lakesmith_night_timestamp_seconds",
    }


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_rules_are_up_to_date() -> None:
    """If not: make monitoring."""
    project, settings = load_project(ROOT), load_settings("dev", ROOT, {}).alerts
    levels = load_service_levels(ROOT, project.graph)

    made = prometheus_rules(levels, settings.burn_rate, settings.runbooks)
    assert (FOLDER / "alerts.yml").read_text(encoding="utf-8") == made
    assert len(RULES["groups"][1]["rules"]) == len(levels) > 0


def test_prometheus_loads_the_rules() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))

    assert config["rule_files"] == ["alerts.yml"]

"""The tasks of a night, cut from the graph of the reference pipeline and of a small one."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakesmith.airflow.work import Work, default_groups, night_work
from lakesmith.config.sections.servers import AirflowSettings
from lakesmith.contracts.load import load_project
from lakesmith.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
GRAPH = load_project(ROOT).graph
METERS = load_project(ROOT / "tests" / "projects" / "meters", with_suites=False).graph


def test_groups_follow_from_layers_and_from_who_reads_a_model() -> None:
    assert default_groups(GRAPH) == {
        "ingest": [t for t in GRAPH.order if t.startswith(("bronze.", "silver."))],
        "features": ["gold.daily_sales", "gold.customer_features", "gold.repurchase_labels"],
        "score": ["gold.customer_scores", "gold.customer_scores_shadow"],
        "watch": [t for t in GRAPH.order if t.startswith("monitoring.")],
    }


def test_a_group_takes_the_most_of_its_tables() -> None:
    found = {work.name: work for work in night_work(GRAPH, AirflowSettings())}

    assert found["score"] == Work(
        name="score",
        tables=("gold.customer_scores", "gold.customer_scores_shadow"),
        needs=("features",),
        sources=(),
        retries=2,
        timeout=7200,
        size="small",
    )
    assert (found["ingest"].sources, found["ingest"].needs) == (("online-retail",), ())
    assert found["watch"].needs == ("ingest", "features", "score")


def test_groups_of_the_settings_hold_as_they_are_and_in_the_order_of_the_graph() -> None:
    groups = {"rest": [t for t in METERS.order if t != "bronze.readings"], "first": ["bronze.readings"]}

    found = night_work(METERS, AirflowSettings(groups=groups))

    assert [(work.name, work.needs) for work in found] == [("first", ()), ("rest", ("first",))]
    assert found[1].tables == METERS.order[1:]


def test_a_task_for_each_table_waits_for_those_that_it_reads() -> None:
    found = night_work(METERS, AirflowSettings(granularity="table"))

    assert {work.name: work.needs for work in found} == {t: METERS.parents(t) for t in METERS.order}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"groups": {"all": ["bronze.readings", "bronze.reading", "bronze.readings"]}},
            "airflow.groups: bronze.reading is no table; bronze.readings stands twice; silver.readings is in no group",
        ),
        (
            {"groups": {"a": ["bronze.readings", "gold.usage"], "b": []}},
            "silver.readings is in no group",
        ),
    ],
)
def test_what_does_not_fit_is_said(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        night_work(METERS, AirflowSettings(**settings))  # type: ignore[arg-type]  # as files say it
    assert problem in str(raised.value)


def test_groups_that_wait_for_each_other_are_refused() -> None:
    rest = [t for t in METERS.order if t not in ("bronze.readings", "silver.readings")]
    groups = {"ends": ["bronze.readings", *rest], "middle": ["silver.readings"]}

    with pytest.raises(ConfigurationError, match=r"these groups wait for each other: \w+ -> \w+ -> \w+\."):
        night_work(METERS, AirflowSettings(groups=groups))

"""What is alerted about how models do, and exported of it; on a lake that no Spark wrote."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from judged_shop import PERFORMANCE
from lakesmith.alerts.facts import NightFacts
from lakesmith.alerts.model_rules import performance
from lakesmith.ledger.ops import now
from lakesmith.metrics.readings import readings
from lakesmith.ml.evaluation_values import Interval
from lakesmith.ml.wording import interval_text
from lakesmith.monitoring.stored import MetricOutcome, newest_outcomes, outcomes_of
from shops import MODEL
from sites import make_scored_lake
from watching import look
from workspaces import Workspace, day

LAG = 7
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Five days of scores whose labels are known; by those of the fifth the model guesses, and its inputs are stable."""
    shop = make_scored_lake(tmp_path_factory.mktemp("judged") / "shop")
    shutil.copytree(ROOT / "tests" / "projects" / "watched", shop.root, dirs_exist_ok=True)
    for file in (
        f"conf/tables/{PERFORMANCE}.yml",
        f"conf/expectations/{PERFORMANCE}.json",
        "jobs/monitoring/model_performance.py",
    ):
        (shop.root / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, shop.root / file)
    shop.edit(f"conf/tables/{PERFORMANCE}.yml", "lag: 30d", f"lag: {LAG}d")
    return shop


def facts(lake: Workspace, number: int) -> NightFacts:
    """Of the night that judges the scores of a day."""
    return NightFacts(look(lake), day(number) + timedelta(LAG), now())


def outcomes(lake: Workspace, number: int) -> dict[str, MetricOutcome]:
    found = outcomes_of(lake.table(PERFORMANCE), since=day(number), until=day(number))
    return {each.metric: each for each in found}


def ends(*values: float | None) -> str:
    return interval_text(Interval(*(float("nan") if each is None else each for each in values)))


def test_an_alert_says_metric_value_test_and_concept_drift(lake: Workspace) -> None:
    (said,) = performance(facts(lake, 5)) or ()

    worse = [each for each in outcomes(lake, 5).values() if each.worse]
    told = ", ".join(
        f"{o.metric} {ends(o.value, o.lower, o.upper)}, "
        f"in its test {ends(o.test_value, o.test_lower, o.test_upper)}"
        for o in worse[:3]
    )
    more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
    assert said.subject == f"models.{MODEL}"
    assert said.text == (
        f"version 1 is worse than in its test by the labels of {day(5)}: {told}{more}; concept drift: inputs are stable"
    )
    assert said.names == tuple(sorted(each.metric for each in worse))
    assert "roc_auc" in said.names


def test_what_is_not_worse_resolves_and_a_night_without_rows_says_nothing(lake: Workspace) -> None:
    assert performance(facts(lake, 4)) == []
    assert performance(facts(lake, 6)) is None


@pytest.mark.parametrize(
    ("inputs", "ending"),
    [
        ("drifted", "inputs have drifted, too"),
        ("too few", "whether that is concept drift is not known: inputs are too few"),
        ("not judged", "whether that is concept drift is not known: inputs are not judged"),
    ],
)
def test_what_is_known_of_the_inputs_is_said(
    lake: Workspace, tmp_path: Path, inputs: str, ending: str
) -> None:
    copy = Workspace(Path(shutil.copytree(lake.root, tmp_path / "shop")))
    table = copy.table(PERFORMANCE)
    table.update({"input_drift": f"'{inputs}'", "concept_drift": "false"})

    (said,) = performance(facts(copy, 5)) or ()

    assert said.text.endswith(f"; {ending}")


def test_slices_and_shadows_are_not_alerted(lake: Workspace, tmp_path: Path) -> None:
    copy = Workspace(Path(shutil.copytree(lake.root, tmp_path / "shop")))
    copy.table(PERFORMANCE).update({"role": "'shadow'"})
    assert performance(facts(copy, 5)) == []
    copy.table(PERFORMANCE).update({"role": "'champion'", "slice": "'channel = web'"})
    assert performance(facts(copy, 5)) == []


def test_metrics_are_those_of_the_newest_labels(lake: Workspace) -> None:
    found = {s.labels: s.value for s in readings(look(lake), now()) if s.metric == "lakesmith_model_metric"}
    newest = {each.metric: each.value for each in newest_outcomes(outcomes_of(lake.table(PERFORMANCE)))}
    assert found == {(MODEL, metric): value for metric, value in newest.items()}
    assert newest["roc_auc"] == outcomes(lake, 5)["roc_auc"].value


def test_a_table_of_another_shape_or_none_has_no_outcomes(tmp_path: Path, lake: Workspace) -> None:
    assert outcomes_of(None) == []
    other = lake.table(PERFORMANCE).to_pyarrow_table().drop_columns(["test_value"])
    write_deltalake(tmp_path / "other", other)
    assert outcomes_of(DeltaTable(tmp_path / "other")) == []

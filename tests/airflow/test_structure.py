"""How the DAGs are built from contracts and settings; nothing is run."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import Asset, AssetAny
from airflow.serialization.serialized_objects import DagSerialization

from lakesmith.contracts.load import load_project

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "airflow" / "dags"
GRAPH = load_project(ROOT).graph
FORBIDDEN = (
    "pyspark",
    "delta",
    "deltalake",
    "pyarrow",
    "pandas",
    "mlflow",
    "great_expectations",
    "lakesmith.ledger",
    "boto3",
)

# What Airflow's own processor has imported before it comes to a file.
TIMED = """
import json, runpy, sys, time
from pathlib import Path
import airflow.dag_processing.dagbag, airflow.triggers.base
import airflow.providers.apache.spark.operators.spark_submit, airflow.providers.standard.operators.hitl
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, AsyncCallback, CronDataIntervalTimetable, DeadlineAlert, Param

before = set(sys.modules)
seconds = {}
for file in sorted(Path(sys.argv[1]).glob("*.py")):
    began = time.process_time()
    runpy.run_path(str(file))
    seconds[file.stem] = round(time.process_time() - began, 3)
print(json.dumps({"seconds": seconds, "modules": sorted(set(sys.modules) - before)}))
"""


def up(dag: Any) -> dict[str, set[str]]:
    return {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}


def test_dags_are_parsed_in_under_a_second_without_spark_or_the_ledger() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TIMED, str(DAGS)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"\nseconds of CPU for each file, beside Airflow's own import: {found['seconds']}")

    assert [
        m for m in found["modules"] if m.split(".")[0] in FORBIDDEN or m.startswith("lakesmith.ledger")
    ] == []
    assert sum(found["seconds"].values()) < 1.0


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.stem)
def test_a_dag_file_imports_only_airflow_and_what_dags_declare_with(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}

    ours = {"__future__", "airflow.sdk", "lakesmith.errors"}
    assert {
        name for name in imported if name not in ours and not str(name).startswith("lakesmith.airflow.")
    } == set()


def test_airflow_finds_the_four_dags_and_no_mistake(metadata: None) -> None:
    bag = DagBag(dag_folder=str(DAGS))

    assert bag.import_errors == {}
    assert sorted(bag.dags) == [
        "lakesmith_backfill",
        "lakesmith_maintenance",
        "lakesmith_nightly",
        "lakesmith_training",
    ]


# The night.


def test_a_night_is_a_task_for_each_group_in_the_order_of_the_graph(load: Any) -> None:
    dag = load("lakesmith_nightly")
    groups = {"ingest", "features", "score", "watch"}

    assert up(dag) == {
        "landing_online-retail": set(),
        "ingest": {"landing_online-retail"},
        "features": {"ingest"},
        "score": {"features"},
        "watch": {"ingest", "features", "score"},
        "night": groups,
        "alerts": groups,
        "ask_for_repurchase": {"alerts"},
    }
    named = {
        name: [a for a in dag.task_dict[name].application_args if "." in a and "{" not in a]
        for name in groups
    }
    assert sorted(table for tables in named.values() for table in tables) == sorted(GRAPH.order)
    assert named["score"] == ["gold.customer_scores", "gold.customer_scores_shadow"]
    assert named["watch"] == [t for t in GRAPH.order if t.startswith("monitoring.")]


def test_a_night_is_a_task_for_each_table_where_settings_say_so(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__AIRFLOW__GRANULARITY", "table")

    found = up(load("lakesmith_nightly"))

    tables = {table: set(GRAPH.parents(table)) for table in GRAPH.order}
    tables["bronze.sales_lines"] = {"landing_online-retail"}
    rest = {"landing_online-retail": set(), "night": set(GRAPH.order), "alerts": set(GRAPH.order)}
    assert found == {**tables, **rest, "ask_for_repurchase": {"alerts"}}


def test_limits_resources_and_owners_are_those_of_the_contracts(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__AIRFLOW__POOLS", "{small: spark_small}")
    monkeypatch.setenv("LAKESMITH__SUBMIT__SIZES__SMALL", "{executors: 3, cores: 2, memory: 3g}")

    task = load("lakesmith_nightly").task_dict["score"]

    assert (task.retries, task.execution_timeout) == (2, timedelta(hours=2))
    assert (task.retry_delay, task.max_retry_delay) == (timedelta(minutes=5), timedelta(hours=1))
    assert task.retry_exponential_backoff
    assert (task.pool, task.owner) == ("spark_small", "retail-analytics")
    given = tuple(
        getattr(task, f"_{name}")
        for name in ("num_executors", "executor_cores", "executor_memory", "total_executor_cores")
    )
    assert given == (3, 2, "3g", 6)


def test_the_logical_date_is_the_batch_and_days_are_caught_up_one_by_one(load: Any) -> None:
    dag = load("lakesmith_nightly")
    assert (dag.catchup, dag.max_active_runs) == (True, 1)

    core = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    first = core.next_dagrun_info(last_automated_run_info=None)
    second = core.next_dagrun_info(last_automated_run_info=first)

    assert (first.logical_date, first.run_after) == (
        datetime(2010, 12, 1, 3, tzinfo=UTC),
        datetime(2010, 12, 2, 3, tzinfo=UTC),
    )
    assert second.logical_date.date() == date(2010, 12, 2)


def test_settings_move_the_first_night(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKESMITH__AIRFLOW__START", "2011-03-01")
    monkeypatch.setenv("LAKESMITH__AIRFLOW__TIMEZONE", "Europe/London")

    assert load("lakesmith_nightly").start_date.isoformat() == "2011-03-01T00:00:00+00:00"


def test_settings_say_which_night_is_the_last(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKESMITH__AIRFLOW__END", "2010-12-02")

    core = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(load("lakesmith_nightly")))

    first = core.next_dagrun_info(last_automated_run_info=None)
    last = core.next_dagrun_info(last_automated_run_info=first)
    assert last.logical_date.date() == date(2010, 12, 2)
    assert core.next_dagrun_info(last_automated_run_info=last) is None


def test_every_gold_table_is_an_asset_of_one_task(load: Any) -> None:
    outlets = {t.task_id: [a.name for a in t.outlets] for t in load("lakesmith_nightly").tasks if t.outlets}

    gold = [f"lakesmith/{table}" for table in GRAPH.order if table.startswith("gold.")]
    assert sorted(a for name in ("features", "score") for a in outlets[name]) == sorted(gold)
    assert outlets["ask_for_repurchase"] == ["lakesmith/retraining/repurchase"]


def test_a_night_is_due_when_the_service_levels_promise_it(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [deadline] = load("lakesmith_nightly").deadline
    # 07:00 in London on the day after, from 03:00 UTC on: in winter the clocks are the same.
    assert deadline.interval == timedelta(hours=28)
    assert deadline.callback.path == "lakesmith.airflow.notices.night_is_late"

    monkeypatch.setenv("LAKESMITH__AIRFLOW__DEADLINE", "30h")
    [deadline] = load("lakesmith_nightly").deadline
    assert deadline.interval == timedelta(hours=30)


# The others.


def test_a_backfill_maps_each_task_over_its_ranges_with_a_limit(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__AIRFLOW__BACKFILLS", "3")

    dag = load("lakesmith_backfill")

    assert up(dag)["plan_features"] == {"ingest"}
    assert up(dag)["features"] == {"plan_features"}
    mapped = dag.task_dict["features"]
    assert (mapped.is_mapped, mapped.max_active_tis_per_dagrun) == (True, 3)
    assert sorted(dag.params) == ["from", "stale_only", "tables", "to"]


def test_training_waits_for_a_person_only_where_settings_say_so(
    load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert up(load("lakesmith_training")) == {
        "train_repurchase": set(),
        "promote_repurchase": {"train_repurchase"},
    }

    monkeypatch.setenv("LAKESMITH__AIRFLOW__APPROVAL", "true")
    assert up(load("lakesmith_training")) == {
        "train_repurchase": set(),
        "approve_repurchase": {"train_repurchase"},
        "promote_repurchase": {"approve_repurchase"},
    }


def test_one_of_several_models_that_asks_starts_the_training(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(shutil.copytree(ROOT / "conf", tmp_path / "conf")).parent
    (root / "jobs").symlink_to(ROOT / "jobs")
    declared = yaml.safe_load((root / "conf" / "models" / "repurchase.yml").read_text(encoding="utf-8"))
    # No table holds its scores.
    other = {key: value for key, value in declared.items() if key not in ("rollout", "floors")}
    text = yaml.safe_dump({**other, "model": "return_soon"})
    (root / "conf" / "models" / "return_soon.yml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("LAKESMITH_PROJECT", str(root))

    condition = load("lakesmith_training").timetable.asset_condition

    assert condition == AssetAny(
        Asset("lakesmith/retraining/repurchase"), Asset("lakesmith/retraining/return_soon")
    )


@pytest.mark.parametrize(
    "name", ["lakesmith_backfill", "lakesmith_maintenance", "lakesmith_nightly", "lakesmith_training"]
)
def test_what_airflow_stores_of_a_dag_holds_no_settings(
    load: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__ALERTS__WEBHOOK__URL", "https://hooks.test/secret-path")

    stored = json.dumps(DagSerialization.serialize_dag(load(name)), default=str)

    assert "secret-path" not in stored
    assert "environment=" not in stored  # as a repr of settings begins

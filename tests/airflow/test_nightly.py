"""The nightly DAG over a simulated day, by `dag.test()` and real spark-submits; and what it makes of what goes wrong."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.utils.session import create_session
from airflow_tests import ROOT, Context, Webhook, lakesmith, states_of

METERS = ROOT / "tests" / "projects" / "meters"


def night_of(dag: Any, day: str) -> Any:
    # `dag.test()` ends in an error of SQLAlchemy where a DAG has a deadline, see docs/traps.md.
    dag.deadline = None
    return dag.test(logical_date=datetime.fromisoformat(f"{day}T03:00:00").replace(tzinfo=UTC))


@pytest.fixture
def meters(lake: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project of another domain, which DAGs are declared from."""
    project = lake / "meters"
    shutil.copytree(METERS, project)
    shutil.copy(ROOT / "jobs" / "night.py", project / "jobs" / "night.py")
    (lake / "landing" / "readings").mkdir(parents=True)
    monkeypatch.setenv("LAKESMITH_PROJECT", str(project))
    monkeypatch.setenv("LAKESMITH__JARS_DIR", str(ROOT / ".jars"))
    return project


def test_a_night_runs_from_landing_files_to_monitoring(metadata: None, load: Any, lake: Path) -> None:
    from airflow.models.asset import AssetEvent, AssetModel
    from sqlalchemy import select

    lakesmith(
        "simulate", "--out", str(lake / "landing" / "online-retail"), "--from", "2010-12-01", "--days", "1",
        "--lines-per-day", "100", "--seed", "7",
    )  # fmt: skip

    run = night_of(load("lakesmith_nightly"), "2010-12-01")

    assert {task.task_id: (str(task.state), task.try_number) for task in run.get_task_instances()} == {
        **dict.fromkeys(("landing_online-retail", "ingest", "features", "score", "watch"), ("success", 1)),
        "night": ("success", 1),
        "alerts": ("success", 1),
        "ask_for_repurchase": ("skipped", 1),
    }
    states = json.loads(lakesmith("status", "--from", "2010-12-01", "--to", "2010-12-01", "--json"))
    assert set(states_of(states)) == {"fresh"}
    [night] = json.loads(lakesmith("nights", "--json"))
    assert (night["night"], night["complete"]) == ("2010-12-01", True)
    with create_session() as session:
        found = session.execute(
            select(AssetModel.name, AssetEvent.extra).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        )
        events = {name: extra for name, extra in found}  # noqa: C416  # a result has keys, so dict() asks it for items
    assert events["lakesmith/gold.daily_sales"]["batch"] == "2010-12-01"
    assert events["lakesmith/gold.daily_sales"]["rows_published"] > 0


def test_a_rejected_batch_fails_without_a_retry_and_is_told_with_a_link(
    metadata: None, load: Any, meters: Path, lake: Path, webhook: Webhook
) -> None:
    landing = lake / "landing" / "readings"
    # Most lines are no numbers: more are quarantined than the contract lets pass.
    (landing / "2024-01-01.csv").write_text(
        "Meter,kWh,Street\nm1,5,High St\nm2,much,Low St\nm3,a lot,Low St\n"
    )

    run = night_of(load("lakesmith_nightly"), "2024-01-01")

    found = {task.task_id: (str(task.state), task.try_number) for task in run.get_task_instances()}
    assert str(run.state) == "failed"
    assert found["ingest"] == ("failed", 1)
    assert found["features"][0] == "upstream_failed"
    assert found["night"][0] == "upstream_failed"
    assert found["alerts"] == ("success", 1)
    told = "\n".join(webhook.posted)
    assert "task_failed" in told
    assert "silver.readings" in told
    assert "http://airflow.test/dags/lakesmith_nightly/" in told


# One task at a time, without a run.


def submit(load: Any, name: str, **changes: Any) -> Any:
    task = load("lakesmith_nightly").task_dict[name]
    for key, value in changes.items():
        setattr(task, key, value)
    return task


def test_a_night_on_which_the_source_is_closed_waits_for_nothing(load: Any, lake: Path) -> None:
    sensor = load("lakesmith_nightly").task_dict["landing_online-retail"]
    sensor.night = "2010-12-04"  # a Saturday

    assert sensor.execute(Context()) is None


def test_files_that_are_not_there_are_waited_for_in_the_triggerer(load: Any, lake: Path) -> None:
    sensor = load("lakesmith_nightly").task_dict["landing_online-retail"]
    sensor.night = "2010-12-03"

    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(Context())

    assert deferred.value.method_name == "arrived"
    assert deferred.value.trigger.batches == {"bronze.sales_lines": "2010-12-03"}


def test_a_blocked_batch_waits_without_a_worker_and_takes_no_retry(load: Any, lake: Path) -> None:
    task = submit(
        load,
        "features",
        night="2010-12-03",
        tables=("gold.daily_sales",),
        application_args=["--date", "2010-12-03", "--table", "gold.daily_sales"],
    )

    with pytest.raises(TaskDeferred) as deferred:
        task.execute(Context())

    assert deferred.value.method_name == "unblocked"
    assert deferred.value.trigger.batches == {"gold.daily_sales": "2010-12-03"}


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        pytest.param(
            ["--date", "2010-12-03", "--table", "silver.sale_lines"],
            "FailedForGood",
            "exit code 2 (usage). UsageError: there is no table 'silver.sale_lines'",
            id="2 fails",
        ),
        pytest.param(
            ["--date", "2010-12-03", "--table", "bronze.sales_lines"],
            "FailedForNow",
            "exit code 4 (missing). bronze.sales_lines 2010-12-03: is missing: online-retail: no file",
            id="4 tries later",
        ),
    ],
)
def test_the_exit_code_decides_about_a_retry(
    load: Any, lake: Path, arguments: list[str], error: str, said: str
) -> None:
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException) as failed:
        submit(load, "ingest", night="2010-12-03", application_args=arguments).execute(Context())

    assert type(failed.value).__name__ == error
    assert str(failed.value).startswith(said)
    assert "See: lakesmith status --from 2010-12-03 --to 2010-12-03 --env dev" in str(failed.value)


def test_a_backfill_runs_the_ranges_of_the_plan_and_nothing_else(
    metadata: None, load: Any, meters: Path, lake: Path
) -> None:
    for day in ("2024-01-01", "2024-01-02", "2024-01-04"):
        (lake / "landing" / "readings" / f"{day}.csv").write_text("Meter,kWh,Street\nm1,5,High St\n")
    asked = {"from": "2024-01-01", "to": "2024-01-04", "tables": ["bronze.readings"], "stale_only": False}

    run = load("lakesmith_backfill").test(run_conf=asked)

    assert str(run.state) == "success"
    found = [
        (t.task_id, t.map_index, str(t.state)) for t in run.get_task_instances() if t.task_id == "ingest"
    ]
    assert sorted(found) == [("ingest", 0, "success"), ("ingest", 1, "success")]
    states = json.loads(
        lakesmith(
            "status", "--from", "2024-01-01", "--to", "2024-01-04", "--table", "bronze.readings", "--json",
            "--project", str(meters),
        )
    )  # fmt: skip
    assert list(states_of(states)) == ["fresh", "fresh", "missing", "fresh"]

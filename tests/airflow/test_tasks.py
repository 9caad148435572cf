"""Backfills, trainings and what is told of failures: one task at a time, by real commands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow_tests import ROOT, Context, Webhook, lakesmith

from lakesmith.airflow.backfills import submissions
from lakesmith.airflow.declaring import opened
from lakesmith.airflow.notices import night_is_late, told_of_failures
from lakesmith.airflow.operators import FailedForGood
from lakesmith.airflow.verdicts import Action, Trouble, Verdict

PLACE = {"project": str(ROOT), "environment": "dev"}


def steps(**batches: list[str]) -> list[dict[str, Any]]:
    return [{"table": name.replace("__", "."), "batches": days} for name, days in batches.items()]


# Backfills.


def test_ranges_of_a_plan_are_nights_and_those_that_touch_go_together() -> None:
    graph = opened(ROOT, "dev").graph
    tables = ["gold.daily_sales", "gold.repurchase_labels"]
    plan = steps(
        gold__daily_sales=["2011-03-01", "2011-03-02", "2011-03-09"],
        gold__repurchase_labels=["2011-02-01"],  # thirty days behind its night, 2011-03-03
        silver__sales_lines=["2011-05-01"],
    )

    both = ["--table", "gold.daily_sales", "--table", "gold.repurchase_labels", "--stale-only"]
    assert submissions(graph, tables, plan, ["--stale-only"]) == [
        ["--from", "2011-03-01", "--to", "2011-03-03", *both],
        ["--from", "2011-03-09", "--to", "2011-03-09", *both],
    ]


def test_a_backfill_plans_what_its_parameters_ask_for(load: Any, lake: Path) -> None:
    lakesmith(
        "simulate", "--out", str(lake / "landing" / "online-retail"), "--from", "2010-12-01", "--days", "3",
        "--lines-per-day", "20", "--seed", "7",
    )  # fmt: skip
    dag = load("lakesmith_backfill")
    asked = {"from": "2010-12-01", "to": "2010-12-02", "tables": ["bronze.sales_lines"], "stale_only": False}

    found = dag.task_dict["plan_ingest"].execute(Context(params=asked))
    nothing = dag.task_dict["plan_features"].execute(Context(params=asked))

    assert found == [["--from", "2010-12-01", "--to", "2010-12-02", "--table", "bronze.sales_lines"]]
    assert nothing == []


# Training.


def test_a_training_that_nobody_asked_for_is_skipped(load: Any, lake: Path) -> None:
    task = load("lakesmith_training").task_dict["train_repurchase"]
    task.application_args = ["repurchase"]

    with pytest.raises(AirflowSkipException, match="no training is requested"):
        task.execute(Context(dag_run=SimpleNamespace(run_type="asset_triggered")))


def test_only_a_model_that_was_asked_for_starts_a_training(load: Any) -> None:
    task = load("lakesmith_nightly").task_dict["ask_for_repurchase"]

    # Requested by a check before this one, and not answered since.
    task.checked = {"retraining_requested": [], "retraining_wanted": ["repurchase"]}
    assert task.execute(Context()) is None
    task.checked = {"retraining_requested": [], "retraining_wanted": []}
    with pytest.raises(AirflowSkipException, match="no retraining of repurchase is requested"):
        task.execute(Context())


# What is told.


def failed(error: BaseException) -> dict[str, Any]:
    task = SimpleNamespace(dag_id="lakesmith_nightly", task_id="ingest", log_url="http://airflow.test/log")
    return {"ti": task, "exception": error, "logical_date": datetime(2011, 3, 1, 3, tzinfo=UTC)}


def test_a_failure_is_told_once_with_table_batch_reason_and_link(lake: Path, webhook: Webhook) -> None:
    trouble = Trouble("silver.sales_lines", "2011-03-01", "900 of 1,000 rows are wrong")
    error = FailedForGood(Verdict(Action.FAIL, (trouble,), "exit code 3"))
    tell = told_of_failures(**PLACE)

    tell(failed(error))
    tell(failed(error))

    [message] = webhook.posted
    assert "task_failed" in message
    for part in (
        "silver.sales_lines",
        "2011-03-01: 900 of 1,000 rows are wrong",
        "task ingest: http://airflow.test/log",
    ):
        assert part in message


def test_what_is_blocked_by_the_failure_is_not_told_beside_it(lake: Path, webhook: Webhook) -> None:
    causes = Trouble("silver.sales_lines", "2011-03-01", "900 of 1,000 rows are wrong")
    waits = Trouble("silver.products", "2011-03-01", "is blocked: needs silver.sales_lines", blocked=True)

    told_of_failures(**PLACE)(failed(FailedForGood(Verdict(Action.FAIL, (causes, waits), "exit code 3"))))

    [message] = webhook.posted
    assert "silver.sales_lines" in message
    assert "silver.products" not in message


def test_what_failed_before_any_table_is_told_of_the_dag(lake: Path, webhook: Webhook) -> None:
    told_of_failures(**PLACE)(failed(TimeoutError("the task took longer than an hour")))

    [message] = webhook.posted
    assert "dags.lakesmith_nightly" in message
    assert "2011-03-01: the task took longer than an hour" in message


def late(queued_at: str) -> dict[str, Any]:
    run = {
        "dag_id": "lakesmith_nightly",
        "dag_run_id": "scheduled__2011-03-01",
        "logical_date": "2011-03-01T03:00:00Z",
        "queued_at": queued_at,
        "state": "running",
    }
    return {"dag_run": run, "deadline": {"deadline_time": datetime(2011, 3, 2, 7, tzinfo=UTC)}}


def test_a_night_that_is_late_is_told(lake: Path, webhook: Webhook) -> None:
    asyncio.run(night_is_late(**PLACE, context=late("2011-03-02T03:00:01Z")))

    [message] = webhook.posted
    assert "night_late" in message
    assert "night 2011-03-01 is not done at 2011-03-02 07:00 UTC" in message


def test_a_night_that_is_caught_up_is_not_late(lake: Path, webhook: Webhook) -> None:
    asyncio.run(night_is_late(**PLACE, context=late("2026-11-22T09:00:00Z")))

    assert webhook.posted == []

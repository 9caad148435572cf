"""What job runs cost, as entries of `ops.runs`: shared out, written once, and by whoever comes next."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from amazon import REGION, set_credentials
from emr_applications import ROLE, Application, application
from lakesmith.aws.clients import Access
from lakesmith.aws.emr import EmrServerless, JobRun, JobState, Usage
from lakesmith.config.sections.aws import EmrPrices
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.ops import Ops, now
from lakesmith.ledger.records import RunOutcome, RunRecord
from lakesmith.shipping.emr_bill import cost, entries, settle

BEGUN = datetime(2024, 1, 2, 3, tzinfo=UTC)
PRICES = EmrPrices(vcpu_hour=0.05, memory_gb_hour=0.006, storage_gb_hour=0.0001)


def run(run_id: str, table: str, seconds: float) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        table=table,
        first=date(2024, 1, 1),
        last=date(2024, 1, 1),
        started_at=BEGUN,
        finished_at=BEGUN + timedelta(seconds=seconds),
        outcome=RunOutcome.REJECTED,
        exit_code=3,
        retryable=False,
        error="a rule",
        batches=1,
        batches_published=1,
        batches_rejected=0,
        rows_read=10,
        rows_published=9,
        rows_quarantined=1,
        rows_dropped=0,
        version=7,
        job="jobs/x.py",
        code_version="0123",
        lakesmith_version="0.1.0",
        environment="prod",
        spark_application="app-1",
        spark_jobs=4,
        warnings=("slow",),
        log="/logs/1",
        spark_ui="https://ui",
    )


def test_a_cost_is_hours_times_prices() -> None:
    assert cost(Usage(2, 8, 40), PRICES) == pytest.approx(2 * 0.05 + 8 * 0.006 + 40 * 0.0001)
    assert cost(Usage(2, 8, 40), EmrPrices()) is None
    free = EmrPrices(vcpu_hour=0, memory_gb_hour=0, storage_gb_hour=0)
    assert cost(Usage(2, 8, 40), free) == 0


def test_runs_share_a_job_run_by_their_time() -> None:
    job_run = JobRun("00f1", "lakesmith night", JobState.SUCCESS, used=Usage(4, 16, 8))
    runs = [run("a", "silver.readings", 30), run("b", "gold.usage", 90)]

    first, second = entries(job_run, runs, PRICES, "prod")

    names = ("run_id", "table", "first", "last", "started_at", "finished_at", "job", "environment", "log")
    assert [getattr(first, name) for name in names] == [getattr(runs[0], name) for name in names]
    assert (first.outcome, first.exit_code, first.error, first.version, first.warnings) == (
        RunOutcome.BILLED,
        0,
        "",
        None,
        (),
    )
    counted = ("batches", "batches_published", "rows_published", "rows_quarantined", "spark_jobs")
    assert [getattr(first, name) for name in counted] == [0] * 5
    assert (first.job_run, first.vcpu_hours, first.memory_gb_hours, first.storage_gb_hours) == (
        "00f1",
        1,
        4,
        2,
    )
    assert (second.vcpu_hours, second.memory_gb_hours, second.storage_gb_hours) == (3, 12, 6)
    whole = cost(Usage(4, 16, 8), PRICES)
    assert (first.cost or 0) + (second.cost or 0) == pytest.approx(whole)
    assert (first.currency, entries(job_run, runs, EmrPrices(), "prod")[0].currency) == ("USD", "")


def test_runs_without_time_share_evenly_and_a_job_run_without_runs_is_not_lost() -> None:
    job_run = JobRun("00f1", "lakesmith night", JobState.FAILED, created_at=BEGUN, used=Usage(4, 16, 8))

    even = entries(job_run, [run("a", "a.b", 0), run("b", "a.c", 0)], PRICES, "prod")
    [alone] = entries(job_run, [], PRICES, "prod")

    assert [entry.vcpu_hours for entry in even] == [2, 2]
    assert (alone.run_id, alone.table, alone.first, alone.job, alone.vcpu_hours, alone.environment) == (
        "00f1",
        "",
        date(2024, 1, 2),
        "lakesmith night",
        4,
        "prod",
    )


# Against the service.


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    set_credentials(monkeypatch)
    with application(monkeypatch) as made:
        yield made


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    return Ops(LakeLocation(str(tmp_path / "lake")))


def started(app: Application, token: str, *, name: str = "lakesmith night", environment: str = "prod") -> str:
    """A job run."""
    return EmrServerless(app.id, Access(region=REGION)).start(
        {
            "applicationId": app.id,
            "clientToken": token,
            "executionRoleArn": ROLE,
            "name": name,
            "jobDriver": {"sparkSubmit": {"entryPoint": "s3://artifacts/night.py"}},
            "tags": {"lakesmith:environment": environment, "lakesmith:submission": token},
        }
    )


def settled(app: Application, ops: Ops, **outcomes: dict[str, Any]) -> list[tuple[str, str, float | None]]:
    """What is added: the job run, the run, the virtual cores' hours."""
    added = settle(
        EmrServerless(app.id, Access(region=REGION)),
        ops,
        prices=PRICES,
        environment="prod",
        outcome=outcomes.get,
        moment=now(),
    )
    return [(entry.job_run, entry.run_id, entry.vcpu_hours) for entry in added]


def test_each_job_run_is_written_down_once(app: Application, ops: Ops) -> None:
    ops.append([run("a", "silver.readings", 30), run("b", "gold.usage", 90), run("c", "gold.other", 9)])
    one = started(app, "t1")
    app.move("SUCCESS", used=(4, 16, 8))
    two = started(app, "t2")
    app.move("FAILED", used=(1, 4, 0))
    outcome = {"tables": [{"runs": ["a"]}, {"runs": ["b"]}]}

    assert sorted(settled(app, ops, t1=outcome)) == sorted([(one, "a", 1), (one, "b", 3), (two, two, 1)])
    assert settled(app, ops, t1=outcome) == []

    found = ops.read(RunRecord).to_pylist()
    assert sum(row["rows_published"] for row in found) == 27
    assert sum(row["cost"] or 0 for row in found) == pytest.approx(5 * 0.05 + 20 * 0.006 + 8 * 0.0001)


def test_what_is_not_counted_yet_or_not_ours_waits(app: Application, ops: Ops) -> None:
    started(app, "t1", environment="dev")
    app.move("SUCCESS")
    started(app, "t2", name="somebody else's")
    app.move("SUCCESS")
    started(app, "t3")
    app.move("RUNNING")
    late = started(app, "t4")
    app.move("SUCCESS", used=None)
    assert settled(app, ops) == []

    app.move("SUCCESS", used=(1, 2, 3))
    assert settled(app, ops) == [(late, late, 1)]


def test_a_driver_without_a_record_is_known_by_sparks_application(app: Application, ops: Ops) -> None:
    killed = started(app, "t1")
    app.move("FAILED", used=(4, 16, 8))
    ops.append(
        [replace(run("a", "silver.readings", 30), spark_application=killed), run("b", "gold.usage", 5)]
    )
    assert settled(app, ops) == [(killed, "a", 4)]


def test_several_at_once_write_it_down_once(app: Application, ops: Ops) -> None:
    ops.append([run("a", "silver.readings", 30)])
    for number in range(3):
        started(app, f"t{number}")
        app.move("SUCCESS", used=(1, 2, 3))

    with ThreadPoolExecutor(4) as pool:
        added = [each for found in pool.map(lambda _: settled(app, ops), range(4)) for each in found]

    assert sorted(added) == sorted((job_run.id, job_run.id, 1) for job_run in app.job_runs)
    billed = ops.read(RunRecord, columns=["job_run"])["job_run"].to_pylist()
    assert sorted(name for name in billed if name) == sorted(job_run.id for job_run in app.job_runs)

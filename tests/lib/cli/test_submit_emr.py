"""`submit` to EMR Serverless as a command: what it shows, sends, follows, answers and writes down."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from amazon import REGION, Answer, set_credentials
from command_lines import Ask
from emr_applications import BUCKET, ROLE, Application, application
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import RunRecord
from lakesmith.shipping.packaging import build_archive
from workspaces import METERS


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    set_credentials(monkeypatch)
    with application(monkeypatch) as made:
        yield made


@pytest.fixture
def project(app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The meters project with its archive, whose environment prod is an application of EMR Serverless."""
    root = tmp_path / "meters"
    shutil.copytree(METERS, root)
    (root / "jobs" / "night.py").write_text("night = 1\n")
    settings = {
        "landing_root": f"s3://{BUCKET}/landing",
        "lake_root": f"s3://{BUCKET}/lake",
        "storage_options": storage_options(app),
        "spark": {"conf": {"spark.jars": "/opt/delta.jar"}},
        "aws": {"region": REGION, "attempts": 2},
        "emr": {
            "application": app.id,
            "role": ROLE,
            "code": f"s3://{BUCKET}/code",
            "outcomes": f"s3://{BUCKET}/outcomes",
            "poll": "1s",
            "prices": {"vcpu_hour": 0.05, "memory_gb_hour": 0.006, "storage_gb_hour": 0, "currency": "EUR"},
        },
    }
    (root / "conf" / "prod.yml").write_text(json.dumps(settings))
    monkeypatch.setenv("LAKESMITH_ARCHIVES", str(tmp_path / "archives"))
    monkeypatch.chdir(root)
    build_archive(root, root / "dist")
    return root


def storage_options(app: Application) -> dict[str, str]:
    return {
        "aws_endpoint_url": app.address,
        "aws_allow_http": "true",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
        "aws_region": "us-east-1",
        "conditional_put": "etag",
    }


def keys(app: Application, prefix: str) -> list[str]:
    """What stands in the bucket below a prefix."""
    s3 = boto3.client("s3", "us-east-1", endpoint_url=app.address)
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in found]


def ends(
    app: Application, state: str, outcome: dict[str, Any] | None = None
) -> Callable[[Any], Answer | None]:
    """At the first look the job run ends so, after its driver has left a record."""

    def look(request: Any) -> Answer | None:
        if request.operation.startswith("GET") and app.job_runs[-1].state == "SUBMITTED":
            [defaults] = app.job_runs[-1].job_driver["sparkSubmit"]["entryPointArguments"][-1:]
            uri = defaults.removeprefix(f"--outcome=s3://{BUCKET}/")
            if outcome is not None:
                s3 = boto3.client("s3", "us-east-1", endpoint_url=app.address)
                s3.put_object(Bucket=BUCKET, Key=uri, Body=json.dumps(outcome).encode())
            app.move(state, used=(2, 8, 0))
        return None

    return look


def test_the_request_is_shown_and_nothing_done(ask: Ask, app: Application, project: Path) -> None:
    answer = ask("submit", "night", "--date", "2024-01-01", "--env", "prod", "--show")

    assert answer.code == 0
    request = json.loads(answer.out)
    spark = request["jobDriver"]["sparkSubmit"]
    assert (request["applicationId"], request["executionRoleArn"]) == (app.id, ROLE)
    assert spark["entryPoint"].endswith("/night.py")
    assert spark["entryPointArguments"][:-1] == ["--date=2024-01-01", "--env", "prod"]
    assert (app.asked, keys(app, "")) == ([], [])


def test_success_from_the_code_to_the_cost(ask: Ask, app: Application, project: Path, tmp_path: Path) -> None:
    outcome = {"exit_code": 0, "outcome": "done", "tables": []}
    app.fault = ends(app, "SUCCESS", outcome)
    answer = ask(
        "submit", "night", "--date", "2024-01-01", "--env", "prod", "--outcome", str(tmp_path / "o.json")
    )

    assert answer.code == 0, answer.err
    [job_run] = app.job_runs
    assert f"job run {job_run.id}: SUCCESS" in answer.err
    assert f"job run {job_run.id} used 2.000 vCPU hours and 8.000 GB hours, 0.1480 EUR" in answer.err
    assert json.loads((tmp_path / "o.json").read_text()) == outcome
    [archive] = (project / "dist").iterdir()
    assert sorted(key.rpartition("/")[2] for key in keys(app, "code/")) == [archive.name, "night.py"]
    ops = Ops(LakeLocation(f"s3://{BUCKET}/lake", storage_options(app)))
    [entry] = [RunRecord.from_row(r) for r in ops.read(RunRecord).to_pylist()]
    assert (entry.job_run, entry.table, entry.vcpu_hours, entry.currency) == (job_run.id, "", 2, "EUR")

    # A second night sends no code and adds its own cost only.
    again = ask("submit", "night", "--date", "2024-01-02", "--env", "prod")
    assert (again.code, " is sent to " in again.err) == (0, False)
    assert ops.read(RunRecord).num_rows == 2


def test_a_failure_answers_with_the_jobs_exit_code(ask: Ask, app: Application, project: Path) -> None:
    tables = [{"table": "silver.readings", "error": "SchemaMismatch: unit is missing", "runs": []}]
    app.fault = ends(app, "FAILED", {"exit_code": 3, "tables": tables})
    answer = ask("submit", "night", "--date", "2024-01-01", "--env", "prod")

    assert answer.code == 3
    assert "silver.readings: SchemaMismatch: unit is missing" in answer.err


def test_throttling_is_an_outcome_that_a_scheduler_reads(
    ask: Ask, app: Application, project: Path, tmp_path: Path
) -> None:
    app.fault = lambda _: Answer({"message": "Rate exceeded"}, 400, "ThrottlingException")
    answer = ask(
        "submit", "night", "--date", "2024-01-01", "--env", "prod", "--outcome", str(tmp_path / "o.json")
    )

    assert answer.code == 1
    assert "No job run was started." in answer.err
    found = json.loads((tmp_path / "o.json").read_text())
    assert (found["exit_code"], found["retryable"], found["error"].split(":")[0]) == (1, True, "AwsThrottled")


def test_a_master_is_still_a_master(ask: Ask, app: Application, project: Path) -> None:
    spark = ["--master", "local[*]", "--show"]
    assert "spark-submit" in ask("submit", "night", "--date", "2024-01-01", "--env", "prod", *spark).out
    answer = ask("submit", "night", "--env", "prod", "--deploy-mode", "cluster")
    assert (answer.code, "--deploy-mode is for --master" in answer.err) == (2, True)


@pytest.mark.e2e
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_interrupted_takes_its_job_run_along(
    app: Application, project: Path, number: signal.Signals, code: int
) -> None:
    program = "import sys; from lakesmith.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "submit", "night", "--date", "2024-01-01", "--env", "prod"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line.strip())
            # A line that is interrupted is written twice, and a second signal would end the command at once.
            if line.endswith("is submitted\n") and said.count(said[-1]) == 1:
                process.send_signal(number)
        process.wait(30)

    [job_run] = app.job_runs
    assert (process.returncode, job_run.state) == (code, "CANCELLED")
    assert said[-3:-1] == [f"job run {job_run.id} is told to end", f"job run {job_run.id} is cancelled"]


def test_neither_spark_nor_pandas_is_needed(app: Application, project: Path) -> None:
    code = (
        "import sys; from lakesmith.cli.main import main; "
        "assert main(['submit', 'night', '--date', '2024-01-01', '--env', 'prod', '--show']) == 0; "
        "print({'pyspark', 'pandas', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "set()")

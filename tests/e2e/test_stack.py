"""The stack as somebody uses it: up, looked at, hurt, down, and all of it again. Airflow takes part where it is installed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import boto3
import mlflow
import psutil
import psycopg2
import pytest

from stacks import Machine, stack_project, until

pytestmark = pytest.mark.e2e

SERVICES = ["postgres", "mlflow", "s3", "spark-master", "spark-worker-1", "spark-history"]


@pytest.fixture
def machine() -> Iterator[Machine]:
    with stack_project() as project:
        machine = Machine(project, project)
        yield machine
        machine.stack("down")


def test_up_and_down_twice_with_a_crash_between(machine: Machine) -> None:
    for _ in range(2):
        up = machine.stack("up")
        assert up.returncode == 0, up.stderr
        found = machine.status()
        assert {name: found[name]["health"] for name in SERVICES} == dict.fromkeys(SERVICES, "well")
        assert_everything_is_of_use(machine)
        assert_all_descend_from_the_supervisor(machine)
        assert_a_second_up_changes_nothing(machine, found)
        assert_a_crash_is_told_and_mended(machine)
        down = machine.stack("down")
        assert (down.returncode, down.stdout) == (0, "the stack is down: no process and no port is left\n"), (
            down.stderr
        )
        assert (machine.processes(), machine.listening()) == ([], [])
    assert machine.stack("down").stdout == "the stack was not up\n"


def assert_everything_is_of_use(machine: Machine) -> None:
    """Real requests to each: a log-in, a run with a file, an object, a registered worker, a list of applications."""
    passfile = machine.project / ".stack" / "secrets" / "pgpass"
    assert passfile.stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg2.OperationalError, match=r"no password supplied|authentication failed"):
        psycopg2.connect(
            host="127.0.0.1",
            port=machine.ports["postgres"],
            user="lakesmith",
            dbname="mlflow",
            passfile="/dev/null",
        )
    client = mlflow.MlflowClient(f"http://127.0.0.1:{machine.ports['mlflow']}")
    experiment = client.get_experiment_by_name("trial")
    run = client.create_run(experiment.experiment_id if experiment else client.create_experiment("trial"))
    client.log_text(run.info.run_id, "kept", "note.txt")
    assert [entry.path for entry in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{machine.ports['s3']}",
        region_name="eu-west-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    s3.put_object(Bucket="lakesmith", Key="note", Body=b"kept")
    assert s3.get_object(Bucket="lakesmith", Key="note")["Body"].read() == b"kept"
    until(lambda: machine.url("spark_master_ui", "/json/")["aliveworkers"] == 1)
    assert machine.url("spark_history", "/api/v1/applications") == []


def assert_all_descend_from_the_supervisor(machine: Machine) -> None:
    supervisor = int((machine.project / ".stack" / "supervisor.pid").read_text())
    family = {supervisor, *(child.pid for child in psutil.Process(supervisor).children(recursive=True))}
    assert [process for process in machine.processes() if process.pid not in family] == []


def assert_a_second_up_changes_nothing(machine: Machine, before: dict[str, dict[str, Any]]) -> None:
    again = machine.stack("up")
    assert (again.returncode, again.stderr) == (0, "")
    now = machine.status()
    assert {name: now[name]["pid"] for name in SERVICES} == {name: before[name]["pid"] for name in SERVICES}


def assert_a_crash_is_told_and_mended(machine: Machine) -> None:
    pid = machine.status()["s3"]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: machine.status()["s3"]["health"] == "well" and machine.status()["s3"]["pid"] != pid)
    assert machine.status()["s3"]["endings"] == ["terminated by SIGKILL"]
    assert "1 restart, the last: terminated by SIGKILL" in " ".join(machine.stack("status").stdout.split())


def test_a_service_that_cannot_start_is_told_with_the_end_of_its_log(machine: Machine) -> None:
    up = machine.stack("up", "postgres", LAKESMITH__STACK__DATABASE="postgresql")
    assert up.returncode == 0, up.stderr
    assert machine.stack("down").returncode == 0
    (machine.project / ".stack" / "postgres" / "PG_VERSION").write_text("1\n")
    failed = machine.stack("up", "postgres")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: postgres ended: exit status 1. The end of ")
    assert "is not compatible with this version" in failed.stderr
    status = machine.stack("status")
    assert status.returncode == 1
    assert "is not compatible with this version" in status.stdout
    assert machine.stack("down").returncode == 0
    assert machine.processes() == []


def test_what_lost_its_supervisor_is_told_and_ended(machine: Machine) -> None:
    assert machine.stack("up", "mlflow", LAKESMITH__STACK__DATABASE="auto").returncode == 0
    os.kill(int((machine.project / ".stack" / "supervisor.pid").read_text()), signal.SIGKILL)
    until(lambda: machine.stack("status").returncode == 1)
    assert (
        "of the stack without a supervisor. End them: lakesmith stack down" in machine.stack("status").stdout
    )
    down = machine.stack("down")
    assert (down.returncode, down.stdout) == (0, "the stack is down: no process and no port is left\n")
    assert (machine.processes(), machine.listening()) == ([], [])


def test_without_postgresql_sqlite_stands_in_and_the_table_says_so(machine: Machine) -> None:
    up = machine.stack("up", "mlflow", LAKESMITH__STACK__DATABASE="sqlite")
    assert up.returncode == 0, up.stderr
    assert "SQLite stands in: stack.database is sqlite" in up.stdout
    assert (machine.project / ".stack" / "mlflow" / "mlflow.db").exists()
    assert machine.stack("down", LAKESMITH__STACK__DATABASE="sqlite").returncode == 0
    assert (machine.processes(), machine.listening()) == ([], [])

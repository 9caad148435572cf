"""The modules of an environment on an emulator of Amazon's services: applied, planned again, destroyed. `make terraform` runs it.

Owns the emulator and what is compared there: Glue's columns with the contracts', and what the alarms look for with what Lakesmith
prints. Not named `test_...`, since Terraform is not among what `make test` needs.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from lakesmith.alerts.channels.log import LogChannel
from lakesmith.alerts.decisions import Notice, NoticeKind
from lakesmith.alerts.messages import message
from lakesmith.config.load import load_settings
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Contract
from lakesmith.engine.logs import log_to_stderr
from lakesmith.lake.tables import delta_schema
from lakesmith.ledger.alerts import Alert
from receivers import free_port
from stacks import until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "terraform" / "tests" / "emulated"
LAKE = "s3://lakesmith-dev-lake-123456789012/lake"


class Emulated:
    """An emulator, and Terraform with a state of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._state = folder / "terraform.tfstate"
        self._environ = {
            **os.environ,
            "TF_VAR_endpoint": self.endpoint,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def terraform(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of Terraform in the root of the emulated environment."""
        return subprocess.run(
            ["terraform", f"-chdir={FOLDER}", command, *options, f"-state={self._state}"],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, command: str, *options: str) -> str:
        """The same, where it must go well."""
        ran = self.terraform(command, *options)
        assert ran.returncode == 0, f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return ran.stdout

    def client(self, service: str) -> Any:
        """A client of one of its services."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="eu-west-1",
            aws_access_key_id="emulated",
            aws_secret_access_key="emulated",
        )


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    port = free_port()
    server = subprocess.Popen(
        [str(Path(sys.prefix) / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    made = Emulated(tmp_path_factory.mktemp("emulated"), port)
    try:
        until(lambda: _answers(made.endpoint), seconds=120)
        yield made
    finally:
        server.terminate()
        server.wait()


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/moto-api/data.json", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def applied(emulated: Emulated) -> dict[str, Any]:
    """The outputs of the environment, once it is there."""
    emulated.done("apply", "-auto-approve", "-input=false", "-no-color")
    outputs = json.loads(emulated.done("output", "-json"))
    return {name: output["value"] for name, output in outputs.items()}


def test_the_settings_are_put_out(applied: dict[str, Any]) -> None:
    settings = applied["settings"]
    assert settings["lake_root"] == LAKE
    assert settings["landing_root"] == "s3://lakesmith-dev-landing-123456789012/landing"
    assert settings["mlflow.tracking_uri"] == "https://mlflow.example.com"
    assert settings["emr.role"] == "arn:aws:iam::123456789012:role/lakesmith-dev-pipeline"


def glue_columns(contract: Contract, *, subjects: bool = True) -> list[str]:
    """The columns of a table as Delta has them, in Hive's names."""
    types = {column.name: str(column.type) for column in contract.columns}
    partition = {"batch_date": "date", "key_bucket": "int"}
    left_out = set() if subjects else {column.name for column in contract.columns if column.subject}
    names = [field.name for field in delta_schema(contract).fields]
    return [f"{name} {types.get(name) or partition[name]}" for name in names if name not in left_out]


def test_glue_has_the_columns_of_the_tables(emulated: Emulated, applied: dict[str, Any]) -> None:
    contracts = load_project(ROOT).graph.contracts
    assert applied["columns"] == {table: glue_columns(contract) for table, contract in contracts.items()}
    assert applied["analysts_columns"] == {
        table: glue_columns(contract, subjects=False)
        for table, contract in contracts.items()
        if table.startswith("gold.")
    }
    glue = emulated.client("glue")
    for table in contracts:
        found = glue.get_table(DatabaseName="lakesmith_dev_lake", Name=table.replace(".", "_"))["Table"]
        columns = found["StorageDescriptor"]["Columns"]
        assert [f"{column['Name']} {column['Type']}" for column in columns] == applied["columns"][table]
        assert found["StorageDescriptor"]["Location"] == f"{LAKE}/{table.replace('.', '/')}/"


def test_a_versions_life_is_longer_than_a_tables_history(emulated: Emulated, applied: dict[str, Any]) -> None:
    history = load_settings("prod", ROOT, {}).retention.nights
    rules = emulated.client("s3").get_bucket_lifecycle_configuration(
        Bucket="lakesmith-dev-lake-123456789012"
    )["Rules"]
    kept = {
        rule["ID"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if "NoncurrentVersionExpiration" in rule
    }
    assert kept == {"what-the-lake-gave-up": 120, "renewed-leases": 1}
    assert kept["what-the-lake-gave-up"] * 86_400 > history


# --- what the alarms look for --------------------------------------------------------------------------------------------


def counted(patterns: dict[str, dict[str, str]], line: str) -> dict[str, int]:
    """How often a line counts for each metric, by CloudWatch's grammar of filter patterns as far as the module uses it."""
    found: dict[str, int] = {}
    for each in patterns.values():
        found[each["metric"]] = found.get(each["metric"], 0) + matches(each["pattern"], line)
    return {metric: count for metric, count in found.items() if count}


_CLAUSE = re.compile(r'\(\$\.(\w+) (=|!=) "([^"]*)"\)')


def matches(pattern: str, line: str) -> bool:
    """A phrase in quotes stands in the line, or every comparison of a JSON pattern holds; a `*` ends a comparison only."""
    if pattern.startswith('"'):
        return pattern.strip('"') in line
    clauses = pattern.removeprefix("{ ").removesuffix(" }").split(" && ")
    try:
        fields = json.loads(line)
    except json.JSONDecodeError:
        return False
    for clause in clauses:
        parsed = _CLAUSE.fullmatch(clause)
        assert parsed is not None, clause
        field, operator, wanted = parsed.groups()
        value = str(fields.get(field, ""))
        same = value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted
        if same is (operator == "!="):
            return False
    return True


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """The lines that a process prints which logs as prod does."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    root.handlers = []
    log_to_stderr(load_settings("prod", ROOT, {}))

    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    try:
        yield lines
    finally:
        root.handlers, root.level = before


def alert(rule: str, severity: str, kind: NoticeKind) -> Notice:
    moment = datetime(2011, 3, 2, 4, tzinfo=UTC)
    found = Alert(
        rule=rule,
        subject="gold.customer_scores",
        severity=severity,
        names=("2011-03-01",),
        text="what is wrong",
        night=date(2011, 3, 1),
        opened_at=moment,
        opened_night=date(2011, 3, 1),
    )
    return Notice(kind, found)


COUNTED = {
    ("batch_failed", "critical"): {"NightFailed": 2},
    ("batch_rejected", "critical"): {"NightFailed": 2},
    ("batch_blocked", "warning"): {"NightFailed": 2},
    ("table_not_updated", "critical"): {"NightFailed": 2},
    ("night_late", "critical"): {"NightLate": 2},
    ("night_late", "warning"): {"NightLate": 2},
    ("zero_scores", "critical"): {"ZeroScores": 2},
    ("drift", "warning"): {},
}


@pytest.mark.parametrize(("rule", "severity"), COUNTED)
def test_an_alert_counts_when_it_is_opened_and_only_then(
    applied: dict[str, Any], printed: Any, rule: str, severity: str
) -> None:
    wanted = dict.fromkeys(COUNTED[rule, severity], 1)
    for kind in NoticeKind:
        LogChannel().send(message([alert(rule, severity, kind)], "prod", date(2011, 3, 1), "pages"))
        [line] = printed()
        jobs = {
            name: each for name, each in applied["filter_patterns"].items() if not name.startswith("airflow")
        }
        assert counted(jobs, line) == (wanted if kind is NoticeKind.OPENED else {})


def test_what_a_job_published_counts_for_its_table(applied: dict[str, Any], printed: Any) -> None:
    log = logging.getLogger("lakesmith")
    patterns = applied["filter_patterns"]
    said = "%s: %d batches published (%d rows), %d unchanged"
    # As lakesmith.engine.submit says it at a job's end; the next test holds that it does.
    log.info(said, "gold.customer_scores", 1, 4213, 0)
    log.info(said, "gold.customer_scores", 0, 0, 1)
    log.info(said, "gold.customer_scores_shadow", 1, 4213, 0)
    log.error("%s: %s: %s", "gold.customer_scores", "DataRejected", "a batch was refused")
    logging.getLogger("lakesmith.engine.run").info(
        "%s: run %s of %d batches begins", "gold.customer_scores", "x", 1
    )

    lines = printed()
    assert [counted(patterns, line) for line in lines] == [
        {"Published.gold.customer_scores": 1},
        {},
        {},
        {},
        {},
    ]


def test_jobs_end_with_that_line() -> None:
    text = (ROOT / "lib" / "lakesmith" / "engine" / "submit.py").read_text(encoding="utf-8")
    assert '"%s: %d batches published (%d rows), %d unchanged"' in text
    assert 'log = logging.getLogger("lakesmith")' in text


# --- again, and away -----------------------------------------------------------------------------------------------------


def test_a_second_plan_changes_nothing(emulated: Emulated, applied: dict[str, Any]) -> None:
    planned = emulated.terraform("plan", "-detailed-exitcode", "-input=false", "-no-color")
    assert planned.returncode == 0, planned.stdout[-3000:]
    assert "No changes." in planned.stdout


def test_destroyed_nothing_is_left(emulated: Emulated, applied: dict[str, Any]) -> None:
    emulated.client("s3").put_object(
        Bucket="lakesmith-dev-lake-123456789012", Key="lake/gold/daily_sales/_delta_log/00.json", Body=b"{}"
    )
    emulated.done("destroy", "-auto-approve", "-input=false", "-no-color")
    assert emulated.client("s3").list_buckets()["Buckets"] == []
    assert [
        role["RoleName"]
        for role in emulated.client("iam").list_roles()["Roles"]
        if role["RoleName"].startswith("lakesmith")
    ] == []
    assert emulated.client("emr-serverless").list_applications()["applications"] == []

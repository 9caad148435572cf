"""The modules of an environment on an emulator of Amazon's services: applied, planned again, destroyed. `make terraform` runs it.

Owns the emulator and what is compared there: Glue's columns with the contracts', and what the alarms look for with what Lakesmith
prints. Not named `test_...`, since Terraform is not among what `make test` needs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import prod_log
from lakesmith.alerts.decisions import NoticeKind
from lakesmith.config.load import load_settings
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Contract
from lakesmith.lake.tables import delta_schema
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
        [
            sys.executable,
            str(Path(__file__).parents[1] / "mended_moto.py"),
            "-H",
            "127.0.0.1",
            "-p",
            str(port),
        ],
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


def summary(said: str) -> str:
    """The line in which Terraform says what it did."""
    return next(
        line for line in said.splitlines() if re.match(r"(Apply|Destroy) complete!|No changes\.", line)
    )


@pytest.fixture(scope="module")
def applied(emulated: Emulated) -> dict[str, Any]:
    """The outputs of the environment, once it is there."""
    print("\n" + summary(emulated.done("apply", "-auto-approve", "-input=false", "-no-color")))
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


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """The lines of a process that logs as prod does."""
    ran = subprocess.run([sys.executable, prod_log.__file__], capture_output=True, text=True, check=True)
    return ran.stderr.splitlines()


def test_an_alert_counts_when_it_is_opened_and_only_then(applied: dict[str, Any], printed: list[str]) -> None:
    patterns = applied["filter_patterns"]
    alerts = [line for line in printed if '"lakesmith.alerts"' in line]
    kinds = [(rule, severity, kind) for rule, severity in prod_log.ALERTS for kind in NoticeKind]
    assert len(alerts) == len(kinds)
    metrics = {"night_late": "NightLate", "zero_scores": "ZeroScores"}
    for line, (rule, severity, kind) in zip(alerts, kinds, strict=True):
        metric = metrics.get(rule, "NightFailed")
        wanted = {metric: 1} if kind is NoticeKind.OPENED and rule != "drift" else {}
        assert counted(patterns, line) == wanted, (rule, severity, kind, line)


def test_what_a_job_published_counts_for_its_table(applied: dict[str, Any], printed: list[str]) -> None:
    jobs = [line for line in printed if '"lakesmith.alerts"' not in line]
    assert [counted(applied["filter_patterns"], line) for line in jobs] == [
        {"Published.gold.customer_scores": 1},
        {},
        {},
        {},
    ]


def test_jobs_end_with_that_line() -> None:
    text = (ROOT / "lib" / "lakesmith" / "engine" / "submit.py").read_text(encoding="utf-8")
    assert f'"{prod_log.SAID}"' in text
    assert 'log = logging.getLogger("lakesmith")' in text


# --- again, and away -----------------------------------------------------------------------------------------------------


def test_a_second_plan_changes_nothing(emulated: Emulated, applied: dict[str, Any]) -> None:
    planned = emulated.terraform("plan", "-detailed-exitcode", "-input=false", "-no-color")
    assert planned.returncode == 0, planned.stdout[-3000:]
    print("\n" + summary(planned.stdout))


def test_destroyed_nothing_is_left(emulated: Emulated, applied: dict[str, Any]) -> None:
    print("\n" + summary(emulated.done("destroy", "-auto-approve", "-input=false", "-no-color")))
    assert emulated.client("s3").list_buckets()["Buckets"] == []
    assert [
        role["RoleName"]
        for role in emulated.client("iam").list_roles()["Roles"]
        if role["RoleName"].startswith("lakesmith")
    ] == []
    assert emulated.client("glue").get_databases()["DatabaseList"] == []

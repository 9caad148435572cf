"""The doctor: every mistake found, named, with what helps; nothing changed."""

from __future__ import annotations

import hashlib
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lakesmith.engine.doctor import Check, Verdict, examine
from workspaces import METERS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The meters project with one landing file and a jar as its lock says."""
    for name in ("LAKESMITH_ENV", "LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "meters"
    shutil.copytree(METERS, root)
    (root / "landing" / "readings").mkdir(parents=True)
    (root / "landing" / "readings" / "2024-01-01.csv").write_text("Meter,kWh\n")
    (root / ".jars").mkdir()
    (root / ".jars" / "delta.jar").write_bytes(b"delta")
    sha256 = hashlib.sha256(b"delta").hexdigest()
    (root / ".jars" / "jars.lock").write_text(f"{sha256} io.delta:delta-storage:4.0.1 delta.jar\n")
    return root


def _found(project: Path, subject: str) -> list[Check]:
    return [check for check in examine("dev", project) if check.subject == subject]


def _problems(project: Path) -> list[Check]:
    return [check for check in examine("dev", project) if check.verdict is Verdict.PROBLEM]


def test_a_healthy_project_has_no_problem(project: Path) -> None:
    assert _problems(project) == []
    assert _found(project, "source readings") == [
        Check("source readings", Verdict.OK, "files of 1 days, 2024-01-01 .. 2024-01-01")
    ]
    assert not (project / "lake").exists()
    assert sorted(path.name for path in project.iterdir()) == [".jars", "conf", "jobs", "landing"]


def test_all_mistakes_of_contracts_are_listed(project: Path) -> None:
    for table in ("bronze.readings", "gold.usage"):
        path = project / "conf" / "tables" / f"{table}.yml"
        path.write_text(path.read_text().replace("owner:", "onwer:"))
    problems = _problems(project)
    assert {check.subject for check in problems} == {"contracts"}
    for table in ("bronze.readings", "gold.usage"):
        assert any(f"conf/tables/{table}.yml" in check.found for check in problems)
    assert all(check.next_step for check in problems)


def test_mistakes_of_settings_do_not_hide_the_rest(project: Path) -> None:
    (project / "conf" / "dev.yml").write_text("lease: {wiat: 5m}\npublish: {attempts: 0}\n")
    checks = list(examine("dev", project))
    assert len([c for c in checks if c.subject == "settings" and c.verdict is Verdict.PROBLEM]) == 2
    assert any(c.subject == "extra spark" for c in checks)


def test_a_missing_transform_is_named(project: Path) -> None:
    (project / "jobs" / "gold" / "usage.py").write_text("x = 1\n")
    assert [(c.subject, c.found.split(":")[0]) for c in _problems(project)] == [("jobs", "gold.usage")]


def test_a_jar_with_other_bytes_is_a_problem_and_stays(project: Path) -> None:
    (project / ".jars" / "delta.jar").write_bytes(b"else")
    (found,) = _found(project, "jars")
    assert (found.verdict, found.next_step) == (Verdict.PROBLEM, "make env")
    assert "delta.jar is not the file that jars.lock names (SHA-256)" in found.found
    assert (project / ".jars" / "delta.jar").exists()


def test_jars_that_were_never_fetched(project: Path) -> None:
    shutil.rmtree(project / ".jars")
    (found,) = _found(project, "jars")
    assert (found.verdict, found.next_step) == (Verdict.PROBLEM, "make env")


@pytest.mark.parametrize("root", ["hdfs://cluster/lake", "file:///lake", "dbfs://lake", "memory://lake"])
def test_a_lake_where_commits_can_be_lost_is_refused(project: Path, root: str) -> None:
    (project / "conf" / "dev.yml").write_text(f"lake_root: '{root}'\n")
    (found,) = _found(project, "lake root")
    assert found.verdict is Verdict.PROBLEM
    assert "no put-if-absent" in found.found


@pytest.mark.parametrize("root", ["gs://bucket/lake", "abfss://files@account/lake"])
def test_a_lake_where_nobody_has_tried_is_refused(project: Path, root: str) -> None:
    (project / "conf" / "dev.yml").write_text(f"lake_root: '{root}'\n")
    (found,) = _found(project, "lake root")
    assert found.verdict is Verdict.PROBLEM
    assert "whether of two commits to" in found.found
    assert "was never tried" in found.found


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_an_mlflow_server_is_asked(project: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        settings = f"mlflow: {{tracking_uri: 'http://user:hush@{address}'}}\n"
        (project / "conf" / "dev.yml").write_text(settings)
        assert _found(project, "mlflow") == [Check("mlflow", Verdict.OK, f"http://{address} answers")]
        server.shutdown()
    (found,) = _found(project, "mlflow")
    assert found.verdict is Verdict.WARNING
    assert found.found.startswith(f"http://{address} does not answer: ")
    assert "hush" not in found.found


def test_the_spark_submit_that_would_be_used_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spark = project / "spark" / "bin" / "spark-submit"
    spark.parent.mkdir(parents=True)
    spark.touch(mode=0o755)
    monkeypatch.setenv("SPARK_HOME", str(project / "spark"))
    assert _found(project, "spark-submit") == [Check("spark-submit", Verdict.OK, str(spark))]


def test_unsafe_renames_are_refused(project: Path) -> None:
    (project / "conf" / "dev.yml").write_text("storage_options: {AWS_S3_ALLOW_UNSAFE_RENAME: 'true'}\n")
    found = _found(project, "lake root")
    assert found[0].verdict is Verdict.PROBLEM
    assert "lets two commits overwrite each other" in found[0].found


def test_a_lake_root_that_is_a_file(project: Path) -> None:
    (project / "lake").write_text("")
    (found,) = _found(project, "lake root")
    assert found.verdict is Verdict.PROBLEM
    assert "is not a folder" in found.found


def test_a_lake_that_a_newer_version_wrote(project: Path) -> None:
    from deltalake import DeltaTable

    from lakesmith.ledger.ops import FORMAT
    from lakesmith.ledger.records import RunRecord

    DeltaTable.create(
        str(project / "lake" / "ops" / "runs"),
        RunRecord.schema,
        configuration={"lakesmith.format": str(FORMAT + 1)},
        raise_if_key_not_exists=False,
    )
    assert [c.subject for c in _problems(project)] == ["tables"]


def test_a_landing_root_that_is_not_there_is_a_warning(project: Path) -> None:
    shutil.rmtree(project / "landing")
    (found,) = _found(project, "landing root")
    assert found.verdict is Verdict.WARNING
    assert "LAKESMITH__LANDING_ROOT" in found.next_step


def test_no_project_is_a_problem_beside_the_packages(tmp_path: Path) -> None:
    checks = list(examine("dev", tmp_path))
    assert [c.subject for c in checks if c.verdict is Verdict.PROBLEM] == ["project"]
    assert any(c.subject.startswith("extra ") for c in checks)

"""Which services are declared, by settings; and that images and containers are the same ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakesmith.config.load import load_settings
from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError, UsageError
from lakesmith.stack.database import choose_database
from lakesmith.stack.declaration import AIRFLOW, declare
from lakesmith.stack.keys import Keys
from lakesmith.stack.places import Places
from lakesmith.stack.service import Absent, Declaration, Http, Login
from lakesmith.stack.supervisor import configuration

ROOT = Path(__file__).parents[3]
SPARK = ["spark-master", "spark-worker-1", "spark-worker-2", "spark-history"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of the environment `stack`, with an Airflow that is there as far as a declaration asks."""
    (tmp_path / "airflow" / "bin").mkdir(parents=True)
    (tmp_path / "airflow" / "bin" / "airflow").touch()
    return settings_with(tmp_path)


def settings_with(tmp_path: Path, **stack: str) -> Settings:
    values = {"folder": str(tmp_path / "s"), "airflow": str(tmp_path / "airflow"), **stack}
    environ = {f"LAKESMITH__STACK__{name.upper()}": value for name, value in values.items()}
    return load_settings("stack", ROOT, environ)


def declared(settings: Settings) -> Declaration:
    return declare(settings, Places.of(settings))


def test_every_service_comes_after_what_it_needs(settings: Settings) -> None:
    declaration = declared(settings)
    names = [service.name for service in declaration.services]
    assert names == ["postgres", "mlflow", "s3", *SPARK, *AIRFLOW]
    for number, service in enumerate(declaration.services):
        assert set(service.needs) <= set(names[:number])
    assert {s.name: s.needs for s in declaration.services if s.needs} == {
        "mlflow": ("postgres",),
        "spark-worker-1": ("spark-master",),
        "spark-worker-2": ("spark-master",),
        "airflow-migrate": ("postgres",),
        "airflow-api-server": ("airflow-migrate",),
        "airflow-scheduler": ("airflow-migrate",),
        "airflow-dag-processor": ("airflow-migrate",),
        "airflow-triggerer": ("airflow-migrate",),
    }


def test_every_port_of_the_settings_is_somebodys(settings: Settings) -> None:
    found = {name: port for service in declared(settings).services for name, port in service.ports.items()}
    assert found == settings.stack.listening()


def test_each_is_asked_for_what_only_it_knows(settings: Settings) -> None:
    probes = {service.name: service.probe for service in declared(settings).services}
    health = "http://127.0.0.1:8080/api/v2/monitor/health"
    passfile = settings.stack.folder / "secrets" / "pgpass"
    assert probes == {
        "postgres": Login("127.0.0.1", 5433, "lakesmith", "postgres", passfile),
        "mlflow": Http("http://127.0.0.1:5000/health"),
        "s3": Http("http://127.0.0.1:9000/lakesmith", method="PUT"),
        "spark-master": Http("http://127.0.0.1:8081/json/", ("status",), "ALIVE"),
        "spark-worker-1": Http("http://127.0.0.1:8082/json/"),
        "spark-worker-2": Http("http://127.0.0.1:8083/json/"),
        "spark-history": Http("http://127.0.0.1:18080/api/v1/applications"),
        "airflow-migrate": None,
        "airflow-api-server": Http(health, ("metadatabase", "status"), "healthy"),
        "airflow-scheduler": Http(health, ("scheduler", "status"), "healthy"),
        "airflow-dag-processor": Http(health, ("dag_processor", "status"), "healthy"),
        "airflow-triggerer": Http(health, ("triggerer", "status"), "healthy"),
    }


def test_the_environment_stack_uses_what_the_stack_starts(settings: Settings) -> None:
    declaration, places = (
        declared(settings_with(Path("/nowhere"))),
        Places.of(load_settings("stack", ROOT, {})),
    )
    history = declaration.named("spark-history")
    assert settings.mlflow.tracking_uri == declaration.named("mlflow").address
    assert declaration.named("spark-master").note == f"applications: {settings.spark.master}"
    assert str(places.spark_events) == settings.event_log
    assert history.address == settings.spark.history_url


def test_airflow_reaches_spark_by_json(settings: Settings) -> None:
    """The URI form falls back to YARN without a word."""
    variables = declared(settings).named("airflow-scheduler").environment
    assert json.loads(variables["AIRFLOW_CONN_SPARK_DEFAULT"]) == {
        "conn_type": "spark",
        "host": "spark://127.0.0.1",
        "port": 7077,
    }
    assert (variables["LAKESMITH_ENV"], variables["LAKESMITH_PROJECT"]) == ("stack", str(ROOT))
    assert variables["AIRFLOW__CORE__DAGS_FOLDER"] == str(ROOT / "airflow" / "dags")


def test_without_its_environment_airflow_is_absent(tmp_path: Path) -> None:
    declaration = declared(settings_with(tmp_path))
    missing = f"no Airflow in {tmp_path}/airflow; to have it: make airflow"
    assert declaration.absent == tuple(Absent(name, missing) for name in AIRFLOW)
    with pytest.raises(UsageError, match="airflow-scheduler cannot run here: no Airflow in"):
        declaration.chosen(["airflow-scheduler"])


def test_sqlite_stands_in(tmp_path: Path, settings: Settings) -> None:
    declaration = declared(settings_with(tmp_path, database="sqlite"))
    assert declaration.absent == (Absent("postgres", "SQLite stands in: stack.database is sqlite"),)
    mlflow = declaration.named("mlflow")
    assert (mlflow.needs, mlflow.environment["MLFLOW_BACKEND_STORE_URI"]) == (
        (),
        f"sqlite:///{tmp_path}/s/mlflow/mlflow.db",
    )
    variables = declaration.named("airflow-migrate").environment
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/s/airflow/airflow.db"
    assert (
        variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"]
        == f"sqlite+aiosqlite:///{tmp_path}/s/airflow/airflow.db"
    )


def test_without_programs_postgresql_is_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakesmith.stack.database._DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    chosen = choose_database("auto", tmp_path)
    assert (chosen.kind, chosen.reason) == (
        "sqlite",
        "PostgreSQL is not installed; to have it: apt-get install postgresql (Debian), as root",
    )
    with pytest.raises(
        ConfigurationError, match=r"stack\.database is postgresql, and PostgreSQL is not installed"
    ):
        choose_database("postgresql", tmp_path)


def test_a_service_brings_what_it_needs_and_takes_along_what_needs_it(settings: Settings) -> None:
    declaration = declared(settings)

    def chosen(*names: str) -> list[str]:
        return [service.name for service in declaration.chosen(names)]

    def depending(*names: str) -> list[str]:
        return [service.name for service in declaration.depending_on(names)]

    assert chosen("airflow-scheduler") == ["postgres", "airflow-migrate", "airflow-scheduler"]
    assert chosen() == ["postgres", "mlflow", "s3", *SPARK, *AIRFLOW]
    assert depending("spark-master") == ["spark-worker-2", "spark-worker-1", "spark-master"]
    assert depending() == chosen()[::-1]
    with pytest.raises(UsageError, match="there is no service 'spark'; services: postgres, mlflow, s3, "):
        chosen("spark")


def test_variables_of_the_settings_reach_every_service(tmp_path: Path, settings: Settings) -> None:
    own = settings_with(tmp_path, environment="{AIRFLOW__CORE__PARALLELISM: 4}")
    found = {s.environment["AIRFLOW__CORE__PARALLELISM"] for s in declared(own).services}
    assert found == {"4"}


def test_no_secret_is_in_what_the_supervisor_reads(settings: Settings) -> None:
    places = Places.of(settings)
    places.make()
    keys = Keys(places.secrets)
    keys.make()
    text = configuration(declared(settings).services, places)
    files = [keys.airflow_users, keys.fernet, keys.tokens, keys.sessions]
    secrets = [keys.database_password(), *(path.read_text().strip() for path in files)]
    assert [secret for secret in secrets if secret in text] == []
    assert [oct(path.stat().st_mode & 0o777) for path in [keys.database, *files]] == ["0o600"] * 5
    before = [path.read_text() for path in files]
    keys.make()
    assert [path.read_text() for path in files] == before


def test_a_folder_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="too long for the supervisor's socket"):
        Places.of(settings_with(tmp_path, folder=str(tmp_path / ("x" * 90))))


# --- containers ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def containers() -> dict[str, Any]:
    """The services of the compose file."""
    text = (ROOT / "infra" / "docker" / "compose.yml").read_text(encoding="utf-8")
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


def test_containers_are_the_declared_services(settings: Settings, containers: dict[str, Any]) -> None:
    assert list(containers) == [service.name for service in declared(settings).services]


def test_containers_publish_the_declared_ports_on_this_machine_only(
    settings: Settings, containers: dict[str, Any]
) -> None:
    published = {name: container.get("ports", []) for name, container in containers.items()}
    assert published == {
        service.name: [f"127.0.0.1:{port}:{port}" for port in service.ports.values()]
        for service in declared(settings).services
    }


def test_containers_wait_for_what_the_services_need(settings: Settings, containers: dict[str, Any]) -> None:
    waits = {name: tuple(container.get("depends_on", ())) for name, container in containers.items()}
    assert waits == {service.name: service.needs for service in declared(settings).services}
    tasks = {service.name for service in declared(settings).services if service.is_task}
    assert {name for name, container in containers.items() if "healthcheck" not in container} == tasks


def test_containers_ask_for_the_keys_that_are_written(tmp_path: Path) -> None:
    text = (ROOT / "infra" / "docker" / "compose.yml").read_text(encoding="utf-8")
    file = tmp_path / ".env"
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "lakesmith.stack.keys", str(file)], check=True)
        written = dict(line.split("=", 1) for line in file.read_text(encoding="utf-8").splitlines())
    assert set(re.findall(r"\$\{(\w+)", text)) == set(written)
    assert file.stat().st_mode & 0o777 == 0o600
    assert {len(value) for value in written.values()} == {43, 44}


def test_the_images_pass_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}")
    assert hadolint is not None
    done = subprocess.run(
        [hadolint, str(ROOT / "infra" / "docker" / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")

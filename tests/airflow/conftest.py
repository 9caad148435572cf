"""An Airflow of its own for these tests: a home that is thrown away, SQLite, and a Spark of this machine."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from airflow_tests import DAGS, Webhook

# Before anything imports Airflow, which reads them once.
_HOME = tempfile.mkdtemp(prefix="lakesmith-airflow-")
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__API__BASE_URL": "http://airflow.test",
    # The form of a URI would be taken for a yarn cluster.
    "AIRFLOW_CONN_SPARK_DEFAULT": '{"conn_type": "spark", "host": "local[2]"}',
}

Load = Callable[[str], Any]


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def metadata() -> None:
    """The tables of Airflow's metadata database."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("airflow")), "db", "migrate"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Declares a DAG as Airflow's processor does: by running its file."""
    monkeypatch.setenv("LAKESMITH_ENV", "dev")
    return lambda name: runpy.run_path(str(DAGS / f"{name}.py"))["dag"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `landing` and `lake` that the settings of this process and its children name."""
    monkeypatch.setenv("LAKESMITH_ENV", "dev")
    monkeypatch.setenv("LAKESMITH__LANDING_ROOT", str(tmp_path / "landing"))
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(tmp_path / "lake"))
    return tmp_path


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A channel of alerts that the settings name: a server of this machine."""
    received = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    received.url = f"http://127.0.0.1:{server.server_port}/hook"
    monkeypatch.setenv("LAKESMITH__ALERTS__WEBHOOK__URL", received.url)
    yield received
    server.shutdown()
    thread.join()
    server.server_close()

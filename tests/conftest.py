"""What holds for every test: which tier it belongs to, and the Python that Spark's workers run.

Fixtures stand next to the tests that use them; only the servers of which there is one are made here.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from object_store import ObjectStore
    from postgres import Database, Server
# These run in Airflow's own environment, with a configuration of their own: `make test-airflow`.
collect_ignore = ["airflow"]


def pytest_configure() -> None:
    # pytest-spark starts its session itself. Where no `spark-submit` started the JVM, only this variable
    # tells the workers their Python; without it they take whatever `python3` is first on PATH.
    os.environ["PYSPARK_PYTHON"] = sys.executable


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First, so that `-m "not spark"` sees the marker; `fixturenames` holds what other fixtures ask for, too.
    for item in items:
        if "spark_session" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.spark)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL that runs until the tests are over."""
    from postgres import postgres_server

    # Not below pytest's own folder, which other users may not enter: the server refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="lakesmith-postgres-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "server"
        data.mkdir()
        with postgres_server(data) as server:
            yield server


@pytest.fixture
def database(postgres: Server) -> Database:
    """An empty database of a test's own."""
    return postgres.database()


@pytest.fixture(scope="session")
def store_server() -> Iterator[ObjectStore]:
    """An emulator of S3 that runs until the tests are over."""
    from object_store import object_store

    with object_store() as store:
        yield store


@pytest.fixture
def store(store_server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The same, with credentials for it in this process."""
    from object_store import CREDENTIALS

    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return store_server

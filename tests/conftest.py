"""What holds for every test: which tier it belongs to, and the Python that Spark's workers run.

Fixtures stand next to the tests that use them.
"""

from __future__ import annotations

import os
import sys

import pytest

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

"""The meters project in a folder of the test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from workspaces import METERS, Workspace


@pytest.fixture
def meters(tmp_path: Path, spark_session: SparkSession) -> Workspace:
    """The project, with three days landed."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    workspace.land(1, ("m1", 10, "High St"), ("m2", 5, "Low St"))
    workspace.land(2, ("m1", 7, "High St"), ("m2", 6, "Low St"), ("m2", 9, "Low St"))
    workspace.land(3, ("m1", 1, "High St"))
    return workspace

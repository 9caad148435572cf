"""The meters project in a folder of the test's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.errors import ExitCode
from shops import Shop
from stock import Stock
from watched_shop import WatchedShop
from workspaces import METERS, Workspace


@pytest.fixture
def meters(tmp_path: Path, spark_session: SparkSession) -> Workspace:
    """The project with three days landed and nothing run."""
    return _landed(tmp_path / "meters")


@pytest.fixture(scope="session")
def first_build(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Workspace:
    """The project with three days landed and run as one backfill; only to be copied or read."""
    workspace = _landed(tmp_path_factory.mktemp("built") / "meters")
    assert workspace.run(1, 3).exit_code is ExitCode.DONE
    return workspace


@pytest.fixture
def built(tmp_path: Path, first_build: Workspace) -> Workspace:
    """A copy of the built project, to change at will."""
    shutil.copytree(first_build.root, tmp_path / "meters")
    return Workspace(tmp_path / "meters")


def _landed(root: Path) -> Workspace:
    shutil.copytree(METERS, root)
    workspace = Workspace(root)
    workspace.land(1, ("m1", 10, "High St"), ("m2", 5, "Low St"))
    workspace.land(2, ("m1", 7, "High St"), ("m2", 6, "Low St"), ("m2", 9, "Low St"))
    workspace.land(3, ("m1", 1, "High St"))
    return workspace


@pytest.fixture(scope="session")
def first_stock(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Stock:
    """The stock list, whose tables are keyed, after a backfill of four days; only to be copied or read."""
    stock = Stock.landed_in(tmp_path_factory.mktemp("stocked") / "stock")
    assert stock.run(1, 4).exit_code is ExitCode.DONE
    return stock


@pytest.fixture(scope="session")
def first_watched(tmp_path_factory: pytest.TempPathFactory, two_versions: Shop) -> WatchedShop:
    """The shop whose scores are acted upon, of which six days are scored; only to be copied or read."""
    return WatchedShop.from_shop(two_versions, tmp_path_factory.mktemp("watched") / "shop")

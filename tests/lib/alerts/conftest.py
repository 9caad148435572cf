"""The meters project with a ledger that no Spark wrote, checked as a night's end would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from watching import nights
from workspaces import METERS, Workspace


@pytest.fixture(scope="session")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The project with the files of twelve days landed, nothing run; only to be copied."""
    root = tmp_path_factory.mktemp("landed") / "meters"
    shutil.copytree(METERS, root)
    workspace = Workspace(root)
    for number in (*range(1, 7), *range(8, 14)):
        workspace.land(number, ("m1", 10 + number, "High St"), ("m2", 5, "Low St"))
    return workspace


@pytest.fixture(scope="session")
def five_nights(tmp_path_factory: pytest.TempPathFactory, landed: Workspace) -> Workspace:
    """The same after five nights without trouble; only to be copied."""
    root = tmp_path_factory.mktemp("five") / "meters"
    shutil.copytree(landed.root, root)
    workspace = Workspace(root)
    nights(workspace, 1, 5)
    return workspace


@pytest.fixture
def empty(tmp_path: Path, landed: Workspace) -> Workspace:
    """The project with its files landed, nothing run."""
    return Workspace(Path(shutil.copytree(landed.root, tmp_path / "meters")))


@pytest.fixture
def meters(tmp_path: Path, five_nights: Workspace) -> Workspace:
    """The project after five nights without trouble; the files of the sixth are landed."""
    return Workspace(Path(shutil.copytree(five_nights.root, tmp_path / "meters")))

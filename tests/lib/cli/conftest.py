"""The command line as a user meets it, on the meters project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workspaces import METERS, Workspace


@pytest.fixture
def meters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The project with six open days landed, nothing run, and the working folder in it."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    for number in range(1, 7):
        workspace.land(number, ("m1", 10 + number, "High St"), ("m2", 5, "Low St"))
    monkeypatch.chdir(workspace.root)
    return workspace

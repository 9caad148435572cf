"""The command line as a user meets it, on the meters project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_lines import Answer, Ask
from lakesmith.cli.main import main
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


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `lakesmith ...` in this process, through the seam where errors become exit codes."""
    for name in ("LAKESMITH_ENV", "LAKESMITH_PROJECT", "LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run

"""The command line, as the tests of commands have it."""

from __future__ import annotations

import pytest

from command_lines import Answer, Ask
from lakesmith.cli.main import main


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `lakesmith ...` in this process."""
    for name in ("LAKESMITH_ENV", "LAKESMITH_PROJECT", "LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run

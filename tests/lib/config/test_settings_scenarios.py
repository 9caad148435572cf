"""Every mistake that settings can hold, as scenarios: tests/scenarios/settings/<case>.yml.

A case changes the files of a small sound project and runs one command in it.
    event      what happened, in a sentence
    files      file -> null (delete it), a text (the whole file), {latin-1: text} or {link: target}
    variables  the environment's variables, where there are any
    arguments  of `lakesmith`; without them: config show
    exit_code  what the process answers
    message    all of stderr; {project} stands for the project's folder
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lakesmith.cli.main import main
from lakesmith.errors import ExitCode

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "settings"
CASES = sorted(SCENARIOS.glob("*.yml"))
assert len(CASES) >= 20, f"only {len(CASES)} scenarios in {SCENARIOS}"

SOUND = {
    "conf/base.yml": "landing_root: landing\nlake_root: lake\n",
    "conf/dev.yml": "lease:\n  wait: 30s\n",
    "conf/prod.yml": "publish:\n  attempts: 9\n",
}
SECRET = "correct-horse-battery"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sound project, with the working folder in it."""
    for file, text in SOUND.items():
        change(tmp_path / file, text)
    monkeypatch.chdir(tmp_path)
    for name in ("LAKESMITH_ENV", "LAKESMITH_PROJECT", "LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def change(path: Path, to: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if to == "null":
        path.unlink()
    elif isinstance(to, str):
        path.write_text(to, encoding="utf-8")
    elif set(to) == {"link"}:
        path.unlink(missing_ok=True)
        path.symlink_to(to["link"])
    else:
        assert set(to) == {"latin-1"}
        path.write_bytes(to["latin-1"].encode("latin-1"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_mistake_in_settings_is_told_word_for_word(
    case: Path, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = yaml.load(case.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert {"event", "exit_code", "message"} <= set(scenario)
    assert set(scenario) <= {"event", "files", "variables", "arguments", "exit_code", "message"}
    for file, to in scenario.get("files", {}).items():
        change(project / file, to)
    for name, value in scenario.get("variables", {}).items():
        monkeypatch.setenv(name, value)
    code = main(scenario.get("arguments", ["config", "show"]))
    said = capsys.readouterr()
    assert said.err == scenario["message"].replace("{project}", str(project))
    assert (code, said.out) == (int(scenario["exit_code"]), "")
    assert SECRET not in said.err


def test_the_project_that_cases_change_is_sound(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show"]) == ExitCode.DONE
    assert capsys.readouterr().err == ""


def test_a_variable_that_is_no_utf8_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", b"gr\xf6\xdfer".decode("utf-8", "surrogateescape"))
    assert main(["config", "show"]) == ExitCode.USAGE
    assert "variable LAKESMITH__LAKE_ROOT: lake_root: is not UTF-8 text\n" in capsys.readouterr().err


def test_scenarios_hold_no_file_that_the_harness_overlooks() -> None:
    assert {path.suffix for path in SCENARIOS.iterdir()} == {".yml"}

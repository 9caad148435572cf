"""Every mistake that a command line can hold, as scenarios: tests/scenarios/command_lines/<case>.yml.

A case runs one command in the meters project, with six days landed and nothing run.
    event      what happened, in a sentence
    files      file -> text; written before the command runs
    variables  the environment's variables, where there are any
    arguments  of `lakesmith`
    exit_code  what the process answers
    message    all of stderr; {project} stands for the project's folder
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from command_lines import Ask
from workspaces import Workspace

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "command_lines"
CASES = sorted(SCENARIOS.glob("*.yml"))
assert len(CASES) >= 25, f"only {len(CASES)} scenarios in {SCENARIOS}"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_mistake_in_a_command_line_is_told_word_for_word(
    case: Path, ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)  # a command that wants Spark is told that there is none
    scenario = yaml.load(case.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert {"event", "arguments", "exit_code", "message"} <= set(scenario)
    assert set(scenario) <= {"event", "files", "variables", "arguments", "exit_code", "message"}
    for file, text in scenario.get("files", {}).items():
        path = meters.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, value in scenario.get("variables", {}).items():
        monkeypatch.setenv(name, value)
    answer = ask(*scenario["arguments"])
    assert answer.err == scenario["message"].replace("{project}", str(meters.root))
    assert (answer.code, answer.out) == (int(scenario["exit_code"]), "")


def test_scenarios_hold_no_file_that_the_harness_overlooks() -> None:
    assert {path.suffix for path in SCENARIOS.iterdir()} == {".yml"}

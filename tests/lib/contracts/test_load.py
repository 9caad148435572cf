"""Every mistake that a project's files can hold, as scenarios: tests/scenarios/contracts/<case>.yml.

A case changes the sound project in tests/scenarios/contracts/_sound and lists, word for word, what must be reported.
    event     what happened, in a sentence
    change    file -> null (the file is deleted), a text (the whole file) or a list of {old, new} (old stands once)
    expected  the problems, in order; none when the changed project must load
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import (
    Calendar,
    Completion,
    Mode,
    OnMissing,
    QuarantineLimit,
    Rows,
    SourceColumn,
)
from lakesmith.contracts.project import Project
from lakesmith.errors import ExitCode, InvalidProject

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "contracts"
SOUND = SCENARIOS / "_sound"
CASES = sorted(SCENARIOS.glob("*.yml"))
assert CASES, f"no scenarios in {SCENARIOS}"


def changed_project(root: Path, changes: dict[str, Any]) -> Path:
    shutil.copytree(SOUND, root)
    for file, change in changes.items():
        path = root / file
        if change is None:
            path.unlink()
        elif isinstance(change, str):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(change, encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
            for edit in change:
                assert text.count(edit["old"]) == 1, f"{edit['old']!r} stands {text.count(edit['old'])} times"
                text = text.replace(edit["old"], edit["new"])
            path.write_text(text, encoding="utf-8")
    return root


def reported(root: Path) -> list[str]:
    try:
        load_project(root)
    except InvalidProject as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_mistakes_are_reported_word_for_word(case: Path, tmp_path: Path) -> None:
    scenario = yaml.load(case.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert set(scenario) == {"event", "change", "expected"}
    changes = {file: None if change == "null" else change for file, change in scenario["change"].items()}
    assert reported(changed_project(tmp_path / "project", changes)) == scenario["expected"]

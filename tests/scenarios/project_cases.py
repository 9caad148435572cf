"""Projects that hold mistakes on purpose: tests/scenarios/{contracts,models}/<case>.yml.

A case changes the sound project beside it, _sound, and lists, word for word, what is reported.
    event     what happened, in a sentence
    change    file -> null (delete it), a text (the whole file) or a list of {old, new} (old stands once)
    expected  the problems, in order; none when the changed project must load
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

__all__ = ["SOUND", "changed_project", "read_case"]

SOUND = "_sound"


def read_case(case: Path) -> tuple[dict[str, Any], list[str]]:
    """What a case changes and what it expects."""
    scenario = yaml.load(case.read_text(encoding="utf-8"), yaml.BaseLoader)
    assert set(scenario) == {"event", "change", "expected"}
    changes = {file: None if change == "null" else change for file, change in scenario["change"].items()}
    return changes, scenario["expected"]


def changed_project(sound: Path, root: Path, changes: dict[str, Any]) -> Path:
    """A copy of the sound project in `root`, changed."""
    shutil.copytree(sound, root)
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

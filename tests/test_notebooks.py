"""Notebooks are kept without what they answered; `make notebooks` runs them on the demo's lake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
assert NOTEBOOKS, "no notebooks found"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_its_answers(notebook: Path) -> None:
    found = json.loads(notebook.read_text(encoding="utf-8"))
    assert [cell["id"] for cell in found["cells"] if cell.get("outputs") or cell.get("execution_count")] == []
    assert set(found["metadata"]) == {"kernelspec", "language_info"}

"""The page of measurements is drawn from what was measured: nobody edits a figure by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "docs" / "performance.json", ROOT / "docs" / "performance.md"


def test_the_page_is_the_one_that_follows_from_the_figures(tmp_path: Path) -> None:
    results = tmp_path / "performance.json"
    shutil.copy(RESULTS, results)
    subprocess.run([sys.executable, "-m", "bench", "--draw", "--results", str(results)], cwd=ROOT, check=True)
    assert results.with_suffix(".md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_what_was_measured_says_how_and_what_is_compared() -> None:
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert found.keys() == {file.stem for file in (ROOT / "bench" / "notes").glob("*.md")} - {"page"}
    for name, entry in found.items():
        assert entry["command"].startswith(f"python -m bench {name}")
        assert entry["ratios"] or entry["figures"]


def test_every_line_of_the_budget_was_measured() -> None:
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    limits = {
        name: [line["limit"] for line in (*entry["ratios"], *entry["figures"]) if line["limit"] is not None]
        for name, entry in found.items()
    }
    assert {name: limit for name, limit in limits.items() if limit} == {
        "night": [1.25],
        "gate": [0.2],
        "publish": [0.02],
        "backfill": [0.15],
        "history": [1.1],
        "scoring": [1.15],
        "drift": [1.0],
        "status": [1.0],
        "scale": [5.0],
    }

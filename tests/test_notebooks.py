"""The notebooks run from their first cell to their last, on a small lake of the reference project that no Spark wrote."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakes import record_night, write_batch
from lakesmith.query.result import Result
from workspaces import Workspace

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
assert NOTEBOOKS, "no notebooks found"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The project with two days in the tables that the notebooks read; the working folder is its notebooks/."""
    for folder in ("conf", "jobs", "notebooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(tmp_path / "lake"))  # of every environment, demo included
    monkeypatch.delenv("LAKESMITH_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    workspace = Workspace(tmp_path)
    customers = [{"customer_id": n, "recency_days": n, "repurchased": n % 2 == 0} for n in range(90)]
    sales = [{"country": name, "revenue": Decimal(10), "orders": 1} for name in ("France", "Germany")]
    for number in (1, 9):
        write_batch(workspace, "gold.daily_sales", number, sales)
        write_batch(workspace, "gold.customer_features", number, customers)
        write_batch(workspace, "gold.repurchase_labels", number, customers)
        write_batch(
            workspace, "quarantine.silver_sales_lines", number, [{"broken_rules": ["quantity_not_zero"]}]
        )
    record_night(workspace, 9)
    return workspace


def cells(notebook: Path) -> Iterator[str]:
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield "".join(cell["source"])


def shown(cell: str, names: dict[str, Any]) -> Any:
    """What a cell shows: the value of its last line, where that is an expression."""
    tree = ast.parse(cell)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last is not None else None


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(project: Workspace, notebook: Path) -> None:
    names: dict[str, Any] = {}
    values = [shown(cell, names) for cell in cells(notebook)]
    answers = [value for value in values if isinstance(value, Result)]
    assert len(answers) >= 5
    # Nothing was run, so that ops.batches holds nothing.
    assert [
        answer.columns for answer in answers if len(answer) == 0 and "outcome" not in answer.columns
    ] == []
    assert all(answer._repr_html_().startswith("<table>") for answer in answers)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_its_answers(notebook: Path) -> None:
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert [cell["id"] for cell in found if cell.get("outputs") or cell.get("execution_count")] == []

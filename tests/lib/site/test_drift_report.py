"""The drift report: the figures of the tables in one file that needs nothing beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from command_lines import Answer, Ask
from lakesmith.site.words import amount
from shops import PROJECT
from sites import NIGHTS, plant_metrics
from workspaces import Workspace, day


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The shop, whose features were judged for twelve nights; nothing else is there."""
    root = tmp_path_factory.mktemp("report") / "shop"
    shutil.copytree(PROJECT.root, root)
    workspace = Workspace(root)
    plant_metrics(workspace, "gold.customers", "orders_14d")
    return workspace


def ask_for(ask: Ask, lake: Workspace, out: Path, number: int, *more: str) -> Answer:
    asked = (
        "site",
        "drift-report",
        "--date",
        str(day(number)),
        "--out",
        str(out),
        "--project",
        str(lake.root),
    )
    return ask(*asked, "--model", "returning", *more)


def test_the_report_says_the_figures_of_the_table(lake: Workspace, tmp_path: Path, ask: Ask) -> None:
    answer = ask_for(ask, lake, tmp_path, NIGHTS)
    file = tmp_path / f"drift-returning-{day(NIGHTS)}.html"
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"{file}: 2 columns judged; drifted: gold.customers orders_14d\n"
    rows = DeltaTable(lake.context().lake.path("monitoring.drift_metrics")).to_pyarrow_table().to_pylist()
    (row,) = (r for r in rows if r["batch_date"] == day(NIGHTS) and r["column_name"] == "orders_14d")
    text = file.read_text()
    for figure in ("effect", "population_stability_index"):
        assert f'<td class="n">{amount(row[figure])}</td>' in text
    assert "1 column has drifted" in text


def test_an_earlier_night_is_told_as_it_was(lake: Workspace, tmp_path: Path, ask: Ask) -> None:
    answer = ask_for(ask, lake, tmp_path, 5, "--json")
    assert answer.json == [
        {
            "model": "returning",
            "night": str(day(5)),
            "file": str(tmp_path / f"drift-returning-{day(5)}.html"),
            "columns_judged": 2,
            "drifted": [],
        }
    ]
    text = (tmp_path / f"drift-returning-{day(5)}.html").read_text()
    assert "No column has drifted" in text
    assert "5 nights, highest " in text


def test_it_holds_all_that_it_needs_and_no_script(lake: Workspace, tmp_path: Path, ask: Ask) -> None:
    ask_for(ask, lake, tmp_path, NIGHTS)
    text = (tmp_path / f"drift-returning-{day(NIGHTS)}.html").read_text()
    assert "<script" not in text
    assert "src=" not in text.replace("img src=x", "")
    assert 'href="http' not in text
    assert "<svg" in text
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in text


def test_a_night_that_was_not_judged_is_an_error_that_names_the_newest(
    lake: Workspace, tmp_path: Path, ask: Ask
) -> None:
    answer = ask_for(ask, lake, tmp_path, 20)
    assert (answer.code, answer.out) == (4, "")
    assert "no drift was judged of any model's tables in the night 2024-01-20" in answer.err
    assert "The newest night that was judged is 2024-01-12" in answer.err
    assert list(tmp_path.iterdir()) == []

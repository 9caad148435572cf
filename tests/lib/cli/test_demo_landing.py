"""The demo's landing files: made once, kept as they are, never mixed with others."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from command_lines import Ask
from lakesmith.cli.demo_landing import landing_files
from lakesmith.errors import UsageError
from lakesmith.simulate import SimulationSpec
from workspaces import Workspace


def _spec(days: int = 4, seed: int = 1) -> SimulationSpec:
    return SimulationSpec(date(2010, 12, 1), days, 20, seed, 0.01)


def _files(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "shop").iterdir())


def test_files_are_made_once_and_kept_as_they_are(tmp_path: Path) -> None:
    landing_files(_spec(), tmp_path, "shop")
    assert _files(tmp_path) == ["2010-12-01.csv", "2010-12-02.csv", "2010-12-03.csv"]
    changed = tmp_path / "shop" / "2010-12-02.csv"
    changed.write_text("changed by hand")
    landing_files(_spec(), tmp_path, "shop")
    landing_files(_spec(days=2), tmp_path, "shop")
    assert changed.read_text() == "changed by hand"


def test_more_days_are_added(tmp_path: Path) -> None:
    landing_files(_spec(days=2), tmp_path, "shop")
    landing_files(_spec(days=5), tmp_path, "shop")
    assert _files(tmp_path)[-1] == "2010-12-05.csv"


def test_a_simulation_that_was_interrupted_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("lakesmith.cli.demo_landing.simulate", stopped)
        with pytest.raises(KeyboardInterrupt):
            landing_files(_spec(), tmp_path, "shop")
    landing_files(_spec(), tmp_path, "shop")
    assert len(_files(tmp_path)) == 3


def test_another_demo_is_refused_with_the_way_out(tmp_path: Path) -> None:
    landing_files(_spec(), tmp_path / "demo" / "landing", "shop")
    with pytest.raises(UsageError, match=r"seed 1, not .*seed 2\)\. Remove it first: rm -r .*/demo$"):
        landing_files(_spec(seed=2), tmp_path / "demo" / "landing", "shop")


def test_files_of_somebody_else_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.csv").write_text("mine")
    with pytest.raises(UsageError, match="holds files that no demo made"):
        landing_files(_spec(), tmp_path, "shop")
    assert _files(tmp_path) == ["mine.csv"]


def test_a_project_without_the_shop_is_told_so(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(meters.root / "conf" / "dev.yml", meters.root / "conf" / "demo.yml")
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(meters.root / "precious"))
    answer = ask("demo")
    assert (answer.code, answer.out) == (2, "")
    assert "LAKESMITH__LAKE_ROOT left aside: the demo keeps to its own folders.\n" in answer.err
    assert "which this project does not have (sources: readings)" in answer.err

"""`lakesmith.sql` as a notebook calls it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import lakesmith
from lakes import record_night, write_batch
from lakesmith.errors import ConfigurationError, UsageError
from workspaces import METERS, Workspace

WITHOUT_PACKAGE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import lakesmith
lakesmith.sql("SELECT 1 AS one").df()
"""


@pytest.fixture
def meters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """One complete night, then a newer batch; the working folder is the project."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    write_batch(workspace, "gold.usage", 1, [{"meter": f"<m{n}>", "kwh": n} for n in range(25)])
    record_night(workspace, 1)
    write_batch(workspace, "gold.usage", 2, [{"meter": "m1", "kwh": 1}])
    for name in ("LAKESMITH_ENV", "LAKESMITH_PROJECT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(workspace.root)
    return workspace


def test_an_answer_is_a_frame_a_table_and_a_picture(meters: Workspace) -> None:
    found = lakesmith.sql(
        "SELECT batch_date, meter, kwh, kwh::DECIMAL(9,2) AS exact FROM gold.usage ORDER BY kwh"
    )
    assert (len(found), found.columns) == (25, ["batch_date", "meter", "kwh", "exact"])
    assert found.arrow()["exact"][2].as_py() == Decimal("2.00")
    frame = found.df()
    assert [str(kind) for kind in frame.dtypes][2:] == ["int64", "float64"]
    assert str(frame["batch_date"].dtype).startswith("datetime64")
    assert frame["exact"].sum() == 300.0
    assert repr(found).startswith("<25 rows (batch_date: date32[day], meter: string, ")
    html = found._repr_html_()
    assert "<td>&lt;m0&gt;</td>" in html
    assert html.count("<tr>") == 21
    assert "the first 20 of 25 rows; as of the night 2024-01-01 (recorded " in html


def test_a_night_is_chosen_by_text_or_day(meters: Workspace) -> None:
    counted = "SELECT count(*) AS n FROM gold.usage"
    nights = [None, "2024-01-01", date(2024, 1, 1), "latest"]
    assert [lakesmith.sql(counted, as_of=night).df()["n"][0] for night in nights] == [25, 25, 25, 26]


def test_project_and_environment_are_those_that_are_named(
    meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert len(lakesmith.sql("FROM gold.usage", env="dev", project=str(meters.root))) == 25
    with pytest.raises(ConfigurationError, match="no environment 'prd'"):
        lakesmith.sql("FROM gold.usage", env="prd", project=meters.root)
    with pytest.raises(UsageError, match="DROP is refused"):
        lakesmith.sql("DROP TABLE gold.usage", project=meters.root)


@pytest.mark.parametrize("package", ["duckdb", "pandas"])
def test_what_is_not_installed_is_named(meters: Workspace, package: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, package], check=False, capture_output=True, text=True
    ).stderr
    assert f"ExtraMissing: {package} is not installed. Install it: pip install 'lakesmith[sql]'" in said


def test_importing_lakesmith_imports_nothing_heavy() -> None:
    heavy = ["duckdb", "pyarrow", "deltalake", "pyspark", "pandas", "pydantic"]
    said = subprocess.run(
        [sys.executable, "-c", f"import lakesmith, sys; print([m for m in {heavy} if m in sys.modules])"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout == "[]\n"

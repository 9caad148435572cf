"""The archive: what is in it, and that the same tree gives the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from lakesmith import __version__
from lakesmith.config.archive import ArchiveUnreadable, unpack
from lakesmith.errors import ConfigurationError
from lakesmith.ledger.source_commit import Build
from lakesmith.shipping.packaging import build_archive, built_archive, shipped_build
from workspaces import METERS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The meters project with a package of its own, outside any repository."""
    monkeypatch.setenv("LAKESMITH_ARCHIVES", str(tmp_path / "cache"))
    root = tmp_path / "meters"
    shutil.copytree(METERS, root)
    (root / "lib" / "company").mkdir(parents=True)
    (root / "lib" / "company" / "money.py").write_text("VAT = 19\n")
    (root / "conf" / "dev.local.yml").write_text("secret: 1\n")
    (root / "jobs" / "__pycache__").mkdir()
    return root


def test_it_holds_packages_contracts_suites_settings_jobs_and_the_commit(project: Path) -> None:
    archive = build_archive(project, project / "dist")
    assert archive.name == f"lakesmith-{__version__}-unknown.zip"
    with ZipFile(archive) as zipped:
        names = zipped.namelist()
        assert json.loads(zipped.read("lakesmith/_commit.json")) == {"commit": "unknown", "dirty": False}
    for wanted in (
        "company/money.py",
        "conf/base.yml",
        "conf/expectations/bronze.readings.json",
        "conf/tables/gold.usage.yml",
        "jobs/gold/usage.py",
        "lakesmith/__init__.py",
        "lakesmith/contracts/expectation_catalogue.json",
    ):
        assert wanted in names
    assert not [name for name in names if "local" in name or "__pycache__" in name or ".egg-info" in name]
    assert names == sorted(names)


def test_the_same_tree_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    first = build_archive(project, tmp_path / "a")
    for file in project.rglob("*.yml"):
        file.touch()
    assert build_archive(project, tmp_path / "b").read_bytes() == first.read_bytes()


def test_the_one_in_dist_is_found(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no archive\. Make it: make package"):
        built_archive(project)
    archive = build_archive(project, project / "dist")
    assert built_archive(project) == archive
    shutil.copy(archive, archive.with_name("lakesmith-0.0.1-old.zip"))
    with pytest.raises(ConfigurationError, match=r"holds lakesmith-0\.0\.1-old\.zip, lakesmith-"):
        built_archive(project)


def test_its_files_and_its_commit_are_read(project: Path) -> None:
    archive = build_archive(project, project / "dist")
    assert shipped_build(archive) == (unpack(archive), Build("unknown", dirty=False))


def test_another_zip_is_refused(project: Path, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "other.zip", "w") as zipped:
        zipped.writestr("lakesmith/__init__.py", "")
    with pytest.raises(ArchiveUnreadable, match="holds no project and no commit"):
        shipped_build(tmp_path / "other.zip")

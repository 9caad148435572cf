"""An archive's files in a folder: made once, checked each time, whoever else does the same."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

import pytest

from lakesmith.config.archive import ArchiveUnreadable, unpack

FILES = {
    "lakesmith/__init__.py": "",
    "company/money.py": "VAT = 19\n",
    "conf/base.yml": "",
    "jobs/night.py": "night = 1\n",
}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LAKESMITH_ARCHIVES", str(tmp_path / "cache"))
    path = tmp_path / "shipped.zip"
    with ZipFile(path, "w") as zipped:
        for name, text in FILES.items():
            zipped.writestr(name, text)
    unpack.cache_clear()
    yield path
    unpack.cache_clear()


def files(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


AS_A_PROJECT = {
    "conf/base.yml": "",
    "jobs/night.py": "night = 1\n",
    "lib/company/money.py": "VAT = 19\n",
    "lib/lakesmith/__init__.py": "",
}


def test_it_looks_like_the_project_and_is_named_by_its_hash(archive: Path) -> None:
    folder = unpack(archive)
    assert folder.name == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert files(folder) == AS_A_PROJECT
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]


def test_what_is_there_and_whole_is_taken(archive: Path) -> None:
    made = unpack(archive)
    before = made.stat().st_ino
    unpack.cache_clear()
    assert unpack(archive).stat().st_ino == before


@pytest.mark.parametrize("change", ["taken away", "changed"])
def test_what_is_no_longer_whole_is_made_anew(archive: Path, change: str) -> None:
    job = unpack(archive) / "jobs" / "night.py"
    if change == "changed":
        job.write_text("night = 2\n")
    else:
        job.unlink()
    unpack.cache_clear()
    assert files(unpack(archive)) == AS_A_PROJECT


def test_many_at_once_end_with_one(archive: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = {*pool.map(unpack.__wrapped__, [archive] * 16)}
    [folder] = folders
    assert files(folder) == AS_A_PROJECT
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]


def test_what_is_no_zip_is_refused(archive: Path) -> None:
    archive.write_text("no zip")
    with pytest.raises(ArchiveUnreadable, match=r"is no zip .* Make it anew: make package"):
        unpack(archive)


def test_a_file_that_would_lie_outside_is_refused(archive: Path) -> None:
    with ZipFile(archive, "a") as zipped:
        zipped.writestr("../evil.py", "")
    with pytest.raises(ArchiveUnreadable, match=r"\.\./evil\.py lies outside of it"):
        unpack(archive)


def test_the_folder_for_temporary_files_is_this_users_alone(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAKESMITH_ARCHIVES")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = unpack(archive)
    assert folder.parent == tmp_path / f"lakesmith-{os.getuid()}"
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    unpack.cache_clear()
    folder.parent.chmod(0o777)
    with pytest.raises(
        ArchiveUnreadable, match=r"not a folder of this user alone.*LAKESMITH_ARCHIVES=<folder>"
    ):
        unpack(archive)


# What a driver does that has nothing but the archive on its path.
FROM_THE_ARCHIVE = """
from lakesmith.engine.submit import open_context
from lakesmith.errors import LakesmithError

try:
    context = open_context("dev")
    print(context.project.root, context.code_version, context.fingerprints("gold.usage", 1).data)
except LakesmithError as error:
    print(error)
"""


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    from lakesmith.shipping.packaging import build_archive
    from workspaces import METERS

    return build_archive(METERS, tmp_path / "dist")


def ran(archive: Path, cwd: Path, **variables: str) -> str:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(archive),
        "LAKESMITH_ARCHIVES": str(cwd / "cache"),
    }
    done = subprocess.run(
        [sys.executable, "-c", FROM_THE_ARCHIVE],
        cwd=cwd,
        env=environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_process_on_the_archive_has_its_contracts_and_the_trees_fingerprints(
    shipped: Path, tmp_path: Path
) -> None:
    from lakesmith.contracts.load import load_project
    from lakesmith.ledger.fingerprint import fingerprints
    from lakesmith.ledger.source_commit import source_commit
    from workspaces import METERS

    graph = load_project(METERS).graph
    roots = {"LAKESMITH__LAKE_ROOT": "/data/lake", "LAKESMITH__LANDING_ROOT": "/data/landing"}
    expected = fingerprints(graph.contracts["gold.usage"], graph.sources, METERS).data
    folder = tmp_path / "cache" / hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert ran(shipped, tmp_path, **roots) == f"{folder} {source_commit(METERS)} {expected}"


def test_a_relative_root_means_nothing_there(shipped: Path, tmp_path: Path) -> None:
    said = ran(shipped, tmp_path, LAKESMITH__LAKE_ROOT="/data/lake")
    assert (
        "landing_root: landing is relative, and code that runs from an archive has no folder of its own; "
        in said
    )
    assert "set LAKESMITH__LANDING_ROOT" in said
    assert "lake_root" not in said


def test_another_job_file_than_the_archives_is_refused(shipped: Path, tmp_path: Path) -> None:
    from workspaces import METERS

    job = tmp_path / "usage.py"
    job.write_text((METERS / "jobs" / "gold" / "usage.py").read_text() + "\n\nusage.main()\n")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(shipped),
        "LAKESMITH_ARCHIVES": str(tmp_path / "cache"),
        "LAKESMITH__LAKE_ROOT": str(tmp_path / "lake"),
        "LAKESMITH__LANDING_ROOT": str(tmp_path / "landing"),
    }
    done = subprocess.run(
        [sys.executable, job, "--date", "2024-01-01"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"{job} is another text than the job in the archive" in done.stderr

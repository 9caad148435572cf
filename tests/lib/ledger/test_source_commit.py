"""What code was built from: asked of a real repository."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from lakesmith.config.load import load_settings
from lakesmith.errors import DirtyBuild
from lakesmith.ledger.own_build import own_build, refuse_dirty
from lakesmith.ledger.source_commit import UNKNOWN, Build, build_of, read_build, source_commit
from workspaces import METERS


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    done = subprocess.run(["git", "-C", root, *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "jobs").mkdir(parents=True)
    (root / "jobs" / "a.py").write_text("a = 1\n")
    (root / "notes.txt").write_text("first\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "first")
    return root


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert build_of(repository, ["jobs"]) == Build(commit, dirty=False)
    assert source_commit(repository) == commit


def test_a_changed_file_makes_it_dirty(repository: Path) -> None:
    (repository / "notes.txt").write_text("second\n")
    assert build_of(repository, ["jobs"]).dirty


@pytest.mark.parametrize(("file", "dirty"), [("jobs/b.py", True), ("new.txt", False)])
def test_a_new_file_makes_it_dirty_where_it_is_built(repository: Path, file: str, dirty: bool) -> None:
    (repository / file).write_text("")
    assert build_of(repository, ["jobs"]).dirty is dirty


def test_outside_a_repository_nothing_is_known(tmp_path: Path) -> None:
    build = build_of(tmp_path, ["jobs"])
    assert build == Build(UNKNOWN, dirty=False)
    assert not build.is_clean


def test_a_build_comes_back_as_it_was_written_and_stands_for_the_folder(tmp_path: Path) -> None:
    build = Build("0123456789ab", dirty=True)
    file = tmp_path / "lib" / "lakesmith" / "_commit.json"
    assert read_build(file) is None
    file.parent.mkdir(parents=True)
    file.write_text(build.to_json())
    assert read_build(file) == build
    assert source_commit(tmp_path) == "0123456789ab+dirty"


def test_where_a_commit_is_wanted_a_changed_tree_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings("dev", METERS)
    strict = settings.model_copy(update={"clean_build": True, "environment": "prod"})
    clean = Build("0123456789ab", dirty=False)
    for accepted in (None, clean):
        refuse_dirty(strict, accepted, "it")
    refuse_dirty(settings, replace(clean, dirty=True), "it")
    for refused in (replace(clean, dirty=True), Build(UNKNOWN, dirty=False)):
        with pytest.raises(DirtyBuild, match=f"it was built from {refused}".replace("+", r"\+")):
            refuse_dirty(strict, refused, "it")


def test_a_tree_is_no_build() -> None:
    assert own_build() is None

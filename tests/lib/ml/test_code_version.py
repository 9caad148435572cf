from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import lakesmith
from lakesmith.ml.code_version import (
    CodeVersion,
    CodeVersionUnreadable,
    code_version,
    differences,
    lock_file,
)

THEN = CodeVersion(
    commit="0123456789ab",
    dirty=False,
    lakesmith_version="0.1.0",
    python="3.11.7",
    packages={"pyspark": "4.0.2", "numpy": "2.1.0", "java": "17.0.15"},
)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "job.py").write_text("one")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")[:12]
    clean = code_version(tmp_path)
    assert (clean.commit, clean.dirty) == (commit, False)

    (tmp_path / "job.py").write_text("two")
    dirty = code_version(tmp_path)
    assert (dirty.commit, dirty.dirty) == (commit, True)
    assert differences(clean, dirty) == (f"commit {commit} then, {commit} with uncommitted changes now",)


def test_outside_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    found = code_version(tmp_path)
    assert (found.commit, found.dirty) == ("unknown", False)


def test_the_packages_that_matter_are_named_with_their_versions(tmp_path: Path) -> None:
    found = code_version(tmp_path)
    assert found.lakesmith_version == lakesmith.__version__
    assert found.python == platform.python_version()
    expected = {"pyspark", "delta-spark", "deltalake", "mlflow", "numpy", "pandas", "pyarrow", "scikit-learn"}
    assert {name: found.packages.get(name) for name in expected} == {
        name: importlib.metadata.version(name) for name in expected
    }
    assert list(found.packages) == sorted(found.packages)


def test_a_loaded_package_counts_more_than_an_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", SimpleNamespace(__version__="4.0.2-amzn-0"))  # type: ignore[arg-type]
    assert code_version(tmp_path).packages["pyspark"] == "4.0.2-amzn-0"


@pytest.mark.parametrize(
    ("release", "version"),
    [('IMPLEMENTOR="x"\nJAVA_VERSION="17.0.15"\n', "17.0.15"), ("IMPLEMENTOR\n", None), (None, None)],
)
def test_java_is_what_its_home_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str | None, version: str | None
) -> None:
    if release is not None:
        (tmp_path / "release").write_text(release)
    monkeypatch.setattr("lakesmith.ml.code_version.java_home", lambda: tmp_path)
    assert code_version(tmp_path).packages.get("java") == version


def test_without_java_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakesmith.ml.code_version.java_home", lambda: None)
    assert "java" not in code_version(tmp_path).packages


def test_differences_are_told_in_words() -> None:
    now = CodeVersion(
        commit="ba9876543210",
        dirty=True,
        lakesmith_version="0.2.0",
        python="3.12.1",
        packages={"pyspark": "4.1.0", "numpy": "2.1.0", "mlflow": "3.1.0"},
    )
    assert differences(THEN, now) == (
        "commit 0123456789ab then, ba9876543210 with uncommitted changes now",
        "lakesmith 0.1.0 then, 0.2.0 now",
        "python 3.11.7 then, 3.12.1 now",
        "java 17.0.15 then, not installed now",
        "pyspark 4.0.2 then, 4.1.0 now",
        "mlflow not installed then, 3.1.0 now",
    )


def test_nothing_differs_from_itself() -> None:
    assert differences(THEN, replace(THEN, packages=dict(THEN.packages))) == ()


def test_a_version_survives_being_written_down() -> None:
    assert CodeVersion.from_json({**json.loads(json.dumps(THEN.to_json())), "newer": 1}) == THEN


@pytest.mark.parametrize("change", [{"packages": ["pyspark"]}, {"packages": None}])
def test_a_record_of_another_shape_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CodeVersionUnreadable, match="cannot be read"):
        CodeVersion.from_json({**THEN.to_json(), **change})
    with pytest.raises(CodeVersionUnreadable, match="KeyError: 'commit'"):
        CodeVersion.from_json({})


def test_the_projects_lock_is_taken_where_there_is_one(tmp_path: Path) -> None:
    lock = tmp_path / "requirements" / "dev.txt"
    lock.parent.mkdir()
    lock.write_text("numpy==2.1.0\n")
    assert lock_file(tmp_path, tmp_path / "into") == lock
    assert not (tmp_path / "into").exists()


def test_without_a_lock_the_installed_packages_are_listed(tmp_path: Path) -> None:
    written = lock_file(tmp_path, tmp_path / "into")
    lines = written.read_text().splitlines()
    assert written == tmp_path / "into" / "requirements.txt"
    names = [line.split("==")[0] for line in lines]
    assert names == sorted(set(names))
    assert f"typing-extensions=={importlib.metadata.version('typing_extensions')}" in lines
    assert f"delta-spark=={importlib.metadata.version('delta-spark')}" in lines
    assert not any(line.startswith("lakesmith==") for line in lines)

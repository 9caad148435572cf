"""The commands that strangers and machines are given: each make target that is named anywhere exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
CI_RUN = ROOT / ".ci" / "run"
PROMISED = {"check", "test", "demo", "wheel-check", "airflow", "test-airflow"}


def makefile_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, re.MULTILINE))


def named_targets(script: str) -> set[str]:
    """What a shell script asks make for."""
    commands = [part for line in script.splitlines() for part in re.split(r"&&|\|\||[;|]", line)]
    targets: set[str] = set()
    for command in commands:
        words = shlex.split(command, comments=True) if "make" in command else []
        if "make" in words:
            arguments = words[words.index("make") + 1 :]
            targets |= {a for a in arguments if not a.startswith("-") and "=" not in a}
    return targets


def workflow_jobs() -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    return jobs


def workflow_script() -> str:
    return "\n".join(step.get("run", "") for job in workflow_jobs().values() for step in job["steps"])


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(workflow_script(), id="ci.yml"),
        pytest.param(CI_RUN.read_text(encoding="utf-8"), id=".ci/run"),
    ],
)
def test_every_named_target_exists_and_the_promised_ones_are_called(script: str) -> None:
    named = named_targets(script)
    assert named - makefile_targets() == set()
    assert PROMISED - named == set()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_pages_name_only_targets_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    quoted = re.findall(r"`make ([a-z][a-z-]*)`", text) + re.findall(
        r"^\$? *make ([a-z-]+)", text, re.MULTILINE
    )
    assert set(quoted) - makefile_targets() == set()


@pytest.mark.parametrize(
    ("line", "targets"),
    [
        ("make env", {"env"}),
        ("run make --silent check test JOBS=2 && make demo; echo no", {"check", "test", "demo"}),
        ("# make nothing of a comment", set()),
    ],
)
def test_targets_are_read_from_shell_lines(line: str, targets: set[str]) -> None:
    assert named_targets(line) == targets


def test_every_target_in_the_help_is_phony_and_explained() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z][a-z-]*):.*## \S", text, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: ([a-z][a-z-]*)$", text, re.MULTILINE))
    assert explained == phony == makefile_targets()


def test_ci_run_can_be_executed() -> None:
    assert os.access(CI_RUN, os.X_OK)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("conf/tables/silver.sales_lines.yml", {"data"}),
        ("conf/expectations/silver.sales_lines.json", {"data"}),
        ("conf/sources/online-retail.yml", {"data"}),
        ("conf/models/repurchase.yml", {"model"}),
        ("conf/base.yml", {"code"}),
        ("lib/lakesmith/conf/tables/x.py", {"code"}),
        ("README.md", {"code"}),
    ],
)
@pytest.mark.parametrize("known_past", [True, False], ids=["push", "new-branch"])
def test_a_push_is_told_apart_by_path(tmp_path: Path, path: str, kinds: set[str], known_past: bool) -> None:
    [script] = [step["run"] for step in workflow_jobs()["changes"]["steps"] if step.get("id") == "paths"]
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    git(repository, "commit", "-q", "--allow-empty", "-m", "before")
    before = git(repository, "rev-parse", "HEAD") if known_past else "0" * 40
    (repository / path).parent.mkdir(parents=True, exist_ok=True)
    (repository / path).touch()
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "after")
    output = tmp_path / "output"
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=repository,
        env={**os.environ, "BEFORE": before, "GITHUB_OUTPUT": str(output)},
        check=True,
        capture_output=True,
    )
    told = dict(line.split("=") for line in output.read_text().splitlines())
    assert told.keys() == {"code", "data", "model"}
    assert {kind for kind, changed in told.items() if changed == "true"} == kinds

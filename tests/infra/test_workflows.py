"""Release and promotion: one image by its digest goes through the environments, and no model past its gates."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakesmith.cli.main import main

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
DIGEST = "${{ needs.build.outputs.image }}"


def workflow(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    # YAML 1.1 reads the key `on` as true.
    parsed["on"] = parsed.pop(True)
    return parsed


def scripts(name: str) -> list[str]:
    jobs = workflow(name)["jobs"].values()
    return [step["run"] for job in jobs for step in job.get("steps", ()) if "run" in step]


def test_one_digest_goes_to_dev_then_staging_then_prod() -> None:
    jobs = workflow("release.yml")["jobs"]
    assert list(jobs) == ["build", "dev", "staging", "prod"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "build": None,
        "dev": "build",
        "staging": ["build", "dev"],
        "prod": ["build", "staging"],
    }
    for environment in ("dev", "staging", "prod"):
        assert jobs[environment]["uses"] == "./.github/workflows/deploy.yml"
        assert jobs[environment]["with"] == {"environment": environment, "image": DIGEST}
    assert jobs["build"]["outputs"] == {"image": "${{ steps.push.outputs.image }}"}


def test_it_is_built_once() -> None:
    building = [
        script for script in scripts("release.yml") if "docker build" in script or "make package" in script
    ]
    assert len(building) == 2
    assert not [script for script in scripts("deploy.yml") if "build" in script or "make" in script]


def test_only_the_main_branch_releases_and_two_do_not_overtake_each_other() -> None:
    release = workflow("release.yml")
    assert release["jobs"]["build"]["if"] == "github.ref == 'refs/heads/main'"
    assert release["on"] == {"workflow_dispatch": None}
    assert release["concurrency"] == {"group": "release", "cancel-in-progress": False}


@pytest.mark.parametrize(("name", "job"), [("deploy.yml", "deploy"), ("promote.yml", "promote")])
def test_an_environment_is_touched_under_its_own_name_only(name: str, job: str) -> None:
    """There GitHub asks for the approval, and its token names the environment, which the role's trust demands."""
    assert workflow(name)["jobs"][job]["environment"] == "${{ inputs.environment }}"


@pytest.mark.parametrize("name", ["release.yml", "deploy.yml", "promote.yml"])
def test_tokens_may_do_no_more_than_they_must(name: str) -> None:
    parsed = workflow(name)
    assert parsed["permissions"] == {"contents": "read"}
    for job in parsed["jobs"].values():
        assert job.get("permissions", {}) in ({}, {"contents": "read", "id-token": "write"})
        for step in job.get("steps", ()):
            assert "access-key" not in str(step)


@pytest.mark.parametrize("name", ["release.yml", "deploy.yml", "promote.yml"])
def test_no_input_becomes_part_of_a_script(name: str) -> None:
    """What somebody typed reaches a script as a variable, so that it is never a command."""
    assert [script for script in scripts(name) if "${{" in script] == []


@pytest.mark.parametrize("name", ["release.yml", "deploy.yml", "promote.yml"])
def test_every_script_parses(name: str) -> None:
    for script in scripts(name):
        subprocess.run(["bash", "-n", "-c", script], check=True)


def test_what_is_deployed_is_what_was_checked() -> None:
    steps = workflow("deploy.yml")["jobs"]["deploy"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert runs[0] == "cd dist && sha256sum --check SHA256SUMS"
    assert any('[ "$now" = "$IMAGE" ]' in script for script in runs)


@pytest.mark.parametrize(
    ("model", "version", "reason", "passes"),
    [
        ("repurchase", "3", "better on the last month", True),
        ("nobody", "3", "a model that is not there", False),
        ("../repurchase", "3", "a path", False),
        ("repurchase", "0", "no version", False),
        ("repurchase", "3; echo", "a command", False),
        ("repurchase", "3", "  ", False),
    ],
)
def test_what_nobody_could_approve_is_refused_before_anybody_is_asked(
    model: str, version: str, reason: str, passes: bool
) -> None:
    [script] = [step["run"] for step in workflow("promote.yml")["jobs"]["check"]["steps"] if "run" in step]
    environ = {**os.environ, "MODEL": model, "VERSION": version, "REASON": reason}
    ran = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=ROOT, env=environ, check=False)
    assert (ran.returncode == 0) is passes


def test_promotion_keeps_the_gates() -> None:
    parsed = workflow("promote.yml")
    assert parsed["jobs"]["promote"]["needs"] == "check"
    [command] = [script for script in scripts("promote.yml") if "models promote" in script]
    assert "--force" not in command
    assert "--at-once" not in command
    assert set(parsed["on"]["workflow_dispatch"]["inputs"]) == {"environment", "model", "version", "reason"}


def test_its_command_is_one_that_lakesmith_has(capsys: pytest.CaptureFixture[str]) -> None:
    [command] = [script for script in scripts("promote.yml") if "models promote" in script]
    options = set(re.findall(r"(?<= )--[a-z-]+", command))
    assert main(["models", "promote", "--help"]) == 0
    helped = capsys.readouterr().out
    assert {option for option in options if option not in helped} == set()

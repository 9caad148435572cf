"""The image of EMR Serverless: what hadolint says of it, and what it is made of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "infra" / "docker" / "Dockerfile.emr"
TEXT = IMAGE.read_text(encoding="utf-8")


def test_the_image_passes_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}")
    assert hadolint is not None
    done = subprocess.run([hadolint, str(IMAGE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_ends_as_the_user_whom_emr_wants() -> None:
    assert re.findall(r"^USER (.*)$", TEXT, re.MULTILINE)[-1] == "hadoop:hadoop"


def test_its_base_is_the_release_of_the_application() -> None:
    module = ROOT / "infra" / "terraform" / "modules" / "emr_serverless" / "variables.tf"
    [release] = re.findall(
        r'variable "release_label" \{.*?default\s+= "([^"]+)"', module.read_text(encoding="utf-8"), re.DOTALL
    )
    assert f"ARG BASE=public.ecr.aws/emr-serverless/spark/{release}:latest" in TEXT
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert f"BASE: public.ecr.aws/emr-serverless/spark/{release}\n" in workflow


def test_every_package_has_its_hash() -> None:
    installs = re.findall(r"pip install.*?(?=&&|\n\n|\Z)", TEXT, re.DOTALL)
    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)
    copied = set(re.findall(r"requirements/[a-z]+\.txt", TEXT))
    assert all((ROOT / name).is_file() for name in copied)


def test_the_code_is_no_part_of_it() -> None:
    """The archive comes with each job, so that a change of a job is no new image."""
    copies = re.findall(r"^COPY (.*)$", TEXT, re.MULTILINE)
    assert copies == ["requirements/uv.txt requirements/dev.txt requirements/emr.txt /tmp/requirements/"]


def test_no_package_has_two_versions() -> None:
    pins = {}
    for name in ("dev", "emr"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        pins[name] = dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE))
    both = pins["dev"].keys() & pins["emr"].keys()
    assert {
        name: (pins["dev"][name], pins["emr"][name])
        for name in both
        if pins["dev"][name] != pins["emr"][name]
    } == {}

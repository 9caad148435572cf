"""Hygiene of the Terraform code that needs no Terraform: what a linter of it would say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "terraform"
MODULES = sorted(path.name for path in (FOLDER / "modules").iterdir())
ROOTS = ["bootstrap", "envs/dev", "envs/prod", "envs/staging", *(f"modules/{name}" for name in MODULES)]


def text_of(folder: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((FOLDER / folder).glob("*.tf")))


def blocks(folder: str, kind: str) -> Iterator[tuple[str, str]]:
    """Name and body of each block of a kind at the outermost level."""
    for found in re.finditer(
        rf'^{kind} "([^"]+)"(?: "[^"]+")? \{{\n(.*?)^\}}', text_of(folder), re.MULTILINE | re.DOTALL
    ):
        yield found[1], found[2]


@pytest.mark.parametrize("folder", ROOTS)
def test_every_variable_says_its_type_and_what_it_is(folder: str) -> None:
    variables = dict(blocks(folder, "variable"))
    assert [
        name for name, body in variables.items() if not re.search(r"^  type\s+=", body, re.MULTILINE)
    ] == []
    described = re.compile(r'^  description\s+= ".{8,}"$', re.MULTILINE)
    assert [name for name, body in variables.items() if not described.search(body)] == []


@pytest.mark.parametrize("folder", ROOTS)
def test_every_output_is_described(folder: str) -> None:
    assert [
        n
        for n, body in blocks(folder, "output")
        if not re.search(r'^  description = ".{8,}"$', body, re.MULTILINE)
    ] == []


@pytest.mark.parametrize("folder", ROOTS)
def test_nothing_is_declared_that_nobody_uses(folder: str) -> None:
    text = text_of(folder)
    assert [name for name, _ in blocks(folder, "variable") if not re.search(rf"\bvar\.{name}\b", text)] == []
    declared = re.findall(
        r"^  ([a-z_0-9]+)\s+= ",
        "\n".join(re.findall(r"^locals \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)),
        re.MULTILINE,
    )
    assert [name for name in declared if not re.search(rf"\blocal\.{name}\b", text)] == []


@pytest.mark.parametrize("folder", ROOTS)
def test_versions_of_terraform_and_of_the_provider_are_demanded(folder: str) -> None:
    text = text_of(folder)
    assert 'required_version = ">= 1.10"' in text
    assert 'version = "~> 5.100"' in text


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_environment_keeps_its_state_under_s3s_own_lock_and_tags_everything(environment: str) -> None:
    text = text_of(f"envs/{environment}")
    [backend] = re.findall(r'backend "s3" \{(.*?)\n  \}', text, re.DOTALL)
    assert re.search(r"use_lockfile\s+= true", backend)
    assert "dynamodb" not in text
    assert f'"{environment}/terraform.tfstate"' in backend
    assert re.search(r"encrypt\s+= true", backend)
    [tags] = re.findall(r"default_tags \{\n\s+tags = \{(.*?)\}\n", text, re.DOTALL)
    assert set(re.findall(r"^\s+([A-Z]\w+)\s+=", tags, re.MULTILINE)) == {
        "Platform",
        "Environment",
        "ManagedBy",
        "Repository",
        "Owner",
    }
    assert (ROOT / "conf" / f"{environment}.yml").is_file()


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_environment_reads_the_contracts_of_the_project(environment: str) -> None:
    [path] = re.findall(r'contracts\s+= "\$\{path\.root\}/([^"]+)"', text_of(f"envs/{environment}"))
    assert (FOLDER / "envs" / environment / path).resolve() == ROOT / "conf" / "tables"


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_only_dev_goes_with_its_data(environment: str) -> None:
    [destroyed] = re.findall(r"force_destroy = (\w+)", text_of(f"envs/{environment}"))
    assert destroyed == ("true" if environment == "dev" else "false")


@pytest.mark.parametrize("folder", [root for root in ROOTS if not root.startswith("modules")])
def test_the_provider_is_locked(folder: str) -> None:
    lock = (FOLDER / folder / ".terraform.lock.hcl").read_text(encoding="utf-8")
    assert 'version     = "5.100.0"' in lock
    assert "h1:" in lock


def test_every_skip_of_checkov_is_explained_beside_it() -> None:
    skips = re.findall(r"#checkov:skip=(\S+?):(.*)$", "\n".join(map(text_of, ROOTS)), re.MULTILINE)
    assert len(skips) > 0
    assert [check for check, why in skips if len(why.split()) < 5] == []
    assert len(re.findall("checkov:skip", "\n".join(map(text_of, ROOTS)))) == len(skips)


def test_no_state_holds_a_secret() -> None:
    assert "aws_secretsmanager_secret_version" not in "".join(map(text_of, ROOTS))


def test_every_module_has_tests() -> None:
    tested = "\n".join(path.read_text(encoding="utf-8") for path in (FOLDER / "tests").glob("*.tftest.hcl"))
    assert {name for name in MODULES if f"../modules/{name}" not in tested} == set()

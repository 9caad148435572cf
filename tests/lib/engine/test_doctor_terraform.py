"""The doctor beside Terraform: what differs is named with how to say it, and another file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakesmith.engine.doctor import Check, Verdict
from lakesmith.engine.doctor_terraform import TerraformOutputUnreadable, compare_with_terraform
from lakesmith.errors import ExitCode

LAKE = "s3://lakesmith-prod-lake-123456789012/lake"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:lakesmith-prod-alerts"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LAKESMITH_ENV", "LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "base.yml").write_text("alerts: {sns: {region: eu-west-1}}\n")
    (tmp_path / "conf" / "prod.yml").write_text("lake_root: null\n")
    return tmp_path


def outputs(folder: Path, **settings: Any) -> Path:
    """What Terraform prints: `__` stands for a dot."""
    made = {key.replace("__", "."): value for key, value in settings.items()}
    file = folder / "out puts.json"
    file.write_text(
        json.dumps({"settings": {"sensitive": False, "value": made}, "region": {"value": "eu-west-1"}})
    )
    return file


def compared(project: Path, file: Path) -> list[Check]:
    return list(compare_with_terraform("prod", project, file))


def test_what_is_not_set_comes_with_the_variable_that_sets_it(project: Path) -> None:
    assert compared(project, outputs(project, lake_root=LAKE, alerts__sns__topic=TOPIC)) == [
        Check(
            "terraform alerts.sns.topic",
            Verdict.PROBLEM,
            f"not set, and Terraform made {TOPIC}",
            f"export LAKESMITH__ALERTS__SNS__TOPIC={TOPIC}",
        ),
        Check(
            "terraform lake_root",
            Verdict.PROBLEM,
            f"not set, and Terraform made {LAKE}",
            f"export LAKESMITH__LAKE_ROOT={LAKE}",
        ),
    ]


def test_another_value_is_named_with_where_it_comes_from(project: Path) -> None:
    (project / "conf" / "prod.yml").write_text("lake_root: s3://another/lake\n")
    assert compared(project, outputs(project, lake_root=LAKE)) == [
        Check(
            "terraform lake_root",
            Verdict.PROBLEM,
            f"s3://another/lake (conf/prod.yml:1), and Terraform made {LAKE}",
            f"export LAKESMITH__LAKE_ROOT={LAKE}",
        )
    ]


def test_the_commands_that_it_gives_make_it_content(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = outputs(project, lake_root=LAKE, alerts__sns__topic=TOPIC, alerts__sns__region="eu-west-1")
    for check in compared(project, file):
        if check.verdict is Verdict.PROBLEM:
            name, value = check.next_step.removeprefix("export ").split("=", 1)
            monkeypatch.setenv(name, value)
    assert compared(project, file) == [
        Check("terraform alerts.sns.region", Verdict.OK, "eu-west-1"),
        Check("terraform alerts.sns.topic", Verdict.OK, TOPIC),
        Check("terraform lake_root", Verdict.OK, LAKE),
    ]


def test_a_setting_that_came_later_is_no_problem_of_the_infrastructure(project: Path) -> None:
    [check] = compared(project, outputs(project, weather__station="here"))
    assert (check.verdict, check.subject) == (Verdict.WARNING, "terraform weather.station")
    assert check.found == "Terraform made here, and this version of Lakesmith has no such setting"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file or directory"),
        ("lake_root = s3://x", "it is not JSON"),
        ("[]", "there is no output 'settings'"),
        ("{}", "there is no output 'settings'"),
        ('{"settings": {"value": {}}}', "there is no output 'settings'"),
        ('{"settings": {"value": {"lake_root": null}}}', "settings.lake_root is no text"),
    ],
)
def test_another_file_is_refused_with_the_command_that_makes_it(
    project: Path, text: str | None, reason: str
) -> None:
    file = project / "out puts.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(TerraformOutputUnreadable) as error:
        compared(project, file)
    said = str(error.value)
    assert f"{file} does not hold the outputs of infra/terraform/envs/prod: {reason}" in said
    assert said.endswith(f"Make it: terraform -chdir=infra/terraform/envs/prod output -json > '{file}'")
    assert error.value.exit_code is ExitCode.USAGE


def test_settings_that_cannot_be_loaded_are_named_by_the_other_checks(project: Path) -> None:
    (project / "conf" / "prod.yml").write_text("lake_rot: x\n")
    assert compared(project, outputs(project, lake_root=LAKE)) == []

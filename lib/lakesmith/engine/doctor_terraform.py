"""What Terraform made, beside what the settings say: each place, key and role that differs, and how to say it.

Owns the reading of `terraform output -json`. Which settings are compared is said by the output `settings` itself, by their dotted
names, so that a part of the infrastructure that comes later needs nothing here.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

from lakesmith.config.load import load_settings
from lakesmith.config.settings import EffectiveSetting, Settings
from lakesmith.engine.doctor import Check, Verdict
from lakesmith.errors import ConfigurationError, LakesmithError

__all__ = ["TerraformOutputUnreadable", "compare_with_terraform"]

_OUTPUT = "settings"
_FIELDS = {"landing_root": "landing", "lake_root": "lake"}
"""Settings whose fields are called otherwise than their keys."""


class TerraformOutputUnreadable(ConfigurationError):
    """The file is not what `terraform output -json` prints for one of the environments.

    Args:
        path: the file.
        reason: what is wrong with it.
        environment: whose outputs were expected.
    """

    def __init__(self, path: Path, reason: str, environment: str) -> None:
        self.path = path
        super().__init__(
            f"{path} does not hold the outputs of infra/terraform/envs/{environment}: {reason}. Make it: "
            f"terraform -chdir=infra/terraform/envs/{environment} output -json > {shlex.quote(str(path))}"
        )


def compare_with_terraform(environment: str | None, project_root: Path | None, file: Path) -> Iterator[Check]:
    """A check for each setting that the infrastructure has something to say about; none where the settings cannot be loaded.

    Args:
        environment, project_root: as of `examine`, which names what is wrong with the settings.
        file: what `terraform output -json` printed.

    Raises:
        TerraformOutputUnreadable: the file holds something else.
    """
    try:
        settings = load_settings(environment, project_root)
    except LakesmithError:
        return
    made = _made(file, settings.environment)
    known = {setting.key: setting for setting in settings.effective()}
    for key, wanted in sorted(made.items()):
        yield _compared(settings, known.get(key), key, wanted)


def _made(file: Path, environment: str) -> dict[str, str]:
    """The settings that Terraform put out, by their dotted names."""
    try:
        outputs = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TerraformOutputUnreadable(file, f"{error.strerror}", environment) from error
    except ValueError as error:
        raise TerraformOutputUnreadable(file, "it is not JSON", environment) from error
    output = outputs.get(_OUTPUT) if isinstance(outputs, dict) else None
    made = output.get("value") if isinstance(output, dict) else None
    if not isinstance(made, dict) or not made:
        reason = f"there is no output {_OUTPUT!r}: it is another root's, or nothing was applied yet"
        raise TerraformOutputUnreadable(file, reason, environment)
    if wrong := sorted(key for key, value in made.items() if not isinstance(value, str) or not value):
        raise TerraformOutputUnreadable(file, f"{_OUTPUT}.{wrong[0]} is no text", environment)
    return made


def _compared(settings: Settings, found: EffectiveSetting | None, key: str, wanted: str) -> Check:
    subject = f"terraform {key}"
    if found is None:
        said = f"Terraform made {wanted}, and this version of Lakesmith has no such setting"
        return Check(subject, Verdict.WARNING, said, "install the version that this infrastructure is for")
    value = _value(settings, key)
    if isinstance(value, str) and value.rstrip("/") == wanted.rstrip("/"):
        return Check(subject, Verdict.OK, wanted)
    is_set = f"{found.value} ({found.origin})" if value is not None else "not set"
    return Check(
        subject,
        Verdict.PROBLEM,
        f"{is_set}, and Terraform made {wanted}",
        f"export LAKESMITH__{key.upper().replace('.', '__')}={shlex.quote(wanted)}",
    )


def _value(settings: Settings, key: str) -> object:
    """As it is in force; names of places and keys are no secrets, so nothing is masked in the comparison."""
    value: object = settings
    for name in key.split("."):
        value = getattr(value, _FIELDS.get(name, name))
    return value

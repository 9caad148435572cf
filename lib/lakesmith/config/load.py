"""Finding a project and loading the settings of one of its environments.

Owns the order of layers (base.yml, the environment's file, variables) and the messages about values. Which
keys exist is `lakesmith.config.settings`; how layers lie on each other `lakesmith.config.layers`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from lakesmith.aws.clients import Access
from lakesmith.config.archive import shipped_project
from lakesmith.config.layers import Layers, Origin
from lakesmith.config.secrets import SecretReference, is_reference
from lakesmith.config.sections.aws import AwsSettings
from lakesmith.config.sections.outside import ConnectionSettings
from lakesmith.config.settings import Settings
from lakesmith.config.yaml_text import YamlPath, describe, dotted
from lakesmith.errors import ConfigurationError, InvalidSettings, Problem, ProjectNotFound

__all__ = ["find_project", "load_settings"]

ENVIRONMENT_VARIABLE = "LAKESMITH_ENV"
PROJECT_VARIABLE = "LAKESMITH_PROJECT"
DEFAULT_ENVIRONMENT = "dev"
_BASE = "conf/base.yml"
_ARCHIVE = "archive"
_NO_SECRETS = ("parameters", "models", "origins", "environment", "project_root")
"""What transforms, trainings and their records may hold."""
_PLACES: tuple[YamlPath, ...] = (
    ("landing_root",),
    ("lake_root",),
    ("openlineage", "path"),
    ("log", "folder"),
)
"""Settings whose relative paths are below the project."""


def load_settings(
    environment: str | None = None,
    project_root: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """The settings of an environment: conf/base.yml, conf/<environment>.yml, variables LAKESMITH__A__B.

    Args:
        environment: its name; None takes the variable LAKESMITH_ENV, else dev.
        project_root: the folder that holds conf/; None takes the variable LAKESMITH_PROJECT, else the nearest
            folder upwards from the working folder; under code that runs from an archive, the project in it.
        environ: the process's variables.

    Raises:
        ProjectNotFound: there is no such folder.
        ConfigurationError: there is no such environment.
        InvalidSettings: files or variables hold mistakes.
    """
    root, root_origin = _project(project_root, environ)
    name, name_origin = _environment(environment, environ)
    if name not in (known := _environments(root)):
        raise _no_environment(name, name_origin, known)
    layers = Layers()
    layers.add_file(root / _BASE, _BASE)
    layers.add_file(root / f"conf/{name}.yml", f"conf/{name}.yml")
    layers.add_variables(environ)
    origins = {dotted(path): str(origin) for path, origin in layers.origins.items()}
    origins |= {"environment": name_origin, "project_root": root_origin}
    if root_origin == _ARCHIVE:
        layers.problems += _relative_places(layers)
    given = {**layers.values, "environment": name, "project_root": root, "origins": origins}
    settings, problems = _settings(given, layers.origins)
    if layers.problems or problems or settings is None:
        # Raised here and not where pydantic's error was caught: that error holds the values, secrets too.
        told = {(problem.file, problem.place) for problem in layers.problems}
        raise InvalidSettings(
            name, [*layers.problems, *(p for p in problems if (p.file, p.place) not in told)]
        )
    return settings


def find_project(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder LAKESMITH_PROJECT, else the project in the archive that code runs from, else the nearest folder upwards.

    Raises:
        ProjectNotFound: there is none; the message lists where it looked.
    """
    return _project(None, environ)[0]


def _project(given: Path | None, environ: Mapping[str, str]) -> tuple[Path, str]:
    if given is not None:
        candidates, how, origin = [given.absolute()], "given as the project's folder", "argument"
    elif variable := environ.get(PROJECT_VARIABLE):
        candidates = [_expanded(Path(variable)).absolute()]
        how = origin = f"variable {PROJECT_VARIABLE}"
    elif shipped := shipped_project():
        candidates, how, origin = [shipped], "in the archive", _ARCHIVE
    else:
        here = Path.cwd()
        candidates, how = [here, *here.parents], "the working folder and those above it"
        origin = "working folder"
    for folder in candidates:
        if (folder / _BASE).is_file():
            return folder, origin
    raise ProjectNotFound(candidates, how)


def _relative_places(layers: Layers) -> list[Problem]:
    """Places below a project, which an archive is not: it is unpacked to wherever there is room for a while."""
    found = []
    for path in _PLACES:
        value: object = layers.values
        for step in path:
            value = value.get(str(step)) if isinstance(value, dict) else None
        if isinstance(value, str) and value.strip() and "://" not in value and not Path(value).is_absolute():
            variable = f"LAKESMITH__{'__'.join(str(step).upper() for step in path)}"
            said = f"{value} is relative, and code that runs from an archive has no folder of its own; set {variable}"
            origin = layers.origins.get(path, Origin("settings"))
            found.append(Problem(origin.name, dotted(path), said, line=origin.line))
    return found


def _expanded(folder: Path) -> Path:
    try:
        return folder.expanduser()
    except RuntimeError:  # nobody's `~` is a folder that is not there
        return folder


def _environment(given: str | None, environ: Mapping[str, str]) -> tuple[str, str]:
    if given is not None:
        return given, "argument"
    if variable := environ.get(ENVIRONMENT_VARIABLE):
        return variable, f"variable {ENVIRONMENT_VARIABLE}"
    return DEFAULT_ENVIRONMENT, "default"


def _environments(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "conf").glob("*.yml") if path.stem != "base")


def _no_environment(name: str, origin: str, known: list[str]) -> ConfigurationError:
    nearest = get_close_matches(name, known, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    listed = ", ".join(known) or "none"
    return ConfigurationError(
        f"there is no environment {name!r} ({origin}); environments: {listed}.{hint} "
        f"An environment is a file conf/<name>.yml: choose one with --env or {ENVIRONMENT_VARIABLE}."
    )


def _settings(
    given: Mapping[str, object], origins: Mapping[YamlPath, Origin]
) -> tuple[Settings | None, list[Problem]]:
    quality = given.get("quality")
    if isinstance(quality, dict) and isinstance(modules := quality.get("expectation_modules"), list):
        given = {**given, "quality": {**quality, "expectation_modules": tuple(modules)}}
    problems: dict[YamlPath, Problem] = {}
    given = _with_references(given, origins, problems)
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False)
    else:
        return settings, list(problems.values())
    for details in found:
        # Beyond the place that was set, pydantic names list elements (kept) and the members of a union (not).
        steps = details["loc"]
        length = max((n for n in range(len(steps) + 1) if steps[:n] in origins), default=len(steps))
        path = (*steps[:length], *(step for step in steps[length:] if isinstance(step, int)))
        origin = origins.get(steps[:length], Origin("settings"))
        message = _message(details, steps[0] == "parameters")
        problems.setdefault(path, Problem(origin.name, dotted(path), message, line=origin.line))
    return None, list(problems.values())


def _with_references(
    given: Mapping[str, object], origins: Mapping[YamlPath, Origin], problems: dict[YamlPath, Problem]
) -> dict[str, object]:
    """The values with references in place of the texts that are meant as such, and what is wrong with them."""
    access = _access(given)

    def bound(value: object, path: YamlPath) -> object:
        if isinstance(value, dict):
            return {key: bound(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            # None of them is ever looked up.
            for number, inner in enumerate(value):
                if is_reference(inner):
                    problems[*path, number] = _misplaced(origins.get(path), (*path, number))
            return value
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str) or not is_reference(text):
            return value
        if path[0] in _NO_SECRETS:
            problems[path] = _misplaced(origins.get(path), path)
            return value
        try:
            return SecretReference(text, dotted(path), access)
        except ValueError as error:
            problems[path] = _misplaced(origins.get(path), path, str(error))
            return value

    return {key: bound(value, (key,)) for key, value in given.items()}


_MISPLACED = "a reference to a secret stands where no secret belongs, and is not looked up"


def _misplaced(origin: Origin | None, path: YamlPath, message: str = _MISPLACED) -> Problem:
    named = origin or Origin("settings")
    return Problem(named.name, dotted(path), message, line=named.line)


def _access(given: Mapping[str, object]) -> Access:
    """How Amazon's services are reached. What is wrong with that is found with all the rest."""
    try:
        return AwsSettings.model_validate(given.get("aws", {})).access
    except ValidationError:
        return Access()


_EXPECTED = {
    "int_type": "a whole number",
    "string_type": "text",
    "path_type": "text",
    "mapping_type": "keys and values",
    "dict_type": "keys and values",
    "tuple_type": "a list",
}


def _message(details: Any, is_parameter: bool) -> str:
    if isinstance(details["input"], SecretReference):
        return _MISPLACED
    # A password under a wrong key must not be shown.
    found = "something else" if details["loc"][0] == "connections" else describe(details["input"])
    if is_parameter:
        return f"expected text, a number, true, false or null, found {found}"
    match details["type"]:
        case "value_error":
            return str(details["ctx"]["error"])
        case "extra_forbidden":
            return f"unknown key; allowed: {', '.join(ConnectionSettings.model_fields)}"
        case "missing":
            return f"{details['loc'][-1]!r} is missing"
        case "model_type":
            return f"expected keys and values, found {found}"
        case "greater_than_equal":
            return f"must be at least {details['ctx']['ge']}, found {found}"
        case "literal_error":
            return f"expected {details['ctx']['expected']}, found {found}"
        case "greater_than":
            return f"must be more than {details['ctx']['gt']}, found {found}"
        case kind:
            return f"expected {_EXPECTED.get(kind, kind)}, found {found}"

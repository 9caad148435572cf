"""What can be set, as one frozen value, and where each value came from.

Owns what every environment has, and how settings in force are listed; names, types, ranges and defaults of a section are in
`lakesmith.config.sections`. Reading files and variables is `lakesmith.config.load`. A secret is a `SecretStr`: neither its text
nor its length is in any repr, listing or error. Of one that stands elsewhere the reference is shown (`lakesmith.config.secrets`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from lakesmith.aws.s3 import S3Access, is_s3
from lakesmith.config.secrets import SecretReference
from lakesmith.config.sections.alerts import AlertSettings
from lakesmith.config.sections.aws import AwsSettings, EmrSettings
from lakesmith.config.sections.jobs import (
    LeaseSettings,
    LogSettings,
    PublishSettings,
    QualitySettings,
    ServingSettings,
    SparkSettings,
    StagingSettings,
    SubmitSettings,
)
from lakesmith.config.sections.monitoring import MonitoringSettings
from lakesmith.config.sections.outside import ConnectionSettings, MlflowSettings, OpenLineageSettings
from lakesmith.config.sections.s3 import S3Settings
from lakesmith.config.sections.servers import AirflowSettings, StackSettings
from lakesmith.config.sections.upkeep import MaintenanceSettings, RetentionSettings
from lakesmith.config.sections.values import SECRET_NAME, USER_INFO, Section
from lakesmith.errors import SettingMissing

__all__ = ["EffectiveSetting", "Settings"]

_MASK = "********"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")
_LIKE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class EffectiveSetting:
    """One setting as it is in force.

    Args:
        key: dotted name.
        value: its value, masked where it is or may hold a secret.
        origin: file and line, variable, argument or `default`.
    """

    key: str
    value: object
    origin: str


class Settings(Section):
    """All settings of one environment; made by `load_settings`.

    Args:
        environment: its name, as in conf/<environment>.yml.
        project_root: the folder that holds conf/ and jobs/.
        jars_dir: where the jars are; relative paths are below the project.
        clean_build: a wheel or an archive must be built from a commit, with nothing changed.
        connections: the databases that sources are read from, by name.
        storage_options: further options of the object store, as deltalake names them; they win over `aws` and `s3`.
        parameters: what transforms may read as `settings`.
        models: what this environment changes in conf/models/<name>.yml, by the model's name.
        origins: dotted key -> file and line, variable or argument, for every key that is set.
    """

    environment: str
    project_root: Path
    landing: str | None = Field(default=None, alias="landing_root")
    lake: str | None = Field(default=None, alias="lake_root")
    jars_dir: Annotated[Path, Field(strict=False)] = Field(default=Path(".jars"), validate_default=True)
    clean_build: bool = False
    spark: SparkSettings = SparkSettings()
    submit: SubmitSettings = SubmitSettings()
    log: LogSettings = LogSettings()
    lease: LeaseSettings = LeaseSettings()
    publish: PublishSettings = PublishSettings()
    staging: StagingSettings = StagingSettings()
    quality: QualitySettings = QualitySettings()
    serving: ServingSettings = ServingSettings()
    retention: RetentionSettings = RetentionSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    mlflow: MlflowSettings = MlflowSettings()
    openlineage: OpenLineageSettings = OpenLineageSettings()
    alerts: AlertSettings = AlertSettings()
    connections: Mapping[str, ConnectionSettings] = Field(default_factory=dict, repr=False)
    stack: StackSettings = StackSettings()
    airflow: AirflowSettings = AirflowSettings()
    aws: AwsSettings = AwsSettings()
    s3: S3Settings = S3Settings()
    emr: EmrSettings = EmrSettings()
    storage_options: Mapping[str, SecretStr] = Field(default_factory=dict)
    parameters: Mapping[str, Scalar] = Field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    origins: Mapping[str, str] = Field(default_factory=dict, repr=False, exclude=True)

    @field_validator("landing", "lake")
    @classmethod
    def _location(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None or _URI.fullmatch(value):
            return value and value.rstrip("/")
        if not value.strip():
            raise ValueError("expected a folder or a URI, found an empty text")
        if _LIKE_URI.match(value):
            raise ValueError("begins like a URI and is none; write it like s3://bucket/folder")
        return str(_below(info.data["project_root"], Path(value)))

    @field_validator("jars_dir")
    @classmethod
    def _folder(cls, value: Path, info: ValidationInfo) -> Path:
        if _LIKE_URI.match(str(value)):
            raise ValueError("expected a folder of this machine, found a URI")
        return _below(info.data["project_root"], value)

    @property
    def landing_root(self) -> str:
        """Where landing files arrive: an absolute folder or a URI, without a slash at its end.

        Raises:
            SettingMissing: the environment leaves it open and no variable sets it.
        """
        return self._needed("landing_root", self.landing)

    @property
    def lake_root(self) -> str:
        """Where the tables are: an absolute folder or a URI, without a slash at its end.

        Raises:
            SettingMissing: the environment leaves it open and no variable sets it.
        """
        return self._needed("lake_root", self.lake)

    @property
    def log_folder(self) -> Path | None:
        """Where each process keeps its log as a file; None: nowhere.

        A relative one is below the lake: it means nothing where that is no folder.
        """
        if self.log.folder is None:
            return None
        folder = Path(self.log.folder).expanduser()
        if folder.is_absolute():
            return folder
        return None if self.lake is None or "://" in self.lake else Path(self.lake) / folder

    @property
    def event_log(self) -> str | None:
        """Where Spark writes its event logs: an absolute folder or a URI; None: nowhere. A relative one is below the lake."""
        named = self.spark.event_log
        if named is None or "://" in named or Path(named).is_absolute():
            return named
        return None if self.lake is None else f"{self.lake}/{named}"

    @property
    def s3_access(self) -> S3Access:
        """How S3 is reached, whoever reaches for it."""
        endpoint = self.s3.endpoint or self.aws.endpoint
        path_style = self.s3.path_style or self.aws.access.path_style
        access = replace(self.aws.access, endpoint=endpoint, path_style=path_style)
        return S3Access(access, self.s3.kms_key)

    @property
    def uses_s3(self) -> bool:
        """Whether Spark reads or writes there."""
        return any(map(is_s3, (self.landing, self.lake, self.event_log)))

    @property
    def plain_origins(self) -> frozenset[str]:
        """Where settings in force come from, without whatever also set one that is, or may hold, a secret."""
        found = self.effective()
        masked = {s.origin for s in found if isinstance(s.value, str) and _MASK in s.value}
        return frozenset({s.origin for s in found} - masked)

    def _needed(self, key: str, value: str | None) -> str:
        if value is None:
            raise SettingMissing(key, f"LAKESMITH__{key.upper()}", f"conf/{self.environment}.yml")
        return value

    @property
    def of_transforms(self) -> dict[str, Scalar | list[int]]:
        """What rows may depend on, by the names under which transforms read it: the parameters, and when monitoring says what."""
        named = {
            f"monitoring.{section}.{name}": value
            for section, values in self.monitoring.model_dump().items()
            for name, value in values.items()
        }
        as_json = {name: list(value) if isinstance(value, tuple) else value for name, value in named.items()}
        return {**self.parameters, **as_json}

    def effective(self) -> list[EffectiveSetting]:
        """Every setting in force, with its origin; what is or may hold a secret is masked."""
        return [
            EffectiveSetting(key, _shown(key, value), self.origins.get(key, "default"))
            for key, value in _leaves(self, "")
            if not key.startswith("origins.")
        ]


def _below(root: Path, path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("expected a folder, found a text with the character U+0000")
    try:
        return root / path.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~ of a user that is not known here; write the folder in full") from None


def _leaves(section: BaseModel, prefix: str) -> Iterator[tuple[str, object]]:
    for name, field in type(section).model_fields.items():
        key, value = f"{prefix}{field.alias or name}", getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{key}.")
        else:
            yield from _inner_leaves(value, key)


def _inner_leaves(value: object, key: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        yield from _leaves(value, f"{key}.")
        return
    if not isinstance(value, dict):
        yield key, value
        return
    for inner, element in value.items():
        yield from _inner_leaves(element, f"{key}.{inner}")


def _shown(key: str, value: object) -> object:
    if isinstance(value, SecretReference):
        return value.reference
    if value is not None and (isinstance(value, SecretStr) or SECRET_NAME.search(key)):
        return _MASK
    if isinstance(value, str):
        return USER_INFO.sub(f"{_MASK}@", value)
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

"""Settings of what is outside: MLflow, OpenLineage, databases."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from lakesmith.config.sections.values import (
    SECRET_NAME,
    USER_INFO,
    Conf,
    MaybeSecret,
    Seconds,
    Secret,
    Section,
)

__all__ = ["ConnectionSettings", "MlflowSettings", "OpenLineageSettings"]

_DRIVERS = {"jdbc:postgresql:": "org.postgresql.Driver"}


class MlflowSettings(Section):
    """MLflow. `tracking_uri`: its server; None stands for the store beside a local lake."""

    tracking_uri: MaybeSecret = Field(default=None, repr=False)  # may hold a user's password


class OpenLineageSettings(Section):
    """OpenLineage events; off while `transport` is not set.

    Args:
        transport: `file` or `http`.
        namespace: of all jobs and datasets.
        path: of `file`, the file that events are appended to; relative paths are below the project.
        url: of `http`, the server.
        endpoint: of `http`, the path on it.
        timeout: of `http`, seconds that one event may take.
        api_key: of `http`, sent as bearer token.
    """

    transport: Literal["file", "http"] | None = None
    namespace: str = "lakesmith"
    path: str | None = None
    url: MaybeSecret = Field(default=None, repr=False)  # may hold a user's password
    endpoint: str = "api/v1/lineage"
    timeout: Seconds = 5
    api_key: SecretStr | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transport == "file" and not self.path:
            raise ValueError("transport: file needs a path, like .lake/openlineage.jsonl")
        if self.transport == "http" and not self.url:
            raise ValueError("transport: http needs a url, like http://localhost:5000")
        return self


class ConnectionSettings(Section):
    """A database that sources are read from, over JDBC.

    Args:
        url: as its driver has it; without user and password.
        user: whom the database knows; it needs no more than the right to read.
        password: given by a variable, never written into a file.
        driver: the class of the driver; None where the URL says which.
        timeout: seconds that the database may take until it answers.
        properties: further ones of the driver, by its own names.
    """

    url: str
    user: MaybeSecret = None
    password: Secret = None
    driver: str | None = None
    timeout: Seconds = 3600
    properties: Conf = Field(default_factory=dict, repr=False)

    @field_validator("url")
    @classmethod
    def _jdbc(cls, value: str) -> str:
        if not value.startswith("jdbc:"):
            raise ValueError("expected a URL that begins with jdbc:, like jdbc:postgresql://db.example/erp")
        if SECRET_NAME.search(value) or USER_INFO.search(value):
            raise ValueError("a URL is no place for a password; set user and password beside it")
        return value

    @property
    def driver_class(self) -> str | None:
        """The driver's class; None for a URL of a kind that Lakesmith knows none of."""
        return self.driver or next(
            (name for start, name in _DRIVERS.items() if self.url.startswith(start)), None
        )

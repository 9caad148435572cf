"""Settings of how jobs run: Spark, clusters, logs, leases, publishing, the gate, serving."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, field_validator

from lakesmith.config.secrets import revealed
from lakesmith.config.sections.values import Conf, Memory, Section, seconds, size_in_bytes

__all__ = [
    "LeaseSettings",
    "LogSettings",
    "PublishSettings",
    "QualitySettings",
    "ServingSettings",
    "SizeSettings",
    "SizesSettings",
    "SparkSettings",
    "StagingSettings",
    "SubmitSettings",
]

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


class SparkSettings(Section):
    """The session.

    Args:
        master: Spark's own syntax; None leaves it to spark-submit.
        driver_memory: with its unit, like `4g`; used where Lakesmith starts the JVM itself.
        shuffle_partitions: tasks of a shuffle; None takes as many as the size of a run's inputs asks for.
        shuffle_bytes: of inputs, as they are stored, that one task of a shuffle is meant for.
        event_log: the folder or URI for Spark's event logs; None writes none. A relative path is below the lake.
        history_url: where Spark's history server shows them; None: there is none.
        conf: any further setting of Spark, by its full name.
    """

    master: str | None = None
    driver_memory: Memory = "2g"
    shuffle_partitions: PositiveInt | None = None
    shuffle_bytes: Annotated[PositiveInt, BeforeValidator(size_in_bytes)] = 8 << 20
    event_log: str | None = None
    history_url: str | None = None
    conf: Conf = Field(default_factory=dict, repr=False)

    @property
    def told_conf(self) -> dict[str, str]:
        """`conf` for a command line, which others can read: without what the session looks up itself."""
        return {key: value for key, value in self.conf.items() if isinstance(value, str)}

    @property
    def revealed_conf(self) -> dict[str, str]:
        """`conf` with its secrets, for a session."""
        return {key: revealed(value) or "" for key, value in self.conf.items()}


class SizeSettings(Section):
    """What a job of one size gets on a cluster.

    Args:
        executors: how many.
        cores: of each.
        memory: of each, with its unit.
    """

    executors: PositiveInt = 1
    cores: PositiveInt = 2
    memory: Memory = "4g"


class _Medium(SizeSettings):
    executors: PositiveInt = 4
    cores: PositiveInt = 4
    memory: Memory = "8g"


class _Large(SizeSettings):
    executors: PositiveInt = 16
    cores: PositiveInt = 4
    memory: Memory = "16g"


class SizesSettings(Section):
    """The sizes that contracts name as `resources`, in ascending order; each has its defaults."""

    small: SizeSettings = SizeSettings()
    medium: _Medium = _Medium()
    large: _Large = _Large()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The sizes, the smallest first."""
        return tuple(cls.model_fields)


class SubmitSettings(Section):
    """What `lakesmith submit` hands to a cluster; its master is `spark.master`.

    Args:
        deploy_mode: whether the driver runs here or on the cluster.
        archive: of `make package`; None takes the one in dist/. A relative path is below the project.
        environment: a packed Python environment that the cluster unpacks beside each process: a file or a URI.
        image: of containers, on Kubernetes.
        python: of executors, and of a driver on the cluster; None: the one in `environment`, else what Spark finds.
        driver_python: of a driver here; None: the one that runs this command.
        sizes: what contracts ask for by `resources`.
    """

    deploy_mode: Literal["client", "cluster"] = "client"
    archive: str | None = None
    environment: str | None = None
    image: str | None = None
    python: str | None = None
    driver_python: str | None = None
    sizes: SizesSettings = SizesSettings()


class LogSettings(Section):
    """The log of job files and of `submit`.

    Args:
        format: `json` is one object a line.
        folder: a file for each process goes there, beside stderr; None: stderr alone. A relative path is below the lake.
    """

    format: Literal["text", "json"] = "text"
    folder: str | None = None


class LeaseSettings(Section):
    """Leases.

    Args:
        wait: seconds that a run waits for the holder before it gives up.
        expiry: on S3, seconds after which a lease is free when its holder has not been heard of; on a disk the kernel knows.
    """

    wait: Annotated[NonNegativeInt, BeforeValidator(seconds)] = 60
    expiry: Annotated[PositiveInt, BeforeValidator(seconds)] = 60


class PublishSettings(Section):
    """Publishing. `attempts`: commits that may lose against other writers before a run gives up."""

    attempts: PositiveInt = 5


class StagingSettings(Section):
    """Staging. `rows_per_file`: most rows of one data file."""

    rows_per_file: PositiveInt = 1_000_000


class QualitySettings(Section):
    """Quality. `expectation_modules`: Python modules that define expectations of the project's own."""

    expectation_modules: tuple[str, ...] = ()

    @field_validator("expectation_modules")
    @classmethod
    def _modules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _MODULE.fullmatch(name):
                raise ValueError(f"{name!r} is no Python module's name; write it like company.expectations")
        return value


class ServingSettings(Section):
    """Scoring when a model cannot serve.

    Args:
        failures_to_open: failures in a row after which a model is only tried once a night.
        oldest_scores_days: scores older than that do not stand in for a night's.
    """

    failures_to_open: PositiveInt = 3
    oldest_scores_days: PositiveInt = 7

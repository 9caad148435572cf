"""Settings of servers: the stack on one machine, and Airflow."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PositiveInt, field_validator, model_validator

from lakesmith.config.sections.jobs import SizesSettings
from lakesmith.config.sections.values import (
    HIGHEST_PORT,
    Conf,
    Day,
    Memory,
    Port,
    Seconds,
    Section,
    lists,
    seconds,
)

__all__ = ["AirflowSettings", "StackPorts", "StackSettings", "StackWorkers", "WaitSettings"]


class StackPorts(Section):
    """Where the services of the stack listen; `spark_worker_ui` is the first worker's, the next one has the next."""

    postgres: Port = 5433
    mlflow: Port = 5000
    s3: Port = 9000
    spark_master: Port = 7077
    spark_master_ui: Port = 8081
    spark_worker_ui: Port = 8082
    spark_history: Port = 18080
    airflow: Port = 8080


class StackWorkers(Section):
    """Spark's workers.

    Args:
        count: how many.
        cores: of each.
        memory: of each, for its executors, like `2g`.
    """

    count: PositiveInt = 2
    cores: PositiveInt = 1
    memory: Memory = "2g"


class StackSettings(Section):
    """The servers of a platform on one machine, see `lakesmith.stack`.

    Args:
        folder: of their data, logs and secrets; relative paths are below the project.
        bind: the one address of this machine on which they listen.
        database: `auto` takes PostgreSQL where it is installed, else SQLite.
        airflow: the environment of Airflow's own.
        dags: the folder of the DAG files.
        bucket: what the S3 emulator begins with.
        patience: seconds that a service may take until it answers.
        workers: Spark's.
        ports: of each service.
        environment: further variables of every service.
    """

    folder: Annotated[Path, Field(strict=False)] = Path(".stack")
    bind: str = "127.0.0.1"
    database: Literal["auto", "postgresql", "sqlite"] = "auto"
    airflow: Annotated[Path, Field(strict=False)] = Path(".venv-airflow")
    dags: Annotated[Path, Field(strict=False)] = Path("airflow/dags")
    bucket: str = "lakesmith"
    patience: Seconds = 600
    workers: StackWorkers = StackWorkers()
    ports: StackPorts = StackPorts()
    environment: Conf = Field(default_factory=dict, repr=False)

    @field_validator("bind")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            address = IPv4Address(value)
        except ValueError:
            raise ValueError("expected an address of this machine, like 127.0.0.1") from None
        if address.is_unspecified:
            raise ValueError(
                "0.0.0.0 is no address that others can be told; name one of this machine, like 127.0.0.1"
            )
        return value

    @model_validator(mode="after")
    def _apart(self) -> Self:
        taken: dict[int, str] = {}
        for name, port in self.listening().items():
            if port in taken:
                raise ValueError(f"ports: {taken[port]} and {name} are both {port}; each needs its own")
            if port > HIGHEST_PORT:
                raise ValueError(f"ports: {name} would be {port}; the highest is {HIGHEST_PORT}")
            taken[port] = name
        return self

    def listening(self) -> dict[str, int]:
        """Every port by the name of its setting; those of further workers have their number behind it."""
        ports: dict[str, int] = self.ports.model_dump()
        further = {
            f"spark_worker_ui + {n}": ports["spark_worker_ui"] + n for n in range(1, self.workers.count)
        }
        return {**ports, **further}


class WaitSettings(Section):
    """How the scheduler waits for something.

    Args:
        poll: seconds between two looks.
        timeout: seconds after which it gives up.
    """

    poll: Seconds
    timeout: Seconds


class AirflowSettings(Section):
    """The DAGs; see docs/airflow.md.

    Args:
        schedule: when a night begins, on the day after its batch; cron.
        timezone: of the schedules, and of the day that a logical date falls on.
        start: the first night; None stands for the first day of the sources.
        end: the last night; None: nights go on.
        granularity: one task a group of tables, or one a table.
        groups: the tables of each group; none means ingest, features, score and watch, by layer.
        connection: the Spark connection.
        pools: what contracts name as `resources` -> pool; without an entry Airflow's default pool.
        command: the `lakesmith` of the platform's environment: a path, or a name looked up beside spark-submit and on PATH.
        outcomes: a folder that the scheduler's workers and the drivers share, for outcome records; None where drivers run on the
            workers.
        retry_delay: seconds before the first retry; twice as long before each further one.
        longest_retry_delay: seconds that it grows to at most.
        landing, blocked: how landing files and blocked batches are waited for.
        deadline: seconds after its logical date within which a night should be done; None takes `nights_on_time` of conf/slo.yml.
        backfills: ranges of one table or group that a backfill runs at once, at most.
        training, maintenance: when these are; cron.
        approval: whether a person must approve a promotion.
    """

    schedule: str = "0 3 * * *"
    timezone: str = "UTC"
    start: Day = None
    end: Day = None
    granularity: Literal["group", "table"] = "group"
    groups: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(lists)] = Field(default_factory=dict)
    connection: str = "spark_default"
    pools: Mapping[str, str] = Field(default_factory=dict)
    command: str = "lakesmith"
    outcomes: str | None = None
    retry_delay: Seconds = 300
    longest_retry_delay: Seconds = 3600
    landing: WaitSettings = WaitSettings(poll="1m", timeout="12h")  # type: ignore[arg-type]  # as files say it
    blocked: WaitSettings = WaitSettings(poll="10m", timeout="24h")  # type: ignore[arg-type]  # as files say it
    deadline: Annotated[PositiveInt | None, BeforeValidator(lambda v: v if v is None else seconds(v))] = None
    backfills: PositiveInt = 2
    training: str = "0 6 * * 1"
    maintenance: str = "0 5 * * 0"
    approval: bool = False

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError):
            raise ValueError(f"there is no time zone {value!r}; write it like Europe/London") from None
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError(f"the last night, end: {self.end}, is before the first one, start: {self.start}")
        return self

    @field_validator("pools")
    @classmethod
    def _of_sizes(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name in value:
            if name not in SizesSettings.names():
                raise ValueError(f"{name!r} is no size; sizes: {', '.join(SizesSettings.names())}")
        return value

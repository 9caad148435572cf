"""What can be set, as one frozen value, and where each value came from.

Owns the names, types, ranges and defaults of settings. Reading files and variables is
`lakesmith.config.load`. A secret is a `SecretStr`: neither its text nor its length is in any repr, listing
or error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lakesmith.config.durations import parse_days, parse_seconds
from lakesmith.errors import SettingMissing

__all__ = [
    "AirflowSettings",
    "AlertRules",
    "AlertSettings",
    "ConnectionSettings",
    "EffectiveSetting",
    "EmailSettings",
    "HistorySettings",
    "LeaseSettings",
    "LogSettings",
    "MaintenanceSettings",
    "MlflowSettings",
    "OpenLineageSettings",
    "PublishSettings",
    "QualitySettings",
    "RetentionSettings",
    "RetrainingSettings",
    "RuleSeverity",
    "ServingSettings",
    "Settings",
    "SizeSettings",
    "SizesSettings",
    "SnsSettings",
    "SparkSettings",
    "StackPorts",
    "StackSettings",
    "StackWorkers",
    "StagingSettings",
    "SubmitSettings",
    "WaitSettings",
    "WebhookSettings",
]

_MASK = "********"
_SECRET_NAME = re.compile(r"secret|passw(or)?d|token|credential|(access|api)[._-]?key", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.+")
_LIKE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_MEMORY = re.compile(r"[1-9][0-9]*[kmgt]")
_SIZE = re.compile(r"([1-9][0-9]{0,5})([kmg])")
_DRIVERS = {"jdbc:postgresql:": "org.postgresql.Driver"}
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_HIGHEST_PORT = 65535
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")

Scalar = str | int | float | bool | None
RuleSeverity = Literal["critical", "warning", "silent"]


def _seconds(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("expected a duration with its unit, like 60s, 5m or 1h")  # noqa: TRY004  # pydantic's way
    return parse_seconds(value)


def _days(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("expected a number of days, like 90d")  # noqa: TRY004  # pydantic's way
    return parse_days(value)


def _bytes(value: object) -> int:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no size; write it like 128m (units: k, m, g)")
    return int(found.group(1)) * _UNITS[found.group(2)]


def _memory(value: object) -> object:
    if isinstance(value, str | int) and not _MEMORY.fullmatch(str(value)):
        raise ValueError(f"{value!r} is no size of memory; write it like 4g (units: k, m, g, t)")
    return value


def _secret(value: object) -> object:
    """A password may be digits only, which YAML takes for a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _conf_text(value: object) -> object:
    """Spark's settings are text; `true` and `200` in YAML mean that text."""
    if not isinstance(value, dict):
        return value
    return {key: _scalar_text(element) for key, element in value.items()}


def _scalar_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _lists(value: object) -> object:
    return {key: _listed(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _day(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("expected a day, like 2011-03-01") from None


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class SparkSettings(_Section):
    """The session.

    Args:
        master: Spark's own syntax; None leaves it to spark-submit.
        driver_memory: with its unit, like `4g`; used where Lakesmith starts the JVM itself.
        shuffle_partitions: tasks of a shuffle.
        event_log: the folder or URI for Spark's event logs; None writes none. A relative path is below the lake.
        history_url: where Spark's history server shows them; None: there is none.
        conf: any further setting of Spark, by its full name.
    """

    master: str | None = None
    driver_memory: str = "2g"
    shuffle_partitions: PositiveInt = 8
    event_log: str | None = None
    history_url: str | None = None
    conf: Annotated[Mapping[str, str], BeforeValidator(_conf_text)] = Field(default_factory=dict, repr=False)

    _memory = field_validator("driver_memory", mode="before")(_memory)


class SizeSettings(_Section):
    """What a job of one size gets on a cluster.

    Args:
        executors: how many.
        cores: of each.
        memory: of each, with its unit.
    """

    executors: PositiveInt = 1
    cores: PositiveInt = 2
    memory: str = "4g"

    _memory = field_validator("memory", mode="before")(_memory)


class _Medium(SizeSettings):
    executors: PositiveInt = 4
    cores: PositiveInt = 4
    memory: str = "8g"


class _Large(SizeSettings):
    executors: PositiveInt = 16
    cores: PositiveInt = 4
    memory: str = "16g"


class SizesSettings(_Section):
    """The sizes that contracts name as `resources`, in ascending order; each has its defaults."""

    small: SizeSettings = SizeSettings()
    medium: _Medium = _Medium()
    large: _Large = _Large()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The sizes, the smallest first."""
        return tuple(cls.model_fields)


class SubmitSettings(_Section):
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


class LogSettings(_Section):
    """The log of job files and of `submit`.

    Args:
        format: `json` is one object a line.
        folder: a file for each process goes there, beside stderr; None: stderr alone. A relative path is below the lake.
    """

    format: Literal["text", "json"] = "text"
    folder: str | None = None


class LeaseSettings(_Section):
    """Leases. `wait`: seconds that a run waits for the holder before it gives up."""

    wait: Annotated[NonNegativeInt, BeforeValidator(_seconds)] = 60


class PublishSettings(_Section):
    """Publishing. `attempts`: commits that may lose against other writers before a run gives up."""

    attempts: PositiveInt = 5


class StagingSettings(_Section):
    """Staging. `rows_per_file`: most rows of one data file."""

    rows_per_file: PositiveInt = 1_000_000


class QualitySettings(_Section):
    """Quality. `expectation_modules`: Python modules that define expectations of the project's own."""

    expectation_modules: tuple[str, ...] = ()

    @field_validator("expectation_modules")
    @classmethod
    def _modules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _MODULE.fullmatch(name):
                raise ValueError(f"{name!r} is no Python module's name; write it like company.expectations")
        return value


class ServingSettings(_Section):
    """Scoring when a model cannot serve.

    Args:
        failures_to_open: failures in a row after which a model is only tried once a night.
        oldest_scores_days: scores older than that do not stand in for a night's.
    """

    failures_to_open: PositiveInt = 3
    oldest_scores_days: PositiveInt = 7


def _ascending(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value or list(value) != sorted(set(value)):
        raise ValueError("expected lengths in batches that ascend, like [1, 7, 28]")
    return value


class DriftSettings(_Section):
    """When drift is said; `lakesmith.monitoring.decision` has the meaning of each, and the reasons.

    Args:
        effect: the least population stability index, less what chance gives.
        false_discovery: the share of false alarms among the alarms of a night.
        least_rows: fewer rows in a window are too few to say anything.
        windows: lengths in batches, ascending; each one with enough rows is judged.
        usual_factor: how many times the usual effect of the baseline's own batches the effect must reach besides.
        trend_effect: how far the mean of a trending column must be off its trend, in standard deviations.
        trend_days: of so many days before the night the trend is taken.
    """

    effect: PositiveFloat = 0.1
    false_discovery: Annotated[float, Field(gt=0, lt=1)] = 0.01
    least_rows: PositiveInt = 500
    windows: Annotated[tuple[PositiveInt, ...], Field(strict=False)] = (1, 7, 28)
    usual_factor: Annotated[float, Field(ge=1)] = 3.0
    trend_effect: PositiveFloat = 0.1
    trend_days: Annotated[int, Field(ge=14)] = 28

    _ascending_windows = field_validator("windows")(_ascending)


class PerformanceSettings(_Section):
    """When a model is said to do worse than in its test; `lakesmith.monitoring.performance` has the reasons.

    Args:
        effect: by which part of the test's figure a metric must be worse.
        least_entities: fewer entities with a label in a window are too few to say anything.
        windows: lengths in batches, ascending, at most 28; the first one with enough entities is judged.
    """

    effect: PositiveFloat = 0.05
    least_entities: PositiveInt = 500
    windows: Annotated[tuple[Annotated[PositiveInt, Field(le=28)], ...], Field(strict=False)] = (1, 7, 28)

    _ascending_windows = field_validator("windows")(_ascending)


class MonitoringSettings(_Section):
    """Monitoring. `drift`: when drift is said. `performance`: when a model is said to do worse."""

    drift: DriftSettings = DriftSettings()
    performance: PerformanceSettings = PerformanceSettings()


class RetentionSettings(_Section):
    """What maintenance keeps beside the present and what models were trained on.

    Args:
        nights: days for which every table can be read as a night left it.
        versions: days for which a version that no night and no model needs can still be read.
    """

    nights: Annotated[PositiveInt, BeforeValidator(_days)] = 90
    versions: Annotated[PositiveInt, BeforeValidator(_days)] = 7


class MaintenanceSettings(_Section):
    """Maintenance. `file_size`: bytes towards which the small files of a batch are put together."""

    file_size: Annotated[PositiveInt, BeforeValidator(_bytes)] = 128 << 20


class MlflowSettings(_Section):
    """MLflow. `tracking_uri`: its server; None stands for the store beside a local lake."""

    tracking_uri: str | None = Field(default=None, repr=False)  # may hold a user's password


class OpenLineageSettings(_Section):
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
    url: str | None = Field(default=None, repr=False)  # may hold a user's password
    endpoint: str = "api/v1/lineage"
    timeout: Annotated[PositiveInt, BeforeValidator(_seconds)] = 5
    api_key: SecretStr | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.transport == "file" and not self.path:
            raise ValueError("transport: file needs a path, like .lake/openlineage.jsonl")
        if self.transport == "http" and not self.url:
            raise ValueError("transport: http needs a url, like http://localhost:5000")
        return self


_Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
_Secret = Annotated[SecretStr | None, BeforeValidator(_secret)]
_Seconds = Annotated[PositiveInt, BeforeValidator(_seconds)]
_Least = Literal["critical", "warning"]


class AlertRules(_Section):
    """How much each rule matters; `silent` switches it off. What each one means is on its page, docs/runbooks/<rule>.md."""

    batch_failed: RuleSeverity = "critical"
    batch_rejected: RuleSeverity = "critical"
    batch_blocked: RuleSeverity = "warning"
    batch_foreign: RuleSeverity = "critical"
    table_not_updated: RuleSeverity = "critical"
    report_missing: RuleSeverity = "warning"
    quarantine_share: RuleSeverity = "warning"
    critical_expectations: RuleSeverity = "critical"
    warning_expectations: RuleSeverity = "warning"
    zero_scores: RuleSeverity = "critical"
    scores_degraded: RuleSeverity = "warning"
    model_rolled_back: RuleSeverity = "critical"
    rollout_stepped_back: RuleSeverity = "warning"
    circuit_open: RuleSeverity = "critical"
    drift: RuleSeverity = "warning"
    performance: RuleSeverity = "warning"
    history_deviation: RuleSeverity = "warning"
    slo_burn: RuleSeverity = "warning"
    retraining_requested: RuleSeverity = "warning"
    task_failed: RuleSeverity = "critical"
    night_late: RuleSeverity = "critical"
    channel_failed: RuleSeverity = "critical"


class WebhookSettings(_Section):
    """A webhook that takes messages in Slack's format; off while `url` is not set.

    Args:
        url: holds the secret with which the receiver knows us.
        least: alerts below this severity are not sent.
    """

    url: _Secret = None
    least: _Least = "warning"

    @field_validator("url")
    @classmethod
    def _http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("expected a URL that begins with https:// or http://")
        return value


class EmailSettings(_Section):
    """E-mail by SMTP; off while `host` is not set.

    Args:
        security: `starttls` and `tls` check the server's certificate; `none` sends in the open.
        username, password: where the server asks for them.
        sender: the address that messages come from.
        to: the addresses that they go to.
        least: alerts below this severity are not sent.
    """

    host: str | None = None
    port: Annotated[PositiveInt, Field(le=65535)] = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: _Secret = None
    sender: str | None = None
    to: _Texts = ()
    least: _Least = "warning"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host is not None and not (self.sender and self.to):
            raise ValueError("a host needs a sender and to: at least one address")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent in the open; set security to starttls or tls")
        return self


class SnsSettings(_Section):
    """A topic of Amazon SNS; off while `topic` is not set. Credentials are found as boto3 finds them.

    Args:
        topic: its ARN.
        region: None takes the one in the ARN.
        endpoint: another address of the service, as an emulator has.
        least: alerts below this severity are not sent.
    """

    topic: str | None = None
    region: str | None = None
    endpoint: str | None = None
    least: _Least = "warning"


class HistorySettings(_Section):
    """When a night is unlike its own table's history.

    Args:
        weeks: how far back to look.
        least: nights of the same weekday that are needed, else nothing is said.
        factor: how many deviations off the median is too far.
    """

    weeks: PositiveInt = 13
    least: Annotated[PositiveInt, Field(ge=4)] = 6
    factor: Annotated[float, Field(gt=0, strict=False)] = 5.0


class RetrainingSettings(_Section):
    """When a retraining is requested.

    Args:
        violations: nights on which one of the rules spoke of the model that are enough; 0 never requests one.
        nights: the last nights among which they are counted.
        rules: the rules that count.
    """

    violations: NonNegativeInt = 3
    nights: PositiveInt = 7
    rules: _Texts = ("drift", "performance")

    @field_validator("rules")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in AlertRules.model_fields:
                raise ValueError(f"{name!r} is no rule; rules: {', '.join(AlertRules.model_fields)}")
        return value


class AlertSettings(_Section):
    """Alerts after each night.

    Args:
        log: whether they are written to the log, too.
        cool_down: seconds for which a channel is not told again of an alert that stays open and gets no worse.
        look_back: days before the night whose batches count, too, so that an alert stays until they are mended.
        timeout: seconds that a channel may take for a message.
        runbooks: where the pages of the rules are: a URL or a folder.
        quarantine_near: the part of a contract's limit from which on a quarantined share is an alert.
        burn_rate: how many times faster than allowed an error budget may be spent over the last week.
    """

    log: bool = True
    cool_down: _Seconds = 20 * 3600
    look_back: Annotated[NonNegativeInt, BeforeValidator(_days)] = 7
    timeout: _Seconds = 10
    runbooks: str = "docs/runbooks"
    quarantine_near: Annotated[float, Field(gt=0, le=1, strict=False)] = 0.8
    burn_rate: Annotated[float, Field(gt=0, strict=False)] = 2.0
    rules: AlertRules = AlertRules()
    history: HistorySettings = HistorySettings()
    retraining: RetrainingSettings = RetrainingSettings()
    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    sns: SnsSettings = SnsSettings()


class ConnectionSettings(_Section):
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
    user: str | None = None
    password: _Secret = None
    driver: str | None = None
    timeout: _Seconds = 3600
    properties: Annotated[Mapping[str, str], BeforeValidator(_conf_text)] = Field(
        default_factory=dict, repr=False
    )

    @field_validator("url")
    @classmethod
    def _jdbc(cls, value: str) -> str:
        if not value.startswith("jdbc:"):
            raise ValueError("expected a URL that begins with jdbc:, like jdbc:postgresql://db.example/erp")
        if _SECRET_NAME.search(value) or _USER_INFO.search(value):
            raise ValueError("a URL is no place for a password; set user and password beside it")
        return value

    @property
    def driver_class(self) -> str | None:
        """The driver's class; None for a URL of a kind that Lakesmith knows none of."""
        return self.driver or next(
            (name for start, name in _DRIVERS.items() if self.url.startswith(start)), None
        )


_Port = Annotated[PositiveInt, Field(le=_HIGHEST_PORT)]


class StackPorts(_Section):
    """Where the services of the stack listen; `spark_worker_ui` is the first worker's, the next one has the next."""

    postgres: _Port = 5433
    mlflow: _Port = 5000
    s3: _Port = 9000
    spark_master: _Port = 7077
    spark_master_ui: _Port = 8081
    spark_worker_ui: _Port = 8082
    spark_history: _Port = 18080
    airflow: _Port = 8080


class StackWorkers(_Section):
    """Spark's workers.

    Args:
        count: how many.
        cores: of each.
        memory: of each, for its executors, like `2g`.
    """

    count: PositiveInt = 2
    cores: PositiveInt = 1
    memory: Annotated[str, BeforeValidator(_memory)] = "2g"


class StackSettings(_Section):
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
    patience: _Seconds = 600
    workers: StackWorkers = StackWorkers()
    ports: StackPorts = StackPorts()
    environment: Annotated[Mapping[str, str], BeforeValidator(_conf_text)] = Field(
        default_factory=dict, repr=False
    )

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
            if port > _HIGHEST_PORT:
                raise ValueError(f"ports: {name} would be {port}; the highest is {_HIGHEST_PORT}")
            taken[port] = name
        return self

    def listening(self) -> dict[str, int]:
        """Every port by the name of its setting; those of further workers have their number behind it."""
        ports: dict[str, int] = self.ports.model_dump()
        further = {
            f"spark_worker_ui + {n}": ports["spark_worker_ui"] + n for n in range(1, self.workers.count)
        }
        return {**ports, **further}


class WaitSettings(_Section):
    """How the scheduler waits for something.

    Args:
        poll: seconds between two looks.
        timeout: seconds after which it gives up.
    """

    poll: _Seconds
    timeout: _Seconds


class AirflowSettings(_Section):
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
    start: Annotated[date | None, BeforeValidator(_day)] = None
    end: Annotated[date | None, BeforeValidator(_day)] = None
    granularity: Literal["group", "table"] = "group"
    groups: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(_lists)] = Field(default_factory=dict)
    connection: str = "spark_default"
    pools: Mapping[str, str] = Field(default_factory=dict)
    command: str = "lakesmith"
    outcomes: str | None = None
    retry_delay: _Seconds = 300
    longest_retry_delay: _Seconds = 3600
    landing: WaitSettings = WaitSettings(poll="1m", timeout="12h")  # type: ignore[arg-type]  # as files say it
    blocked: WaitSettings = WaitSettings(poll="10m", timeout="24h")  # type: ignore[arg-type]  # as files say it
    deadline: Annotated[PositiveInt | None, BeforeValidator(lambda v: v if v is None else _seconds(v))] = None
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


class Settings(_Section):
    """All settings of one environment; made by `load_settings`.

    Args:
        environment: its name, as in conf/<environment>.yml.
        project_root: the folder that holds conf/ and jobs/.
        jars_dir: where the jars are; relative paths are below the project.
        clean_build: a wheel or an archive must be built from a commit, with nothing changed.
        connections: the databases that sources are read from, by name.
        storage_options: credentials and options of the object store, as deltalake names them.
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
    if value is not None and (isinstance(value, SecretStr) or _SECRET_NAME.search(key)):
        return _MASK
    if isinstance(value, str):
        return _USER_INFO.sub(f"{_MASK}@", value)
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

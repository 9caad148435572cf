"""The spark-submit command that sends a job to a cluster: composed from settings, shown or run.

Owns what each kind of cluster is told and how. Composing is pure: which files and programs there are is asked before.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lakesmith.config.sections.jobs import SizeSettings
from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError, UsageError

__all__ = [
    "ENVIRONMENT_FOLDER",
    "Cluster",
    "Command",
    "DeployMode",
    "Submission",
    "compose",
    "largest",
    "packed_environment",
    "spark_submit",
    "told_variables",
]

ENVIRONMENT_FOLDER = "environment"
"""The folder in which a cluster unpacks the packed Python environment, below that of each process."""

_UPLOADS = "spark.kubernetes.file.upload.path"
_PREFIX = "LAKESMITH__"
# Spark's own, on the class path of every spark-submit: what the client of a cluster says of states is of level info.
_CLIENT_LOG = "-Dlog4j2.configurationFile=classpath:org/apache/spark/log4j2-defaults.properties"


class Cluster(StrEnum):
    """What a master is."""

    LOCAL = "local"
    STANDALONE = "standalone"
    YARN = "yarn"
    KUBERNETES = "kubernetes"

    @classmethod
    def of(cls, master: str) -> Cluster:
        """The kind of cluster that a master's name means.

        Raises:
            UsageError: it means none.
        """
        if master == "yarn":
            return cls.YARN
        for prefix, kind in (("local", cls.LOCAL), ("spark://", cls.STANDALONE), ("k8s://", cls.KUBERNETES)):
            if master.startswith(prefix):
                return kind
        raise UsageError(
            f"{master!r} is no master. Give --master local[*], spark://HOST:7077, yarn or k8s://https://HOST:PORT, "
            f"or set spark.master"
        )


class DeployMode(StrEnum):
    """Where the driver runs: beside spark-submit, or on the cluster."""

    CLIENT = "client"
    CLUSTER = "cluster"


@dataclass(frozen=True)
class Submission:
    """One job to be sent.

    Args:
        job: the job's file.
        arguments: its own.
        archive: of the code: a local file.
        jars: Delta's.
        size: what the job gets.
        python: the Python of this process, which runs drivers here unless the settings name another.
    """

    job: Path
    arguments: tuple[str, ...]
    archive: Path
    jars: tuple[Path, ...]
    size: SizeSettings
    python: Path


@dataclass(frozen=True)
class Command:
    """What is run.

    Args:
        arguments: the program first.
        variables: what it needs besides the variables of this process.
        withheld: variables of this process that a driver on the cluster does not get, since they may hold secrets.
    """

    arguments: tuple[str, ...]
    cluster: Cluster
    deploy_mode: DeployMode
    variables: Mapping[str, str] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For a shell, an option a line."""
        set_before = [f"{name}={shlex.quote(value)}" for name, value in self.variables.items()]
        lines = [self.arguments[0]]
        for argument in self.arguments[1:]:
            follows = lines[-1].startswith("--") and " " not in lines[-1] and not argument.startswith("--")
            lines[-1:] = (
                [f"{lines[-1]} {shlex.quote(argument)}"] if follows else [lines[-1], shlex.quote(argument)]
            )
        return " \\\n  ".join([*set_before, *lines])


def compose(
    settings: Settings,
    submission: Submission,
    *,
    program: str,
    master: str | None = None,
    deploy_mode: str | None = None,
    environ: Mapping[str, str],
) -> Command:
    """The command for a job.

    Args:
        settings: of the environment that the job runs in.
        program: spark-submit.
        master, deploy_mode: instead of the settings'.
        environ: the variables of this process.

    Raises:
        UsageError: there is no master, or it is none.
        ConfigurationError: that kind of cluster cannot be told so.
    """
    master = master or settings.spark.master
    if master is None:
        raise UsageError(
            f"which cluster? Give --master URL, or set spark.master in conf/{settings.environment}.yml"
        )
    cluster, mode = Cluster.of(master), DeployMode(deploy_mode or settings.submit.deploy_mode)
    _refuse(cluster, mode, settings)
    places = {
        f"{_PREFIX}LANDING_ROOT": settings.landing_root,
        f"{_PREFIX}LAKE_ROOT": settings.lake_root,
    }
    told, withheld = (places, ()) if mode is DeployMode.CLIENT else told_variables(settings, places, environ)
    conf = {
        **_pythons(settings, submission, mode),
        **_of_kind(cluster, mode, settings, told),
        **settings.spark.told_conf,
    }
    options = ["--master", master, "--deploy-mode", str(mode), "--name", f"lakesmith {submission.job.stem}"]
    options += ["--driver-memory", settings.spark.driver_memory, *_size(cluster, submission.size)]
    if submission.jars:
        options += ["--jars", ",".join(map(str, submission.jars))]
    options += ["--py-files", str(submission.archive)]
    if settings.submit.environment is not None:
        options += ["--archives", f"{packed_environment(settings)}#{ENVIRONMENT_FOLDER}"]
    for key in sorted(conf):
        options += ["--conf", f"{key}={conf[key]}"]
    return Command(
        (program, *options, str(submission.job), *submission.arguments),
        cluster,
        mode,
        places if mode is DeployMode.CLIENT else {"SPARK_SUBMIT_OPTS": _CLIENT_LOG},
        withheld,
    )


def _refuse(cluster: Cluster, mode: DeployMode, settings: Settings) -> None:
    if mode is DeployMode.CLUSTER:
        if cluster in (Cluster.LOCAL, Cluster.STANDALONE):
            raise ConfigurationError(
                f"Spark runs no Python driver on a {cluster} cluster. Leave the driver here: --deploy-mode client"
            )
        if cluster is Cluster.KUBERNETES and _UPLOADS not in settings.spark.conf:
            raise ConfigurationError(
                f"a driver on Kubernetes fetches its files from a place that both sides reach. Name it in "
                f"conf/{settings.environment}.yml: spark: {{conf: {{{_UPLOADS}: s3a://<bucket>/uploads}}}}"
            )
    if cluster is Cluster.KUBERNETES and settings.submit.image is None:
        raise ConfigurationError(
            f"Kubernetes runs images, and none is named. Set submit.image in conf/{settings.environment}.yml"
        )
    if cluster is not Cluster.KUBERNETES and settings.submit.image is not None:
        raise ConfigurationError(
            f"submit.image is set, and only Kubernetes runs images. Take it out of the settings of {settings.environment}, "
            f"or give --master k8s://..."
        )


def _pythons(settings: Settings, submission: Submission, mode: DeployMode) -> dict[str, str]:
    chosen = settings.submit
    executors = chosen.python or (
        f"./{ENVIRONMENT_FOLDER}/bin/python" if chosen.environment is not None else None
    )
    drivers = chosen.driver_python or str(submission.python) if mode is DeployMode.CLIENT else executors
    pythons = {"spark.pyspark.python": executors, "spark.pyspark.driver.python": drivers}
    return {key: python for key, python in pythons.items() if python is not None}


def packed_environment(settings: Settings) -> str:
    """The packed environment; a relative path is below the project."""
    named = str(settings.submit.environment)
    return named if "://" in named else str(settings.project_root / Path(named).expanduser())


def _size(cluster: Cluster, size: SizeSettings) -> list[str]:
    if cluster is Cluster.LOCAL:
        return []
    number = (
        ["--total-executor-cores", str(size.executors * size.cores)]
        if cluster is Cluster.STANDALONE
        else ["--num-executors", str(size.executors)]
    )
    return [*number, "--executor-cores", str(size.cores), "--executor-memory", size.memory]


def _of_kind(
    cluster: Cluster, mode: DeployMode, settings: Settings, told: Mapping[str, str]
) -> dict[str, str]:
    """What one kind of cluster is told alone: above all the variables of a driver that runs on it."""
    if cluster is Cluster.YARN:
        # What a second attempt could mend is the scheduler's to say, by the exit code.
        conf = {"spark.yarn.maxAppAttempts": "1", "spark.yarn.submit.waitAppCompletion": "true"}
        prefix = "spark.yarn.appMasterEnv."
    elif cluster is Cluster.KUBERNETES:
        conf = {"spark.kubernetes.container.image": str(settings.submit.image)}
        conf["spark.kubernetes.submission.waitAppCompletion"] = "true"
        prefix = "spark.kubernetes.driverEnv."
    else:
        return {}
    if mode is DeployMode.CLUSTER:
        conf |= {f"{prefix}{name}": value for name, value in told.items()}
    return conf


def told_variables(
    settings: Settings, places: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables that a driver on the cluster gets, and those that it does not: a command line can be read by others."""
    plain = settings.plain_origins
    told = {}
    withheld = []
    for name in sorted(environ):
        if name.startswith(_PREFIX):
            if f"variable {name}" in plain:
                told[name] = environ[name]
            else:
                withheld.append(name)
    return {**told, **places}, tuple(withheld)


def largest(sizes: Sequence[str], settings: Settings) -> SizeSettings:
    """The largest of the sizes that contracts name.

    Args:
        sizes: as contracts name them; none takes the smallest there is.

    Raises:
        ConfigurationError: a name is none of the settings'.
    """
    known = settings.submit.sizes.names()
    for size in sizes:
        if size not in known:
            raise ConfigurationError(
                f"{size!r} is no size; sizes: {', '.join(known)}. Mend `resources` in the contract, or give --size NAME"
            )
    found: SizeSettings = getattr(settings.submit.sizes, max(sizes, key=known.index, default=known[0]))
    return found


def spark_submit() -> str:
    """SPARK_HOME's, this environment's, or the first on PATH: the cluster's own Spark comes before the one that we bring.

    Raises:
        ConfigurationError: there is none.
    """
    home = os.environ.get("SPARK_HOME")
    candidates = [Path(home) / "bin" / "spark-submit"] if home else []
    candidates.append(Path(sys.prefix) / "bin" / "spark-submit")
    for program in candidates:
        if os.access(program, os.X_OK):
            return str(program)
    found = shutil.which("spark-submit")
    if found is None:
        raise ConfigurationError(
            "there is no spark-submit: not in SPARK_HOME, in this environment or on PATH. Install Spark (make env), "
            "or set SPARK_HOME to where it is"
        )
    return found

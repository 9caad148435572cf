"""The StartJobRun request that sends a job to EMR Serverless: composed from settings, shown or sent.

Owns what EMR Serverless is told and how. Composing is pure; what has to stand on S3 before is in the result as parcels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakesmith.aws.objects import Parcel
from lakesmith.config.sections.aws import EmrSettings
from lakesmith.config.sections.jobs import SizeSettings
from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError
from lakesmith.shipping.command import ENVIRONMENT_FOLDER, packed_environment, told_variables

__all__ = [
    "ENVIRONMENT_TAG",
    "NAME_PREFIX",
    "SUBMISSION_TAG",
    "EmrJob",
    "EmrSubmission",
    "compose_request",
    "log_prefix",
    "outcome_uri",
]

NAME_PREFIX = "lakesmith "
SUBMISSION_TAG = "lakesmith:submission"
ENVIRONMENT_TAG = "lakesmith:environment"

_DRIVER_VARIABLE = "spark.emr-serverless.driverEnv."
_EXECUTOR_VARIABLE = "spark.executorEnv."
_JARS = ("spark.jars", "spark.jars.packages")

# Sizes of workers: virtual cores and the most gigabytes that they may have.
_MOST_MEMORY = {1: 8, 2: 16, 4: 30, 8: 60, 16: 120}
_OVERHEAD = 1.1
"""Spark asks for a tenth more than its own memory, for Python and everything else beside the JVM."""
_GIGABYTES = {"k": 1 / (1 << 20), "m": 1 / (1 << 10), "g": 1, "t": 1 << 10}
_MOST_MINUTES = 1_000_000
# Limits of the service's own.
_MOST_PROPERTIES = 100
_LONGEST_PROPERTY = 1024
_UNSAFE = re.compile(r"[\s'\"\\]")


@dataclass(frozen=True)
class EmrJob:
    """One job to be sent.

    Args:
        job: the job's file.
        arguments: its own, without `--outcome`.
        archive: of the code: a local file.
        jars: Delta's, as local files; none where the settings say what Spark loads.
        size: what the job gets.
        token: what tells this submission from all others.
    """

    job: Path
    arguments: tuple[str, ...]
    archive: Path
    jars: tuple[Path, ...]
    size: SizeSettings
    token: str


@dataclass(frozen=True)
class EmrSubmission:
    """What is sent.

    Args:
        request: of StartJobRun.
        parcels: what must stand on S3 before.
        withheld: variables of this process that the driver does not get, since they may hold secrets.
    """

    request: Mapping[str, Any]
    parcels: tuple[Parcel, ...]
    withheld: tuple[str, ...] = ()


def outcome_uri(emr: EmrSettings, token: str) -> str:
    """Where the driver of a submission leaves its outcome record."""
    return f"{emr.outcomes}/{token}.json"


def log_prefix(token: str) -> str:
    """What the names of the log streams of a submission begin with."""
    return f"lakesmith/{token}"


def compose_request(settings: Settings, job: EmrJob, environ: Mapping[str, str]) -> EmrSubmission:
    """The request for a job.

    Args:
        settings: of the environment that the job runs in, with an application.
        environ: the variables of this process.

    Raises:
        ConfigurationError: EMR Serverless cannot be told so.
    """
    emr = settings.emr
    _refuse(settings, job.size)
    code = str(emr.code)
    places = {"LAKESMITH__LANDING_ROOT": settings.landing_root, "LAKESMITH__LAKE_ROOT": settings.lake_root}
    told, withheld = told_variables(settings, places, environ)
    archive, program = Parcel.of(job.archive, code), Parcel.of(job.job, code)
    jars = [Parcel.of(jar, code) for jar in job.jars]
    parcels = [program, archive, *jars]
    conf = {**_sizes(settings, job.size), "spark.submit.pyFiles": archive.uri}
    if jars:
        conf["spark.jars"] = ",".join(jar.uri for jar in jars)
    if settings.submit.environment is not None:
        packed = packed_environment(settings)
        if not packed.startswith("s3://"):
            parcel = Parcel.of(Path(packed), code)
            parcels.append(parcel)
            packed = parcel.uri
        conf["spark.archives"] = f"{packed}#{ENVIRONMENT_FOLDER}"
    conf |= _python(settings)
    conf |= {f"{_DRIVER_VARIABLE}{name}": told[name] for name in sorted(told)}
    conf |= settings.spark.told_conf
    arguments = [*job.arguments, f"--outcome={outcome_uri(emr, job.token)}"]
    defaults, parameters = _carried(conf, settings.environment)
    spark_submit: dict[str, Any] = {"entryPoint": program.uri, "entryPointArguments": arguments}
    if parameters:
        spark_submit["sparkSubmitParameters"] = parameters
    request: dict[str, Any] = {
        "applicationId": emr.application,
        "clientToken": job.token,
        "executionRoleArn": emr.role,
        "name": f"{NAME_PREFIX}{job.job.stem}",
        "jobDriver": {"sparkSubmit": spark_submit},
        "configurationOverrides": {
            "applicationConfiguration": [{"classification": "spark-defaults", "properties": defaults}],
            "monitoringConfiguration": _logs(emr, job.token),
        },
        "executionTimeoutMinutes": min(max(5, emr.timeout // 60), _MOST_MINUTES),
        "tags": {ENVIRONMENT_TAG: settings.environment, SUBMISSION_TAG: job.token},
    }
    return EmrSubmission(request, tuple(dict.fromkeys(parcels)), withheld)


def _refuse(settings: Settings, size: SizeSettings) -> None:
    file = f"conf/{settings.environment}.yml"
    if settings.spark.master is not None:
        raise ConfigurationError(
            f"spark.master and emr.application are both set, and a job goes to one of them. Take one out of {file}"
        )
    if settings.submit.image is not None:
        raise ConfigurationError(
            f"submit.image is set, and on EMR Serverless the image belongs to the application. Take it out of {file}; "
            f"submit.python says which Python of the image is meant"
        )
    for key, root in (("landing_root", settings.landing_root), ("lake_root", settings.lake_root)):
        if not root.startswith("s3://"):
            raise ConfigurationError(
                f"{key} is {root}, which a driver on EMR Serverless does not see. Set it to s3://<bucket>/<folder> in {file}"
            )
    workers: Sequence[tuple[str, int, str]] = (
        (
            "the driver (emr.driver_cores, spark.driver_memory)",
            settings.emr.driver_cores,
            settings.spark.driver_memory,
        ),
        ("an executor (submit.sizes)", size.cores, size.memory),
    )
    for which, cores, memory in workers:
        most = _MOST_MEMORY.get(cores)
        if most is None:
            raise ConfigurationError(
                f"{which} has {cores} cores; EMR Serverless has workers with {', '.join(map(str, _MOST_MEMORY))}. Mend {file}"
            )
        if _gigabytes(memory) * _OVERHEAD > most:
            raise ConfigurationError(
                f"{which} has {memory} and needs a tenth more; with {cores} cores EMR Serverless gives {most} GB at most. "
                f"Mend {file}"
            )


def _carried(conf: Mapping[str, str], environment: str) -> tuple[dict[str, str], str]:
    """Spark's settings as properties of the request, and the text of `--conf` options for those that do not fit in there.

    Properties are taken as they are, but only so many and so long. In the text a value with a blank would be two.
    """
    given = {key: value for key, value in conf.items() if value.strip()}
    short = [key for key, value in given.items() if len(value) <= _LONGEST_PROPERTY]
    defaults = {key: given[key] for key in short[:_MOST_PROPERTIES]}
    options = {key: value for key, value in given.items() if key not in defaults}
    for key, value in options.items():
        if _UNSAFE.search(value):
            raise ConfigurationError(
                f"{key} does not fit into a request: EMR Serverless takes {_MOST_PROPERTIES} settings of Spark of at most "
                f"{_LONGEST_PROPERTY} characters, and longer ones without blanks and quotes. Mend conf/{environment}.yml"
            )
    return defaults, " ".join(f"--conf {key}={value}" for key, value in options.items())


def _gigabytes(memory: str) -> float:
    return int(memory[:-1]) * _GIGABYTES[memory[-1]]


def _sizes(settings: Settings, size: SizeSettings) -> dict[str, str]:
    """What workers get. Executors come and go with the work, up to as many as the size says."""
    disk = settings.emr.disk
    return {
        "spark.driver.cores": str(settings.emr.driver_cores),
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.emr-serverless.driver.disk": disk,
        "spark.executor.instances": str(size.executors),
        "spark.executor.cores": str(size.cores),
        "spark.executor.memory": size.memory,
        "spark.emr-serverless.executor.disk": disk,
        "spark.dynamicAllocation.maxExecutors": str(size.executors),
    }


def _python(settings: Settings) -> dict[str, str]:
    chosen = settings.submit
    python = chosen.python or (f"./{ENVIRONMENT_FOLDER}/bin/python" if chosen.environment else None)
    if python is None:
        return {}
    return {
        "spark.pyspark.python": python,
        "spark.pyspark.driver.python": python,
        f"{_DRIVER_VARIABLE}PYSPARK_PYTHON": python,
        f"{_DRIVER_VARIABLE}PYSPARK_DRIVER_PYTHON": python,
        f"{_EXECUTOR_VARIABLE}PYSPARK_PYTHON": python,
    }


def _logs(emr: EmrSettings, token: str) -> dict[str, Any]:
    key = {"encryptionKeyArn": emr.log_key} if emr.log_key is not None else {}
    # EMR's own keeping of logs is what shows Spark's pages of a job run.
    found: dict[str, Any] = {"managedPersistenceMonitoringConfiguration": {"enabled": True, **key}}
    if emr.log_uri is not None:
        found["s3MonitoringConfiguration"] = {"logUri": f"{emr.log_uri}/", **key}
    if emr.log_group is not None:
        found["cloudWatchLoggingConfiguration"] = {
            "enabled": True,
            "logGroupName": emr.log_group,
            "logStreamNamePrefix": log_prefix(token),
            **key,
        }
    return found

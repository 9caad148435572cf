"""Settings of Amazon's services: how they are reached, and EMR Serverless as a platform for jobs."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveInt, model_validator

from lakesmith.aws.clients import Access
from lakesmith.config.sections.values import Memory, Seconds, Section

__all__ = ["AwsSettings", "EmrPrices", "EmrSettings"]

_S3_FOLDER = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\s?#]*)?")
_NEEDED = ("role", "code", "outcomes")


def _s3_folder(value: str | None) -> str | None:
    if value is None:
        return None
    if not _S3_FOLDER.fullmatch(value):
        raise ValueError("expected a place on S3, like s3://bucket/folder")
    return value.rstrip("/")


_S3Folder = Annotated[str | None, AfterValidator(_s3_folder)]
_Price = Annotated[NonNegativeFloat | None, Field(strict=False)]


class AwsSettings(Section):
    """How Amazon's services are reached. Credentials are found as boto3 finds them.

    Args:
        region: None takes what boto3 finds (AWS_REGION, the profile).
        endpoint: another address of all services, as an emulator has.
        attempts: calls of one request at most, the first included.
        connect_timeout: seconds to connect.
        read_timeout: seconds for each answer.
    """

    region: str | None = None
    endpoint: str | None = None
    attempts: PositiveInt = 8
    connect_timeout: Seconds = 10
    read_timeout: Seconds = 60

    @property
    def access(self) -> Access:
        """The same for clients."""
        return Access(
            region=self.region,
            endpoint=self.endpoint,
            attempts=self.attempts,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            # An emulator has one name, and no further one for each bucket.
            path_style=self.endpoint is not None,
        )


class EmrPrices(Section):
    """What EMR Serverless costs in the application's region; without them hours are recorded and no cost.

    Args:
        vcpu_hour: of a virtual core.
        memory_gb_hour: of a gigabyte of memory.
        storage_gb_hour: of a gigabyte of a worker's disk, beyond what is free.
        currency: of the three.
    """

    vcpu_hour: _Price = None
    memory_gb_hour: _Price = None
    storage_gb_hour: _Price = None
    currency: str = "USD"

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        if len({price is None for price in (self.vcpu_hour, self.memory_gb_hour, self.storage_gb_hour)}) > 1:
            raise ValueError("a cost needs all of vcpu_hour, memory_gb_hour and storage_gb_hour")
        return self


class EmrSettings(Section):
    """EMR Serverless: where `lakesmith submit` starts jobs; not used while `application` is not set.

    Args:
        application: the id of the application.
        role: the ARN of the role that jobs run as.
        code: the folder on S3 for archives, jars and packed environments, each under the digest of its content.
        outcomes: the folder on S3 in which drivers leave their outcome records.
        log_group: of CloudWatch, for the driver's log, which is followed while the job runs; None: it is not.
        log_uri: the folder on S3 for the logs of drivers and executors; None: EMR keeps them for 30 days.
        log_key: the ARN of the KMS key with which these logs are encrypted.
        driver_cores: of the driver; its memory is `spark.driver_memory`.
        disk: of each worker, with its unit.
        timeout: seconds after which EMR ends a job.
        poll: seconds between two looks at a job.
        patience: seconds for which a job is followed on though nobody answers; it runs on meanwhile.
        prices: for the cost of runs.
    """

    application: str | None = None
    role: str | None = None
    code: _S3Folder = None
    outcomes: _S3Folder = None
    log_group: str | None = None
    log_uri: _S3Folder = None
    log_key: str | None = None
    driver_cores: PositiveInt = 2
    disk: Memory = "20g"
    timeout: Seconds = 12 * 3600
    poll: Seconds = 5
    patience: Seconds = 600
    prices: EmrPrices = EmrPrices()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [name for name in _NEEDED if getattr(self, name) is None]
        if self.application is not None and missing:
            raise ValueError(f"an application needs also: {', '.join(missing)}")
        return self

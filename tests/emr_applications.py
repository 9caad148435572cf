"""An application of EMR Serverless as moto emulates it, whose job runs are moved on by tests, since moto ends them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
import pytest
from moto.emrserverless import models
from moto.emrserverless.models import EMRServerlessBackend, emrserverless_backends
from moto.emrserverless.models import JobRun as Emulated

from amazon import ACCOUNT, REGION, Answer, Asked, answering, emulator, forwarded

__all__ = ["BUCKET", "LOG_GROUP", "ROLE", "Application", "application"]

BUCKET = "artifacts"
LOG_GROUP = "/lakesmith/emr"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pipeline"


@dataclass
class Application:
    """An application, and what shall go wrong on the way to it.

    Args:
        id: of the application.
        address: of moto, for every service but this one.
        endpoint: of the service itself.
        asked: every request that reached the service, in order.
        fault: what is answered in place of the service's own answer; None lets it answer.
    """

    id: str
    address: str
    endpoint: str = ""
    asked: list[Asked] = field(default_factory=list)
    fault: Callable[[Asked], Answer | None] = lambda _: None
    answered: dict[str, Answer] = field(default_factory=dict)

    @property
    def backend(self) -> EMRServerlessBackend:
        return emrserverless_backends[ACCOUNT][REGION]

    @property
    def job_runs(self) -> list[Emulated]:
        """All there are, oldest first."""
        return self.backend.job_runs.get(self.id, [])

    def move(
        self, state: str, details: str = "", used: tuple[float, float, float] | None = (0, 0, 0)
    ) -> None:
        """Puts the newest job run into a state."""
        newest = self.job_runs[-1]
        newest.state, newest.state_details = state, details
        newest.billed_resource_utilization = (
            dict(zip(("vCPUHour", "memoryGBHour", "storageGBHour"), used, strict=True)) if used else None
        )

    def answer(self, request: Asked) -> Answer:
        wrong = self.fault(request)
        if wrong is not None and not wrong.lost:
            return wrong
        token = (request.body or {}).get("clientToken")
        # moto forgets that a token stands for one job run; the service does not.
        given = self.answered.get(token) or forwarded(request, self.address)
        if token and given.status == 200:
            self.answered[token] = given
        return wrong or given

    def operations(self, method: str) -> int:
        """How many requests of a method arrived."""
        return sum(request.operation.startswith(method) for request in self.asked)


@contextmanager
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    """An application on a fresh emulator, with a bucket, until the end of the block. Clients find it by variables."""
    monkeypatch.setattr(models, "JOB_STATUS", "SUBMITTED")
    with emulator() as address:
        made = boto3.client("emr-serverless", REGION, endpoint_url=address).create_application(
            name="lakesmith", releaseLabel="emr-7.9.0", type="SPARK"
        )
        boto3.client("s3", "us-east-1", endpoint_url=address).create_bucket(Bucket=BUCKET)
        boto3.client("logs", REGION, endpoint_url=address).create_log_group(logGroupName=LOG_GROUP)
        found = Application(made["applicationId"], address)
        with answering(found.answer) as (endpoint, asked):
            found.endpoint, found.asked = endpoint, asked
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            monkeypatch.setenv("AWS_ENDPOINT_URL_EMR_SERVERLESS", endpoint)
            yield found

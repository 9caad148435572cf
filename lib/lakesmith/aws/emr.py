"""Job runs of EMR Serverless: started once, looked at, cancelled.

Owns what the service says of a job run. What is asked of it is composed in `lakesmith.shipping.emr_request`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lakesmith.aws.clients import Access, AwsError, client, typed_errors

__all__ = ["EmrServerless", "JobRun", "JobRunRefused", "JobState", "Usage"]

_SERVICE = "emr-serverless"
_GRACE = "shutdownGracePeriodInSeconds"


class JobState(StrEnum):
    """What becomes of a job run; a state that a later version of the service brings counts as one on the way."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    SCHEDULED = "SCHEDULED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """True when nothing more becomes of it."""
        return self in (JobState.SUCCESS, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Usage:
    """What is paid for, over all workers of a job run.

    Args:
        storage_gb_hours: of disks, beyond what is free.
    """

    vcpu_hours: float
    memory_gb_hours: float
    storage_gb_hours: float


@dataclass(frozen=True)
class JobRun:
    """A job run as the service tells of it.

    Args:
        details: why it is in that state, in the service's words.
        tags: as they were given when it was started.
        used: None until the service knows.
    """

    id: str
    name: str
    state: JobState
    details: str = ""
    created_at: datetime | None = None
    ended_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    used: Usage | None = None


class JobRunRefused(AwsError):
    """EMR Serverless does not want a job run: there is no such application or role, or a worker has a size that it has not."""

    next_step = (
        "Look at the request (--show), the section emr of the settings, and the application: "
        "aws emr-serverless get-application"
    )


class EmrServerless:
    """The job runs of one application.

    Args:
        application: its id.
        access: how the service is reached.
    """

    def __init__(self, application: str, access: Access) -> None:
        self.application = application
        self._client = client(_SERVICE, access)

    def start(self, request: Mapping[str, Any]) -> str:
        """Starts a job run, once, however often it has to be asked: all attempts carry the request's `clientToken`.

        Args:
            request: of StartJobRun.

        Returns:
            The id of the job run.

        Raises:
            JobRunRefused: the service does not want it.
            AwsUnreachable: whether one was started is not known.
            AwsError: none was started.
        """
        name = request["name"]
        doing = f"start a job run of {name} in the application {self.application}"
        unknown = (
            f"Whether it was started is not known; if it was, it is called {name!r} and tagged with the submission "
            f"{request['clientToken']}: aws emr-serverless list-job-runs --application-id {self.application}. "
            f"Starting it again does no harm: the two would wait for each other and make nothing twice"
        )
        try:
            with typed_errors(_SERVICE, doing, "No job run was started", unknown=unknown):
                started: str = self._client.start_job_run(**request)["jobRunId"]
        except AwsError as error:
            if type(error) is AwsError:
                raise JobRunRefused(
                    _SERVICE,
                    doing,
                    error.code,
                    status=error.status,
                    said=error.said,
                    done="No job run was started",
                ) from error
            raise
        return started

    def look(self, run_id: str) -> JobRun:
        """A job run as it is now.

        Raises:
            AwsError: the service did not tell; the job run is as it was.
        """
        with typed_errors(_SERVICE, f"look at the job run {run_id}", "The job run goes on"):
            given = self._client.get_job_run(applicationId=self.application, jobRunId=run_id)["jobRun"]
        return _job_run(given)

    def cancel(self, run_id: str, grace_seconds: int) -> None:
        """Tells a job run to end.

        Args:
            grace_seconds: that the driver has to write down what it must.

        Raises:
            AwsError: the service did not take that; the job run goes on.
        """
        asked: dict[str, Any] = {"applicationId": self.application, "jobRunId": run_id}
        # An older boto3 refuses what it does not know, and a job run that ends at once is better than one that goes on.
        if _GRACE in self._client.meta.service_model.operation_model("CancelJobRun").input_shape.members:
            asked[_GRACE] = grace_seconds
        with typed_errors(_SERVICE, f"cancel the job run {run_id}", "The job run goes on"):
            self._client.cancel_job_run(**asked)

    def ended_since(self, moment: datetime) -> Iterator[JobRun]:
        """The job runs that were created since a moment and have ended, without their tags and what they used.

        Raises:
            AwsError: the service did not list them.
        """
        pages = self._client.get_paginator("list_job_runs")
        ended = [str(state) for state in JobState if state.ended]
        with typed_errors(_SERVICE, f"list the job runs of the application {self.application}"):
            for page in pages.paginate(applicationId=self.application, createdAtAfter=moment, states=ended):
                for given in page["jobRuns"]:
                    yield _job_run({**given, "jobRunId": given["id"]})


def _job_run(given: Mapping[str, Any]) -> JobRun:
    # A state that is not known yet here is none in which anything has ended.
    known = given["state"] in set(JobState)
    # What is billed counts the minute that each worker takes at least; it is there a little later than the end.
    used = given.get("billedResourceUtilization")
    return JobRun(
        id=given["jobRunId"],
        name=given.get("name") or "",
        state=JobState(given["state"]) if known else JobState.RUNNING,
        details=given.get("stateDetails") or "",
        created_at=given.get("createdAt"),
        ended_at=given.get("endedAt") or given.get("updatedAt"),
        tags=given.get("tags") or {},
        used=Usage(used.get("vCPUHour", 0.0), used.get("memoryGBHour", 0.0), used.get("storageGBHour", 0.0))
        if used
        else None,
    )

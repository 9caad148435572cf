"""A job on EMR Serverless from its request to its cost: its code sent, its run followed, what it cost written down."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from deltalake.exceptions import DeltaError

from lakesmith.aws.driver_log import DriverLog
from lakesmith.aws.emr import EmrServerless, JobRun
from lakesmith.aws.objects import read, send
from lakesmith.aws.s3 import S3Access
from lakesmith.errors import LakesmithError
from lakesmith.ledger.ops import Ops, now
from lakesmith.shipping.emr_bill import settle
from lakesmith.shipping.emr_following import Followed, driver_record, follow_job_run
from lakesmith.shipping.emr_request import EmrSubmission, log_prefix, outcome_uri

if TYPE_CHECKING:
    from lakesmith.config.settings import Settings
    from lakesmith.ledger.location import LakeLocation

__all__ = ["run_job"]

log = logging.getLogger(__name__)

_COUNTED_SECONDS = 30.0
"""How long the service is waited for to count what a job run used. Where it takes longer, the next submission writes it down."""


def run_job(
    settings: Settings, submission: EmrSubmission, lake: LakeLocation, tell: Callable[[str], None]
) -> Followed:
    """Sends a job and follows it to its end.

    Args:
        settings: with an application.
        lake: in whose ledger the cost is written down.
        tell: says a line to whoever waits.

    Raises:
        AwsError: the code was not sent, no job run was started, or nobody answered for too long.
        Stopped: this process was told to stop; the job run is cancelled, too.
    """
    access, given = settings.aws.access, settings.emr
    token = str(submission.request["clientToken"])
    emr = EmrServerless(str(given.application), access)
    driver_log = (
        DriverLog(given.log_group, log_prefix(token), access) if given.log_group is not None else None
    )
    for parcel in submission.parcels:
        if send(parcel, _bucket_keyed(settings)):
            tell(f"{parcel.file.name} is sent to {parcel.uri}")
    if driver_log is None:
        tell(f"the driver's log is not followed, since emr.log_group is not set; see {_logs(given.log_uri)}")
    followed = follow_job_run(
        emr,
        submission.request,
        outcome=lambda: read(outcome_uri(given, token), _bucket_keyed(settings)),
        driver_log=driver_log,
        poll=given.poll,
        patience=given.patience,
        tell=tell,
    )
    tell(followed.text)
    _write_costs(settings, emr, followed.job_run, Ops(lake), tell)
    return followed


def _bucket_keyed(settings: Settings) -> S3Access:
    """As S3 is reached otherwise; the lake's key is not for everybody who submits, so that each bucket's own is taken."""
    return S3Access(settings.s3_access.access)


def _logs(uri: str | None) -> str:
    return uri or "Spark's pages of the job run in EMR Studio"


def _write_costs(
    settings: Settings, emr: EmrServerless, job_run: JobRun, ops: Ops, tell: Callable[[str], None]
) -> None:
    """Writes down what this job run cost, and any before it of which nobody did. No job fails for that."""
    pause, begun = Event(), monotonic()
    try:
        while emr.look(job_run.id).used is None and monotonic() - begun < _COUNTED_SECONDS:
            pause.wait(settings.emr.poll)
        added = settle(
            emr,
            ops,
            prices=settings.emr.prices,
            environment=settings.environment,
            outcome=lambda token: driver_record(
                lambda: read(outcome_uri(settings.emr, token), _bucket_keyed(settings))
            ),
            moment=now(),
        )
    except (LakesmithError, DeltaError, OSError, ValueError) as error:
        log.warning("what it cost could not be written down, the next submission will do it: %s", error)
        return
    own = [entry for entry in added if entry.job_run == job_run.id]
    if own:
        hours = sum(e.vcpu_hours or 0 for e in own), sum(e.memory_gb_hours or 0 for e in own)
        costs = [e.cost for e in own if e.cost is not None]
        money = f", {sum(costs):.4f} {own[0].currency}" if costs else ""
        tell(f"job run {job_run.id} used {hours[0]:.3f} vCPU hours and {hours[1]:.3f} GB hours{money}")

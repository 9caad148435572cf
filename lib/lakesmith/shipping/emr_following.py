"""Following a job run of EMR Serverless: its state and the driver's log are told, and its exit code comes back.

No job run outlives the command that sent it. Owns what a job run's end means for the exit code, and how it is cancelled. The
driver's outcome record says more than a state: where there is one, it counts.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lakesmith.aws.clients import AwsError
from lakesmith.aws.driver_log import DriverLog
from lakesmith.aws.emr import EmrServerless, JobRun, JobState
from lakesmith.errors import ExitCode, Stopped

__all__ = ["Followed", "driver_record", "follow_job_run"]

log = logging.getLogger(__name__)

_GRACE_SECONDS = 30
"""A driver that is told to stop has 20 seconds to write down what it must (`lakesmith.engine.stopping`)."""

_CANCEL_SECONDS = 300.0
_QUIET_LOOKS = 2
_CODE = re.compile(r"ExitCode:?\s*(\d{1,3})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Followed:
    """A job run that has ended.

    Args:
        outcome: the record that its driver left; None where it left none.
    """

    job_run: JobRun
    outcome: Mapping[str, Any] | None

    @property
    def exit_code(self) -> int:
        """The job's own, as far as it was said."""
        if self.outcome is not None:
            return int(self.outcome["exit_code"])
        match self.job_run.state:
            case JobState.SUCCESS:
                return int(ExitCode.DONE)
            case JobState.CANCELLED:
                return int(ExitCode.TERMINATED)
            case _:
                said = _CODE.search(self.job_run.details)
                return (int(said[1]) if said else 0) or int(ExitCode.FAILED)

    @property
    def text(self) -> str:
        """What became of it, in a line or a few."""
        said = [f"job run {self.job_run.id}: {self.job_run.state}"]
        found = self.outcome or {}
        errors = [str(found["error"])] if found.get("error") else []
        errors += [f"{t['table']}: {t['error']}" for t in found.get("tables", ()) if t.get("error")]
        if self.outcome is None and self.job_run.state is not JobState.SUCCESS:
            errors.append(self.job_run.details or "the driver left no record and the service gave no reason")
        return "\n".join([*said, *(f"  {error}" for error in errors)])


def follow_job_run(
    emr: EmrServerless,
    request: Mapping[str, Any],
    *,
    outcome: Callable[[], str | None],
    driver_log: DriverLog | None,
    poll: float,
    patience: float,
    tell: Callable[[str], None],
) -> Followed:
    """Starts a job run and follows it to its end.

    Args:
        request: of StartJobRun.
        outcome: reads the driver's outcome record; None while there is none.
        driver_log: None where it is not to be followed.
        poll: seconds between two looks.
        patience: seconds for which the service may be out of reach, or throttle, before this command gives up.
        tell: says a line to whoever waits.

    Raises:
        AwsError: no job run was started, or nobody answered for too long; the message says what goes on.
        Stopped: this process was told to stop; the job run is cancelled, too.
    """
    # `Stopped` is raised in the main thread. Amid the request it would leave a job run that nobody knows.
    with ThreadPoolExecutor(max_workers=1) as starter:
        started = starter.submit(emr.start, request)
        try:
            run_id = started.result()
            tell(f"job run {run_id} of the application {emr.application} is started")
            found = _to_its_end(emr, run_id, driver_log, poll, patience, tell)
        except Stopped:
            # Cancelling takes longer than the time that a process has of itself.
            signal.setitimer(signal.ITIMER_REAL, 0)
            _cancel_started(emr, started, driver_log, poll, tell)
            raise
    return Followed(found, driver_record(outcome))


def _to_its_end(
    emr: EmrServerless,
    run_id: str,
    driver_log: DriverLog | None,
    poll: float,
    patience: float,
    tell: Callable[[str], None],
) -> JobRun:
    pause, state, answered = threading.Event(), None, time.monotonic()
    while True:
        try:
            found = emr.look(run_id)
        except AwsError as error:
            if not error.retryable or time.monotonic() - answered > patience:
                tell(_goes_on(emr, run_id))
                raise
            log.warning("%s", error)
        else:
            answered = time.monotonic()
            if found.state is not state:
                state = found.state
                tell(f"job run {run_id} is {state.lower()}")
            _copy(driver_log)
            if state.ended:
                break
        pause.wait(poll)
    # The last lines come to CloudWatch a little after the end.
    quiet = 0
    while driver_log is not None and quiet < _QUIET_LOOKS:
        pause.wait(poll)
        quiet = 0 if _copy(driver_log) else quiet + 1
    return found


def _copy(driver_log: DriverLog | None) -> int:
    """Lets the new lines of the driver's log through; how many there were."""
    if driver_log is None:
        return 0
    number = 0
    try:
        for line in driver_log.lines():
            sys.stderr.write(f"{line}\n")
            number += 1
    except AwsError as error:
        # The job does not depend on being watched.
        log.warning("%s", error)
    return number


def _cancel_started(
    emr: EmrServerless,
    started: Future[str],
    driver_log: DriverLog | None,
    poll: float,
    tell: Callable[[str], None],
) -> None:
    """Ends what was started, once it is known what that is."""
    try:
        run_id = started.result()
    except AwsError as error:
        tell(str(error))
    else:
        _cancel(emr, run_id, driver_log, poll, tell)


def _cancel(
    emr: EmrServerless, run_id: str, driver_log: DriverLog | None, poll: float, tell: Callable[[str], None]
) -> None:
    """Ends a job run and waits until it is ended."""
    pause, begun = threading.Event(), time.monotonic()
    try:
        found = emr.look(run_id)
        if not found.state.ended:
            emr.cancel(run_id, _GRACE_SECONDS)
            tell(f"job run {run_id} is told to end")
        while not found.state.ended and time.monotonic() - begun < _CANCEL_SECONDS:
            pause.wait(poll)
            found = emr.look(run_id)
            _copy(driver_log)
    except AwsError as error:
        log.error("%s", error)
        tell(_goes_on(emr, run_id))
        return
    tell(f"job run {run_id} is {found.state.lower()}")
    if not found.state.ended:
        tell(_goes_on(emr, run_id))


def _goes_on(emr: EmrServerless, run_id: str) -> str:
    named = f"--application-id {emr.application} --job-run-id {run_id}"
    return (
        f"job run {run_id} may go on. See it: aws emr-serverless get-job-run {named}. "
        f"End it: aws emr-serverless cancel-job-run {named}"
    )


def driver_record(outcome: Callable[[], str | None]) -> Mapping[str, Any] | None:
    """The driver's record, as far as it can be read: the state says the rest.

    Args:
        outcome: gives its text; None where there is none.
    """
    try:
        text = outcome()
        found = json.loads(text) if text is not None else None
    except (AwsError, ValueError) as error:
        log.warning("the driver's outcome record cannot be read: %s", error)
        return None
    return found if isinstance(found, dict) and isinstance(found.get("exit_code"), int) else None

"""A job run of EMR Serverless from its start to its end: every state, every fault, and what the command answers.

The service is moto over real sockets; what it never answers by itself (throttling, lost connections, lost answers) is answered by
a server before it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from amazon import REGION, Answer, Asked, set_credentials
from emr_applications import LOG_GROUP, ROLE, Application, application
from lakesmith.aws.clients import Access, AwsDenied, AwsThrottled, AwsUnreachable
from lakesmith.aws.driver_log import DriverLog
from lakesmith.aws.emr import EmrServerless, JobRunRefused
from lakesmith.engine.stopping import stops_on_signals
from lakesmith.errors import ExitCode, Stopped
from lakesmith.shipping.emr_following import Followed, follow_job_run

TOKEN = "0123456789abcdef0123456789abcdef"
THROTTLED = Answer({"message": "Rate exceeded"}, 400, "ThrottlingException")


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    set_credentials(monkeypatch)
    with application(monkeypatch) as made:
        yield made


class Watcher:
    """Hears what is told, and does something at some words."""

    def __init__(self, **then: Callable[[], object]) -> None:
        self.told: list[str] = []
        self.then = then

    def __call__(self, text: str) -> None:
        self.told.append(text)
        for word, do in self.then.items():
            if text.endswith(f" is {word}"):
                do()


def follow(
    app: Application,
    watcher: Watcher,
    *,
    outcome: dict[str, Any] | None = None,
    attempts: int = 2,
    patience: float = 60,
    role: str = ROLE,
    driver_log: DriverLog | None = None,
) -> Followed:
    request = {
        "applicationId": app.id,
        "clientToken": TOKEN,
        "executionRoleArn": role,
        "name": "lakesmith night",
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://artifacts/night.py"}},
    }
    return follow_job_run(
        EmrServerless(app.id, Access(region=REGION, attempts=attempts)),
        request,
        outcome=lambda: json.dumps(outcome) if outcome is not None else None,
        driver_log=driver_log,
        poll=0.01,
        patience=patience,
        tell=watcher,
    )


def running_then(app: Application, state: str, details: str = "") -> Watcher:
    return Watcher(
        submitted=lambda: app.move("SCHEDULED"),
        scheduled=lambda: app.move("RUNNING"),
        running=lambda: app.move(state, details),
    )


def test_success(app: Application) -> None:
    watcher = running_then(app, "SUCCESS")
    followed = follow(app, watcher)

    [job_run] = app.job_runs
    assert (followed.exit_code, followed.text) == (ExitCode.DONE, f"job run {job_run.id}: SUCCESS")
    assert watcher.told == [
        f"job run {job_run.id} of the application {app.id} is started",
        f"job run {job_run.id} is submitted",
        f"job run {job_run.id} is scheduled",
        f"job run {job_run.id} is running",
        f"job run {job_run.id} is success",
    ]


def test_a_failure_is_what_the_driver_says(app: Application) -> None:
    outcome = {
        "exit_code": 3,
        "tables": [{"table": "silver.readings", "error": "SchemaMismatch: no such column"}],
    }
    followed = follow(app, running_then(app, "FAILED", "Job failed. ExitCode: 1."), outcome=outcome)

    assert followed.exit_code == ExitCode.REJECTED
    assert followed.outcome == outcome
    assert followed.text == (
        f"job run {app.job_runs[0].id}: FAILED\n  silver.readings: SchemaMismatch: no such column"
    )


@pytest.mark.parametrize(
    ("state", "details", "code"),
    [
        (
            "FAILED",
            "Job execution failed, please check complete logs. ExitCode: 137. Last few exceptions: ",
            137,
        ),
        ("FAILED", "The application was stopped.", 1),
        ("FAILED", "Job failed. ExitCode: 0.", 1),
        ("CANCELLED", "", 143),
    ],
)
def test_without_a_record_the_state_says_how_it_ended(
    app: Application, state: str, details: str, code: int
) -> None:
    followed = follow(app, running_then(app, state, details))

    said = details or "the driver left no record and the service gave no reason"
    assert (followed.exit_code, followed.outcome) == (code, None)
    assert followed.text == f"job run {app.job_runs[0].id}: {state}\n  {said}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whoever_is_told_to_stop_cancels_and_waits_for_it(
    app: Application, number: signal.Signals, code: int
) -> None:
    watcher = Watcher(submitted=lambda: os.kill(os.getpid(), number))
    with pytest.raises(Stopped) as stopped, stops_on_signals():
        follow(app, watcher)

    [job_run] = app.job_runs
    assert (stopped.value.exit_code, job_run.state) == (code, "CANCELLED")
    assert watcher.told[-2:] == [
        f"job run {job_run.id} is told to end",
        f"job run {job_run.id} is cancelled",
    ]
    [asked] = [request for request in app.asked if request.operation.startswith("DELETE")]
    assert asked.path.endswith(f"/jobruns/{job_run.id}?shutdownGracePeriodInSeconds=30")


def test_one_that_is_cancelling_is_waited_for(app: Application) -> None:
    looks = iter(["CANCELLING", "CANCELLING", "CANCELLED"])

    def fault(request: Asked) -> Answer | None:
        if app.operations("DELETE") and request.operation.startswith("GET"):
            app.move(next(looks))
        return None

    app.fault = fault
    watcher = Watcher(submitted=lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped), stops_on_signals():
        follow(app, watcher)

    assert next(looks, "none") == "none"
    assert watcher.told[-1] == f"job run {app.job_runs[0].id} is cancelled"


def test_whoever_is_stopped_amid_the_start_cancels_what_was_started(app: Application) -> None:
    def fault(request: Asked) -> Answer | None:
        if request.operation.startswith("POST"):
            os.kill(os.getpid(), signal.SIGTERM)
        return None

    app.fault = fault
    with pytest.raises(Stopped), stops_on_signals():
        follow(app, Watcher())

    assert [job_run.state for job_run in app.job_runs] == ["CANCELLED"]


def test_whoever_is_stopped_amid_a_start_that_fails_is_stopped_all_the_same(app: Application) -> None:
    def fault(request: Asked) -> Answer | None:
        os.kill(os.getpid(), signal.SIGTERM)
        return Answer({"message": "no"}, 403, "AccessDeniedException")

    app.fault = fault
    watcher = Watcher()
    with pytest.raises(Stopped) as stopped, stops_on_signals():
        follow(app, watcher)

    assert (stopped.value.exit_code, app.job_runs) == (143, [])
    assert "No job run was started" in watcher.told[-1]


def test_a_job_run_that_cannot_be_cancelled_is_told_of(app: Application) -> None:
    denied = Answer({"message": "no"}, 403, "AccessDeniedException")
    app.fault = lambda request: denied if request.operation.startswith("DELETE") else None
    watcher = Watcher(submitted=lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped), stops_on_signals():
        follow(app, watcher)

    [job_run] = app.job_runs
    named = f"--application-id {app.id} --job-run-id {job_run.id}"
    assert watcher.told[-1] == (
        f"job run {job_run.id} may go on. See it: aws emr-serverless get-job-run {named}. "
        f"End it: aws emr-serverless cancel-job-run {named}"
    )


def test_throttling_is_waited_out(app: Application) -> None:
    app.fault = lambda request: THROTTLED if len(app.asked) in (1, 3) else None
    followed = follow(app, running_then(app, "SUCCESS"))

    assert (followed.exit_code, len(app.job_runs)) == (0, 1)


def test_throttling_without_end_starts_nothing_and_says_so(app: Application) -> None:
    app.fault = lambda _: THROTTLED
    with pytest.raises(AwsThrottled) as told:
        follow(app, Watcher())

    assert (told.value.retryable, app.job_runs, app.operations("POST")) == (True, [], 2)
    assert str(told.value) == (
        f"start a job run of lakesmith night in the application {app.id}: emr-serverless throttled the call each time it was "
        "tried (ThrottlingException: Rate exceeded). No job run was started. Run the same command again later, or raise "
        "aws.attempts."
    )


def test_throttling_without_end_while_it_is_followed_leaves_it_running(app: Application) -> None:
    app.fault = lambda request: THROTTLED if app.operations("GET") > 1 else None
    watcher = Watcher()
    with pytest.raises(AwsThrottled, match="The job run goes on"):
        follow(app, watcher, patience=0)

    [job_run] = app.job_runs
    assert job_run.state == "SUBMITTED"
    assert watcher.told[-1].startswith(f"job run {job_run.id} may go on. See it: ")


def test_a_lost_answer_of_the_start_starts_nothing_twice(app: Application) -> None:
    app.fault = lambda _: (
        Answer(lost=True) if app.operations("POST") < 3 and not app.operations("GET") else None
    )
    followed = follow(app, running_then(app, "SUCCESS"), attempts=4)

    assert (followed.exit_code, app.operations("POST"), len(app.job_runs)) == (0, 3, 1)
    tokens = {request.body["clientToken"] for request in app.asked if request.operation.startswith("POST")}
    assert tokens == {TOKEN}


def test_a_start_that_nobody_answers_says_that_it_is_not_known(app: Application) -> None:
    app.fault = lambda _: Answer(lost=True)
    with pytest.raises(AwsUnreachable) as told:
        follow(app, Watcher())

    assert (told.value.retryable, len(app.job_runs)) == (True, 1)
    assert "Whether it was started is not known; if it was, it is called 'lakesmith night' and tagged" in str(
        told.value
    )
    assert f"aws emr-serverless list-job-runs --application-id {app.id}" in str(told.value)


def test_a_lost_connection_does_not_lose_the_job_run(app: Application) -> None:
    # Both attempts of one look, and then of another.
    lost = {2, 3, 5, 6}
    app.fault = lambda request: (
        Answer(lost=True) if app.operations("GET") in lost and "GET" in request.operation else None
    )
    followed = follow(app, running_then(app, "SUCCESS"))

    assert followed.exit_code == 0


def test_one_who_may_not_look_is_told_at_once(app: Application) -> None:
    denied = Answer({"message": "no"}, 403, "AccessDeniedException")
    app.fault = lambda request: denied if request.operation.startswith("GET") else None
    with pytest.raises(AwsDenied) as told:
        follow(app, Watcher())

    assert (told.value.exit_code, app.operations("GET")) == (ExitCode.USAGE, 1)


def test_what_the_service_does_not_want_is_refused(app: Application) -> None:
    gone = Application("00nothere", app.address)
    with pytest.raises(JobRunRefused) as told:
        follow(gone, Watcher())

    assert told.value.code == "ResourceNotFoundException"
    assert str(told.value).endswith("aws emr-serverless get-application.")


def test_the_drivers_log_is_let_through_while_it_runs(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = boto3.client("logs", REGION, endpoint_url=app.address)
    stream = f"lakesmith/{TOKEN}/applications/{app.id}/jobs/1/SPARK_DRIVER/stderr"

    def write(*lines: str) -> None:
        events = [{"timestamp": round(time.time() * 1000), "message": line} for line in lines]
        logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)

    def begin() -> None:
        for name in (
            stream,
            stream.replace("SPARK_DRIVER", "SPARK_EXECUTOR/1"),
            stream.replace("err", "out"),
        ):
            logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=name)
        write("silver.readings: 1 batch", "gold.usage: 1 batch")
        app.move("RUNNING")

    def end() -> None:
        assert capsys.readouterr().err == "silver.readings: 1 batch\ngold.usage: 1 batch\n"
        write("done")
        app.move("SUCCESS")

    # The second look finds the stream, and only the third tells that it runs.
    watcher = Watcher(submitted=begin, running=lambda: app.move("SCHEDULED"), scheduled=end)
    driver_log = DriverLog(LOG_GROUP, f"lakesmith/{TOKEN}", Access(region=REGION))
    followed = follow(app, watcher, driver_log=driver_log)

    assert (followed.exit_code, capsys.readouterr().err) == (0, "done\n")


def test_a_log_that_cannot_be_read_stops_nothing(app: Application, caplog: pytest.LogCaptureFixture) -> None:
    driver_log = DriverLog("/not/there", f"lakesmith/{TOKEN}", Access(region=REGION))
    assert follow(app, running_then(app, "SUCCESS"), driver_log=driver_log).exit_code == 0
    assert [record for record in caplog.records if record.name.startswith("lakesmith")] == []

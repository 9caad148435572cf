"""Clients of Amazon's services: how often a call is tried, and what each failure is called."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from amazon import REGION, Answer, answering, emulator, set_credentials
from lakesmith.aws.clients import (
    Access,
    AwsCredentialsMissing,
    AwsDenied,
    AwsError,
    AwsThrottled,
    AwsUnreachable,
    client,
    typed_errors,
)
from lakesmith.config.sections.aws import AwsSettings
from lakesmith.errors import ExitCode
from receivers import free_port

DOING = "read the secret night/db"
DONE = "Nothing was read"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    set_credentials(monkeypatch)


def ask(endpoint: str, attempts: int = 2, **access: Any) -> Any:
    """One call of a service."""
    secrets = client("secretsmanager", Access(region=REGION, endpoint=endpoint, attempts=attempts, **access))
    with typed_errors("secretsmanager", DOING, DONE):
        return secrets.get_secret_value(SecretId="night/db")["SecretString"]


def refusal(code: str, status: int = 400, said: str = "") -> Answer:
    return Answer({"message": said}, status=status, code=code)


def test_settings_say_how_services_are_reached() -> None:
    settings = AwsSettings(region=REGION, endpoint="http://127.0.0.1:1", attempts=3, connect_timeout="2s")

    assert settings.access == Access(REGION, "http://127.0.0.1:1", 3, 2, 60, path_style=True)
    assert AwsSettings().access == Access()
    made = client("s3", Access(region=REGION, attempts=3, path_style=True)).meta.config
    assert (made.retries, made.s3["addressing_style"]) == (
        {"mode": "adaptive", "total_max_attempts": 3},
        "path",
    )


def test_a_service_answers() -> None:
    with emulator() as address:
        boto3.client("secretsmanager", REGION, endpoint_url=address).create_secret(
            Name="night/db", SecretString="hush"
        )
        assert ask(address) == "hush"


def test_a_throttled_call_is_tried_again() -> None:
    answers = [refusal("ThrottlingException", said="Rate exceeded"), Answer({"SecretString": "hush"})]
    with answering(lambda _: answers.pop(0)) as (address, asked):
        assert ask(address) == "hush"
    assert [request.operation for request in asked] == ["secretsmanager.GetSecretValue"] * 2


def test_throttling_without_end_is_an_error_that_a_retry_can_help() -> None:
    throttled = refusal("ThrottlingException", said="Rate exceeded")
    with answering(lambda _: throttled) as (address, asked), pytest.raises(AwsThrottled) as told:
        ask(address)
    assert len(asked) == 2
    assert (told.value.retryable, told.value.exit_code, told.value.code) == (
        True,
        ExitCode.FAILED,
        "ThrottlingException",
    )
    assert str(told.value) == (
        "read the secret night/db: secretsmanager throttled the call each time it was tried "
        "(ThrottlingException: Rate exceeded). Nothing was read. Run the same command again later, or raise aws.attempts."
    )


def test_a_lost_connection_is_tried_again() -> None:
    answers = [Answer(lost=True), Answer({"SecretString": "hush"})]
    with answering(lambda _: answers.pop(0)) as (address, _):
        assert ask(address) == "hush"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(lost=True), "ConnectionClosedError"),
        (refusal("InternalServiceError", 500), "InternalServiceError"),
        (Answer(status=503), "503"),
    ],
)
def test_no_answer_is_an_error_that_a_retry_can_help(answer: Answer, code: str) -> None:
    with answering(lambda _: answer) as (address, asked), pytest.raises(AwsUnreachable) as told:
        ask(address)
    assert (told.value.code, told.value.retryable, len(asked)) == (code, True, 2)


def test_nobody_there_is_no_answer() -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(AwsUnreachable) as told:
        ask(address, attempts=1)
    assert str(told.value) == (
        "read the secret night/db: secretsmanager gave no answer (EndpointConnectionError: Could not connect to the endpoint "
        f'URL: "{address}/"). Nothing was read. Look at the network, the region and the endpoint (lakesmith config show), '
        "and run it again."
    )


@pytest.mark.parametrize(
    ("code", "status", "kind", "exit_code"),
    [
        ("AccessDeniedException", 400, AwsDenied, ExitCode.USAGE),
        ("ExpiredTokenException", 400, AwsCredentialsMissing, ExitCode.USAGE),
        ("UnrecognizedClientException", 400, AwsCredentialsMissing, ExitCode.USAGE),
        ("ValidationException", 400, AwsError, ExitCode.FAILED),
        ("SomethingElse", 429, AwsThrottled, ExitCode.FAILED),
    ],
)
def test_a_refusal_is_told_by_its_code(
    code: str, status: int, kind: type[AwsError], exit_code: ExitCode
) -> None:
    with answering(lambda _: refusal(code, status, "no")) as (address, _), pytest.raises(AwsError) as told:
        ask(address)
    assert (type(told.value), told.value.code, told.value.status, told.value.exit_code) == (
        kind,
        code,
        status,
        exit_code,
    )


def test_without_credentials_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with answering(lambda _: Answer()) as (address, asked), pytest.raises(AwsCredentialsMissing) as told:
        ask(address)
    assert (told.value.code, asked) == ("NoCredentialsError", [])


def test_without_a_region_there_is_no_client() -> None:
    with pytest.raises(AwsCredentialsMissing) as told:
        client("secretsmanager", Access())
    assert told.value.code == "NoRegionError"


def test_what_is_no_failure_of_amazon_goes_through() -> None:
    with pytest.raises(KeyError), typed_errors("s3", DOING):
        raise KeyError

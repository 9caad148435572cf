"""Clients of Amazon's services: made in one place, from settings, and their failures told by type.

Owns how often and how long a call is tried, and what an answer that is none means. What a service is asked is in the module
that is named after it. Credentials are found as boto3 finds them, and never looked at here.

    AwsError                 exit 1   the service refused the call; `code` is its word for why
      AwsThrottled           exit 1   too many calls, for longer than they were tried (a retry can help)
      AwsUnreachable         exit 1   no answer, a lost connection, or a failure of the service's own (a retry can help)
      AwsDenied              exit 2   the caller's role may not do that
      AwsCredentialsMissing  exit 2   no credentials, none that hold, or no region
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lakesmith.errors import ConfigurationError, LakesmithError
from lakesmith.extras import needs_extra

__all__ = [
    "Access",
    "AwsCredentialsMissing",
    "AwsDenied",
    "AwsError",
    "AwsThrottled",
    "AwsUnreachable",
    "client",
    "typed_errors",
]

_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_DENIED = frozenset(
    {
        "403",  # of HEAD requests, whose answers have no body to say more
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "KMS.AccessDeniedException",
        "UnauthorizedOperation",
    }
)
_NO_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)


@dataclass(frozen=True)
class Access:
    """How a service is reached.

    Args:
        region: None takes what boto3 finds (AWS_REGION, the profile).
        endpoint: another address than the region's own, as an emulator or a VPC endpoint has.
        attempts: calls of one request at most, the first included; pauses in between grow with what the service answers.
        connect_timeout, read_timeout: seconds to connect, and for each answer.
        path_style: buckets stand in the path and not in the host's name, as emulators want it.
    """

    region: str | None = None
    endpoint: str | None = None
    attempts: int = 8
    connect_timeout: float = 10
    read_timeout: float = 60
    path_style: bool = False


class AwsError(LakesmithError):
    """A service of Amazon did not do what it was asked.

    Attributes:
        service: as boto3 names it.
        doing: what it was asked for.
        code: the service's own code, or the type of what went wrong on the way.
        said: the service's own words.
        status: the HTTP status of its answer; None where there was none.
    """

    meaning = "refused"
    next_step = ""

    def __init__(
        self,
        service: str,
        doing: str,
        code: str,
        *,
        status: int | None = None,
        said: str = "",
        done: str = "",
    ) -> None:
        self.service = service
        self.doing = doing
        self.code = code
        self.said = said
        self.status = status
        detail = f"{code}: {said}".rstrip(". ") if said else code
        parts = [f"{doing}: {service} {self.meaning} ({detail})", done, self.next_step]
        super().__init__(". ".join(part.rstrip(". ") for part in parts if part) + ".")


class AwsThrottled(AwsError):
    """The service took no more calls, for longer than they were tried."""

    retryable = True
    meaning = "throttled the call each time it was tried"
    next_step = "Run the same command again later, or raise aws.attempts"


class AwsUnreachable(AwsError):
    """The service was not reached, did not answer in time, or failed itself."""

    retryable = True
    meaning = "gave no answer"
    next_step = "Look at the network, the region and the endpoint (lakesmith config show), and run it again"


class AwsDenied(AwsError, ConfigurationError):
    """The role or the user of this process may not do that."""

    meaning = "does not allow it"
    next_step = "Give the right to the role of this process, or take another: aws sts get-caller-identity says which it is"


class AwsCredentialsMissing(AwsError, ConfigurationError):
    """There are no credentials, the service does not take them, or no region is named."""

    meaning = "was not asked, or did not know who asks"
    next_step = "Set AWS_PROFILE, or sign in again (aws sso login); the region is aws.region"


def client(service: str, access: Access) -> Any:
    """A client of a service, with retries in the SDK's adaptive mode. Clients may be shared between threads.

    Args:
        service: as boto3 names it: `s3`, `emr-serverless`, `secretsmanager`.

    Raises:
        AwsCredentialsMissing: no region is named anywhere.
        ExtraMissing: boto3 is not installed.
    """
    with needs_extra("aws"):
        import boto3
        from botocore.config import Config
    # It writes whole answers, secrets and temporary credentials too, where somebody's log is of level debug.
    logging.getLogger("botocore.parsers").setLevel(logging.INFO)
    config = Config(
        connect_timeout=access.connect_timeout,
        read_timeout=access.read_timeout,
        retries={"mode": "adaptive", "total_max_attempts": access.attempts},
        user_agent_extra="lakesmith",
        **({"s3": {"addressing_style": "path"}} if access.path_style else {}),
    )
    with typed_errors(service, f"connect to {service}"):
        # A session of its own: boto3's default one is not made for threads.
        return boto3.session.Session().client(
            service, region_name=access.region, endpoint_url=access.endpoint, config=config
        )


@contextmanager
def typed_errors(service: str, doing: str, done: str = "", *, unknown: str | None = None) -> Iterator[None]:
    """Lets whatever boto3 raises inside become an `AwsError`.

    Args:
        service: as boto3 names it.
        doing: what is asked for, as a message begins: `start a job run of night`.
        done: what was done and what was not when it fails, as a sentence.
        unknown: the same where an answer is lost and nobody knows whether it was done; None: `done` holds there, too.

    Raises:
        AwsThrottled: the service throttled every attempt.
        AwsUnreachable: no attempt got an answer, or the service failed itself.
        AwsDenied: the caller may not.
        AwsCredentialsMissing: nobody said who the caller is.
        AwsError: the service refused for another reason, in `code`.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        kind, facts = _refused(error.response)
        cause: Exception = error
    except BotoCoreError as error:
        kind, facts = _failed(error)
        cause = error
    else:
        return
    if kind is AwsUnreachable and unknown is not None:
        done = unknown
    raise kind(service, doing, done=done, **facts) from cause


def _refused(response: Any) -> tuple[type[AwsError], dict[str, Any]]:
    """What an answer of a service means."""
    given = response.get("Error", {})
    code = str(given.get("Code") or "no code given")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    kind: type[AwsError] = AwsError
    if code in _THROTTLED or status == 429:
        kind = AwsThrottled
    elif code in _NO_CREDENTIALS:
        kind = AwsCredentialsMissing
    elif code in _DENIED:
        kind = AwsDenied
    elif status is not None and status >= 500:
        kind = AwsUnreachable
    return kind, {"code": code, "status": status, "said": str(given.get("Message") or "")}


def _failed(error: Exception) -> tuple[type[AwsError], dict[str, Any]]:
    """What it means that there was no answer at all."""
    from botocore import exceptions

    without_credentials = (
        exceptions.ConfigNotFound,
        exceptions.CredentialRetrievalError,
        exceptions.NoCredentialsError,
        exceptions.NoRegionError,
        exceptions.PartialCredentialsError,
        exceptions.ProfileNotFound,
        exceptions.SSOError,
        exceptions.TokenRetrievalError,
    )
    lost = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
    facts = {"code": type(error).__name__, "said": str(error)}
    if isinstance(error, without_credentials):
        return AwsCredentialsMissing, facts
    return (AwsUnreachable if isinstance(error, lost) else AwsError), facts

"""Publishing to a topic of Amazon SNS."""

from __future__ import annotations

from lakesmith.errors import LakesmithError
from lakesmith.extras import needs_extra

__all__ = ["SnsRefused", "publish"]

_LONGEST_SUBJECT = 100
_LONGEST = 200_000


class SnsRefused(LakesmithError):
    """SNS did not take a message; `reason` is its error code, or why it was not reached."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"SNS did not take a message: {reason}")


def publish(
    topic: str,
    subject: str,
    text: str,
    *,
    severity: str,
    region: str | None = None,
    endpoint: str | None = None,
    timeout: float = 10,
) -> None:
    """Publishes a message; subscriptions may filter by the attribute `severity`.

    Args:
        topic: its ARN.
        subject: of mails; SNS takes 100 characters of ASCII, the rest is cut.
        region: None takes the one in the ARN.
        endpoint: another address of the service.
        timeout: seconds to connect, and for each answer.

    Raises:
        SnsRefused: it was not taken.
        ExtraMissing: boto3 is not installed.
    """
    with needs_extra("aws"):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    config = Config(
        connect_timeout=timeout, read_timeout=timeout, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    parts = topic.split(":")
    where = region or (parts[3] if len(parts) > 5 else None)
    try:
        client = boto3.client("sns", region_name=where, endpoint_url=endpoint, config=config)
        client.publish(
            TopicArn=topic,
            Subject=_subject(subject),
            Message=text[:_LONGEST],
            MessageAttributes={"severity": {"DataType": "String", "StringValue": severity}},
        )
    except ClientError as error:
        raise SnsRefused(str(error.response.get("Error", {}).get("Code", "no code given"))) from None
    except (BotoCoreError, ValueError) as error:
        raise SnsRefused(type(error).__name__) from None


def _subject(text: str) -> str:
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    return plain[:_LONGEST_SUBJECT] or "Lakesmith"

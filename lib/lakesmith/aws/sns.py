"""Publishing to a topic of Amazon SNS."""

from __future__ import annotations

from dataclasses import replace

from lakesmith.aws.clients import Access, client, typed_errors

__all__ = ["publish"]

_SERVICE = "sns"
_LONGEST_SUBJECT = 100
_LONGEST = 200_000


def publish(topic: str, subject: str, text: str, access: Access, *, severity: str) -> None:
    """Publishes a message; subscriptions may filter by the attribute `severity`.

    Args:
        topic: its ARN.
        subject: of mails; SNS takes 100 characters of ASCII, the rest is cut.
        access: how SNS is reached; without a region the one in the ARN is taken.

    Raises:
        AwsError: it was not taken.
        ExtraMissing: boto3 is not installed.
    """
    within = access if access.region is not None else replace(access, region=_region(topic))
    with typed_errors(_SERVICE, f"publish to {topic}", "Nobody was told"):
        client(_SERVICE, within).publish(
            TopicArn=topic,
            Subject=_subject(subject),
            Message=text[:_LONGEST],
            MessageAttributes={"severity": {"DataType": "String", "StringValue": severity}},
        )


def _region(topic: str) -> str | None:
    parts = topic.split(":")
    return parts[3] if len(parts) > 5 else None


def _subject(text: str) -> str:
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    return plain[:_LONGEST_SUBJECT] or "Lakesmith"

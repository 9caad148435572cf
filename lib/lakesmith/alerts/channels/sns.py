"""A topic of Amazon SNS as a channel."""

from __future__ import annotations

from lakesmith.alerts.channels.channel import Undelivered
from lakesmith.alerts.messages import Message
from lakesmith.aws.clients import Access, AwsError
from lakesmith.aws.sns import publish
from lakesmith.config.sections.alerts import SnsSettings
from lakesmith.errors import ExtraMissing

__all__ = ["SnsChannel"]


class SnsChannel:
    """Publishes a message.

    Args:
        settings: with a topic.
        timeout: seconds to connect, and for each answer; tried twice.
    """

    name = "sns"

    def __init__(self, settings: SnsSettings, timeout: float) -> None:
        assert settings.topic is not None
        self._topic = settings.topic
        # An alert that waits for long is none: fewer attempts than elsewhere.
        self._access = Access(
            settings.region, settings.endpoint, attempts=2, connect_timeout=timeout, read_timeout=timeout
        )
        self.least: str = settings.least

    def send(self, message: Message) -> None:
        """Publishes it.

        Raises:
            Undelivered: SNS did not take it.
        """
        try:
            publish(
                self._topic,
                message.title,
                message.text,
                self._access,
                severity=message.gravest or "resolved",
            )
        except AwsError as error:
            raise Undelivered(self.name, error.code) from None
        except ExtraMissing as error:
            raise Undelivered(self.name, f"{error.package} is not installed") from None

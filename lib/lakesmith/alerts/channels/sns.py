"""A topic of Amazon SNS as a channel."""

from __future__ import annotations

from lakesmith.alerts.channels.channel import Undelivered
from lakesmith.alerts.messages import Message
from lakesmith.aws.sns import SnsRefused, publish
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
        self._settings = settings
        self._topic = settings.topic
        self._timeout = timeout
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
                severity=message.gravest or "resolved",
                region=self._settings.region,
                endpoint=self._settings.endpoint,
                timeout=self._timeout,
            )
        except SnsRefused as error:
            raise Undelivered(self.name, error.reason) from None
        except ExtraMissing as error:
            raise Undelivered(self.name, f"{error.package} is not installed") from None

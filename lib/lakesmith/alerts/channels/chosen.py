"""The channels that the settings switch on."""

from __future__ import annotations

from lakesmith.alerts.channels.channel import Channel
from lakesmith.alerts.channels.email import EmailChannel
from lakesmith.alerts.channels.log import LogChannel
from lakesmith.alerts.channels.webhook import WebhookChannel
from lakesmith.config.sections.alerts import AlertSettings

__all__ = ["chosen_channels"]


def chosen_channels(settings: AlertSettings) -> list[Channel]:
    """Every channel that is on, in the order in which they are told."""
    found: list[Channel] = []
    if settings.log:
        found.append(LogChannel())
    if settings.webhook.url is not None:
        found.append(WebhookChannel(settings.webhook, settings.timeout))
    if settings.email.host is not None:
        found.append(EmailChannel(settings.email, settings.timeout))
    if settings.sns.topic is not None:
        from lakesmith.alerts.channels.sns import SnsChannel

        found.append(SnsChannel(settings.sns, settings.timeout))
    return found

"""What a channel is, and what is said when it does not take a message."""

from __future__ import annotations

from typing import Protocol

from lakesmith.alerts.messages import Message
from lakesmith.errors import LakesmithError

__all__ = ["Channel", "Undelivered"]


class Undelivered(LakesmithError):
    """A channel did not take a message; `reason` holds neither an address with a secret nor anything of the message."""

    def __init__(self, channel: str, reason: str) -> None:
        self.channel = channel
        self.reason = reason
        super().__init__(
            f"the channel {channel} did not take a message ({reason}). Mend its settings, then: lakesmith alerts test"
        )


class Channel(Protocol):
    """Takes messages."""

    @property
    def name(self) -> str:
        """As the settings call it."""

    @property
    def least(self) -> str:
        """The severity from which on it is told of an alert."""

    def send(self, message: Message) -> None:
        """Hands a message over.

        Raises:
            Undelivered: it was not taken.
        """

"""Settings of Amazon's services: how they are reached."""

from __future__ import annotations

from pydantic import PositiveInt

from lakesmith.aws.clients import Access
from lakesmith.config.sections.values import Seconds, Section

__all__ = ["AwsSettings"]


class AwsSettings(Section):
    """How Amazon's services are reached. Credentials are found as boto3 finds them.

    Args:
        region: None takes what boto3 finds (AWS_REGION, the profile).
        endpoint: another address of all services, as an emulator has.
        attempts: calls of one request at most, the first included.
        connect_timeout: seconds to connect.
        read_timeout: seconds for each answer.
    """

    region: str | None = None
    endpoint: str | None = None
    attempts: PositiveInt = 8
    connect_timeout: Seconds = 10
    read_timeout: Seconds = 60

    @property
    def access(self) -> Access:
        """The same for clients."""
        return Access(
            region=self.region,
            endpoint=self.endpoint,
            attempts=self.attempts,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
        )

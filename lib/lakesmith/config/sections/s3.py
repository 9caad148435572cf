"""Settings of S3, where they differ from those of Amazon's other services."""

from __future__ import annotations

from pydantic import Field

from lakesmith.config.sections.values import Section

__all__ = ["S3Settings"]


class S3Settings(Section):
    """S3, for Spark, for commits and for everything else alike.

    Args:
        endpoint: another address than that of the region, like an emulator's or a VPC endpoint's; None takes `aws.endpoint`.
        path_style: buckets stand in the path and not in the host's name, as emulators want it.
        kms_key: id or ARN of the key that everything written is encrypted with; None leaves that to the bucket.
    """

    endpoint: str | None = None
    path_style: bool = False
    kms_key: str | None = Field(default=None, min_length=1)

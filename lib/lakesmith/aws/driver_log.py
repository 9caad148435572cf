"""The log of a driver in CloudWatch, read on from where the last look ended.

CloudWatch and not S3, since EMR Serverless writes there while the job runs, to S3 every few minutes and in whole files.
"""

from __future__ import annotations

from collections.abc import Iterator

from lakesmith.aws.clients import Access, client, typed_errors

__all__ = ["DriverLog"]

_DRIVER = "/SPARK_DRIVER/"
_STREAM = "stderr"


class DriverLog:
    """What a driver wrote to stderr, where Lakesmith and Spark log.

    Args:
        group: the log group.
        prefix: what the names of the job run's streams begin with.
        access: how the service is reached.
    """

    def __init__(self, group: str, prefix: str, access: Access) -> None:
        self._client = client("logs", access)
        self._group = group
        self._prefix = prefix
        self._stream: str | None = None
        self._token: str | None = None

    def lines(self) -> Iterator[str]:
        """The lines that came since the last call; none while there is no log yet.

        Raises:
            AwsError: CloudWatch did not give them; the next call begins with the first that is lacking.
        """
        with typed_errors("logs", f"read the driver's log in {self._group}", "The job run goes on"):
            try:
                self._stream = self._stream or self._found()
            except self._client.exceptions.ResourceNotFoundException:
                return
            if self._stream is None:
                return
            while True:
                page = self._client.get_log_events(
                    logGroupName=self._group,
                    logStreamName=self._stream,
                    startFromHead=True,
                    **({"nextToken": self._token} if self._token else {}),
                )
                for event in page["events"]:
                    yield str(event["message"]).rstrip("\n")
                # The same token again says that this was the end.
                before, self._token = self._token, page["nextForwardToken"]
                if self._token == before:
                    return

    def _found(self) -> str | None:
        """The stream of the driver's stderr. What stands between the prefix and the driver depends on EMR's version."""
        pages = self._client.get_paginator("describe_log_streams")
        for page in pages.paginate(logGroupName=self._group, logStreamNamePrefix=self._prefix):
            for stream in page["logStreams"]:
                name = str(stream["logStreamName"])
                if _DRIVER in name and name.rpartition("/")[2].startswith(_STREAM):
                    return name
        return None

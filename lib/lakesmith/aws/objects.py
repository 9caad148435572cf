"""Small things on S3 that are no tables: code on its way to a cluster, and the records that drivers leave.

Code stands under the digest of its content, so what is there once is never sent again and never changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lakesmith.aws.s3 import S3Access, S3Folder

__all__ = ["Parcel", "leave", "read", "send"]


@dataclass(frozen=True)
class Parcel:
    """A local file and where it stands on S3.

    Args:
        uri: with the digest of the file's content.
    """

    file: Path
    uri: str

    @classmethod
    def of(cls, file: Path, folder: str) -> Parcel:
        """Where a file stands below a folder on S3; nothing is sent."""
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return cls(file, f"{folder}/{digest[:32]}/{file.name}")


def send(parcel: Parcel, s3: S3Access) -> bool:
    """Puts a file where its parcel says, unless it is there.

    Returns:
        Whether it was sent.

    Raises:
        AwsError: S3 did not take it; nothing half-sent is visible.
    """
    folder, path = _placed(parcel.uri, s3)
    if folder.look(path) is not None:
        return False
    with parcel.file.open("rb") as content:
        folder.upload(path, content)
    return True


def leave(uri: str, text: str, s3: S3Access) -> None:
    """Writes a small object, over one that is there.

    Raises:
        AwsError: S3 did not take it.
    """
    folder, path = _placed(uri, s3)
    folder.write(path, text.encode(), ContentType="application/json")


def read(uri: str, s3: S3Access) -> str | None:
    """The text of an object; None where there is none.

    Raises:
        AwsError: S3 did not give it.
    """
    folder, path = _placed(uri, s3)
    found = folder.read(path)
    return None if found is None else found.content.decode()


def _placed(uri: str, s3: S3Access) -> tuple[S3Folder, str]:
    bucket, _, path = uri.removeprefix("s3://").partition("/")
    return S3Folder(f"s3://{bucket}", s3), path

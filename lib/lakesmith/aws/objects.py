"""Small things on S3 that are no tables: code on its way to a cluster, and the records that drivers leave.

Code stands under the digest of its content, so what is there once is never sent again and never changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lakesmith.aws.clients import Access
from lakesmith.aws.s3 import S3Access, S3Folder

__all__ = ["Parcel", "leave", "read", "send"]

_CHUNK = 1 << 20


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
        digest = hashlib.sha256()
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
        return cls(file, f"{folder}/{digest.hexdigest()[:32]}/{file.name}")


def send(parcel: Parcel, access: Access) -> bool:
    """Puts a file where its parcel says, unless it is there.

    Returns:
        Whether it was sent.

    Raises:
        AwsError: S3 did not take it; nothing half-sent is visible.
    """
    folder, path = _placed(parcel.uri, access)
    if folder.look(path) is not None:
        return False
    with parcel.file.open("rb") as content:
        folder.upload(path, content)
    return True


def leave(uri: str, text: str, access: Access) -> None:
    """Writes a small object, over one that is there.

    Raises:
        AwsError: S3 did not take it.
    """
    folder, path = _placed(uri, access)
    folder.write(path, text.encode(), ContentType="application/json")


def read(uri: str, access: Access) -> str | None:
    """The text of an object; None where there is none.

    Raises:
        AwsError: S3 did not give it.
    """
    folder, path = _placed(uri, access)
    found = folder.read(path)
    return None if found is None else found.content.decode()


def _placed(uri: str, access: Access) -> tuple[S3Folder, str]:
    bucket, _, path = uri.removeprefix("s3://").partition("/")
    return S3Folder(f"s3://{bucket}", S3Access(access)), path

"""Small things on S3 that are no tables: code on its way to a cluster, and the records that drivers leave.

Code stands under the digest of its content, so what is there once is never sent again and never changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lakesmith.aws.clients import Access, AwsError, client, typed_errors

__all__ = ["Parcel", "leave", "read", "send"]

_CHUNK = 1 << 20
_GONE = frozenset({"404", "NoSuchKey", "NotFound"})


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
    s3 = client("s3", access)
    bucket, key = _parts(parcel.uri)
    doing, undone = f"send {parcel.file.name} to {parcel.uri}", "Nothing of it is visible there"
    try:
        with typed_errors("s3", doing, undone):
            s3.head_object(Bucket=bucket, Key=key)
    except AwsError as error:
        if error.code not in _GONE:
            raise
    else:
        return False
    # Not `upload_file`, whose errors no longer say what S3 answered.
    with typed_errors("s3", doing, undone), parcel.file.open("rb") as content:
        s3.upload_fileobj(content, bucket, key)
    return True


def leave(uri: str, text: str, access: Access) -> None:
    """Writes a small object, over one that is there.

    Raises:
        AwsError: S3 did not take it.
    """
    bucket, key = _parts(uri)
    with typed_errors("s3", f"write {uri}", "It was not written"):
        client("s3", access).put_object(
            Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json"
        )


def read(uri: str, access: Access) -> str | None:
    """The text of an object; None where there is none.

    Raises:
        AwsError: S3 did not give it.
    """
    bucket, key = _parts(uri)
    try:
        with typed_errors("s3", f"read {uri}"):
            found: bytes = client("s3", access).get_object(Bucket=bucket, Key=key)["Body"].read()
    except AwsError as error:
        if error.code in _GONE:
            return None
        raise
    return found.decode()


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key

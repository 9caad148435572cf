"""Objects below a place in S3: listed, looked at, read, written and copied.

Owns how a URI becomes bucket and key, reading an object as a stream that can be sought in, and writing on a condition: only
where there is nothing yet, or only over what was read. The store's own clock comes back with its answers.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, BinaryIO

from lakesmith.aws.clients import Access, client, typed_errors

__all__ = [
    "ABSENT",
    "S3_BY_DEFAULT",
    "S3Access",
    "S3Content",
    "S3Folder",
    "S3Object",
    "S3Replaced",
    "S3Version",
    "is_s3",
]

ABSENT = "*"
"""The condition of a write that only counts where there is nothing yet."""

_BY_DEFAULT = Access()
_SCHEMES = ("s3://", "s3a://")
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
# 409 is told while another conditional write of the same key is under way.
_CONDITION_FAILED = frozenset({"412", "PreconditionFailed", "409", "ConditionalRequestConflict"})
_BUFFER_BYTES = 1 << 20


def is_s3(place: str | None) -> bool:
    """Whether a folder or URI lies in S3."""
    return place is not None and place.lower().startswith(_SCHEMES)


@dataclass(frozen=True)
class S3Access:
    """How S3 is reached, for every library that reaches it.

    Args:
        access: address, region, patience.
        kms_key: id or ARN of the key that objects are encrypted with; None leaves that to the bucket.
    """

    access: Access = _BY_DEFAULT
    kms_key: str | None = None

    def deltalake_options(self) -> dict[str, str]:
        """The same as deltalake names it. Credentials it finds by itself; buckets stand in the path, as it has it by default."""
        options = {}
        if self.access.region:
            options["AWS_REGION"] = self.access.region
        if self.access.endpoint:
            options["AWS_ENDPOINT_URL"] = self.access.endpoint
            options["AWS_ALLOW_HTTP"] = str(self.access.endpoint.startswith("http://")).lower()
        if self.kms_key:
            options |= {
                "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
                "AWS_SSE_KMS_KEY_ID": self.kms_key,
                "AWS_SSE_BUCKET_KEY_ENABLED": "true",
            }
        return options

    def hadoop_conf(self) -> dict[str, str]:
        """The same as Hadoop's S3A names it, which here serves `s3://` as well."""
        conf = {
            "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "fs.s3a.path.style.access": str(self.access.path_style).lower(),
            # The chain that the SDKs of all languages have, so that Spark finds whatever boto3 finds.
            "fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        }
        if self.access.region:
            conf["fs.s3a.endpoint.region"] = self.access.region
        if self.access.endpoint:
            conf["fs.s3a.endpoint"] = self.access.endpoint
            conf["fs.s3a.connection.ssl.enabled"] = str(self.access.endpoint.startswith("https://")).lower()
        if self.kms_key:
            conf |= {"fs.s3a.encryption.algorithm": "SSE-KMS", "fs.s3a.encryption.key": self.kms_key}
        return conf


S3_BY_DEFAULT = S3Access()
"""As the SDKs find it."""


@dataclass(frozen=True)
class S3Object:
    """What the store knows of an object.

    Args:
        path: relative to the folder.
        size: bytes.
        modified: when it was written, by the store's clock.
        etag: of its content, with quotes.
    """

    path: str
    size: int
    modified: datetime
    etag: str


@dataclass(frozen=True)
class S3Version:
    """What a bucket with versioning keeps of an object that was replaced or removed.

    Args:
        path: relative to the folder.
        version: its id.
        size: bytes.
    """

    path: str
    version: str
    size: int


@dataclass(frozen=True)
class S3Content:
    """A small object, read whole.

    Args:
        etag: of its content, with quotes.
        modified: when it was written, by the store's clock.
        read_at: when the store answered, by the same clock.
    """

    content: bytes
    etag: str
    modified: datetime
    read_at: datetime


@dataclass(frozen=True)
class S3Folder:
    """Everything below a URI.

    Args:
        uri: `s3://bucket` or `s3://bucket/prefix`.
    """

    uri: str
    s3: S3Access = S3_BY_DEFAULT

    @property
    def bucket(self) -> str:
        """Its name."""
        return self.uri.split("://", 1)[1].split("/", 1)[0]

    def key(self, path: str) -> str:
        """The key of a path below the folder."""
        prefix = self.uri.split("://", 1)[1].partition("/")[2].strip("/")
        return f"{prefix}/{path}" if prefix and path else prefix or path

    def below(self, below: str = "") -> Iterator[S3Object]:
        """Every object below a path, in the order of their keys.

        Args:
            below: a folder of this one; empty stands for all of it.

        Raises:
            AwsError: the store did not answer, or does not allow it.
        """
        for page in self._pages(below, "list_objects_v2"):
            for found in page.get("Contents", ()):
                if not found["Key"].endswith("/"):
                    yield self._object(found["Key"], found)

    def entries(self, below: str = "") -> tuple[list[str], list[S3Object]]:
        """The names of the folders and the objects right below a path.

        Raises:
            AwsError: as `below`.
        """
        folders: list[str] = []
        objects: list[S3Object] = []
        for page in self._pages(below, "list_objects_v2", Delimiter="/"):
            folders += [
                one["Prefix"].rstrip("/").rpartition("/")[2] for one in page.get("CommonPrefixes", ())
            ]
            objects += [
                self._object(found["Key"], found)
                for found in page.get("Contents", ())
                if not found["Key"].endswith("/")
            ]
        return folders, objects

    def old_versions(self, below: str = "") -> Iterator[S3Version]:
        """What the bucket keeps of objects that were replaced or removed; nothing where it keeps no versions.

        Raises:
            AwsError: as `below`.
        """
        for page in self._pages(below, "list_object_versions"):
            for found in page.get("Versions", ()):
                if not found["IsLatest"]:
                    yield S3Version(self._path(found["Key"]), found["VersionId"], found["Size"])

    def read_version(self, version: S3Version) -> bytes:
        """The content of an old version.

        Raises:
            FileNotFoundError: it is gone.
            AwsError: as `below`.
        """
        answer = self._ask("read", version.path, "get_object", VersionId=version.version)
        if answer is None:
            raise FileNotFoundError(f"{self.uri}/{version.path}, version {version.version}")
        with typed_errors("s3", f"read {self.uri}/{version.path}"):
            return bytes(answer["Body"].read())

    def remove_version(self, version: S3Version) -> None:
        """Removes an old version for good.

        Raises:
            AwsError: as `below`.
        """
        self._ask("remove a version of", version.path, "delete_object", VersionId=version.version)

    def look(self, path: str) -> S3Object | None:
        """What the store knows of an object; None where there is none.

        Raises:
            AwsError: as `below`.
        """
        answer = self._ask("look at", path, "head_object")
        if answer is None:
            return None
        return S3Object(path, answer["ContentLength"], answer["LastModified"], answer["ETag"])

    def open(self, found: S3Object) -> io.BufferedReader:
        """An object's bytes as they were when it was found; can be sought in.

        Raises:
            S3Replaced: while reading: the object is gone or another one.
            AwsError: as `below`.
        """
        return io.BufferedReader(_Stream(self, found), _BUFFER_BYTES)

    def read(self, path: str) -> S3Content | None:
        """The content of a small object; None where there is none.

        Raises:
            AwsError: as `below`.
        """
        answer = self._ask("read", path, "get_object")
        if answer is None:
            return None
        with typed_errors("s3", f"read {self.uri}/{path}"):
            content = answer["Body"].read()
        return S3Content(content, answer["ETag"], answer["LastModified"], _answered_at(answer))

    def write(self, path: str, content: bytes, *, over: str | None = None, **facts: str) -> str | None:
        """Writes a small object whole.

        Args:
            over: the ETag that must be there, or `ABSENT`; None writes over whatever is there.
            facts: more of it, as boto3 names that: ContentType.

        Returns:
            The ETag of what was written; None where the condition did not hold.

        Raises:
            AwsError: as `below`.
        """
        condition = {} if over is None else {"IfNoneMatch": "*"} if over == ABSENT else {"IfMatch": over}
        answer = self._ask(
            "write", path, "put_object", Body=content, **condition, **self._encryption, **facts
        )
        return None if answer is None else str(answer["ETag"])

    def upload(self, path: str, content: BinaryIO) -> None:
        """Writes a stream of any length, by parts where one request does not suffice; visible once it is whole.

        Raises:
            AwsError: as `below`.
        """
        # Not `upload_file`, whose errors no longer say what S3 answered.
        done = "Nothing of it is visible there"
        self._ask("send", path, "upload_fileobj", done=done, Fileobj=content, ExtraArgs=self._encryption)

    def copy(self, source: str, target: str) -> None:
        """Copies an object inside the store.

        Raises:
            FileNotFoundError: there is no such object.
            AwsError: as `below`.
        """
        # boto3's own copying: by parts where one request does not suffice.
        origin = {"Bucket": self.bucket, "Key": self.key(source)}
        if self._ask("copy", target, "copy", CopySource=origin, ExtraArgs=self._encryption) is None:
            raise FileNotFoundError(f"{self.uri}/{source}")

    def remove(self, path: str) -> None:
        """Removes an object; one that is not there is no error.

        Raises:
            AwsError: as `below`.
        """
        self._ask("remove", path, "delete_object")

    @property
    def client(self) -> Any:
        """boto3's client; one in a process for each way to reach S3, as settings and variables have it."""
        variables = frozenset(item for item in os.environ.items() if item[0].startswith("AWS_"))
        return _client(self.s3.access, variables)

    def _pages(self, below: str, call: str, **options: str) -> Iterator[dict[str, Any]]:
        prefix = self.key(below.strip("/"))
        pages = self.client.get_paginator(call).paginate(
            Bucket=self.bucket, Prefix=f"{prefix}/" if prefix else "", **options
        )
        with typed_errors("s3", f"list {self.uri}/{below}".rstrip("/")):
            yield from pages

    def _path(self, key: str) -> str:
        return key.removeprefix(f"{self.key('')}/") if self.key("") else key

    def _object(self, key: str, found: dict[str, Any]) -> S3Object:
        return S3Object(self._path(key), found["Size"], found["LastModified"], found["ETag"])

    @property
    def _encryption(self) -> dict[str, str]:
        if self.s3.kms_key is None:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.s3.kms_key}

    def _ask(
        self, doing: str, path: str, call: str, *, done: str = "", **arguments: Any
    ) -> dict[str, Any] | None:
        """A call's answer, empty where it has none; None where the object is not there, or not as the condition wants it."""
        from botocore.exceptions import ClientError

        with typed_errors("s3", f"{doing} {self.uri}/{path}", done):
            try:
                return getattr(self.client, call)(Bucket=self.bucket, Key=self.key(path), **arguments) or {}
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _GONE | _CONDITION_FAILED:
                    return None
                raise


class S3Replaced(OSError):
    """An object is not the one any more that was found."""


class _Stream(io.RawIOBase):
    """An object read from front to back by one request; seeking begins another one."""

    def __init__(self, folder: S3Folder, found: S3Object) -> None:
        self._folder, self._found = folder, found
        self._at = 0
        self._body: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._found.size}[whence]
        if max(0, start + offset) != self._at:
            self._at = max(0, start + offset)
            self._let_go()
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._found.size:
            return 0
        with typed_errors("s3", f"read {self._folder.uri}/{self._found.path}"):
            if self._body is None:
                answer = self._folder._ask(
                    "read",
                    self._found.path,
                    "get_object",
                    Range=f"bytes={self._at}-",
                    IfMatch=self._found.etag,
                )
                if answer is None:
                    raise S3Replaced(f"{self._folder.uri}/{self._found.path} is not what it was any more")
                self._body = answer["Body"]
            content = self._body.read(len(buffer))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def _answered_at(answer: dict[str, Any]) -> datetime:
    """The store's clock, to the second, when it answered."""
    named = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(named) if named else datetime.now(UTC)


@lru_cache(maxsize=8)
def _client(access: Access, variables: frozenset[tuple[str, str]]) -> Any:  # boto3 reads them by itself
    return client("s3", access)

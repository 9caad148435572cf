"""An object store of a test's own: S3 as moto emulates it, in a process of its own, over sockets.

S3 decides conditional writes of a key one after the other. moto looks first and writes then, so that two of its threads can both
find nothing; here its writes wait for each other.

    python -m object_store
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith.aws.clients import Access, client
from lakesmith.aws.s3 import S3Access, S3Folder
from lakesmith.lake.jars import S3_FOLDER, jar_paths

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["CREDENTIALS", "ObjectStore", "add_s3a", "object_store", "server"]

JARS = Path(__file__).parents[1] / ".jars"

_REGION = "eu-central-1"
_WRITES = frozenset({"PUT", "POST", "DELETE"})
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "emulated",
    "AWS_SECRET_ACCESS_KEY": "emulated",
    # Nobody is asked for others.
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class ObjectStore:
    """The emulator.

    Args:
        endpoint: its URL.
    """

    endpoint: str

    @property
    def s3(self) -> S3Access:
        """How it is reached."""
        return S3Access(Access(region=_REGION, endpoint=self.endpoint, path_style=True))

    @property
    def variables(self) -> Mapping[str, str]:
        """The same as settings, with credentials."""
        return {
            **CREDENTIALS,
            "LAKESMITH__AWS__REGION": _REGION,
            "LAKESMITH__S3__ENDPOINT": self.endpoint,
            "LAKESMITH__S3__PATH_STYLE": "true",
        }

    def settings(self, lake_root: str) -> str:
        """What a project's `conf/dev.yml` holds whose lake lies there."""
        return json.dumps(
            {
                "lake_root": lake_root,
                "aws": {"region": _REGION},
                "s3": {"endpoint": self.endpoint, "path_style": True},
            }
        )

    def kms_key(self) -> str:
        """The ARN of a new key."""
        kms = client("kms", self.s3.access)
        return str(kms.create_key()["KeyMetadata"]["Arn"])

    def bucket(self) -> S3Folder:
        """A new one, empty."""
        folder = S3Folder(f"s3://lakesmith-{uuid.uuid4().hex[:12]}", self.s3)
        folder.client.create_bucket(
            Bucket=folder.bucket, CreateBucketConfiguration={"LocationConstraint": _REGION}
        )
        return folder


def add_s3a(spark: SparkSession) -> None:
    """Gives a running session on this machine what only one with a place in S3 starts with: the jars of S3A, and credentials."""
    jvm = spark._jvm
    assert jvm is not None
    # Variables are those with which it was started; workers get what the context says.
    spark.sparkContext.environment.update(CREDENTIALS)
    jvm.java.lang.System.setProperty("aws.accessKeyId", CREDENTIALS["AWS_ACCESS_KEY_ID"])
    jvm.java.lang.System.setProperty("aws.secretAccessKey", CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for jar in jar_paths(JARS / S3_FOLDER):
        loader.addURL(jvm.java.io.File(str(jar)).toURI().toURL())


@contextmanager
def server(module: str, *arguments: str) -> Iterator[str]:
    """A module of the tests as a server in a process of its own, until the end of the block: its URL.

    Args:
        module: prints its port once it listens.
    """
    environ = {**os.environ, **CREDENTIALS, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environ,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """The emulator, until the end of the block."""
    with server("object_store") as endpoint:
        yield ObjectStore(endpoint)


def _serve() -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    inner = DomainDispatcherApplication(create_backend_app)
    writes = threading.Lock()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in _WRITES:
            return inner(environ, start_response)
        with writes:
            return list(inner(environ, start_response))

    listening = make_server("127.0.0.1", 0, application, threaded=True)
    print(listening.port, flush=True)
    listening.serve_forever()


if __name__ == "__main__":
    _serve()

"""What the doctor looks at in S3: whether each of the three that reach it does, and whether of two commits one is refused.

boto3 lists landing files and keeps leases, deltalake commits, Spark reads and stages by S3A. Each finds credentials by itself, so
that one of them may be let in where another is not. Each answer is what is wrong, or empty. Probes are removed.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lakesmith.aws.clients import AwsError
from lakesmith.aws.s3 import ABSENT, S3Folder
from lakesmith.config.settings import Settings
from lakesmith.errors import LakesmithError
from lakesmith.ledger.location import LakeLocation

__all__ = ["commits_by_deltalake", "leases_by_boto3", "stages_by_spark"]


@contextlib.contextmanager
def _probe(objects: S3Folder) -> Iterator[str]:
    """The path of a folder of a probe's own, removed afterwards with what is in it."""
    path = f".lakesmith-doctor-{uuid.uuid4().hex[:8]}"
    try:
        yield path
    finally:
        with contextlib.suppress(AwsError):
            for found in list(objects.below(path)):
                objects.remove(found.path)


def leases_by_boto3(objects: S3Folder) -> str:
    """Whether a second conditional write is refused, on which leases rest."""
    try:
        with _probe(objects) as path:
            etag = objects.write(f"{path}/lease", b"{}", over=ABSENT)
            if etag is None or objects.write(f"{path}/lease", b"{}", over=ABSENT) is not None:
                return "it lets a second conditional write of a key win over the first"
            changed = objects.write(f"{path}/lease", b"{ }", over=etag)
            if changed is None or objects.write(f"{path}/lease", b"{}", over=etag) is not None:
                return "it does not compare ETags when a key is written over"
    except AwsError as error:
        return str(error)
    return ""


def commits_by_deltalake(lake: LakeLocation, objects: S3Folder) -> str:
    """Whether deltalake can commit to the bucket, and of two commits of one version is refused the second."""
    row = pa.table({"probe": [1]})
    once = CommitProperties(max_commit_retries=0)
    options = dict(lake.storage_options)
    try:
        with _probe(objects) as path:
            place = f"{lake.root}/{path}/table"
            write_deltalake(place, row, storage_options=options, commit_properties=once)
            first, second = (DeltaTable(place, storage_options=options) for _ in range(2))
            write_deltalake(first, row, mode="append", commit_properties=once)
            try:
                second.create_write_transaction([], "append", second.schema(), commit_properties=once)
            except CommitFailedError:
                return ""
            return "of two commits of one version the second won over the first"
    except (DeltaError, OSError) as error:
        return f"deltalake: {_first_line(error)}"


def stages_by_spark(settings: Settings, objects: S3Folder) -> str:
    """Whether Spark can write, see and remove a file below the lake; starts a session."""
    from py4j.protocol import Py4JError

    from lakesmith.lake.session import session

    try:
        spark = session(settings, "lakesmith doctor", by_name=False)
        with _probe(objects) as path:
            jvm, configuration = spark._jvm, spark.sparkContext._jsc.hadoopConfiguration()
            assert jvm is not None
            place = jvm.org.apache.hadoop.fs.Path(f"{objects.uri}/{path}/staged")
            system = place.getFileSystem(configuration)
            system.create(place).close()
            return "" if system.exists(place) else "what Spark wrote is not there"
    except Py4JError as error:
        return f"Spark: {_first_line(getattr(error, 'java_exception', None) or error)}"
    except LakesmithError as error:
        return str(error)


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__

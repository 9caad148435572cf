"""Objects of S3, against moto: what is listed, read on end and in pieces, and written on a condition."""

from __future__ import annotations

import io

import pytest

from lakesmith.aws.clients import Access, AwsError
from lakesmith.aws.s3 import ABSENT, S3Access, S3Folder, S3Replaced, is_s3
from object_store import ObjectStore


@pytest.fixture
def bucket(store: ObjectStore) -> S3Folder:
    return store.bucket()


def below(folder: S3Folder, path: str) -> S3Folder:
    return S3Folder(f"{folder.uri}/{path}", folder.s3)


def test_places_in_s3_are_told_by_their_scheme() -> None:
    assert [is_s3(place) for place in ("s3://b/x", "S3A://b", "/s3://b", "gs://b", None)] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_objects_below_a_folder_and_only_those(bucket: S3Folder) -> None:
    for key in ("lake/a/1", "lake/a/b/2", "lake/c", "lakes/3", "lake/empty/"):
        bucket.write(key, key.encode())
    lake = below(bucket, "lake")
    assert [(o.path, o.size) for o in lake.below()] == [("a/1", 8), ("a/b/2", 10), ("c", 6)]
    assert [o.path for o in lake.below("a")] == ["a/1", "a/b/2"]
    folders, files = lake.entries()
    assert (folders, [o.path for o in files]) == (["a", "empty"], ["c"])
    folders, files = lake.entries("a")
    assert (folders, [o.path for o in files]) == (["b"], ["a/1"])
    assert lake.entries("nowhere") == ([], [])


def test_listings_of_several_pages_are_whole(bucket: S3Folder) -> None:
    names = [f"{number:04}" for number in range(1_005)]
    for name in names:
        bucket.write(f"many/{name}", b"")
    assert [o.path for o in bucket.below("many")] == [f"many/{name}" for name in names]


def test_what_is_not_there_is_none(bucket: S3Folder) -> None:
    assert bucket.look("nothing") is None
    assert bucket.read("nothing") is None
    bucket.remove("nothing")
    with pytest.raises(FileNotFoundError, match="nothing"):
        bucket.copy("nothing", "copy")


def test_a_bucket_that_is_not_there_is_an_error(store: ObjectStore) -> None:
    nowhere = S3Folder("s3://no-such-bucket/lake", store.s3)
    with pytest.raises(AwsError, match=r"list s3://no-such-bucket/lake: s3 refused \(NoSuchBucket"):
        list(nowhere.below())


def test_an_object_is_copied_whole(bucket: S3Folder) -> None:
    bucket.write("from", b"content")
    bucket.copy("from", "to/here")
    copied = bucket.read("to/here")
    assert copied is not None
    assert copied.content == b"content"


def test_a_write_only_where_there_is_nothing_yet(bucket: S3Folder) -> None:
    first = bucket.write("key", b"one", over=ABSENT)
    assert first is not None
    assert bucket.write("key", b"two", over=ABSENT) is None
    second = bucket.write("key", b"two", over=first)
    assert second not in (None, first)
    assert bucket.write("key", b"three", over=first) is None
    assert bucket.write("other", b"", over=first) is None
    found = bucket.read("key")
    assert found is not None
    assert (found.content, found.etag) == (b"two", second)
    assert found.modified <= found.read_at


def test_an_object_is_read_from_any_place(bucket: S3Folder) -> None:
    content = bytes(range(256)) * 20_000
    bucket.write("big", content)
    found = bucket.look("big")
    assert found is not None
    with bucket.open(found) as stream:
        assert stream.read(10) == content[:10]
        stream.seek(3_000_000)
        assert (stream.read(5), stream.tell()) == (content[3_000_000:3_000_005], 3_000_005)
        stream.seek(-7, io.SEEK_END)
        assert stream.read() == content[-7:]
        assert stream.read() == b""
        stream.seek(0)
        assert stream.read() == content


def test_an_object_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(bucket: S3Folder) -> None:
    bucket.write("key", b"a" * 3_000_000)
    found = bucket.look("key")
    assert found is not None
    with bucket.open(found) as stream:
        stream.read(5)
        bucket.write("key", b"b" * 3_000_000)
        stream.seek(2_500_000)
        with pytest.raises(S3Replaced, match="key is not what it was any more"):
            stream.read(5)


def test_every_library_is_told_the_same() -> None:
    access = Access(region="eu-central-1", endpoint="http://127.0.0.1:5000", path_style=True)
    s3 = S3Access(access, kms_key="arn:aws:kms:eu-central-1:111122223333:key/abc")
    assert s3.deltalake_options() == {
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "AWS_ALLOW_HTTP": "true",
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
        "AWS_SSE_KMS_KEY_ID": "arn:aws:kms:eu-central-1:111122223333:key/abc",
        "AWS_SSE_BUCKET_KEY_ENABLED": "true",
    }
    assert s3.hadoop_conf() == {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.path.style.access": "true",
        "fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        "fs.s3a.endpoint.region": "eu-central-1",
        "fs.s3a.endpoint": "http://127.0.0.1:5000",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3a.encryption.algorithm": "SSE-KMS",
        "fs.s3a.encryption.key": "arn:aws:kms:eu-central-1:111122223333:key/abc",
    }
    assert S3Access().deltalake_options() == {}


def test_what_is_written_is_encrypted_by_the_key_of_the_settings(store: ObjectStore) -> None:
    plain = store.bucket()
    kms = store.kms_key()
    folder = S3Folder(plain.uri, S3Access(store.s3.access, kms))
    folder.write("a", b"x")
    folder.copy("a", "b")
    for key in ("a", "b"):
        assert plain.client.head_object(Bucket=plain.bucket, Key=key)["SSEKMSKeyId"] == kms


def test_what_a_bucket_keeps_of_old_versions_can_be_read_and_removed(bucket: S3Folder) -> None:
    bucket.client.put_bucket_versioning(Bucket=bucket.bucket, VersioningConfiguration={"Status": "Enabled"})
    lake = below(bucket, "lake")
    for content in (b"one", b"second"):
        lake.write("replaced", content)
    lake.write("removed", b"gone")
    lake.remove("removed")
    lake.write("untouched", b"")
    kept = list(lake.old_versions())
    assert [(v.path, v.size) for v in kept] == [("removed", 4), ("replaced", 3)]
    assert [lake.read_version(version) for version in kept] == [b"gone", b"one"]
    assert list(lake.old_versions("nowhere")) == []
    lake.remove_version(kept[1])
    assert list(lake.old_versions()) == kept[:1]
    with pytest.raises(FileNotFoundError, match="replaced, version"):
        lake.read_version(kept[1])
    current = lake.read("replaced")
    assert current is not None
    assert current.content == b"second"

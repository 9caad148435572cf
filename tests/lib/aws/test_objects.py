"""Files on their way to S3, against moto: sent once, found again, read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from amazon import Answer, answering, emulator, set_credentials
from lakesmith.aws.clients import Access, AwsDenied, AwsError
from lakesmith.aws.objects import Parcel, leave, read, send
from lakesmith.aws.s3 import S3Access


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Access]:
    set_credentials(monkeypatch)
    with emulator() as address:
        boto3.client("s3", "us-east-1", endpoint_url=address).create_bucket(Bucket="code")
        yield S3Access(Access(region="us-east-1", endpoint=address, attempts=2, path_style=True))


def test_a_file_is_sent_once(s3: S3Access, tmp_path: Path) -> None:
    (tmp_path / "night.py").write_text("night = 1\n")
    parcel = Parcel.of(tmp_path / "night.py", "s3://code/prod")
    assert parcel.uri == "s3://code/prod/eeb04642dfdd98fec62f00a983cc321b/night.py"
    assert [send(parcel, s3), send(parcel, s3)] == [True, False]
    assert read(parcel.uri, s3) == "night = 1\n"

    (tmp_path / "night.py").write_text("night = 2\n")
    changed = Parcel.of(tmp_path / "night.py", "s3://code/prod")
    assert changed.uri != parcel.uri
    assert send(changed, s3)
    assert read(parcel.uri, s3) == "night = 1\n"


def test_what_is_not_there_is_none(s3: S3Access) -> None:
    assert read("s3://code/outcomes/1.json", s3) is None
    leave("s3://code/outcomes/1.json", "{}", s3)
    assert read("s3://code/outcomes/1.json", s3) == "{}"


def test_a_bucket_that_is_not_there_is_an_error(s3: S3Access, tmp_path: Path) -> None:
    (tmp_path / "night.py").write_text("night = 1\n")
    with pytest.raises(AwsError) as told:
        leave("s3://nowhere/1.json", "{}", s3)
    assert str(told.value).startswith("write s3://nowhere/1.json: s3 refused (NoSuchBucket: ")
    with pytest.raises(AwsError, match=r"s3 refused .NoSuchBucket: .*Nothing of it is visible there"):
        send(Parcel.of(tmp_path / "night.py", "s3://nowhere"), s3)


def test_one_who_may_not_look_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_credentials(monkeypatch)
    (tmp_path / "night.py").write_text("night = 1\n")
    parcel = Parcel.of(tmp_path / "night.py", "s3://code")
    with answering(lambda _: Answer(status=403)) as (address, _), pytest.raises(AwsDenied) as told:
        send(parcel, S3Access(Access(region="us-east-1", endpoint=address, path_style=True)))
    assert str(told.value).startswith(
        f"look at {parcel.uri}: s3 does not allow it (403: Forbidden). Give the right"
    )

"""Landing files in S3: found by listings, pinned by content, and known again by their ETags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from lakesmith.aws.s3 import S3Folder
from lakesmith.contracts.model import Calendar, Completion, Source, SourceFormat
from lakesmith.errors import InputChanged, InputMissing
from lakesmith.ledger.landing_store import LandingUnreadable, landing_store
from lakesmith.ledger.manifest import DayState, InputIncomplete, LandingFolder, Manifest
from object_store import ObjectStore

DAY, NEXT = date(2011, 3, 1), date(2011, 3, 2)
SHOP = Source(
    name="shop",
    description="",
    patterns=("{batch_date}.csv", "{batch_date}/*.csv"),
    format=SourceFormat.CSV,
    columns=(),
    start=date(2011, 1, 1),
    calendar=Calendar(weekdays=frozenset({5})),
    file="conf/sources/shop.yml",
)


class Landing:
    """A landing root in S3, and the calls that it was asked by."""

    def __init__(self, bucket: S3Folder) -> None:
        self.bucket, self.calls = bucket, []
        bucket.client.meta.events.register("before-call.s3", self._asked)

    def _asked(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)

    def put(self, path: str, text: str = "text") -> None:
        self.bucket.write(f"landing/shop/{path}", text.encode())

    def folder(self, **changes: Any) -> LandingFolder:
        return LandingFolder(replace(SHOP, **changes), f"{self.bucket.uri}/landing", self.bucket.s3)

    def asked(self) -> list[str]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls

    def close(self) -> None:
        self.bucket.client.meta.events.unregister("before-call.s3", self._asked)


@pytest.fixture
def landing(store: ObjectStore) -> Iterator[Landing]:
    found = Landing(store.bucket())
    yield found
    found.close()


def test_a_day_is_what_is_listed(landing: Landing) -> None:
    for path in ("2011-03-01.csv", "2011-03-01/late.csv", "2011-03-02.csv.part", "2011-03-03.csv"):
        landing.put(path, path)
    landing.asked()
    days = landing.folder().days(DAY, date(2011, 3, 5))
    assert {
        day.isoformat(): (str(found.state), [f.path for f in found.files]) for day, found in days.items()
    } == {
        "2011-03-01": ("present", ["2011-03-01.csv", "2011-03-01/late.csv"]),
        "2011-03-02": ("missing", []),
        "2011-03-03": ("present", ["2011-03-03.csv"]),
        "2011-03-04": ("missing", []),
        "2011-03-05": ("closed", []),
    }
    # One listing a folder, and no question for any file.
    assert landing.asked() == ["ListObjectsV2", "ListObjectsV2"]
    assert landing.folder().all_days() == [DAY, date(2011, 3, 3)]


def test_a_file_is_pinned_by_content_and_known_again_by_its_etag(landing: Landing) -> None:
    landing.put("2011-03-01.csv", "text")
    pinned = landing.folder().pin(DAY)
    [file] = pinned.files
    assert (file.path, file.size, file.sha256) == ("2011-03-01.csv", 4, hashlib.sha256(b"text").hexdigest())
    assert file.etag.startswith('"')
    assert Manifest.from_files("shop", DAY, pinned.to_files()) == pinned
    landing.asked()
    assert landing.folder().pin(DAY, pinned) == pinned
    assert landing.asked() == ["ListObjectsV2"]


def test_a_file_that_is_replaced_within_a_second_is_noticed(landing: Landing) -> None:
    landing.put("2011-03-01.csv", "text")
    pinned = landing.folder().pin(DAY)
    landing.put("2011-03-01.csv", "next")
    [file] = landing.folder().pin(DAY, pinned).files
    assert (file.size, file.sha256) == (4, hashlib.sha256(b"next").hexdigest())


def test_a_file_that_is_replaced_while_it_is_pinned_is_refused(landing: Landing) -> None:
    landing.put("2011-03-01.csv", "text")
    found = landing.folder().days(DAY, DAY)[DAY]
    landing.put("2011-03-01.csv", "next")
    with pytest.raises(InputChanged, match="was written to while it was read"):
        landing.folder().pin(found)


def test_a_day_without_its_marker_waits(landing: Landing) -> None:
    completion = Completion(marker="{batch_date}._SUCCESS")
    landing.put("2011-03-01.csv")
    with pytest.raises(InputIncomplete, match=r"the marker 2011-03-01\._SUCCESS is not there yet"):
        landing.folder(completion=completion).pin(DAY)
    landing.put("2011-03-01._SUCCESS", "")
    assert len(landing.folder(completion=completion).pin(DAY).files) == 1


def test_what_is_not_there_says_where_it_was_looked_for(landing: Landing) -> None:
    assert landing.folder().days(DAY, DAY)[DAY].state is DayState.MISSING
    with pytest.raises(
        InputMissing, match=rf"looked for 2011-03-01\.csv .* in {landing.bucket.uri}/landing/shop"
    ):
        landing.folder().pin(DAY)
    store = landing_store(f"{landing.bucket.uri}/landing", landing.bucket.s3)
    for ask in (store.facts, store.open):
        with pytest.raises(LandingUnreadable, match=r"'shop/x.csv' is gone"):
            ask("shop/x.csv")
    assert not store.has("shop/x.csv")


def test_an_old_manifest_without_etags_is_read(landing: Landing) -> None:
    landing.put("2011-03-01.csv", "text")
    pinned = landing.folder().pin(DAY)
    old: list[Mapping[str, Any]] = [
        {key: value for key, value in file.items() if key != "etag"} for file in pinned.to_files()
    ]
    known = Manifest.from_files("shop", DAY, old)
    assert known.digest == pinned.digest
    assert landing.folder().pin(DAY, known) == pinned

"""Files of a lake: the same answers from a disk and from S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakesmith.ledger.files import LakeFile, LakeFiles, lake_files
from lakesmith.ledger.location import LakeLocation
from object_store import ObjectStore

CONTENTS = {"gold/t/batches/r1/a.parquet": b"aaaa", "gold/t/batches/r2/b.parquet": b"bb", "gold/u/c": b""}


@pytest.fixture(params=["disk", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> LakeFiles:
    if request.param == "disk":
        for path, content in CONTENTS.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        return lake_files(LakeLocation(str(tmp_path)))
    store: ObjectStore = request.getfixturevalue("store")
    bucket = store.bucket()
    for path, content in CONTENTS.items():
        bucket.write(f"lake/{path}", content)
    return lake_files(LakeLocation(f"{bucket.uri}/lake", s3=store.s3))


def test_every_file_below_a_folder(files: LakeFiles) -> None:
    assert list(files.below()) == [LakeFile(path, len(content)) for path, content in CONTENTS.items()]
    assert [file.path for file in files.below("gold/t")] == list(CONTENTS)[:2]
    assert list(files.below("gold/nothing")) == []


@pytest.mark.parametrize(
    ("asked", "sizes"),
    [
        ([], []),
        (["gold/u/c"], [0]),
        (["gold/nothing"], [None]),
        (["gold/t/batches/r2/b.parquet", "gold/t/batches/r1/a.parquet"], [2, 4]),
        (["gold/t/batches/r1/a.parquet", "gold/nothing", "gold/u/c", "gold/t/batches"], [4, None, 0, None]),
        (["a/b", "gold/u/c"], [None, 0]),
    ],
)
def test_sizes(files: LakeFiles, asked: list[str], sizes: list[int | None]) -> None:
    found = files.sizes(asked)
    # A folder has a size on a disk; nobody asks for one.
    assert [size for path, size in zip(asked, found, strict=True) if path != "gold/t/batches"] == [
        size for path, size in zip(asked, sizes, strict=True) if path != "gold/t/batches"
    ]


def test_reading_and_copying(files: LakeFiles) -> None:
    assert files.read("gold/t/batches/r1/a.parquet") == b"aaaa"
    with files.open("gold/t/batches/r2/b.parquet") as stream:
        assert (stream.seekable(), stream.read()) == (True, b"bb")
    files.copy("gold/t/batches/r1/a.parquet", "quarantine/t/batches/r1/a.parquet")
    assert files.read("quarantine/t/batches/r1/a.parquet") == b"aaaa"
    for act in (lambda: files.read("x"), lambda: files.open("x"), lambda: files.copy("x", "y")):
        with pytest.raises(FileNotFoundError):
            act()

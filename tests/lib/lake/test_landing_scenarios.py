"""Every way in which landing files can be odd or broken, from files to records: no Spark."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from lakesmith.contracts.model import Source
from lakesmith.errors import LakesmithError
from lakesmith.lake import records_bytes, records_csv
from lakesmith.lake.records import file_layout, read_records
from lakesmith.lake.records_csv import csv_batches, csv_layout
from lakesmith.lake.records_errors import FileBroken
from lakesmith.ledger.landing_store import landing_store
from lakesmith.ledger.manifest import LandingFolder, Manifest
from scenarios.landing_cases import CASES, DAY, expectation, land, shop


def records(source: Source, landing_root: Path, manifest: Manifest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for file in manifest.files:
        with landing_store(landing_root).open(f"shop/{file.path}") as raw:
            for batch in read_records(raw, source, file):
                found += [{**row, "file": file.path} for row in batch.to_pylist(maps_as_pydicts="strict")]
    return found


def told_of_columns(source: Source, landing_root: Path, manifest: Manifest) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for file in manifest.files:
        with landing_store(landing_root).open(f"shop/{file.path}") as raw:
            layout = file_layout(raw, source, file)
        if layout is not None and (layout.unknown or layout.absent):
            told.append({"path": file.path, "unknown": list(layout.unknown), "absent": list(layout.absent)})
    return told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_landing_files_give_the_expected_records_or_error(case: Path, tmp_path: Path) -> None:
    expected = expectation(case)
    source = shop(expected.get("source"))
    landing_root = tmp_path / "landing"
    land(case, landing_root)
    folder = LandingFolder(source, landing_root)
    if "error" in expected:
        with pytest.raises(LakesmithError) as caught:
            records(source, landing_root, folder.pin(DAY))
        facts = dict(expected["error"])
        assert type(caught.value).__name__ == facts.pop("type")
        assert str(caught.value) == facts.pop("message").replace("{landing_root}", str(landing_root))
        assert caught.value.retryable is facts.pop("retryable", False)
        assert {name: getattr(caught.value, name) for name in facts} == facts
        return
    manifest = folder.pin(DAY)
    nothing = dict.fromkeys([*(column.name for column in source.columns), "extra", "malformed"])
    assert records(source, landing_root, manifest) == [
        {**nothing, "file": f"{DAY}{_ending(manifest)}", **record} for record in expected["records"]
    ]
    assert told_of_columns(source, landing_root, manifest) == [
        {"unknown": [], "absent": [], **columns} for columns in expected.get("columns", [])
    ]


def _ending(manifest: Manifest) -> str:
    return manifest.files[0].path[len(str(DAY)) :] if manifest.files else ""


def test_a_gzip_bomb_is_refused_before_it_fills_anything(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / f"{DAY}.csv.gz").write_bytes(
        gzip.compress(b"Id,Item,Price\n1,") + gzip.compress(b"x" * (1 << 20)) * 300
    )
    refused = r"^shop/2011-03-01\.csv\.gz: \d{6} bytes of gzip hold more than 2684354\d\d bytes of text"
    with pytest.raises(FileBroken, match=refused):
        records(shop(), tmp_path, LandingFolder(shop(), tmp_path).pin(DAY))


def test_blank_lines_before_the_header_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    find_header = records_csv.csv_header

    def measured(text: bytes, *rest: Any) -> Any:
        held.append(len(text))
        return find_header(text, *rest)

    monkeypatch.setattr(records_csv, "csv_header", measured)
    blocks = [b"\n" * 1000, b"\r\n" * 1000, b"\n\nId,Item,Price\n1,pen,0.20\n", b"2,cup,1.00\n"]
    assert csv_layout(blocks, shop(), "shop/x.csv").names == ("Id", "Item", "Price")
    assert [batch.num_rows for batch in csv_batches(blocks, shop(), "shop/x.csv")] == [1, 1]
    assert max(held) < 100


def parquet_manifest(
    landing_root: Path, table: pa.Table, *, arrow_schema: bool = False
) -> tuple[Source, Manifest]:
    source = shop({"format": "parquet", "patterns": ["{batch_date}.parquet"]})
    path = landing_root / "shop" / f"{DAY}.parquet"
    path.parent.mkdir(parents=True)
    parquet.write_table(table, path, compression="zstd", store_schema=arrow_schema)
    return source, LandingFolder(source, landing_root).pin(DAY)


def test_a_parquet_text_that_repeats_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A few hundred bytes stand for 800 MB: one long text, which a thousand rows point to."""
    rows = 1_000
    item = pa.DictionaryArray.from_arrays(pa.array([0] * rows), pa.array(["x" * 800_000]))
    source, manifest = parquet_manifest(tmp_path, pa.table({"Id": ["1"] * rows, "Item": item}))
    assert manifest.files[0].size < 1_000
    with landing_store(tmp_path).open(f"shop/{DAY}.parquet") as raw:
        batches = [(batch.num_rows, batch.nbytes) for batch in read_records(raw, source, manifest.files[0])]
    assert sum(found for found, _ in batches) == rows
    assert max(size for _, size in batches) < 18 << 20


def test_a_parquet_file_that_announces_more_than_compression_gives_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_bytes, "_EXPANSION_FREE_BYTES", 1 << 20)
    source, manifest = parquet_manifest(tmp_path, pa.table({"Id": ["1"], "Item": ["x" * (2 << 20)]}))
    with pytest.raises(FileBroken, match="bytes of pages, which no table of records does"):
        records(source, tmp_path, manifest)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (pa.scalar(5_000_000, pa.int32()), pa.date32()),
        (pa.scalar(2**62), pa.timestamp("us")),
        (pa.scalar(0), pa.timestamp("us", "Asia/Nowhere")),
    ],
)
def test_a_nested_parquet_value_that_no_calendar_has_rejects_the_file(
    tmp_path: Path, number: pa.Scalar, kind: pa.DataType
) -> None:
    days = pa.array([[number]]).cast(pa.list_(kind))
    table = pa.table({"Id": ["1"], "Item": ["pen"], "days": days})
    source, manifest = parquet_manifest(tmp_path, table, arrow_schema=True)
    with pytest.raises(FileBroken, match="the Parquet file can't be read"):
        records(source, tmp_path, manifest)


def test_parquet_texts_of_every_kind_are_texts(tmp_path: Path) -> None:
    """However Arrow holds a text, and whether the file says so or not."""
    words = pa.array(["red", None])
    table = pa.table(
        {
            "Id": words.cast(pa.large_string()),
            "Item": words.dictionary_encode(),
            "Price": pa.ExtensionArray.from_storage(pa.json_(), words),
        }
    )
    for arrow_schema in (True, False):
        source, manifest = parquet_manifest(tmp_path / str(arrow_schema), table, arrow_schema=arrow_schema)
        found = records(source, tmp_path / str(arrow_schema), manifest)
        assert [(row["id"], row["item"], row["price"]) for row in found] == [("red",) * 3, (None,) * 3]

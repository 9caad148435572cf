"""Every way in which landing files can be odd or broken, from files to records: no Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.model import Source
from lakesmith.errors import LakesmithError
from lakesmith.lake.records import file_layout, read_records
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
    land(case, tmp_path)
    folder = LandingFolder(source, tmp_path)
    if "error" in expected:
        with pytest.raises(LakesmithError) as caught:
            records(source, tmp_path, folder.pin(DAY))
        facts = dict(expected["error"])
        assert type(caught.value).__name__ == facts.pop("type")
        assert str(caught.value) == facts.pop("message").replace("{landing_root}", str(tmp_path))
        assert caught.value.retryable is facts.pop("retryable", False)
        assert {name: getattr(caught.value, name) for name in facts} == facts
        return
    manifest = folder.pin(DAY)
    nothing = dict.fromkeys([*(column.name for column in source.columns), "extra", "malformed"])
    assert records(source, tmp_path, manifest) == [
        {**nothing, "file": f"{DAY}{_ending(manifest)}", **record} for record in expected["records"]
    ]
    assert told_of_columns(source, tmp_path, manifest) == [
        {"unknown": [], "absent": [], **columns} for columns in expected.get("columns", [])
    ]


def _ending(manifest: Manifest) -> str:
    return manifest.files[0].path[len(str(DAY)) :] if manifest.files else ""

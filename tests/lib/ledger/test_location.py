"""Opening tables: a listing that raced with a writer is not the table's fault, a hole in its log is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from lakesmith.ledger import location
from lakesmith.ledger.location import open_delta


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = str(tmp_path / "table")
    for number in range(3):
        write_deltalake(path, pa.table({"n": [number]}), mode="append")
    return path


def test_a_gap_that_is_gone_when_the_folder_is_listed_again_is_none(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listings: list[str] = []

    def raced(path: str, **options: Any) -> DeltaTable:
        listings.append(path)
        if len(listings) < 3:
            raise DeltaError(
                "Kernel error: Expected contiguous commit files, but found gap: 1.json -> 3.json"
            )
        return DeltaTable(path, **options)

    monkeypatch.setattr(location, "DeltaTable", raced)
    opened = open_delta(table, {})
    assert opened is not None
    assert (opened.version(), len(listings)) == (2, 3)


def test_a_commit_that_is_lost_for_good_is_said(table: str) -> None:
    (Path(table) / "_delta_log" / f"{1:020d}.json").unlink()
    with pytest.raises(DeltaError, match="found gap"):
        open_delta(table, {})


def test_another_error_is_said_at_once(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listings: list[str] = []

    def broken(path: str, **options: Any) -> DeltaTable:
        listings.append(path)
        raise DeltaError("the disk is on fire")

    monkeypatch.setattr(location, "DeltaTable", broken)
    with pytest.raises(DeltaError, match="on fire"):
        open_delta(table, {})
    assert len(listings) == 1


def test_a_folder_without_a_table_is_none(tmp_path: Path) -> None:
    assert open_delta(str(tmp_path / "nothing"), {}) is None

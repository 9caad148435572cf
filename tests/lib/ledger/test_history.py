"""The ledger over a lake: opening what a question needs, once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lakes import publish_batch, publish_parts
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.live import NO_FILES
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import Record
from workspaces import METERS, Workspace, day


def test_tables_are_opened_at_once_and_each_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    tables = ["gold.usage", "gold.usage_3d"]
    for table in tables:
        publish_parts(workspace, table, 1, [{"meter": "m", "kwh": 1}])
    opened: list[str] = []
    open_table = LakeLocation.open

    def counted(lake: LakeLocation, table: str, version: int | None = None) -> object:
        opened.append(table)
        return open_table(lake, table, version)

    monkeypatch.setattr(LakeLocation, "open", counted)
    ledger = Ledger(workspace.context().lake)
    ledger.look_at([*tables, "gold.never_made", tables[0]])
    found = {table: ledger.live(table) for table in (*tables, "gold.never_made")}
    ledger.look_at(tables)

    assert sorted(opened) == ["gold.never_made", *tables]
    assert found["gold.never_made"] is None
    for table in tables:
        live = found[table]
        assert live is not None
        assert live.files_of(day(1)) == ledger.history(table).standing(day(1)).files != NO_FILES  # type: ignore[union-attr]


def test_what_others_recorded_is_read_at_once_for_many_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    tables = ["gold.usage", "gold.usage_3d"]
    ledger = Ledger(workspace.context().lake)
    assert [ledger.history(table).last(day(1)) for table in tables] == [None, None]
    for table in tables:
        publish_batch(workspace, table, 1, [{"meter": "m", "kwh": 1}])
    read: list[object] = []
    read_records = Ops.read

    def counted(ops: Ops, kind: type[Record], **which: Any) -> object:
        read.append(which["tables"])
        return read_records(ops, kind, **which)

    monkeypatch.setattr(Ops, "read", counted)
    ledger.refresh([*tables, "gold.running"])
    assert [ledger.history(table).standing(day(1)) is not None for table in tables] == [True, True]
    assert ledger.history("gold.running").records == {}
    assert read == [{*tables, "gold.running"}]

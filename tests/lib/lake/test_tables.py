"""Descriptions in the log of a table: put there when it is made, brought up to date on demand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from deltalake.exceptions import CommitFailedError
from deltalake.table import TableAlterer

from lakes import write_batch
from lakesmith.errors import CommitConflict
from lakesmith.lake.tables import describe_table
from workspaces import METERS, Workspace


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    """gold.usage with a batch."""
    shutil.copytree(METERS, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    write_batch(workspace, "gold.usage", 1, [{"meter": "m1", "kwh": 10}])
    return workspace


def _descriptions(workspace: Workspace) -> dict[str, str]:
    fields = json.loads(workspace.table("gold.usage").schema().to_json())["fields"]
    return {field["name"]: field["metadata"]["comment"] for field in fields}


def _describe(workspace: Workspace, table: str = "gold.usage") -> list[str]:
    context = workspace.context()
    return describe_table(context.lake, context.project.graph.contracts[table])


def test_a_table_is_made_with_the_contracts_descriptions(meters: Workspace) -> None:
    before = meters.table("gold.usage").version()
    assert _descriptions(meters)["cost"] == "Energy at the tariff in settings."
    assert _describe(meters) == []
    assert meters.table("gold.usage").version() == before


def test_changed_descriptions_are_committed_and_no_row_is_touched(meters: Workspace) -> None:
    before = meters.table("gold.usage")
    meters.edit("conf/tables/gold.usage.yml", "description: Energy.", "description: Energy of the day.")
    meters.edit("conf/tables/gold.usage.yml", "description: Meter.", 'description: "The meters number."')
    assert _describe(meters) == ["meter", "kwh"]
    after = meters.table("gold.usage")
    assert _descriptions(meters)["kwh"] == "Energy of the day."
    assert after.version() == before.version() + 2
    assert after.file_uris() == before.file_uris()
    assert after.metadata().partition_columns == ["batch_date"]
    assert after.protocol() == before.protocol()
    assert after.metadata().configuration == before.metadata().configuration
    assert _describe(meters) == []


def test_columns_and_tables_that_are_not_there_yet_are_left_to_the_next_run(meters: Workspace) -> None:
    meters.edit(
        "conf/tables/gold.usage.yml", "  cost:", "  peak: {type: bigint, description: At noon.}\n  cost:"
    )
    assert _describe(meters) == []
    assert _describe(meters, "silver.readings") == []


def test_another_writer_is_not_overruled(meters: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    meters.edit("conf/tables/gold.usage.yml", "description: Energy.", "description: Energy of the day.")

    def lost(*_: object, **__: object) -> None:
        raise CommitFailedError("version 3 exists")

    monkeypatch.setattr(TableAlterer, "set_column_metadata", lost)
    with pytest.raises(CommitConflict, match=r"gold\.usage: .* kwh was being described\. Run again"):
        _describe(meters)

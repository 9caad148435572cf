"""Landing files read without somebody: the worker's own function, called without Spark."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from lakesmith.contracts.load import load_project
from lakesmith.contracts.subjects import source_columns
from lakesmith.lake.landing import Erasure, _Part, _reader
from lakesmith.ledger.forgotten import Forgotten
from lakesmith.ledger.landing_store import landing_store
from lakesmith.ledger.manifest import LandingFolder
from lakesmith.ledger.ops import now
from workspaces import METERS, Workspace, day

GRAPH = load_project(METERS).graph
LINES = [
    "Meter,kWh,Street,Note",
    "m1,10,High St,",
    "m2,5,Low St,",
    "m3,3,Low St,ask High St",
    'm5,1,"High St',
]


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    Workspace(tmp_path).land_text(1, "\n".join(LINES) + "\n")
    return tmp_path / "landing"


def read(landing: Path, erasure: Erasure | None) -> list[dict[str, object]]:
    source = GRAPH.sources["readings"]
    manifest = LandingFolder(source, landing).pin(day(1))
    reader = _reader(
        source, landing_store(landing), [[_Part(date(2024, 1, 1), file) for file in manifest.files]], erasure
    )
    return pa.Table.from_batches(reader([pa.RecordBatch.from_pydict({"id": [0]})])).to_pylist()


def test_all_records_of_a_person_are_left_out_and_their_places_kept(landing: Path) -> None:
    everybody = read(landing, None)
    who = Forgotten.of([Forgotten().entry("High St", "me", now())])
    columns = source_columns(GRAPH, "readings")
    others = read(landing, Erasure(who, columns))
    assert others == [everybody[1]]
    theirs = read(landing, Erasure(who, columns, theirs=True))
    assert [row["record_no"] for row in theirs] == [1, 3, 4]
    kept = {name for row in theirs for name, value in row.items() if value is not None}
    assert kept == {"batch_date", "source_file", "record_no"}
    assert [list(row) for row in theirs] == [list(row) for row in everybody[:3]]


def test_nobody_forgotten_leaves_everything(landing: Path) -> None:
    who = Forgotten.of([Forgotten().entry("Far St", "me", now())])
    columns = source_columns(GRAPH, "readings")
    assert read(landing, Erasure(who, columns)) == read(landing, None)
    assert read(landing, Erasure(who, columns, theirs=True)) == []

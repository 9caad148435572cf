"""The proof reads everything: a person who is left anywhere is found, and a number that names nobody is told apart."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakes import publish_parts, write_batch
from lakesmith.contracts.subjects import SubjectColumns
from lakesmith.lake.subject_search import prove, search_table
from lakesmith.ledger.location import LakeLocation
from workspaces import METERS, Workspace, day

COLUMNS = {"gold.t": SubjectColumns(("customer_id",), ("malformed",))}


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    shutil.copytree(METERS, tmp_path / "meters")
    return Workspace(tmp_path / "meters")


def written(folder: Path, name: str, **columns: list[object]) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "name", ["gold/t/a.parquet", "gold/t/batches/dead/b.parquet", "gold/gone/a.parquet", "mlflow/x.parquet"]
)
def test_a_row_of_the_person_is_found_in_any_folder(tmp_path: Path, name: str) -> None:
    written(tmp_path, name, customer_id=["1", " 17850.0"], amount=[1, 2])
    proof = prove(LakeLocation(str(tmp_path)), COLUMNS, "17850")
    assert not proof.holds
    assert sum(proof.held.values()) == 1
    assert (proof.parquet_files, proof.values) == (1, 4)


def test_free_text_of_a_person_is_found(tmp_path: Path) -> None:
    written(tmp_path, "gold/t/a.parquet", malformed=["1,2,17850.0,x", None])
    assert prove(LakeLocation(str(tmp_path)), COLUMNS, "17850").held == {"gold.t.malformed": 1}


def test_the_number_by_chance_is_counted_where_it_stands(tmp_path: Path) -> None:
    written(
        tmp_path,
        "gold/t/a.parquet",
        customer_id=[1, 2],
        units=[17850, 3],
        code=["17850", "178500"],
        note=["x 17850 y", "z"],
    )
    (tmp_path / "gold/t/_delta_log").mkdir()
    (tmp_path / "gold/t/_delta_log/0.json").write_text(
        '{"add":{"size":17850,"stats":"{\\"numRecords\\":17850}"}}\n{"a":1}\n'
    )
    (tmp_path / "plot.png").write_bytes(b"\x89 17850 \x00117850")
    proof = prove(LakeLocation(str(tmp_path)), COLUMNS, "17850")
    assert proof.holds
    assert proof.elsewhere == {
        "gold.t.units": 1,
        "gold.t.code": 1,
        "gold.t.note": 1,
        "gold.t log": 2,
        "plot.png": 1,
    }


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"rows": [{"customer_id": 17850}]}),
        json.dumps({"add": {"stats": json.dumps({"maxValues": {"customer_id": "17850"}})}}),
        '{"x": 1}\n{"customer_id": "17850.0"}\n',
        json.dumps({"malformed": "a,17850,b"}),
    ],
)
def test_json_that_names_the_person_is_found_also_in_archives(tmp_path: Path, content: str) -> None:
    (tmp_path / "plain.json").write_text(content)
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("inside.json", content)
    (tmp_path / "old.json.gz").write_bytes(gzip.compress(content.encode()))
    assert sum(prove(LakeLocation(str(tmp_path)), COLUMNS, "17850").held.values()) == 3


def test_what_cannot_be_read_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    proof = prove(LakeLocation(str(tmp_path)), COLUMNS, "17850")
    assert not proof.holds
    assert list(proof.unread) == ["broken.parquet"]


def test_a_table_is_searched_with_its_old_versions_and_leftovers(meters: Workspace) -> None:
    line = {"source_file": "f", "record_no": 1, "meter": "m", "kwh": 1}
    table = "silver.readings"
    publish_parts(meters, table, 1, [{**line, "street": "High St"}], [{**line, "street": "Low St"}])
    write_batch(meters, table, 2, [{**line, "street": "High St"}, {**line, "street": " High St"}])
    write_batch(meters, table, 2, [{**line, "street": "Low St"}])
    write_batch(meters, table, 3, [{**line, "street": "High St"}] * 3)
    folder = Path(meters.context().lake.path(table))
    written(folder, "batches/dead/part.parquet", street=["High St"])
    found = search_table(meters.context().lake, table, SubjectColumns(("street",)), "High St")
    assert found.batches == {day(1): 1, day(3): 3}
    assert len(found.old_files) == 2
    assert "batches/dead/part.parquet" in found.old_files

"""A real customer is forgotten: the id is in no file of the lake, and what is left equals a lake made without their lines.

The files are those of test_real_data.py, until LAKESMITH_FORGET_UNTIL.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.forgetting import forget
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LAKESMITH_REAL_DATA", ROOT.parent / "shared" / "data"))
START = date(2010, 12, 1)
UNTIL = date.fromisoformat(os.environ.get("LAKESMITH_FORGET_UNTIL", "2011-01-07"))
CUSTOMER = 17850

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="the real files are not part of the project; set LAKESMITH_REAL_DATA"
    ),
]


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("LAKESMITH__LANDING_ROOT", str(folder / "landing"))
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(folder / "lake"))
    return open_context("dev", ROOT)


def landed(folder: Path, *, without: int | None = None) -> int:
    """Copies the files, without the lines of a customer; returns how many lines that are, or would be."""
    into = folder / "landing" / "online-retail"
    into.mkdir(parents=True)
    lines = 0
    for file in sorted((DATA / "online-retail").glob("*.csv")):
        if date.fromisoformat(file.stem) > UNTIL:
            continue
        lines += int((pd.read_csv(file)["CustomerID"] == CUSTOMER).sum())
        if without is None:
            shutil.copy(file, into)
        else:
            # No field of these files holds a line break, and the customer stands before the country.
            kept = [
                line for line in file.read_text().splitlines(keepends=True) if f",{without}.0," not in line
            ]
            (into / file.name).write_text("".join(kept))
    return lines


def rows(context: Context, table: str, leave_out: tuple[str, ...] = ()) -> pd.DataFrame:
    frame = DeltaTable(context.lake.path(table)).to_pandas()
    columns = [name for name in frame.columns if name not in leave_out]
    return frame[columns].astype(str).sort_values(columns, ignore_index=True)


def naming(lake: Path) -> tuple[int, set[str]]:
    """How many files there are, and where the customer stands in them, read with nothing of Lakesmith."""
    spelled = re.compile(rf"(?<![0-9.]){CUSTOMER}(\.0)?(?![0-9])(?!\.[0-9])")
    files, found = 0, set()
    for path in (p for p in lake.rglob("*") if p.is_file()):
        files += 1
        place = path.relative_to(lake).as_posix()
        if path.suffix != ".parquet":
            if spelled.search(path.read_bytes().decode("latin-1")):
                found.add(f"{place}: bytes")
            continue
        table = pq.read_table(path, partitioning=None)
        for name in table.column_names:
            texts = pa.array(
                [str(value) for value in table[name].to_pylist() if value is not None], pa.string()
            )
            if any(spelled.search(text) for text in texts.unique().to_pylist()):
                found.add(f"{'/'.join(place.split('/')[:2])}: {name}")
    return files, found


def test_a_customer_is_in_no_file_of_the_lake(
    tmp_path: Path, spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = BatchRange(START, UNTIL)
    lines = landed(tmp_path / "with")
    assert lines > 50
    context = opened(tmp_path / "with", monkeypatch)
    assert execute(context, plan_nights(context, nights)).exit_code is ExitCode.DONE

    done = forget(opened(tmp_path / "with", monkeypatch), str(CUSTOMER), "request 1")

    assert (done.errors, done.exit_code) == ([], ExitCode.DONE)
    assert done.proof is not None
    assert done.proof.holds
    assert sum(done.found["bronze.sales_lines"].batches.values()) == lines
    files, places = naming(tmp_path / "with" / "lake")
    # The trail of this very forgetting came after the proof.
    assert 0 <= files - done.proof.parquet_files - done.proof.other_files <= 4
    # The same digits by chance: never in a column that names customers, nor in a record kept whole.
    assert not {place for place in places if place.endswith((": customer_id", ": malformed", ": extra"))}
    assert {place.split("/")[0].split(":")[0] for place in places} <= {
        place.split(".")[0].split(" ")[0] for place in done.proof.elsewhere
    }
    context = opened(tmp_path / "with", monkeypatch)
    states = context.judge.judge(nights)
    assert {str(s.state) for found in states.values() for s in found.values()} <= {"fresh", "closed"}

    landed(tmp_path / "without", without=CUSTOMER)
    twin = opened(tmp_path / "without", monkeypatch)
    assert execute(twin, plan_nights(twin, nights)).exit_code is ExitCode.DONE
    for table in context.project.graph.order:
        if context.lake.open(table) is not None:
            left = rows(context, table, ("record_no",))
            pd.testing.assert_frame_equal(left, rows(twin, table, ("record_no",)), obj=table)

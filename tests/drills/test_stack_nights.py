"""What the drill of nights on the stack judges by: a comparison that misses nothing, and a corruption that is one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from drills.differences import Differed, compare
from drills.stack_nights import turn_cancellations
from lakesmith.ledger.location import LakeLocation

DAY = date(2010, 12, 1)
TABLE = "silver.customer_days"


def lake(root: Path, *rows: int, table: str = TABLE, run: str = "a") -> Path:
    data = pa.table(
        {
            "batch_date": [DAY] * len(rows),
            "customer_id": pa.array(rows, pa.int64()),
            "run_id": [run] * len(rows),
        }
    )
    write_deltalake(str(root.joinpath(*table.split("."))), data, mode="append")
    return root


def compared(twin: Path, other: Path) -> tuple[int, int]:
    return compare(LakeLocation(str(twin)), LakeLocation(str(other)))


def test_equal_lakes_are_counted_whatever_run_made_them_and_in_whatever_order(tmp_path: Path) -> None:
    twin = lake(tmp_path / "twin", 1, 2, 2)
    other = lake(lake(tmp_path / "lake", 2, 1, run="b"), 2, run="c")

    assert compared(twin, other) == (1, 3)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([1, 2, 2, 2], r"0 rows lack, as None; 1 are too many, as \(.*'2'\)", id="doubled"),
        pytest.param([1, 2], r"1 rows lack, as \(.*'2'\); 0 are too many, as None", id="lost"),
        pytest.param([1, 2, 3], r"1 rows lack, as \(.*'2'\); 1 are too many, as \(.*'3'\)", id="another"),
    ],
)
def test_a_row_that_differs_is_found(tmp_path: Path, rows: Sequence[int], said: str) -> None:
    with pytest.raises(Differed, match=f"^{TABLE}: {said}$"):
        compared(lake(tmp_path / "twin", 1, 2, 2), lake(tmp_path / "lake", *rows))


def test_a_table_of_one_lake_only_is_found(tmp_path: Path) -> None:
    twin = lake(tmp_path / "twin", 1)
    other = lake(lake(tmp_path / "lake", 1), 1, table="quarantine.silver_sales_lines")

    with pytest.raises(Differed, match=r"^quarantine.silver_sales_lines is in one lake only$"):
        compared(twin, other)


def test_cancellations_add_pieces_and_nothing_else_changes(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    file.write_bytes(
        b'InvoiceNo,Description,Quantity\r\n536365,"A, b",6\r\nC536379,Discount,-1\r\n536381,x,-3\r\n'
    )

    turn_cancellations(file)

    assert file.read_bytes() == (
        b'InvoiceNo,Description,Quantity\r\n536365,"A, b",6\r\nC536379,Discount,1\r\n536381,x,-3\r\n'
    )

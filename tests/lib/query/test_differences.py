"""Two states of a batch compared: the counts, and that values are equal just when the digest has them equal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakesmith.contracts.model import BATCH_DATE, Column, Contract, Suite
from lakesmith.contracts.types import parse_type
from lakesmith.lake.past import PastBatch
from lakesmith.lake.tables import delta_schema
from lakesmith.query.differences import ChangedRow, Differences, Sample, compare

DAY = date(2024, 1, 2)
NAN = math.nan


def contract(columns: dict[str, str], key: Sequence[str] = ("id",)) -> Contract:
    return Contract(
        table="silver.things",
        description="Things.",
        owner="me",
        job="jobs/silver/things.py",
        inputs=(),
        key=tuple(key),
        columns=tuple(Column(name, parse_type(kind)) for name, kind in columns.items()),
        suite=Suite("silver.things"),
    )


def write(root: Path, of: Contract, rows: Sequence[dict[str, Any]], *, batch: date = DAY) -> PastBatch:
    """Makes a version of a table in which the batch has just these rows."""
    schema = pa.schema(delta_schema(of).to_arrow())
    write_deltalake(
        str(root),
        pa.Table.from_pylist([{**row, BATCH_DATE: batch} for row in rows], schema=schema),
        mode="overwrite",
        partition_by=[BATCH_DATE],
        schema_mode="overwrite",
    )
    opened = DeltaTable(str(root))
    return PastBatch(of.table, batch, opened.version(), opened, ("a file",), None)


def differ(
    root: Path,
    of: Contract,
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
    sample: int = 0,
) -> Differences:
    return compare(of, write(root, of, before), write(root, of, after), str(root), sample=sample)


def test_rows_are_matched_by_key_and_counted_column_by_column(tmp_path: Path) -> None:
    of = contract({"shop": "string", "id": "bigint", "n": "int", "name": "string"}, ["shop", "id"])
    before = [
        {"shop": "a", "id": 1, "n": 1, "name": "x"},
        {"shop": "a", "id": 2, "n": 2, "name": "y"},
        {"shop": "b", "id": 1, "n": 3, "name": None},
        {"shop": "b", "id": 2, "n": 4, "name": "z"},
        {"shop": "b", "id": 3, "n": 5, "name": "gone"},
    ]
    after = [
        {"shop": "a", "id": 1, "n": 1, "name": "x"},
        {"shop": "a", "id": 2, "n": 9, "name": "why"},
        {"shop": "b", "id": 1, "n": 3, "name": ""},
        {"shop": "b", "id": 2, "n": None, "name": "z"},
        {"shop": "c", "id": 3, "n": 5, "name": "gone"},
    ]

    assert differ(tmp_path, of, before, after, sample=9) == Differences(
        rows=(5, 5),
        added=1,
        removed=1,
        changed=3,
        columns={"n": 2, "name": 2},
        sample=Sample(
            removed=({"shop": "b", "id": 3, "n": 5, "name": "gone"},),
            added=({"shop": "c", "id": 3, "n": 5, "name": "gone"},),
            changed=(
                ChangedRow({"shop": "a", "id": 2}, {"n": (2, 9), "name": ("y", "why")}),
                ChangedRow({"shop": "b", "id": 1}, {"name": (None, "")}),
                ChangedRow({"shop": "b", "id": 2}, {"n": (4, None)}),
            ),
        ),
    )
    assert differ(tmp_path, of, after, after, sample=9) == Differences(rows=(5, 5))
    assert differ(tmp_path, of, after, after).is_none


NESTED = "struct<n:int,list:array<double>,tags:map<string,double>>"
SAME = [
    ("double", 0.0, -0.0),
    ("double", NAN, NAN),
    ("float", 0.0, -0.0),
    ("array<double>", [0.0, NAN, None], [-0.0, NAN, None]),
    ("array<array<float>>", [[0.0], None], [[-0.0], None]),
    ("map<string,int>", [("a", 1), ("b", None)], [("b", None), ("a", 1)]),
    ("map<string,double>", [("a", 0.0), ("b", NAN)], [("b", NAN), ("a", -0.0)]),
    ("array<map<string,int>>", [[("a", 1), ("b", 2)]], [[("b", 2), ("a", 1)]]),
    (
        NESTED,
        {"n": None, "list": [0.0], "tags": [("a", NAN), ("b", 0.0)]},
        {"n": None, "list": [-0.0], "tags": [("b", -0.0), ("a", NAN)]},
    ),
    ("decimal(12,3)", Decimal("1.100"), Decimal("1.1")),
    ("timestamp", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)),
    ("binary", b"\x00\xff", b"\x00\xff"),
    ("string", None, None),
]


@pytest.mark.parametrize(
    ("kind", "before", "after"), SAME, ids=[f"{n} {kind}" for n, (kind, *_) in enumerate(SAME)]
)
def test_what_the_digest_has_equal_is_no_difference(
    tmp_path: Path, kind: str, before: Any, after: Any
) -> None:
    found = differ(
        tmp_path, contract({"id": "bigint", "v": kind}), [{"id": 1, "v": before}], [{"id": 1, "v": after}]
    )

    assert found == Differences(rows=(1, 1))


OTHER = [
    ("string", None, ""),
    ("string", "a", "A"),
    ("string", "é", "e\u0301"),
    ("bigint", None, 0),
    ("double", None, NAN),
    ("double", NAN, 0.0),
    ("double", 0.1, 0.1 + 2**-55),
    ("double", math.inf, -math.inf),
    ("array<int>", [], None),
    ("array<int>", [], [None]),
    ("array<int>", [1, 2], [2, 1]),
    ("map<string,int>", [("a", None)], []),
    ("map<string,int>", [("a", 1)], [("a", 2)]),
    (NESTED, None, {"n": None, "list": None, "tags": None}),
    (NESTED, {"n": 1, "list": [], "tags": None}, {"n": 1, "list": None, "tags": None}),
    ("decimal(12,3)", Decimal("1.100"), Decimal("1.101")),
    ("timestamp", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ("binary", b"", None),
]


@pytest.mark.parametrize(
    ("kind", "before", "after"), OTHER, ids=[f"{n} {kind}" for n, (kind, *_) in enumerate(OTHER)]
)
def test_what_the_digest_tells_apart_is_a_change_of_that_column(
    tmp_path: Path, kind: str, before: Any, after: Any
) -> None:
    found = differ(
        tmp_path, contract({"id": "bigint", "v": kind}), [{"id": 1, "v": before}], [{"id": 1, "v": after}]
    )

    assert found == Differences(rows=(1, 1), changed=1, columns={"v": 1})


def test_a_key_that_hashes_the_row_makes_a_change_removed_and_added(tmp_path: Path) -> None:
    of = contract({"id": "bigint", "hash": "bigint", "n": "int"}, ["id", "hash"])

    found = differ(tmp_path, of, [{"id": 1, "hash": 11, "n": 1}], [{"id": 1, "hash": 12, "n": 2}])

    assert found == Differences(rows=(1, 1), added=1, removed=1)


def test_how_often_a_row_is_there_counts(tmp_path: Path) -> None:
    """A key is unique in what Lakesmith publishes; somebody else may have doubled rows."""
    of = contract({"id": "bigint", "n": "int"})
    row, other = {"id": 1, "n": 1}, {"id": 1, "n": 2}

    assert differ(tmp_path, of, [row], [row, row, row]) == Differences(rows=(1, 3), added=2)
    assert differ(tmp_path, of, [row, row], [row]) == Differences(rows=(2, 1), removed=1)
    # Of two rows with one key nobody can say which has become which.
    assert differ(tmp_path, of, [row, row], [other]) == Differences(rows=(2, 1), added=1, removed=2)
    assert differ(tmp_path, of, [row], [row, other]) == Differences(rows=(1, 2), added=1)


def test_a_column_that_came_is_named_and_its_values_are_changes(tmp_path: Path) -> None:
    narrow = contract({"id": "bigint", "n": "int"})
    wide = contract({"id": "bigint", "tags": "map<string,int>", "n": "int"})
    before = write(tmp_path, narrow, [{"id": 1, "n": 1}, {"id": 2, "n": 2}])
    after = write(tmp_path, wide, [{"id": 1, "n": 1, "tags": [("a", 1)]}, {"id": 2, "n": 2, "tags": None}])

    assert compare(wide, before, after, str(tmp_path), sample=5) == Differences(
        rows=(2, 2),
        changed=1,
        columns={"tags": 1},
        gained=("tags",),
        sample=Sample(changed=(ChangedRow({"id": 1}, {"tags": (None, {"a": 1})}),)),
    )
    assert compare(wide, after, before, str(tmp_path)).lost == ("tags",)


def test_a_batch_that_one_version_does_not_hold_is_all_added_or_all_removed(tmp_path: Path) -> None:
    of = contract({"id": "bigint", "n": "int"})
    rows = [{"id": 1, "n": 1}, {"id": 2, "n": None}]
    other = write(tmp_path, of, rows, batch=date(2024, 1, 1))
    nothing = PastBatch(of.table, DAY, other.version, other.delta, (), None)
    there = write(tmp_path, of, rows)

    assert compare(of, nothing, there, str(tmp_path)) == Differences(rows=(0, 2), added=2)
    assert compare(of, there, nothing, str(tmp_path)) == Differences(rows=(2, 0), removed=2)


def test_a_sample_has_the_first_rows_by_key_and_no_more_than_asked_for(tmp_path: Path) -> None:
    of = contract({"id": "bigint", "n": "int"})
    before = [{"id": n, "n": 0} for n in range(9)]
    after = [{"id": n, "n": 1} for n in range(3)] + [{"id": n, "n": 0} for n in range(20, 29)]

    found = differ(tmp_path, of, before, after, sample=2)

    assert (found.added, found.removed, found.changed) == (9, 6, 3)
    assert found.sample == Sample(
        removed=({"id": 3, "n": 0}, {"id": 4, "n": 0}),
        added=({"id": 20, "n": 0}, {"id": 21, "n": 0}),
        changed=(ChangedRow({"id": 0}, {"n": (0, 1)}), ChangedRow({"id": 1}, {"n": (0, 1)})),
    )

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from lakesmith.contracts.types import parse_type
from lakesmith.quality.log_statistics import BatchStatistics, log_statistics

MON, TUE = date(2011, 3, 7), date(2011, 3, 8)
TYPES = {"units": "int", "cost": "decimal(38,18)", "day": "date", "batch_date": "date"}
COLUMNS = {name: parse_type(text) for name, text in TYPES.items()}


def said(day: date, *files: str, kind: str | None = None) -> BatchStatistics:
    columns = COLUMNS if kind is None else {"a": parse_type(kind), "batch_date": COLUMNS["batch_date"]}
    return log_statistics([(day, text) for text in files], columns)[day]


def test_files_of_a_batch_are_merged() -> None:
    one = (
        '{"numRecords":3,"minValues":{"units":-2,"cost":0.000000000000000001,"day":"0001-01-01"},'
        '"maxValues":{"units":7,"cost":12345678901234567890.123456789012345678,"day":"2011-03-01"},'
        '"nullCount":{"units":0,"cost":1,"day":2}}'
    )
    other = (
        '{"numRecords":2,"minValues":{"units":-3,"cost":3},"maxValues":{"units":1,"cost":3},'
        '"nullCount":{"units":1,"cost":1,"day":2}}'
    )

    assert log_statistics([(MON, one), (MON, other), (TUE, '{"numRecords":0}')], COLUMNS) == {
        MON: BatchStatistics(
            rows=5,
            nulls={"batch_date": 0, "units": 1, "cost": 2, "day": 4},
            least={"batch_date": MON, "units": -3, "cost": Decimal("1E-18"), "day": date(1, 1, 1)},
            greatest={
                "batch_date": MON,
                "units": 7,
                "cost": Decimal("12345678901234567890.123456789012345678"),
                "day": date(2011, 3, 1),
            },
        )
    }


def test_a_whole_decimal_is_a_decimal() -> None:
    (value,) = {said(MON, _file(3, 3), kind="decimal(12,3)").least["a"]}

    assert (value, type(value)) == (Decimal(3), Decimal)


def test_where_every_row_is_null_there_is_no_least() -> None:
    found = said(MON, '{"numRecords":2,"nullCount":{"a":2}}', kind="int")

    assert (found.nulls["a"], found.least["a"], found.greatest["a"]) == (2, None, None)


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("int", '{"numRecords":2}'),
        ("int", '{"numRecords":2,"nullCount":{"a":0}}'),
        ("int", '{"numRecords":2,"nullCount":{"a":0},"minValues":{"a":1}}'),
        ("int", '{"numRecords":2,"nullCount":{"a":0},"tightBounds":false,"minValues":{"a":1},"maxValues":{"a":1}}'),
        ("string", '{"numRecords":2,"nullCount":{"a":0},"minValues":{"a":"a"},"maxValues":{"a":"b"}}'),
        ("double", '{"numRecords":2,"nullCount":{"a":0},"minValues":{"a":1.5},"maxValues":{"a":1.5}}'),
        ("timestamp", '{"numRecords":2,"nullCount":{"a":0},"minValues":{"a":"2011-03-01T10:00:00.000Z"}}'),
        ("date", '{"numRecords":2,"nullCount":{"a":0},"minValues":{"a":"+10000-01-01"},"maxValues":{"a":"+10000-01-01"}}'),
        ("struct<x:int>", '{"numRecords":2,"nullCount":{"a":{"x":0}},"minValues":{"a":{"x":1}}}'),
    ],
)  # fmt: skip
def test_what_is_not_exact_is_not_known(kind: str, file: str) -> None:
    found = said(MON, _file(1, 1), file, kind=kind)

    assert ("a" in found.least, "a" in found.greatest) == (False, False)


def test_nulls_are_known_where_bounds_are_not() -> None:
    found = said(MON, '{"numRecords":2,"nullCount":{"a":1},"minValues":{"a":"x"}}', kind="string")

    assert (found.rows, found.nulls) == (2, {"a": 1, "batch_date": 0})


def _file(least: Any, greatest: Any) -> str:
    bounds = {"minValues": {"a": least}, "maxValues": {"a": greatest}}
    return json.dumps({"numRecords": 1, "nullCount": {"a": 0}, **bounds})

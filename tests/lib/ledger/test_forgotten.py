"""Who was forgotten is told apart from all others, and named nowhere."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from lakesmith.contracts.subjects import SubjectColumns
from lakesmith.ledger.forgotten import Forgotten, ForgottenRecord
from lakesmith.ledger.subject_rows import rows_naming

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)


def test_an_entry_is_recognised_and_says_nothing() -> None:
    one = Forgotten().entry("17850", "me", MOMENT)
    assert "17850" not in str(one.to_row())
    found = Forgotten.of([ForgottenRecord.from_row(one.to_row())])
    assert "17850" in found
    assert "17851" not in found
    assert None not in found
    assert not Forgotten()
    assert pickle.loads(pickle.dumps(found)) == found


def test_a_lake_has_one_salt_and_two_lakes_have_two() -> None:
    one = Forgotten().entry("17850", "me", MOMENT)
    same_lake = Forgotten.of([one]).entry("17850", "me", MOMENT)
    other_lake = Forgotten().entry("17850", "me", MOMENT)
    assert (same_lake.salt, same_lake.digest) == (one.salt, one.digest)
    assert other_lake.salt != one.salt
    assert other_lake.digest != one.digest
    # Two first entries at once draw a salt each; both hold.
    both = Forgotten.of([one, Forgotten().entry("17851", "me", MOMENT)])
    assert "17850" in both
    assert "17851" in both


@pytest.mark.parametrize(
    ("kind", "values", "named"),
    [
        (pa.string(), ["17850.0", "17851.0", None, " 17850", "17850 x"], [True, False, False, True, False]),
        (pa.int64(), [17850, 1, None], [True, False, False]),
        (pa.float64(), [17850.0, 17850.5, None], [True, False, False]),
        (pa.decimal128(12, 3), ["17850.000", "17850.500", None], [True, False, False]),
        (pa.list_(pa.string()), [["1", "17850"], [], None], [True, False, False]),
        (pa.struct([("id", pa.int64())]), [{"id": 17850}, {"id": 1}, None], [True, False, False]),
    ],
    ids=str,
)
def test_rows_are_found_in_columns_of_every_kind(
    kind: pa.DataType, values: list[Any], named: list[bool]
) -> None:
    from decimal import Decimal

    if pa.types.is_decimal(kind):
        values = [None if value is None else Decimal(value) for value in values]
    rows = pa.RecordBatch.from_arrays([pa.array(values, kind)], ["who"])
    who = Forgotten.of([Forgotten().entry("17850", "me", MOMENT)])
    assert rows_naming(rows, SubjectColumns(("who", "absent")), who).to_pylist() == named
    assert rows_naming(rows, SubjectColumns(("other",)), who).to_pylist() == [False] * len(values)


def test_free_text_is_read_word_by_word() -> None:
    extra = pa.array(
        [[("Note", "call 17850")], [("Note", "178500")], None], pa.map_(pa.string(), pa.string())
    )
    rows = pa.RecordBatch.from_arrays([pa.array(["a,17850.0", None, "x"]), extra], ["malformed", "extra"])
    columns = SubjectColumns((), ("malformed", "extra"))
    assert rows_naming(rows, columns, {"17850"}).to_pylist() == [True, False, False]
    assert rows_naming(rows, SubjectColumns((), ("extra",)), {"17850"}).to_pylist() == [True, False, False]

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakesmith.contracts.model import QuarantineLimit
from lakesmith.quality.accounting import Accounting

ROWS = st.integers(min_value=0, max_value=10**9)


@given(
    published=ROWS,
    quarantined=ROWS,
    dropped=st.dictionaries(st.text(min_size=1), ROWS, max_size=3),
    off=st.integers(-5, 5),
)
def test_rows_balance_exactly_when_nothing_is_lost_or_gained(
    published: int, quarantined: int, dropped: dict[str, int], off: int
) -> None:
    read = max(0, published + quarantined + sum(dropped.values()) + off)
    off = read - published - quarantined - sum(dropped.values())

    accounting = Accounting(read, published, quarantined, dropped)

    assert accounting.balances is (off == 0)
    assert bool(accounting.discrepancies()) is (off != 0)


def test_lost_rows_are_counted_with_what_became_of_the_others() -> None:
    accounting = Accounting(245_903, 243_890, 0, {"duplicate": 2_012})

    assert accounting.discrepancies() == [
        "1 row is unaccounted for: read 245,903, but published 243,890, quarantined 0, dropped 2,012 "
        "(duplicate)."
    ]


def test_gained_rows_are_told_from_lost_ones_and_reasons_are_bounded() -> None:
    accounting = Accounting(1, 10, 2, {f"reason {n}": n for n in range(1, 9)})

    assert accounting.discrepancies() == [
        "47 rows are without an origin: read 1, but published 10, quarantined 2, dropped 8 (reason 8), "
        "dropped 7 "
        "(reason 7), dropped 6 (reason 6), dropped 5 (reason 5), dropped 4 (reason 4), dropped 6 for 3 "
        "other reasons."
    ]


@pytest.mark.parametrize(
    ("quarantined", "limit", "reasons"),
    [
        (5, QuarantineLimit(), []),
        (6, QuarantineLimit(), ["6 of 100 rows (6.00%) are quarantined; the contract allows 5.00%."]),
        (1, QuarantineLimit(0.0), ["1 of 100 rows (1.00%) are quarantined; the contract allows 0.00%."]),
        (
            3,
            QuarantineLimit(1.0, 2),
            ["3 of 100 rows (3.00%) are quarantined; the contract allows 100.00% and 2 rows."],
        ),
    ],
)
def test_a_batch_above_its_limit_is_refused(
    quarantined: int, limit: QuarantineLimit, reasons: list[str]
) -> None:
    assert Accounting(100, 100 - quarantined, quarantined).over_limit(limit) == reasons


def test_a_batch_without_rows_is_within_every_limit() -> None:
    assert Accounting(0, 0).over_limit(QuarantineLimit(0.0, 0)) == []


def test_a_negative_count_is_nobodys_batch() -> None:
    with pytest.raises(ValueError, match="negative"):
        Accounting(1, 1, 0, {"x": -1})

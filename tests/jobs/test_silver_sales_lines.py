"""silver.sales_lines: types, line types, strict parsing, exact duplicates and the row rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from lakesmith.contracts.project import Project
from lakesmith.quality.predicates import row_rules

DAY = date(2011, 3, 1)
NOON = datetime(2011, 3, 1, 12, 0, tzinfo=UTC)
TABLE = "silver.sales_lines"
LINE = {
    "invoice_no": "536365",
    "stock_code": "85123A",
    "description": "WHITE HEART",
    "quantity": "6",
    "invoice_date": "2011-03-01 12:00:00",
    "unit_price": "2.55",
    "customer_id": "17850.0",
    "country": "United Kingdom",
    "source_file": "a.csv",
    "batch_date": DAY,
}
TEXTS = tuple(name for name in LINE if name not in ("source_file", "batch_date"))
TYPED = {
    "invoice_no": "536365",
    "stock_code": "85123A",
    "description": "WHITE HEART",
    "quantity": 6,
    "invoice_date": NOON,
    "unit_price": Decimal("2.550"),
    "amount": Decimal("15.300"),
    "customer_id": 17850,
    "country": "United Kingdom",
    "line_type": "sale",
    "is_product": True,
    "source_file": "a.csv",
    "batch_date": DAY,
}


@pytest.fixture
def silver(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> Callable[[list[dict[str, Any]]], DataFrame]:
    """What becomes of bronze records, each given as its difference from LINE; numbered in order."""

    def build(differences: list[dict[str, Any]]) -> DataFrame:
        records = [{**LINE, "record_no": n, **difference} for n, difference in enumerate(differences, 1)]
        days = sorted({record["batch_date"] for record in records})
        return transformed(TABLE, days, lines=rows_of("bronze.sales_lines", records))

    return build


def test_texts_become_typed_columns(
    silver: Callable[..., DataFrame], rows_of: Callable[..., DataFrame]
) -> None:
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {}),
        (
            {"invoice_no": "C536366", "quantity": "-2"},
            {
                "invoice_no": "C536366",
                "quantity": -2,
                "amount": Decimal("-5.100"),
                "line_type": "cancellation",
            },
        ),
        (
            {"invoice_no": "A563185", "stock_code": "B", "quantity": "1", "unit_price": "-11062.06"},
            {
                "invoice_no": "A563185",
                "stock_code": "B",
                "quantity": 1,
                "unit_price": Decimal("-11062.060"),
                "amount": Decimal("-11062.060"),
                "line_type": "adjustment",
                "is_product": False,
            },
        ),
        (
            {"unit_price": "0.0", "customer_id": None, "description": None},
            {
                "unit_price": Decimal("0.000"),
                "amount": Decimal("0.000"),
                "customer_id": None,
                "description": None,
                "line_type": "write_off",
            },
        ),
        ({"quantity": "-3"}, {"quantity": -3, "amount": Decimal("-7.650"), "line_type": "write_off"}),
        (
            {
                "stock_code": " 85123a ",
                "description": '\tHEART "LARGE" ',
                "country": " EIRE",
                "customer_id": "12",
            },
            {"description": 'HEART "LARGE"', "country": "EIRE", "customer_id": 12},
        ),
        (
            {"stock_code": "POST", "country": ""},
            {"stock_code": "POST", "is_product": False, "country": "Unspecified"},
        ),
        ({"stock_code": "15056BL"}, {"stock_code": "15056BL"}),
        ({"stock_code": "15056BLX"}, {"stock_code": "15056BLX", "is_product": False}),
        ({"unit_price": "0.001"}, {"unit_price": Decimal("0.001"), "amount": Decimal("0.006")}),
    ]
    expected = [{**TYPED, "record_no": n, **difference} for n, (_, difference) in enumerate(cases, 1)]

    lines = silver([given for given, _ in cases])

    # The hash has a test of its own, below.
    assertDataFrameEqual(
        lines.drop("line_hash"),
        rows_of(TABLE, expected).drop("line_hash").withColumn("_dropped", F.lit(None).cast("string")),
    )


NUMBERS_THAT_ARE_NONE = [
    "",
    " ",
    "six",
    "1e3",
    "NaN",
    "-Infinity",
    "Infinity",
    "inf",
    "1e400",
    "1,234",
    "+5",
    "5.",
    ".5",
    "0x10",
    "1_000",
    "٣",
    "1 2",
]
PARSING: list[tuple[str, str, Any]] = [
    *[
        ("quantity", text, None)
        for text in [*NUMBERS_THAT_ARE_NONE, "1.0", "99999999999", "2147483648", "-2147483649"]
    ],
    ("quantity", " 5 ", 5),
    ("quantity", "-007", -7),
    ("quantity", "2147483647", 2147483647),
    ("quantity", "-2147483648", -2147483648),
    *[
        ("unit_price", text, None)
        for text in [*NUMBERS_THAT_ARE_NONE, "2.5500", "0.0001", "1234567890.0", "£2"]
    ],
    ("unit_price", " 2 ", Decimal("2.000")),
    ("unit_price", "999999999.999", Decimal("999999999.999")),
    ("unit_price", "-0.5", Decimal("-0.500")),
    *[
        ("customer_id", text, None)
        for text in [
            "GUEST",
            "17850.5",
            "17850.0.0",
            "-17850.0",
            "17850.",
            "1e4",
            "NaN",
            "17,850",
            "9" * 19,
        ]
    ],
    ("customer_id", "9" * 18, 999_999_999_999_999_999),
    ("customer_id", " 17850.0 ", 17850),
    ("customer_id", "017850", 17850),
    *[
        ("invoice_date", text, None)
        for text in [
            "",
            "2011-03-01",
            "2011-03-01 12:00",
            "2011-03-01T12:00:00",
            "2011-03-01 12:00:00Z",
            "2011-03-01 12:00:00.5",
            "2011-3-1 12:00:00",
            "2011-02-30 12:00:00",
            "2011-13-01 12:00:00",
            "2011-03-01 25:10:00",
            "2011-03-01 24:00:00",
            "2011-06-30 23:59:60",  # no clock of ours shows a leap second
            "2011-02-29 12:00:00",
            "2100-02-29 12:00:00",
            "0000-00-00 00:00:00",
            "1e400",
            "01/03/2011 12:00",
        ]
    ],
    ("invoice_date", " 2011-03-01 12:00:00\n", NOON),
    ("invoice_date", "2012-02-29 12:00:00", datetime(2012, 2, 29, 12, 0, tzinfo=UTC)),
    ("invoice_date", "2000-02-29 23:59:59", datetime(2000, 2, 29, 23, 59, 59, tzinfo=UTC)),
    # The shop's clocks went from 01:00 to 02:00, and half a year later twice through the hour from 01:00:
    # a time is what stands there, whether such clocks showed it never, once or twice.
    ("invoice_date", "2011-03-27 01:30:00", datetime(2011, 3, 27, 1, 30, tzinfo=UTC)),
    ("invoice_date", "2011-10-30 01:30:00", datetime(2011, 10, 30, 1, 30, tzinfo=UTC)),
]


def test_texts_parse_whole_or_not_at_all(silver: Callable[..., DataFrame]) -> None:
    lines = silver([{column: text} for column, text, _ in PARSING])

    parsed = {row["record_no"]: row for row in lines.collect()}
    found = [
        (column, text, _in_utc(parsed[n][column]), parsed[n]["unparsed"])
        for n, (column, text, _) in enumerate(PARSING, 1)
    ]
    assert found == [
        (column, text, value, column if value is None else None) for column, text, value in PARSING
    ]


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def test_an_empty_customer_is_anonymous_and_several_texts_can_fail_at_once(
    silver: Callable[..., DataFrame],
) -> None:
    lines = silver(
        [
            {"customer_id": "  "},
            {"quantity": "six", "unit_price": "free", "invoice_date": "today", "customer_id": "GUEST"},
        ]
    )
    found = [(row["customer_id"], row["unparsed"]) for row in lines.orderBy("record_no").collect()]
    assert found == [(None, None), (None, "quantity invoice_date unit_price customer_id")]


def test_of_equal_lines_of_a_batch_the_first_stays(silver: Callable[..., DataFrame]) -> None:
    tomorrow = date(2011, 3, 2)
    broken = {"quantity": "six"}
    malformed = dict.fromkeys(TEXTS)
    lines = silver(
        [
            {"source_file": "b.csv"},
            {},
            {},
            {"batch_date": tomorrow},
            {"description": "WHITE HEART "},
            {"description": None},
            {"description": None},
            {"description": ""},
            broken,
            broken,
            {**malformed, "malformed": 'x,"'},
            {**malformed, "malformed": 'x,"'},
            {**malformed},
            {**malformed},
        ]
    )
    dropped = {row["record_no"]: row["_dropped"] for row in lines.collect()}
    assert dropped == {n: "exact_duplicate" if n in {1, 3, 7, 10, 14} else None for n in range(1, 15)}


def test_the_hash_tells_lines_apart_by_their_source_texts(silver: Callable[..., DataFrame]) -> None:
    lines = silver(
        [
            {},
            {"source_file": "b.csv", "batch_date": date(2011, 3, 2)},
            {"stock_code": "85123a"},
            {"description": None, "country": "WHITE HEART"},
            {"country": None, "description": "WHITE HEART"},
            {"quantity": "06"},
        ]
    )
    hashes = [row["line_hash"] for row in lines.orderBy("record_no").collect()]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 5
    # Part of the table's key, so never to change: computed once with another implementation of xxHash.
    assert hashes[0] == 8485882220344892484


RULES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({**dict.fromkeys(TEXTS), "malformed": 'x,"'}, ["record_parses"]),
    ({"quantity": "six"}, ["quantity_parses"]),
    ({"unit_price": "0.0001"}, ["unit_price_parses"]),
    ({"invoice_date": "today"}, ["invoice_date_parses"]),
    ({"customer_id": "GUEST"}, ["customer_id_parses"]),
    ({"invoice_no": " "}, ["invoice_no_present"]),
    ({"stock_code": ""}, ["stock_code_present"]),
    ({"quantity": "0"}, ["quantity_not_zero"]),
    ({"quantity": "100001"}, ["quantity_plausible"]),
    ({"quantity": "-100001"}, ["quantity_plausible"]),
    ({"quantity": "100000"}, []),
    ({"unit_price": "-0.001"}, ["unit_price_not_negative"]),
    ({"unit_price": "-0.001", "invoice_no": "A1"}, []),
    ({"unit_price": "0"}, []),
    ({"invoice_date": "2011-03-02 00:00:00"}, ["invoice_date_in_batch"]),
    ({"invoice_date": "2011-02-28 23:59:59"}, ["invoice_date_in_batch"]),
    ({"invoice_date": "2011-03-01 23:59:59"}, []),
    ({"invoice_date": "9999-12-31 23:59:59"}, ["invoice_date_in_batch"]),
    ({"invoice_date": "0000-01-01 00:00:00"}, ["invoice_date_in_batch"]),
    ({"batch_date": date(2012, 2, 29), "invoice_date": "2012-02-29 23:59:59"}, []),
    ({"batch_date": date(2012, 2, 29), "invoice_date": "2012-03-01 00:00:00"}, ["invoice_date_in_batch"]),
    ({"batch_date": date(2011, 3, 27), "invoice_date": "2011-03-27 23:30:00"}, []),
    ({"batch_date": date(2011, 3, 28), "invoice_date": "2011-03-27 23:30:00"}, ["invoice_date_in_batch"]),
    ({"batch_date": date(2011, 10, 30), "invoice_date": "2011-10-30 00:30:00"}, []),
    ({"quantity": "0", "stock_code": None}, ["stock_code_present", "quantity_not_zero"]),
    # Beyond what an amount can hold: quarantined, not an overflow that ends the run.
    ({"quantity": "2147483647", "unit_price": "999999999.999"}, ["quantity_plausible"]),
]  # fmt: skip


def test_each_defect_breaks_its_own_rule(silver: Callable[..., DataFrame], reference: Project) -> None:
    contract = reference.graph.contracts[TABLE]
    types = {**{c.name: c.type for c in contract.columns}}
    lines = silver([given for given, _ in RULES])

    broken = lines.select("record_no", row_rules(contract.suite.row_rules, types).alias("broken")).collect()

    assert {row["record_no"]: row["broken"] for row in broken} == {
        n: rules for n, (_, rules) in enumerate(RULES, 1)
    }
    assert {rule for _, rules in RULES for rule in rules} == {rule.rule for rule in contract.suite.row_rules}

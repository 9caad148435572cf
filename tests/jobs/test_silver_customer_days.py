"""silver.customer_days adds up what a customer did on a day, by line type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame
from pyspark.testing import assertDataFrameEqual

DAY, NEXT_DAY = date(2011, 3, 1), date(2011, 3, 2)
TABLE = "silver.customer_days"
MEASURES = ("invoices", "lines", "units")
LINE_TYPES = ("sale", "cancellation", "adjustment", "write_off")


def line(
    customer: int | None, invoice: str, stock_code: str, quantity: int, amount: str, **other: Any
) -> dict[str, Any]:
    kind = {"C": "cancellation", "A": "adjustment"}.get(
        invoice[0], "sale" if Decimal(amount) > 0 else "write_off"
    )
    return {
        "batch_date": DAY,
        "customer_id": customer,
        "invoice_no": invoice,
        "stock_code": stock_code,
        "quantity": quantity,
        "amount": Decimal(amount),
        "line_type": kind,
        "is_product": stock_code[0].isdigit(),
        "country": "United Kingdom",
        "invoice_date": datetime(2011, 3, 1, 12, 0, tzinfo=UTC),
        "source_file": "a.csv",
        "record_no": 1,
        **other,
    }


def tile(customer: int, country: str = "United Kingdom", **given: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {f"{kind}_{measure}": 0 for kind in LINE_TYPES for measure in MEASURES}
    nothing |= {f"{kind}_amount": Decimal("0.000") for kind in LINE_TYPES}
    return {
        "batch_date": DAY,
        "customer_id": customer,
        "country": country,
        "product_ids": [],
        **nothing,
        **given,
    }


def test_a_tile_adds_up_a_customers_day(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    lines = [
        line(1, "500", "22222", 5, "10.001"),
        line(1, "500", "22222", 1, "2.000"),
        line(1, "501", "11111A", 2, "4.500"),
        line(1, "501", "POST", 1, "18.000"),
        line(1, "502", "33333", -4, "0.000"),
        line(1, "C503", "22222", -1, "-2.000"),
        line(1, "C503", "44444", -2, "-3.000"),
        line(1, "A504", "B", 1, "-7.000"),
        line(1, "500", "22222", 3, "6.000", batch_date=NEXT_DAY),
        line(2, "C505", "22222", -9, "-9.000"),
        line(None, "506", "22222", 9, "9.000"),
    ]

    tiles = transformed(TABLE, [DAY, NEXT_DAY], lines=rows_of("silver.sales_lines", lines))

    expected = [
        tile(
            1,
            sale_invoices=2,
            sale_lines=4,
            sale_units=9,
            sale_amount=Decimal("34.501"),
            cancellation_invoices=1,
            cancellation_lines=2,
            cancellation_units=-3,
            cancellation_amount=Decimal("-5.000"),
            adjustment_invoices=1,
            adjustment_lines=1,
            adjustment_units=1,
            adjustment_amount=Decimal("-7.000"),
            write_off_invoices=1,
            write_off_lines=1,
            write_off_units=-4,
            product_ids=["11111A", "22222"],
        ),
        tile(
            1,
            batch_date=NEXT_DAY,
            sale_invoices=1,
            sale_lines=1,
            sale_units=3,
            sale_amount=Decimal("6.000"),
            product_ids=["22222"],
        ),
        tile(
            2,
            cancellation_invoices=1,
            cancellation_lines=1,
            cancellation_units=-9,
            cancellation_amount=Decimal("-9.000"),
        ),
    ]
    assertDataFrameEqual(tiles.select(*rows_of(TABLE, []).columns), rows_of(TABLE, expected))


def test_the_country_is_that_of_the_last_sale_line(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    later = {"invoice_date": datetime(2011, 3, 1, 12, 1, tzinfo=UTC)}
    lines = [
        # the time decides, then the file, then the record
        line(1, "500", "11111", 1, "1", country="Spain", **later),
        line(1, "500", "11111", 1, "1", country="EIRE", source_file="b.csv", record_no=9),
        line(2, "501", "11111", 1, "1", country="Spain", source_file="b.csv"),
        line(2, "501", "11111", 1, "1", country="EIRE", record_no=9),
        line(3, "502", "11111", 1, "1", country="EIRE"),
        line(3, "502", "11111", 1, "1", country="Spain", record_no=2),
        # a later line of another type counts only when nothing was sold
        line(4, "503", "11111", 1, "1", country="Spain"),
        line(4, "C504", "11111", -1, "-1", country="EIRE", **later),
        line(5, "C505", "11111", -1, "-1", country="EIRE"),
        line(5, "506", "11111", 1, "0", country="Spain", **later),
    ]

    tiles = transformed(TABLE, [DAY], lines=rows_of("silver.sales_lines", lines))

    assert {row["customer_id"]: row["country"] for row in tiles.collect()} == dict.fromkeys(
        range(1, 6), "Spain"
    )

"""gold.daily_sales: what was sold and returned by country."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import DataFrame
from pyspark.testing import assertDataFrameEqual

DAY, NEXT_DAY = date(2011, 3, 1), date(2011, 3, 2)
TABLE = "gold.daily_sales"


def line(invoice: str, customer: int | None, quantity: int, amount: str, **other: Any) -> dict[str, Any]:
    kind = {"C": "cancellation", "A": "adjustment"}.get(
        invoice[0], "sale" if Decimal(amount) > 0 else "write_off"
    )
    return {
        "batch_date": DAY,
        "country": "EIRE",
        "invoice_no": invoice,
        "customer_id": customer,
        "quantity": quantity,
        "amount": Decimal(amount),
        "line_type": kind,
        **other,
    }


def test_sales_and_returns_by_country(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    lines = [
        line("500", 1, 5, "10.001"),
        line("500", 1, 1, "2.000"),
        line("501", 1, 1, "3.000"),
        line("502", None, 2, "4.000"),
        line("503", None, 1, "1.000"),
        line("C504", 2, -1, "-2.500"),
        line("C504", 2, -1, "-1.000"),
        line("A505", None, 1, "-99.000"),
        line("506", None, -7, "0.000"),
        line("C507", 3, -1, "-5.000", country="Spain"),
        line("508", None, -1, "0.000", country="France"),
        line("500", 1, 1, "2.000", batch_date=NEXT_DAY),
    ]

    sales = transformed(TABLE, [DAY, NEXT_DAY], lines=rows_of("silver.sales_lines", lines))

    nothing = {
        "batch_date": DAY,
        "revenue": Decimal("0.000"),
        "orders": 0,
        "customers": 0,
        "lines": 0,
        "units": 0,
        "returns": 0,
        "returned_amount": Decimal("0.000"),
    }
    expected = [
        {
            **nothing,
            "country": "EIRE",
            "revenue": Decimal("20.001"),
            "orders": 4,
            "customers": 1,
            "lines": 5,
            "units": 10,
            "returns": 1,
            "returned_amount": Decimal("3.500"),
        },
        {**nothing, "country": "Spain", "returns": 1, "returned_amount": Decimal("5.000")},
        {**nothing, "country": "France"},
        {
            **nothing,
            "batch_date": NEXT_DAY,
            "country": "EIRE",
            "revenue": Decimal("2.000"),
            "orders": 1,
            "customers": 1,
            "lines": 1,
            "units": 1,
        },
    ]
    assertDataFrameEqual(sales.select(*rows_of(TABLE, []).columns), rows_of(TABLE, expected))

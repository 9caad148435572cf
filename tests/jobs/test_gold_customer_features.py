"""gold.customer_features: by hand, at the edges of its windows, and against a brute force from CSV text."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.testing import assertDataFrameEqual

from lakesmith.contracts.project import Project
from oracles.customer_features import brute_force_features, population

DAY = date(2011, 6, 30)  # a Thursday
TABLE = "gold.customer_features"
HEADERS = {
    "InvoiceNo": "invoice_no",
    "StockCode": "stock_code",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "invoice_date",
    "UnitPrice": "unit_price",
    "CustomerID": "customer_id",
    "Country": "country",
}


def tile(customer: int, age: int, **given: Any) -> dict[str, Any]:
    """A day of a customer, `age` days before DAY: by default one order of one product for 10."""
    return {
        "batch_date": DAY - timedelta(age),
        "customer_id": customer,
        "country": "United Kingdom",
        "sale_invoices": 1,
        "sale_lines": 1,
        "sale_amount": Decimal("10.000"),
        "cancellation_invoices": 0,
        "cancellation_lines": 0,
        "cancellation_amount": Decimal("0.000"),
        "product_ids": ["11111"],
        **given,
    }


def returns(customer: int, age: int, lines: int, amount: str) -> dict[str, Any]:
    return tile(
        customer,
        age,
        country="EIRE",
        sale_invoices=0,
        sale_lines=0,
        sale_amount=Decimal("0.000"),
        cancellation_invoices=1,
        cancellation_lines=lines,
        cancellation_amount=Decimal(amount),
        product_ids=[],
    )


def test_the_features_of_a_customer_with_a_history_and_of_a_new_one(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    days = [
        tile(
            1, 4, sale_invoices=2, sale_lines=5, sale_amount=Decimal("30.500"), product_ids=["11111", "22222"]
        ),
        returns(1, 3, 2, "-10.500"),
        tile(1, 35, product_ids=["22222", "33333"]),
        tile(1, 70, country="EIRE"),
        returns(1, 120, 1, "-4.000"),
        tile(1, 130, sale_lines=2, sale_amount=Decimal("99.000"), product_ids=["99999"]),
        tile(2, 0, country="EIRE", product_ids=[]),
    ]

    features = transformed(TABLE, [DAY], days=rows_of("silver.customer_days", days))

    expected = [
        {
            "customer_id": 1,
            "recency_days": 4,
            "tenure_days": 130,
            "purchase_days_365d": 4,
            "gap_mean_days": 42.0,  # 60, 35, 31
            "gap_stddev_days": 12.832251,
            "last_gap_days": 31,
            "recency_over_mean_gap": 0.095238,
            "orders_7d": 2,
            "orders_30d": 2,
            "orders_90d": 4,
            "orders_365d": 5,
            "amount_7d": Decimal("30.500"),
            "amount_30d": Decimal("30.500"),
            "amount_90d": Decimal("50.500"),
            "amount_365d": Decimal("149.500"),
            "orders_30_60d": 1,
            "orders_60_90d": 1,
            "distinct_products_90d": 3,
            "lines_90d": 7,
            "return_line_rate_90d": 0.222222,  # 2 of 9
            "return_value_rate_90d": 0.172131,  # 10.5 of 61
            "returns_365d": 2,
            "basket_value_mean": 29.9,
            "basket_lines_mean": 1.8,
            "last_basket_value": 15.25,
            "orders_per_day": 0.038168,  # 5 of 131
            "orders_30_over_90d": 0.5,
            "last_weekday": 7,
            "thursday_order_share": 0.4,  # 35 and 70 days ago
            "sunday_order_share": 0.6,  # 4 days ago, twice, and 130 days ago
            "is_uk": True,
            "batch_date": DAY,
        },
        {
            "customer_id": 2,
            "recency_days": 0,
            "tenure_days": 0,
            "purchase_days_365d": 1,
            "orders_7d": 1,
            "orders_30d": 1,
            "orders_90d": 1,
            "orders_365d": 1,
            "amount_7d": Decimal("10.000"),
            "amount_30d": Decimal("10.000"),
            "amount_90d": Decimal("10.000"),
            "amount_365d": Decimal("10.000"),
            "orders_30_60d": 0,
            "orders_60_90d": 0,
            "distinct_products_90d": 0,
            "lines_90d": 1,
            "return_line_rate_90d": 0.0,
            "return_value_rate_90d": 0.0,
            "returns_365d": 0,
            "basket_value_mean": 10.0,
            "basket_lines_mean": 1.0,
            "last_basket_value": 10.0,
            "orders_per_day": 1.0,
            "orders_30_over_90d": 1.0,
            "last_weekday": 4,
            "thursday_order_share": 1.0,
            "sunday_order_share": 0.0,
            "is_uk": False,
            "batch_date": DAY,
        },
    ]
    assertDataFrameEqual(features, rows_of(TABLE, expected))


def test_windows_end_where_they_say(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    ages = [0, 6, 7, 29, 30, 59, 60, 89, 90, 91, 365, -1]
    # Each customer bought today and on one other day; the last two bought on that other day only.
    days = [tile(age, age) for age in ages[1:]] + [tile(age, 0) for age in ages[1:]]
    days += [tile(1089, 89), tile(1090, 90), returns(1091, 0, 1, "-1.000")]

    features = transformed(TABLE, [DAY], days=rows_of("silver.customer_days", days)).collect()

    orders = ("orders_7d", "orders_30d", "orders_90d", "orders_365d", "orders_30_60d", "orders_60_90d")
    assert {row["customer_id"]: tuple(row[name] for name in orders) for row in features} == {
        6: (2, 2, 2, 2, 0, 0),
        7: (1, 2, 2, 2, 0, 0),
        29: (1, 2, 2, 2, 0, 0),
        30: (1, 1, 2, 2, 1, 0),
        59: (1, 1, 2, 2, 1, 0),
        60: (1, 1, 2, 2, 0, 1),
        89: (1, 1, 2, 2, 0, 1),
        90: (1, 1, 1, 2, 0, 0),
        91: (1, 1, 1, 2, 0, 0),
        365: (1, 1, 1, 1, 0, 0),
        -1: (1, 1, 1, 1, 0, 0),
        1089: (0, 0, 1, 1, 0, 1),
    }


def random_shop(folder: Path, seed: int, last: date, days: int) -> None:
    """Files of a tiny shop: few customers, who return; duplicates, returns, fees, anonymous lines."""
    draw = random.Random(seed)
    invoice = 500_000
    for age in range(days):
        day = last - timedelta(age)
        if draw.random() < 0.3:
            continue
        lines: list[list[str]] = []
        for _ in range(draw.randrange(1, 7)):
            invoice += 1
            customer = draw.choice(["", *(f"{n}.0" for n in range(12346, 12358))])
            country = draw.choice(["United Kingdom", "United Kingdom", "EIRE"])
            sign = draw.choice(["", "", "", "C"])
            time = f"{day} {draw.randrange(8, 18):02}:{draw.randrange(60):02}:00"
            for _ in range(draw.randrange(1, 5)):
                stock_code = draw.choice(
                    ["22222", "22222a", "22222A", "33333", "44444B", "POST", "gift_0001_20"]
                )
                quantity = ("-" if sign else "") + str(draw.randrange(1, 40))
                price = draw.choice(["0.0", "0.85", "2.95", "10.0", "0.001", "165.125"])
                lines.append(
                    [sign + str(invoice), stock_code, 'A "X", B', quantity, time, price, customer, country]
                )
        lines += draw.sample(lines, k=len(lines) // 4)
        with (folder / f"{day}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(HEADERS)
            writer.writerows(lines)


@pytest.mark.parametrize("seed", [1, 2])
def test_features_equal_a_brute_force_from_the_text_of_the_files(
    seed: int,
    tmp_path: Path,
    reference: Project,
    rows_of: Callable[..., DataFrame],
    transformed: Callable[..., DataFrame],
) -> None:
    random_shop(tmp_path, seed, DAY, days=110)
    records = []
    for path in sorted(tmp_path.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            for number, texts in enumerate(csv.DictReader(stream), 1):
                named = {name: texts[header] or None for header, name in HEADERS.items()}
                day = datetime.strptime(path.stem, "%Y-%m-%d").date()  # noqa: DTZ007
                records.append({**named, "source_file": path.name, "record_no": number, "batch_date": day})
    days = sorted({record["batch_date"] for record in records})
    batches = [DAY - timedelta(17), DAY]

    typed = transformed("silver.sales_lines", days, lines=rows_of("bronze.sales_lines", records))
    kept = typed.filter("_dropped IS NULL").drop("_dropped")
    tiles = transformed("silver.customer_days", days, lines=kept)
    features = transformed(TABLE, batches, days=tiles).toPandas()

    for day in batches:
        expected = brute_force_features(tmp_path, day, population(tmp_path, day))
        found = features[features["batch_date"] == day].sort_values("customer_id")[list(expected.columns)]
        assert len(expected) > 5
        assert list(expected.columns)[1:] == [c.name for c in reference.graph.contracts[TABLE].columns][1:]
        as_rows = found.astype(object).where(found.notna(), None).to_dict("records")
        assert as_rows == expected.to_dict("records")

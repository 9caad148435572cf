"""What gold.customer_features must hold, computed one customer at a time from the text of the CSV files.

Shares no code with the jobs: texts are read with Python's csv module, money is Decimal, windows are
comparisons of dates, and standard deviations come from pandas. Slow and obvious on purpose.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["brute_force_features", "population"]

TEXTS = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]


@dataclass(frozen=True)
class Line:
    day: date
    time: datetime
    place: tuple[str, int]
    customer: int
    invoice: str
    stock_code: str
    quantity: int
    amount: Decimal
    country: str

    @property
    def is_cancellation(self) -> bool:
        return self.invoice.startswith("C")

    @property
    def is_sale(self) -> bool:
        return self.invoice[0] not in "CA" and self.amount > 0

    @property
    def is_product(self) -> bool:
        digits, letters = self.stock_code[:5], self.stock_code[5:]
        return (
            len(digits) == 5 and digits.isdigit() and len(letters) <= 2 and (not letters or letters.isalpha())
        )


def population(folder: Path, day: date) -> list[int]:
    """The customers with a sale line in the 90 days that end with `day`, sorted."""
    lines = lines_between(folder, day - timedelta(89), day)
    return sorted({line.customer for line in lines if line.is_sale})


def brute_force_features(folder: Path, day: date, customers: Iterable[int]) -> pd.DataFrame:
    """The features of some customers of the population at the end of `day`, rounded as the contract says.

    Args:
        folder: holds `YYYY-MM-DD*.csv`, perhaps gzipped, with good lines only.
        day: the batch; files of later days are not opened.
        customers: ids; one that is not in the population has no row.

    Returns:
        One row a customer, ordered by id; a value that does not exist is None.
    """
    by_customer: dict[int, list[Line]] = {}
    for line in lines_between(folder, day - timedelta(364), day):
        by_customer.setdefault(line.customer, []).append(line)
    rows = [features_of(customer, by_customer.get(customer, []), day) for customer in sorted(set(customers))]
    return pd.DataFrame([row for row in rows if row is not None], dtype=object)


def lines_between(folder: Path, first: date, last: date) -> Iterator[Line]:
    """The lines of known customers in the files of those days, exact duplicates of a day once."""
    day = first
    while day <= last:
        seen = set()
        for path in sorted(folder.glob(f"{day}*.csv*")):
            for number, texts in enumerate(records(path), 1):
                if texts in seen:
                    continue
                seen.add(texts)
                invoice, stock_code, _, quantity, time, price, customer, country = (t.strip() for t in texts)
                if customer:
                    yield Line(
                        day,
                        datetime.fromisoformat(time),
                        (path.name, number),
                        int(float(customer)),
                        invoice,
                        stock_code.upper(),
                        int(quantity),
                        int(quantity) * Decimal(price),
                        country,
                    )
        day += timedelta(1)


def records(path: Path) -> Iterator[tuple[str, ...]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", newline="", encoding="utf-8-sig") as stream:
        for record in csv.DictReader(stream):
            yield tuple(record[text] for text in TEXTS)


def features_of(customer: int, lines: list[Line], day: date) -> dict[str, Any] | None:
    sales = [line for line in lines if line.is_sale]
    returns = [line for line in lines if line.is_cancellation]

    def since(some: list[Line], days: int) -> list[Line]:
        return [line for line in some if line.day > day - timedelta(days)]

    def orders(some: Iterable[Line]) -> int:
        return len({(line.day, line.invoice) for line in some})

    def amount(some: Iterable[Line]) -> Decimal:
        return sum((line.amount for line in some), Decimal("0.000"))

    def ago(youngest: int, oldest: int) -> list[Line]:
        return [line for line in sales if youngest <= (day - line.day).days <= oldest]

    if not since(sales, 90):
        return None
    days = sorted({line.day for line in sales})
    gaps = [(later - earlier).days for earlier, later in itertools.pairwise(days)]
    mean_gap = sum(gaps) / len(gaps) if gaps else None
    recency, tenure = (day - days[-1]).days, (day - days[0]).days
    last_day = [line for line in sales if line.day == days[-1]]
    last_line = max(last_day, key=lambda line: (line.time, line.place))
    sold_90, returned_90 = since(sales, 90), since(returns, 90)
    returned = -amount(returned_90)
    return {
        "customer_id": customer,
        "recency_days": recency,
        "tenure_days": tenure,
        "purchase_days_365d": len(days),
        "gap_mean_days": rounded(mean_gap),
        "gap_stddev_days": rounded(pd.Series(gaps).std(ddof=0)) if gaps else None,
        "last_gap_days": gaps[-1] if gaps else None,
        "recency_over_mean_gap": rounded(recency * len(gaps) / sum(gaps)) if gaps else None,
        "orders_7d": orders(since(sales, 7)),
        "orders_30d": orders(since(sales, 30)),
        "orders_90d": orders(sold_90),
        "orders_365d": orders(sales),
        "amount_7d": amount(since(sales, 7)),
        "amount_30d": amount(since(sales, 30)),
        "amount_90d": amount(sold_90),
        "amount_365d": amount(sales),
        "orders_30_60d": orders(ago(30, 59)),
        "orders_60_90d": orders(ago(60, 89)),
        "distinct_products_90d": len({line.stock_code for line in sold_90 if line.is_product}),
        "lines_90d": len(sold_90),
        "return_line_rate_90d": rounded(len(returned_90) / (len(returned_90) + len(sold_90))),
        "return_value_rate_90d": rounded(float(returned) / float(returned + amount(sold_90))),
        "returns_365d": orders(returns),
        "basket_value_mean": rounded(float(amount(sales)) / orders(sales)),
        "basket_lines_mean": rounded(len(sales) / orders(sales)),
        "last_basket_value": rounded(float(amount(last_day)) / orders(last_day)),
        "orders_per_day": rounded(orders(sales) / (tenure + 1)),
        "orders_30_over_90d": rounded(orders(since(sales, 30)) / orders(sold_90)),
        "last_weekday": days[-1].isoweekday(),
        "thursday_order_share": rounded(orders(x for x in sales if x.day.isoweekday() == 4) / orders(sales)),
        "sunday_order_share": rounded(orders(x for x in sales if x.day.isoweekday() == 7) / orders(sales)),
        "is_uk": last_line.country == "United Kingdom",
    }


def rounded(value: float | None) -> float | None:
    """Six decimals, halves away from zero, as Spark rounds."""
    if value is None:
        return None
    return float(Decimal(repr(float(value))).quantize(Decimal("0.000001"), ROUND_HALF_UP))

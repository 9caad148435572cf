"""An independent reader of landing files: it knows DESIGN section 8 and csv, and nothing of the simulator."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
WHOLE = re.compile(r"-?[0-9]+")
DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
CUSTOMER = re.compile(r"[0-9]+(\.0)?")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
PRODUCT = re.compile(r"[0-9]{5}[A-Za-z]{0,2}")


@dataclass
class Landed:
    """What the reader found in the files of a folder, file by file."""

    rows: int = 0
    duplicates: int = 0
    defects: Counter[str] = field(default_factory=Counter)
    lines: list[tuple[date, list[str]]] = field(default_factory=list)  # sound ones, without duplicates
    files: dict[date, Path] = field(default_factory=dict)

    def kinds(self) -> Counter[str]:
        return Counter(kind for _, record in self.lines for kind in kinds_of(record))


def kinds_of(record: list[str]) -> Iterator[str]:
    invoice, code, _, quantity, _, price, customer, country = record
    if invoice.startswith("C"):
        yield "cancellations"
    elif invoice.startswith("A"):
        yield "adjustments"
    elif Decimal(price) == 0 or int(quantity) < 0:
        yield "write_offs"
    else:
        yield "sales"
    if not customer:
        yield "anonymous"
    if country != "United Kingdom":
        yield "abroad"
    if not PRODUCT.fullmatch(code):
        yield "non_products"


def reasons(text: str, day: date) -> tuple[list[str], list[str]]:
    """The fields of a physical line, and every rule of the quarantine that it breaks."""
    try:
        (record,) = csv.reader([text], strict=True)
    except csv.Error:
        return [], ["unbalanced_quote"]
    if len(record) != 8:
        return record, ["too_few_fields" if len(record) < 8 else "too_many_fields"]
    invoice, code, _, quantity, time, price, customer, _ = record
    checks = {
        "invoice_empty": not invoice,
        "stock_code_empty": not code,
        "customer_unparsable": bool(customer) and not CUSTOMER.fullmatch(customer),
    }
    if WHOLE.fullmatch(quantity):
        checks["quantity_zero"] = int(quantity) == 0
        checks["quantity_excessive"] = abs(int(quantity)) > 100_000
    else:
        checks["quantity_unparsable"] = True
    if DECIMAL.fullmatch(price):
        checks["price_too_precise"] = len(price.partition(".")[2]) > 3
        checks["price_negative"] = price.startswith("-") and not invoice.startswith("A")
    else:
        checks["price_unparsable"] = True
    try:
        checks["date_unparsable"] = not TIME.fullmatch(time)
        checks["date_outside_batch"] = datetime.fromisoformat(time).date() != day
    except ValueError:
        checks["date_unparsable"] = True
    return record, [name for name, broken in checks.items() if broken]


def read_landing(folder: Path) -> Landed:
    landed = Landed()
    for path in sorted(folder.iterdir()):
        day = date.fromisoformat(path.stem)
        landed.files[day] = path
        header, *texts = path.read_bytes().decode().removesuffix("\n").split("\n")
        assert header == HEADER
        seen: set[str] = set()
        for text in texts:
            landed.rows += 1
            record, broken = reasons(text, day)
            if broken:
                assert len(broken) == 1, f"{path.name} breaks {broken} in one line: {text}"
                landed.defects[broken[0]] += 1
            elif text in seen:
                landed.duplicates += 1
            else:
                seen.add(text)
                landed.lines.append((day, record))
    return landed


@pytest.fixture(scope="session")
def read() -> Callable[[Path], Landed]:
    return read_landing

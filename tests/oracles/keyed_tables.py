"""What stock codes were called and where customers were, through time, from the text of the landing files: in one pass over the
days with pandas, by the words of the contracts and without a line of the project's code.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd

__all__ = ["History", "history_of_customers", "history_of_products"]

History = set[tuple[object, str, date, date | None]]
"""(key, value, the first day on which it held, the first on which it no longer did)."""


def history_of_products(folder: Path) -> History:
    """(stock code, description, from, to)."""
    return _history(
        (day, zip(lines.StockCode.str.strip().str.upper(), lines.Description.str.strip(), strict=True))
        for day, lines in _sales(folder)
    )


def history_of_customers(folder: Path) -> History:
    """(customer, country, from, to)."""
    return _history(
        (day, zip(lines.CustomerID.astype(float).astype(int), lines.Country.str.strip(), strict=True))
        for day, lines in _sales(folder)
    )


def _history(days: Iterator[tuple[date, Iterator[tuple[object, str]]]]) -> History:
    rows: History = set()
    holds: dict[object, tuple[str, date]] = {}
    for today, changes in days:
        # The lines come in the order of the day, so that the last one stays.
        for key, value in dict(changes).items():
            if key in holds and holds[key][0] != value:
                before, began = holds.pop(key)
                rows.add((key, before, began, today))
            holds.setdefault(key, (value, today))
    return rows | {(key, value, began, None) for key, (value, began) in holds.items()}


def _sales(folder: Path) -> Iterator[tuple[date, pd.DataFrame]]:
    """The sale lines of known customers, day after day, in the order of (invoice date, record)."""
    for file in sorted(folder.glob("*.csv")):
        lines = pd.read_csv(file, dtype=str, keep_default_na=False).drop_duplicates()
        known = (lines.CustomerID.str.strip() != "") & (lines.Description.str.strip() != "")
        credit = lines.InvoiceNo.str.strip().str[0].isin(["C", "A"])
        sold = (lines.Quantity.astype(int) > 0) & (lines.UnitPrice.astype(float) > 0)
        yield (
            date.fromisoformat(file.name[:10]),
            lines[known & ~credit & sold].sort_values("InvoiceDate", kind="stable"),
        )

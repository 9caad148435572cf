"""bronze.sales_lines keeps every record as it came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.testing import assertDataFrameEqual

DAY = date(2011, 3, 1)
TABLE = "bronze.sales_lines"


def test_every_record_is_kept_as_it_came(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    good = {
        "invoice_no": " 536365",
        "stock_code": "85123a",
        "quantity": "six",
        "unit_price": "2.55",
        "customer_id": "17850.0",
    }
    place = {"batch_date": DAY, "source_file": "2011-03-01.csv"}
    records = rows_of(
        TABLE,
        [
            {**place, "record_no": 1, **good},
            {**place, "record_no": 2, **good},
            {**place, "record_no": 3, "malformed": '536365,"85123A'},
            {**place, "record_no": 4, **good, "extra": {"Colour": "red"}},
        ],
    )
    # A reader may give its columns in any order.
    shuffled = records.select("batch_date", *reversed(records.columns[:-1]))

    assertDataFrameEqual(transformed(TABLE, [DAY], records=shuffled), records)

"""gold.repurchase_labels: a sale line in D+1 .. D+30, for each customer of the features of D."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.testing import assertDataFrameEqual

DAY = date(2011, 3, 1)
NEXT_DAY = date(2011, 3, 2)
TABLE = "gold.repurchase_labels"


def test_a_label_sees_the_thirty_days_ahead_and_no_other(
    rows_of: Callable[..., DataFrame], transformed: Callable[..., DataFrame]
) -> None:
    # customer: (days after DAY, sale lines that day) ...; expected on DAY; expected on NEXT_DAY
    cases = {
        1: ([(0, 1)], False, False),
        2: ([(1, 1)], True, False),
        3: ([(30, 1)], True, True),
        4: ([(31, 1)], False, True),
        5: ([(32, 1)], False, False),
        6: ([(5, 0)], False, False),
        7: ([(-1, 2), (2, 1), (9, 3)], True, True),
        8: ([], False, False),
    }
    features = [{"batch_date": day, "customer_id": customer} for customer in cases for day in (DAY, NEXT_DAY)]
    days = [
        {"batch_date": DAY + timedelta(after), "customer_id": customer, "sale_lines": lines}
        for customer, (sales, _, _) in cases.items()
        for after, lines in sales
    ]
    # A buyer who is not in the features has no label.
    days.append({"batch_date": DAY + timedelta(3), "customer_id": 99, "sale_lines": 1})

    labels = transformed(
        TABLE,
        [DAY, NEXT_DAY],
        features=rows_of("gold.customer_features", features),
        days=rows_of("silver.customer_days", days),
    )

    expected = [
        {"batch_date": day, "customer_id": customer, "repurchased": label}
        for customer, (_, on_day, on_next_day) in cases.items()
        for day, label in ((DAY, on_day), (NEXT_DAY, on_next_day))
    ]
    assertDataFrameEqual(labels, rows_of(TABLE, expected))

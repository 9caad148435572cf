"""Rows of the monitoring tables, by the names of their columns; none where a table is not there.

Owns how they are read: without Spark, one night at a time where a night is asked for, and only what is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from deltalake import QueryBuilder

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.ledger.history import Ledger

__all__ = ["DRIFT", "PERFORMANCE", "PROFILE", "monitoring_rows"]

PROFILE = "monitoring.profile_metrics"
DRIFT = "monitoring.drift_metrics"
PERFORMANCE = "monitoring.model_performance"


def monitoring_rows(
    ledger: Ledger,
    table: str,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    where: str = "",
) -> list[dict[str, Any]] | None:
    """The rows of a table; None where it is not there, or lacks one of the columns.

    Args:
        columns: that are read.
        optional: that are read, too, and are None where the table lacks them.
        since, until: the first and the last batch.
        where: a further condition, in SQL.
    """
    opened = ledger.open(table)
    if opened is None:
        return None
    known = {field.name for field in opened.schema().fields}
    if not {BATCH_DATE, *columns} <= known:
        return None
    conditions = [f"{BATCH_DATE} >= DATE '{since}'"] if since is not None else []
    conditions += [f"{BATCH_DATE} <= DATE '{until}'"] if until is not None else []
    conditions += [where] if where else []
    wanted = [BATCH_DATE, *columns]
    listed = ", ".join(
        [*(f'"{name}"' for name in wanted), *(f'"{n}"' if n in known else f'NULL AS "{n}"' for n in optional)]
    )
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    found = QueryBuilder().register("metrics", opened).execute(f"SELECT {listed} FROM metrics{condition}")
    rows: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(found).read_all().to_pylist()
    return rows

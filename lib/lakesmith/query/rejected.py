"""The rows in quarantine of one batch, to be looked at by a person. Starts no JVM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from lakesmith.ledger.quarantined import BROKEN_RULES
from lakesmith.query.database import sealed, stoppable
from lakesmith.query.errors import translated
from lakesmith.query.quoting import literal, quoted
from lakesmith.query.tables import OpenedTable
from lakesmith.query.views import view_of

if TYPE_CHECKING:
    from deltalake import DeltaTable

    from lakesmith.contracts.model import Contract
    from lakesmith.ledger.location import LakeLocation

__all__ = ["rejected_rows"]


def rejected_rows(
    lake: LakeLocation, opened: DeltaTable, contract: Contract, day: date, rule: str | None, most: int
) -> list[Mapping[str, object]]:
    """Rows of a batch that were rejected: the contract's columns and `broken_rules`, in the order of the key.

    Args:
        opened: the quarantine table, at the version to read.
        rule: only rows that broke it.
        most: how many rows.

    Raises:
        QueryImpossible: a data file cannot be read.
    """
    table = contract.quarantine_table
    view = view_of(OpenedTable(table, opened, opened.schema(), ""), lake.path(table), by_name=True, only=day)
    columns = [BROKEN_RULES, *(c.name for c in contract.columns if c.name in view.columns)]
    order = ", ".join(quoted(name) for name in contract.key if name in columns) or "ALL"
    where = f"WHERE list_contains({quoted(BROKEN_RULES)}, {literal(rule)})" if rule is not None else ""
    sql = (
        f"SELECT {', '.join(map(quoted, columns))} FROM ({view.query}) {where} ORDER BY {order} LIMIT {most}"
    )
    with translated([table]), sealed([], view.files) as connection:
        found = stoppable(connection, lambda: connection.execute(sql).to_arrow_table())
    return list(found.to_pylist(maps_as_pydicts="strict"))

"""What is in quarantine: rejected rows counted by table, batch and rule, from the quarantine tables themselves.

Owns those counts. Reads the one column that names the rules, and no other; starts no JVM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import BATCH_DATE, Contract

__all__ = ["BROKEN_RULES", "Quarantined", "quarantined"]

BROKEN_RULES = "broken_rules"
"""The column of a quarantine table that names the rules which a row broke."""


@dataclass(frozen=True)
class Quarantined:
    """The rows of one table that are in quarantine.

    Args:
        table: whose rows they would be.
        rows: by batch; a batch without any is left out.
        by_rule: batch -> rule -> rows. A row that broke two rules counts for both.
    """

    table: str
    rows: Mapping[date, int]
    by_rule: Mapping[date, Mapping[str, int]]

    @property
    def total(self) -> int:
        """Rows over all batches."""
        return sum(self.rows.values())

    @property
    def rules(self) -> dict[str, int]:
        """Rows by rule over all batches, most first."""
        counted: Counter[str] = Counter()
        for found in self.by_rule.values():
            counted.update(found)
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    def batches(self, rule: str | None = None) -> list[date]:
        """The batches with rows in quarantine, in order; with a rule, those with rows that broke it."""
        return sorted(day for day, found in self.by_rule.items() if rule is None or rule in found)

    def only(self, days: Iterable[date]) -> Quarantined:
        """The same of some batches only."""
        wanted = set(days)
        return Quarantined(
            self.table,
            {day: rows for day, rows in self.rows.items() if day in wanted},
            {day: found for day, found in self.by_rule.items() if day in wanted},
        )


def quarantined(opened: DeltaTable | None, contract: Contract, days: BatchRange | None = None) -> Quarantined:
    """Counts a table's rows in quarantine.

    Args:
        opened: the quarantine table at the version that is asked for; None when it was never made.
        contract: of the table whose rows they would be.
        days: only these batches; None for all.
    """
    if opened is None:
        return Quarantined(contract.table, {}, {})
    where = f" WHERE {BATCH_DATE} BETWEEN DATE '{days.first}' AND DATE '{days.last}'" if days else ""
    # Not `to_pyarrow_dataset`: its threads may outlive a short command, which then aborts (docs/traps.md).
    counted = (
        QueryBuilder()
        .register("quarantine", opened)
        .execute(
            f"SELECT {BATCH_DATE}, {BROKEN_RULES}, count(*) AS n FROM quarantine{where} "
            f"GROUP BY {BATCH_DATE}, {BROKEN_RULES}"
        )
    )
    rows: Counter[date] = Counter()
    by_rule: dict[date, Counter[str]] = {}
    for row in pa.RecordBatchReader.from_stream(counted).read_all().to_pylist():
        rows[row[BATCH_DATE]] += row["n"]
        found = by_rule.setdefault(row[BATCH_DATE], Counter())
        for rule in row[BROKEN_RULES] or ():
            found[rule] += row["n"]
    return Quarantined(contract.table, dict(rows), by_rule)

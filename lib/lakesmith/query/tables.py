"""The tables that can be asked for by name, each at the version that a night saw.

Owns which names there are and what a table that was never made means: an error where rows are due, no rows where none may
ever come (quarantine, `ops`).
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

from deltalake import DeltaTable, Schema

from lakesmith.errors import InputMissing
from lakesmith.lake.tables import delta_schema, written_contracts
from lakesmith.ledger.nights import NightGone, choose_night, open_night
from lakesmith.ledger.ops import OPS_TABLES, Ops
from lakesmith.query.errors import QueryImpossible, UnknownTable

if TYPE_CHECKING:
    from lakesmith.contracts.graph import TableGraph
    from lakesmith.contracts.model import Contract
    from lakesmith.ledger.location import LakeLocation
    from lakesmith.ledger.records import NightRecord

__all__ = ["OpenedTable", "Tables"]


@dataclass(frozen=True)
class OpenedTable:
    """A table at the version that is read.

    Args:
        name: `layer.name`.
        delta: None for one that was never made and so has no rows.
        schema: its columns, with their descriptions.
        description: of the table.
    """

    name: str
    delta: DeltaTable | None
    schema: Schema
    description: str


@dataclass(frozen=True)
class Tables:
    """Every table that a lake has by its contracts.

    Args:
        night: the record whose versions are read; None for the newest ones. `ops` tables are always read at their newest.
    """

    graph: TableGraph
    lake: LakeLocation
    ops: Ops
    night: NightRecord | None

    @classmethod
    def as_of(cls, graph: TableGraph, lake: LakeLocation, ops: Ops, as_of: str | None) -> Tables:
        """The tables of a night, `latest`, or by default of the last complete night.

        Raises:
            UsageError: no record ends with that night.
        """
        return cls(graph, lake, ops, choose_night(ops, as_of))

    @property
    def as_of_text(self) -> str:
        """Which night is read, in words."""
        if self.night is None:
            return "the newest versions"
        whole = "" if self.night.complete else ", which is not complete"
        return f"as of the night {self.night.last}{whole} (recorded {self.night.recorded_at:%Y-%m-%d %H:%M:%S} UTC)"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All of them: those with a contract in their order, what their runs write besides, the ledger's own."""
        return (*self.graph.order, *self._beside, *OPS_TABLES)

    @cached_property
    def _beside(self) -> dict[str, Contract]:
        """The changes of keyed tables and the quarantine tables, with the contracts that they follow from."""
        contracts = [self.graph.contracts[table] for table in self.graph.order]
        changes = {c.changes_table: c for c in contracts if c.keyed is not None}
        return changes | {c.quarantine_table: c for c in contracts}

    def resolve(self, written: str) -> str:
        """The table that a statement means; SQL does not tell upper case from lower.

        Raises:
            UnknownTable: there is none of that name.
        """
        name = written.lower()
        if name in self.names:
            return name
        nearest = next((known for known in self.names if known.split(".")[1] == name), None)
        if nearest is None:
            nearest = next(iter(get_close_matches(name, self.names, n=1)), None)
        raise UnknownTable(written, nearest)

    def open(self, table: str) -> OpenedTable:
        """A table at its version.

        Raises:
            InputMissing: a table with a contract that was never published, or not before that night had ended.
            QueryImpossible: what that night left of it can no longer be read.
        """
        made = self._made(table)
        if made is not None:
            return made
        if table in OPS_TABLES:
            kind = OPS_TABLES[table]
            description = (kind.__doc__ or "").splitlines()[0]
            return OpenedTable(table, None, Schema.from_arrow(kind.schema), description)
        if table in self._beside and self._beside[table].quarantine_table == table:
            *_, quarantine = written_contracts(self._beside[table])
            return OpenedTable(table, None, delta_schema(quarantine), quarantine.description)
        by_then = f" before the night {self.night.last} had ended" if self.night is not None else ""
        newest = " or read the newest versions: --as-of latest" if self.night is not None else ""
        raise InputMissing(
            f"{table} holds nothing: it was never published{by_then}. "
            f"See why: lakesmith status --table {self._judged(table)}{newest}"
        )

    def _judged(self, table: str) -> str:
        """The table whose batches say what became of a table's rows."""
        return self._beside[table].table if table in self._beside else table

    def existing(self) -> list[OpenedTable]:
        """Every table that was made by then."""
        return [made for name in self.names if (made := self._made(name)) is not None]

    def _made(self, table: str) -> OpenedTable | None:
        if self.night is not None and table not in OPS_TABLES:
            try:
                delta = open_night(self.lake, self.ops, table, self.night)
            except NightGone as error:
                raise QueryImpossible(str(error)) from error
        else:
            delta = self.lake.open(table)
        if delta is None:
            return None
        return OpenedTable(table, delta, delta.schema(), delta.metadata().description or "")

"""The table graph: what is made from what, in which order, since when.

Owns ordering, parents, children and the first day of each table. Pure: contracts in, answers out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.model import Contract, ModelRole, Source
from lakesmith.errors import UsageError

__all__ = ["TableGraph", "find_cycle"]


_NO_MODELS: Mapping[str, ModelDeclaration] = MappingProxyType({})


def find_cycle(
    contracts: Mapping[str, Contract], models: Mapping[str, ModelDeclaration] = _NO_MODELS
) -> list[str] | None:
    """The tables of one cycle, first and last the same; None when there is none. A table's edge to itself is none.

    Args:
        models: these count as made from their features and labels, and appear as `models.<name>`.
    """
    try:
        _sorter(contracts, models).prepare()
    except CycleError as error:
        # graphlib lists each table before the one that reads it.
        return list(error.args[1])
    return None


@dataclass(frozen=True)
class TableGraph:
    """Contracts and sources, already checked to fit together."""

    contracts: Mapping[str, Contract]
    sources: Mapping[str, Source]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Every table after all that it reads; equals in order of name, so that two runs agree."""
        sorter = _sorter(self.contracts)
        sorter.prepare()
        ordered: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            ordered.extend(ready)
            sorter.done(*ready)
        return tuple(ordered)

    def contract(self, table: str) -> Contract:
        """The contract of a table.

        Raises:
            UsageError: there is none of that name.
        """
        if table not in self.contracts:
            raise UsageError(f"there is no table {table!r}. Tables: {', '.join(self.order)}")
        return self.contracts[table]

    def parents(self, table: str) -> tuple[str, ...]:
        """The other tables that a table reads directly."""
        return tuple(
            dict.fromkeys(i.table for i in self.contract(table).inputs if i.table and i.table != table)
        )

    def children(self, table: str) -> tuple[str, ...]:
        """The other tables that read a table directly."""
        return tuple(t for t in self.order if t != table and table in self.parents(t))

    def score_tables(self, model: str | None = None, role: ModelRole | None = None) -> tuple[str, ...]:
        """The tables that read a model, in order.

        Args:
            model: only this one's; None means any.
            role: only those that hold the scores of this role; None means any.
        """
        entries = {table: self.contracts[table].model_input for table in self.order}
        return tuple(
            table
            for table, entry in entries.items()
            if entry is not None and model in (None, entry.model) and role in (None, entry.role)
        )

    @cached_property
    def starts(self) -> Mapping[str, date]:
        """The first batch of each table: the earliest first day of the sources that it comes from."""
        starts: dict[str, date] = {}
        for table in self.order:
            own = [self.sources[i.source].start for i in self.contracts[table].inputs if i.source]
            starts[table] = min([*own, *(starts[parent] for parent in self.parents(table))])
        return starts

    def due(self, table: str, nights: BatchRange) -> BatchRange | None:
        """The batches of a table that those nights own, from the first day of history on; None when none is due."""
        owned = self.contract(table).owned_by(nights)
        return owned.intersection(BatchRange(self.starts[table], date.max))


def _sorter(
    contracts: Mapping[str, Contract], models: Mapping[str, ModelDeclaration] = _NO_MODELS
) -> TopologicalSorter[str]:
    reads = {table: {i.target for i in contract.inputs} - {table} for table, contract in contracts.items()}
    reads |= {f"models.{name}": {model.features_table, model.label.table} for name, model in models.items()}
    return TopologicalSorter({name: sorted(reads[name] & reads.keys()) for name in sorted(reads)})

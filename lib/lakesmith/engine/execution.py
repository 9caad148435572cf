"""One run while it is under way: what it was given, and what it leaves for whoever writes down how it ended.

Owns what an attempt and an audit of published batches have in common; `lakesmith.engine.run` records both alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from lakesmith.contracts.model import Contract
from lakesmith.engine.context import Context
from lakesmith.engine.recording import RunIdentity
from lakesmith.lake.tables import changes_contract
from lakesmith.ledger.records import BatchRecord, InputRead
from lakesmith.ledger.state import BatchState

__all__ = ["Execution"]


@dataclass
class Execution:
    """One run of some batches of a table.

    Args:
        states: the batches, as judged a moment ago.
        unchanged: afterwards, what was computed and found there already, provenance included.
        warnings: afterwards, what an operator should hear of although it stopped nothing.
        batch_warnings: afterwards, the failed warnings of each batch's suite.
        unserved: afterwards, batches that no model could score and that are to repeat the last scores, with the reason.
        reads: afterwards, what each batch had read, as far as the run came.
    """

    context: Context
    run: RunIdentity
    states: Sequence[BatchState]
    unchanged: list[BatchRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    batch_warnings: dict[date, tuple[str, ...]] = field(default_factory=dict)
    unserved: dict[date, str] = field(default_factory=dict)
    reads: dict[date, tuple[InputRead, ...]] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        """The table's contract."""
        return self.run.contract

    @cached_property
    def batch_contract(self) -> Contract:
        """Of what is staged, judged and published batch by batch: the changes of a keyed table, else the table itself."""
        return changes_contract(self.contract) if self.contract.keyed is not None else self.contract

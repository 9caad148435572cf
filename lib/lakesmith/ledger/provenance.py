"""Provenance: what a commit says of how it was made, inside the commit itself.

Owns the JSON in `commitInfo.userMetadata`, which Spark's DESCRIBE HISTORY shows. It carries the batch records whole, so
that a commit whose ledger entry was lost in a crash can be recorded from the table alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakesmith.ledger.ops import FORMAT
from lakesmith.ledger.records import BatchRecord

__all__ = ["Provenance"]


@dataclass(frozen=True)
class Provenance:
    """How one commit was made.

    Args:
        batches: one record for every batch that the commit replaces.
        code_version: the commit of the project's repository, with `+dirty` when files differed from it.
    """

    run_id: str
    table: str
    job: str
    code_version: str
    lakesmith_version: str
    environment: str
    started_at: datetime
    batches: tuple[BatchRecord, ...]

    @property
    def version(self) -> int | None:
        """The version that the commit makes; None for one that replaces no batch.

        To be asked instead of `DeltaTable.history`, which counts down from the version that was loaded, although it lists the
        commits that were made since, too.
        """
        return self.batches[0].version if self.batches else None

    def to_metadata(self) -> str:
        """The text of `userMetadata`."""
        return json.dumps(
            {
                "lakesmith": FORMAT,
                "run_id": self.run_id,
                "table": self.table,
                "job": self.job,
                "code_version": self.code_version,
                "lakesmith_version": self.lakesmith_version,
                "environment": self.environment,
                "started_at": self.started_at.isoformat(),
                "batches": [record.to_json() for record in self.batches],
            },
            sort_keys=True,
            separators=(",", ":"),
        )

    @classmethod
    def from_commit(cls, commit: Mapping[str, Any]) -> Provenance | None:
        """The provenance of one entry of a table's history; None when somebody else made the commit."""
        try:
            data = json.loads(commit.get("userMetadata") or "")
        except ValueError:
            return None
        if not isinstance(data, dict) or data.get("lakesmith") != FORMAT:
            return None
        return cls(
            run_id=data["run_id"],
            table=data["table"],
            job=data["job"],
            code_version=data["code_version"],
            lakesmith_version=data["lakesmith_version"],
            environment=data["environment"],
            started_at=datetime.fromisoformat(data["started_at"]),
            batches=tuple(BatchRecord.from_json(record) for record in data["batches"]),
        )

"""A small project of another domain than the reference pipeline, and what tests do with a copy of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult
from lakesmith.engine.submit import open_context
from lakesmith.ledger.records import BatchRecord

METERS = Path(__file__).parent / "projects" / "meters"


def day(number: int) -> date:
    """A day of January 2024; the 1st is a Monday, Sundays are closed."""
    return date(2024, 1, number)


def digests(context: Context, tables: Iterable[str] | None = None) -> dict[str, dict[date, str]]:
    """The digests of the batches that stand, by table; of all tables unless some are named."""
    found: dict[str, dict[date, str]] = {}
    for table in tables or context.project.graph.order:
        history = context.ledger.history(table)
        standing = {batch: history.standing(batch) for batch in sorted(history.records)}
        found[table] = {batch: record.digest for batch, record in standing.items() if record is not None}
    return found


class Workspace:
    """One project in a folder, used as separate processes would use it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def land(self, number: int, *readings: tuple[object, ...], header: str = "Meter,kWh,Street") -> None:
        """Writes the file of a day: one tuple a record."""
        lines = [header, *(",".join(str(value) for value in reading) for reading in readings)]
        self.land_text(number, "\n".join(lines) + "\n")

    def land_text(self, number: int, text: str) -> None:
        folder = self.root / "landing" / "readings"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{day(number)}.csv").write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        """Changes a file of the project."""
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def context(self) -> Context:
        return open_context("dev", self.root)

    def run(
        self, first: int, last: int | None = None, tables: Sequence[str] = (), **how: bool
    ) -> NightResult:
        """Runs nights; `how` as `plan_nights` takes it."""
        context = self.context()
        nights = BatchRange(day(first), day(last or first))
        return execute(context, plan_nights(context, nights, tables, **how))

    def states(self, first: int, last: int) -> dict[str, str]:
        """Every table's states in words, day after day."""
        judged = self.context().judge.judge(BatchRange(day(first), day(last)))
        return {table: " ".join(str(s.state) for s in states.values()) for table, states in judged.items()}

    def table(self, name: str) -> DeltaTable:
        return DeltaTable(self.context().lake.path(name))

    def versions(self) -> dict[str, int]:
        context = self.context()
        found = {table: context.ledger.live(table) for table in context.project.graph.order}
        return {table: live.version for table, live in found.items() if live is not None}

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """All rows of a table, sorted, as tuples of these columns (all of them when none is named)."""
        found = self.table(name).to_pyarrow_table()
        return sorted(
            (tuple(row[c] for c in columns or found.column_names) for row in found.to_pylist()), key=repr
        )

    def records(self, name: str) -> list[BatchRecord]:
        """What the ledger says of a table, oldest first."""
        history = self.context().ledger.history(name)
        entries = [record for records in history.records.values() for record in records]
        return sorted(entries, key=lambda record: (record.recorded_at, record.batch_date))

    def digests(self, name: str) -> dict[int, str]:
        """The digest of each batch that stands."""
        return {batch.day: digest for batch, digest in digests(self.context(), [name])[name].items()}

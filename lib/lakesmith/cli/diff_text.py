"""What differs between two states of a batch, in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.masking import MASK, shown_row, shown_value
from lakesmith.cli.wording import count, grid
from lakesmith.query.values import json_value, text_of

if TYPE_CHECKING:
    from lakesmith.cli.options import Invocation
    from lakesmith.contracts.model import Contract
    from lakesmith.lake.past import PastBatch
    from lakesmith.query.differences import ChangedRow, Differences

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison:
    """Two states of a batch and how they differ.

    Args:
        masked: columns whose values are not shown.
        sampled: rows were asked for.
    """

    contract: Contract
    before: PastBatch
    after: PastBatch
    found: Differences
    masked: frozenset[str]
    sampled: bool

    @property
    def day(self) -> date:
        """The batch."""
        return self.after.batch_date

    def to_json(self) -> dict[str, object]:
        """For `--json`; rows are in it only when they were asked for."""
        found = self.found
        answered: dict[str, object] = {
            "table": self.contract.table,
            "batch_date": self.day.isoformat(),
            "key": list(self.contract.key),
            "from": _state_json(self.before, found.rows[0]),
            "to": _state_json(self.after, found.rows[1]),
            "difference": not found.is_none,
            "added": found.added,
            "removed": found.removed,
            "changed": found.changed,
            "columns": dict(found.columns),
            "columns_gained": list(found.gained),
            "columns_lost": list(found.lost),
        }
        if self.sampled:
            sample = found.sample
            answered["masked"] = sorted(self.masked)
            answered["sample"] = {
                "added": [self._row_json(row) for row in sample.added],
                "removed": [self._row_json(row) for row in sample.removed],
                "changed": [
                    {
                        "key": self._row_json(row.key),
                        "columns": {
                            name: [json_value(shown_value(name, value, self.masked)) for value in values]
                            for name, values in row.changes.items()
                        },
                    }
                    for row in sample.changed
                ],
            }
        return answered

    def lines(self, invocation: Invocation, night: str) -> list[RenderableType]:
        """For people."""
        found = self.found
        lines: list[RenderableType] = [
            Text(f"{self.contract.table} {self.day}", style="bold"),
            _state(self.before, found.rows[0]),
            _state(self.after, found.rows[1]),
            "",
        ]
        if found.is_none:
            same = "the same files" if self.before.paths == self.after.paths else "other files, equal rows"
            return [*lines, f"no difference: {same}."]
        lines += self._counts()
        if self.sampled:
            lines += self._sample()
        else:
            command = f"diff {self.contract.table} --date {night} "
            command += f"--versions {self.before.version} {self.after.version} --sample 5"
            lines += ["", f"some of these rows: {invocation.command(command)}"]
        if self.before.record is not None and self.before.version < self.after.version:
            command = f"restore {self.contract.table} --date {night} --to-version {self.before.version}"
            lines.append(f"to bring the former state back: {invocation.command(command)}")
        return lines

    def _counts(self) -> list[RenderableType]:
        found = self.found
        key = ", ".join(self.contract.key)
        lines: list[RenderableType] = [
            f"{count(found.added, 'row')} added, {found.removed:,} removed, {found.changed:,} changed, by key ({key})"
        ]
        if found.added and found.removed:
            lines.append(
                "A row whose key changed counts as removed and added; where the key hashes the row, every change does."
            )
        for name in found.gained:
            lines.append(
                f"The column {name} is new: every row has none of it in version {self.before.version}."
            )
        for name in found.lost:
            lines.append(f"The column {name} is not there in version {self.after.version}.")
        if found.columns:
            table = grid("changed column", "rows", right=["rows"])
            for name, rows in sorted(found.columns.items(), key=lambda item: (-item[1], item[0])):
                table.add_row(name, f"{rows:,}")
            lines += ["", table]
        return lines

    def _sample(self) -> list[RenderableType]:
        sample = self.found.sample
        lines: list[RenderableType] = []
        for word, rows, of in (
            ("removed", sample.removed, self.found.removed),
            ("added", sample.added, self.found.added),
        ):
            if rows:
                lines += ["", f"{word}, {len(rows):,} of {of:,}:", *self._rows(rows)]
        if sample.changed:
            lines += ["", f"changed, {len(sample.changed):,} of {self.found.changed:,}:"]
            lines += [line for row in sample.changed for line in self._change(row)]
        shown = {name for row in (*sample.removed, *sample.added) for name in row}
        shown |= {name for row in sample.changed for name in (*row.key, *row.changes)}
        if self.masked & shown:
            listed = ", ".join(name for name in sorted(self.masked & shown))
            lines += ["", f"{MASK} stands for values of people's columns ({listed}): --unmask shows them."]
        return lines

    def _rows(self, rows: Sequence[Mapping[str, object]]) -> list[RenderableType]:
        lines: list[RenderableType] = []
        for row in rows:
            shown = shown_row(row, self.masked)
            lines.append(
                Text(f"  {_fields({name: shown[name] for name in self.contract.key})}", style="bold")
            )
            lines.append(f"    {_fields({k: v for k, v in shown.items() if k not in self.contract.key})}")
        return lines

    def _change(self, row: ChangedRow) -> list[RenderableType]:
        lines: list[RenderableType] = [Text(f"  {_fields(shown_row(row.key, self.masked))}", style="bold")]
        for name, (was, now) in row.changes.items():
            old, new = (text_of(shown_value(name, value, self.masked)) for value in (was, now))
            lines.append(f"    {name}: {old} -> {new}")
        return lines

    def _row_json(self, row: Mapping[str, object]) -> dict[str, object]:
        return {name: json_value(value) for name, value in shown_row(row, self.masked).items()}


def _fields(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {text_of(value)}" for name, value in values.items())


def _state(side: PastBatch, rows: int) -> str:
    said = f"version {side.version}: {count(rows, 'row')}"
    record = side.record
    if record is None:
        return f"{said}, {'written by somebody else' if side.paths else 'no batch yet'}"
    restored = ""
    if record.restored is not None:
        restored = f", restored from version {record.restored.version} by {record.restored.who}"
    return f"{said}, run {record.run_id}, {record.recorded_at:%Y-%m-%d %H:%M:%S} UTC{restored}"


def _state_json(side: PastBatch, rows: int) -> dict[str, object]:
    record = side.record
    return {
        "version": side.version,
        "rows": rows,
        "run_id": record.run_id if record is not None else None,
        "recorded_at": record.recorded_at.isoformat() if record is not None else None,
        "digest": record.digest if record is not None else None,
    }

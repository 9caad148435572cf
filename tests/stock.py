"""A shop's stock list as keyed tables, what tests do with a copy of it, and what its rows must be, computed without Spark."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from workspaces import Workspace, day

__all__ = ["DAYS", "Edit", "Stock", "present", "versions"]

PROJECT = Path(__file__).parent / "projects" / "stock"


class Edit(NamedTuple):
    """One change of one article."""

    sku: str
    position: int
    name: str = ""
    price: str = ""
    operation: str = ""


DAYS = {
    1: [Edit("a", 1, "ale", "1.5"), Edit("b", 1, "bread", "2"), Edit("c", 1, "cake", "9")],
    2: [Edit("a", 1, "ale", "1.5"), Edit("b", 1, "bun", "2"), Edit("b", 2, "bread", "3")],
    3: [Edit("c", 1, operation="D"), Edit("d", 2, "dates", "4"), Edit("d", 1, "figs", "4")],
    4: [Edit("c", 1, "cake", "9"), Edit("a", 1, "ale", "1.504")],
}
"""Four days of edits: one that changes nothing, two of one article, an article that goes and comes back."""


class Version(NamedTuple):
    """A row of silver.items."""

    sku: str
    name: str | None
    price: float | None
    valid_from: date
    valid_to: date | None
    is_current: bool


class Stock(Workspace):
    """The project in a folder; days are those of `workspaces.day`."""

    @classmethod
    def made_in(cls, root: Path) -> Stock:
        """The project with nothing landed."""
        shutil.copytree(PROJECT, root)
        return cls(root)

    @classmethod
    def landed_in(cls, root: Path) -> Stock:
        """The project with four days landed."""
        stock = cls.made_in(root)
        for number, edits in DAYS.items():
            stock.land_edits(number, edits)
        return stock

    def land_edits(self, number: int, edits: Sequence[Edit]) -> None:
        """Writes the file of a day."""
        folder = self.root / "landing" / "edits"
        folder.mkdir(parents=True, exist_ok=True)
        lines = ["Sku,Position,Name,Price,Operation", *(",".join(map(str, edit)) for edit in edits)]
        (folder / f"{day(number)}.csv").write_text("\n".join(lines) + "\n")

    def history(self) -> list[Version]:
        """All rows of silver.items, sorted."""
        return [Version(*row) for row in self.rows("silver.items", *Version._fields)]

    def present(self) -> dict[str, tuple[str | None, float | None]]:
        """All rows of silver.items_now by article."""
        return {
            sku: (name, price) for sku, name, price in self.rows("silver.items_now", "sku", "name", "price")
        }


def _state(edit: Edit) -> tuple[str | None, float | None] | None:
    """What an edit leaves of an article; None when it deletes it."""
    if edit.operation == "D":
        return None
    return edit.name or None, round(float(edit.price), 2) if edit.price else None


def _last_of_day(edits: Sequence[Edit]) -> dict[str, tuple[str | None, float | None] | None]:
    """The state that each article has at the end of a day; positions of one article differ."""
    return {edit.sku: _state(edit) for edit in sorted(edits, key=lambda edit: edit.position)}


def versions(days: Mapping[int, Sequence[Edit]]) -> list[Version]:
    """The history that follows from all edits, in one pass over the days."""
    rows: list[Version] = []
    holds: dict[str, tuple[date, tuple[str | None, float | None]]] = {}
    for number in sorted(days):
        today = day(number)
        for sku, state in _last_of_day(days[number]).items():
            if sku in holds and holds[sku][1] != state:
                began, (name, price) = holds.pop(sku)
                rows.append(Version(sku, name, price, began, today, False))
            if state is not None and sku not in holds:
                holds[sku] = (today, state)
    rows += [Version(sku, *state, began, None, True) for sku, (began, state) in holds.items()]
    return sorted(rows, key=repr)


def present(days: Mapping[int, Sequence[Edit]]) -> dict[str, tuple[str | None, float | None]]:
    """The articles after all edits."""
    found: dict[str, tuple[str | None, float | None] | None] = {}
    for number in sorted(days):
        found |= _last_of_day(days[number])
    return {sku: state for sku, state in found.items() if state is not None}

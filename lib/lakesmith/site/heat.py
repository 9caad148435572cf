"""The heat map: tables by nights, a cell for each batch with its state. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.state import State
from lakesmith.ledger.state_words import LETTERS, MEANINGS
from lakesmith.site.links import batch_page, table_page
from lakesmith.site.snapshot import Snapshot

__all__ = ["Cell", "HeatMap", "HeatRow", "heat_map", "legend", "years_of_nights"]

NIGHTS_A_PAGE = 366
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Cell:
    """One batch; without a state where none is due.

    Args:
        label: the batch and its state, for those who don't see the colour.
    """

    day: date
    href: str = ""
    letter: str = ""
    state: str = ""
    label: str = ""


@dataclass(frozen=True)
class HeatRow:
    """One table."""

    table: str
    href: str
    lag: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class HeatMap:
    """Some nights of all tables.

    Args:
        months: what stands above the nights: a name and how many columns it spans.
        present: the states that occur, from good to bad.
    """

    nights: BatchRange
    months: tuple[tuple[str, int], ...]
    rows: tuple[HeatRow, ...]
    present: tuple[State, ...]

    @property
    def days(self) -> tuple[tuple[date, str], ...]:
        """Each night with what stands above its column."""
        return tuple((night, str(night.day)) for night in self.nights)


def years_of_nights(nights: BatchRange) -> list[BatchRange]:
    """All nights in parts of a year, the newest first."""
    parts, last = [], nights.last
    while last >= nights.first:
        first = max(nights.first, last - timedelta(NIGHTS_A_PAGE - 1))
        parts.append(BatchRange(first, last))
        last = first - timedelta(1)
    return parts


def heat_map(snapshot: Snapshot, nights: BatchRange) -> HeatMap:
    """The map of some nights; a table with a lag stands under the night that owns its batch."""
    rows, seen = [], set[State]()
    for table in snapshot.tables:
        lag = snapshot.contract(table).lag_days
        cells = []
        for night in nights:
            day = night - timedelta(lag)
            state = snapshot.state(table, day)
            if state is None:
                cells.append(Cell(day))
                continue
            seen.add(state.state)
            word = str(state.state)
            cells.append(Cell(day, batch_page(table, day), LETTERS[state.state], word, f"{day} {word}"))
        rows.append(HeatRow(table, table_page(table), lag, tuple(cells)))
    return HeatMap(nights, tuple(_months(nights)), tuple(rows), tuple(s for s in LETTERS if s in seen))


def legend(present: tuple[State, ...]) -> list[tuple[str, str, str]]:
    """Letter, state and meaning of each."""
    return [(LETTERS[state], str(state), MEANINGS[state]) for state in present]


def _months(nights: BatchRange) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for night in nights:
        name = f"{_MONTHS[night.month - 1]} {night.year}"
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + 1)
        else:
            found.append((name, 1))
    # A month of a few nights has no room for its year.
    return [(name if span > 3 else name[:3] if span > 1 else "", span) for name, span in found]

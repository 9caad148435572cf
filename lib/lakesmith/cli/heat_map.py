"""A heat map of batches for a terminal: tables by nights, one character a cell, with a colour and a letter.

Owns what a cell looks like, how nights are put into as many cells as fit, and the headings above them. Pure:
states in, lines out. A table with a lag stands under the night that owns its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rich.text import Text

from lakesmith.cli.options import Unit
from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.state import BatchState, State
from lakesmith.ledger.state_words import LETTERS, worst

__all__ = ["STYLES", "HeatMap", "legend"]

STYLES = {
    State.FRESH: "black on green",
    State.CLOSED: "black on bright_black",
    State.STALE: "black on yellow",
    State.MISSING: "black on cyan",
    State.BLOCKED: "black on magenta",
    State.FOREIGN: "white on blue",
    State.FAILED: "white on red",
}

_LINES_AIMED_AT = 44
_LEAST_CELLS = 12
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class HeatMap:
    """Tables by nights.

    Args:
        nights: the columns, before they are put into cells.
        states: of every table, by batch.
        lags: days by which a table's batch lies before the night that owns it.
    """

    nights: BatchRange
    states: Mapping[str, Mapping[date, BatchState]]
    lags: Mapping[str, int]

    def render(self, width: int, unit: Unit | None = None) -> list[Text]:
        """The lines of the map.

        Args:
            width: columns of the terminal.
            unit: None takes the finest that stays within some forty lines.
        """
        labels = [_label(table, self.lags.get(table, 0)) for table in self.states]
        room = max(width - _LEAST_CELLS - 2, 10)
        label_width = min(max((len(label) for label in labels), default=0), room)
        cells = max(width - label_width - 2, _LEAST_CELLS)
        chosen = unit or next((u for u in Unit if self._lines(u, cells) <= _LINES_AIMED_AT), Unit.MONTH)
        buckets = _buckets(self.nights, chosen)
        lines: list[Text] = []
        for at in range(0, len(buckets), cells):
            band = buckets[at : at + cells]
            if lines:
                lines.append(Text(""))
            lines += [
                Text(f"{'':{label_width}}  {heading}", style="bold")
                for heading in _headings(band, chosen, cells)
            ]
            for label, table in zip(labels, self.states, strict=True):
                line = Text(f"{_cut(label, label_width):{label_width}}  ")
                for bucket in band:
                    line.append_text(self._cell(table, bucket))
                lines.append(line)
        return lines

    def _lines(self, unit: Unit, cells: int) -> int:
        bands = -(-len(_buckets(self.nights, unit)) // cells)
        return bands * (len(self.states) + 3)

    def _cell(self, table: str, nights: BatchRange) -> Text:
        lag = timedelta(self.lags.get(table, 0))
        found = {s.state for night in nights if (s := self.states[table].get(night - lag)) is not None}
        shown = worst(found)
        return Text(" ") if shown is None else Text(LETTERS[shown], style=STYLES[shown])


def legend(present: Sequence[State]) -> Text:
    """What the letters stand for, of the states that are there."""
    text = Text()
    for state in LETTERS:
        if state in present:
            text.append(LETTERS[state], style=STYLES[state])
            text.append(f" {state}   ")
    text.rstrip()
    return text


def _label(table: str, lag: int) -> str:
    return f"{table} (-{lag}d)" if lag else table


def _cut(label: str, width: int) -> str:
    return label if len(label) <= width else f"{label[: width - 1]}~"


def _buckets(nights: BatchRange, unit: Unit) -> list[BatchRange]:
    """The nights in order, cut at the ends of weeks or months."""
    begins: dict[Unit, Callable[[date], bool]] = {
        Unit.DAY: lambda _: True,
        Unit.WEEK: lambda day: day.weekday() == 0,
        Unit.MONTH: lambda day: day.day == 1,
    }
    starts = [day for day in nights if day == nights.first or begins[unit](day)]
    ends = [start - timedelta(1) for start in starts[1:]] + [nights.last]
    return [BatchRange(start, end) for start, end in zip(starts, ends, strict=True)]


def _headings(band: Sequence[BatchRange], unit: Unit, cells: int) -> list[str]:
    """The lines above a band of at most so many cells: months with their days, or years with their months."""
    if unit is Unit.MONTH:
        years = [(at, (f"{b.first:%Y}",)) for at, b in enumerate(band) if at == 0 or b.first.month == 1]
        return [_placed(years, cells), "".join(_MONTHS[b.first.month - 1][0] for b in band)]
    months: list[tuple[int, tuple[str, ...]]] = []
    for at, bucket in enumerate(band):
        # A week belongs to the month that begins in it.
        day = bucket.last if at else bucket.first
        if at == 0 or (day.year, day.month) != (band[at - 1].last.year, band[at - 1].last.month):
            name = _MONTHS[day.month - 1]
            months.append((at, (f"{name} {day.year}", name)))
    upper = _placed(months, cells)
    if unit is Unit.WEEK:
        return [upper]
    ticks = [(at, (str(b.first.day),)) for at, b in enumerate(band) if b.first.day in (1, 10, 20)]
    return [upper, _placed(ticks, cells)]


def _placed(labels: Sequence[tuple[int, tuple[str, ...]]], cells: int) -> str:
    """Labels at their places, each in the longest form that leaves a space before the next one."""
    line = ""
    for index, (at, forms) in enumerate(labels):
        limit = labels[index + 1][0] - 1 if index + 1 < len(labels) else cells
        text = next((form for form in forms if at + len(form) <= limit), "")
        if text and at >= len(line):
            line = f"{line:{at}}{text}"
    return line

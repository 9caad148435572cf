"""How words stand on a terminal: tables without lines, and heads with their tails. The words themselves are `ledger.troubles`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from lakesmith.ledger.troubles import Trouble, count, days_text, group_states, group_troubles, number

__all__ = ["Trouble", "count", "days_text", "entry", "grid", "group_states", "group_troubles", "number"]

_LEAST_TEXT = 24


def entry(head: str | Text, tail: str, width: int) -> Text:
    """A head and what it is about: on one line where that fits, else the tail on a line of its own.

    Args:
        width: columns of the terminal.
    """
    text = Text("  ").append_text(head if isinstance(head, Text) else Text(head))
    apart = " " if text.plain.endswith(":") else "  "
    if text.cell_len + len(apart) + len(tail) > width:
        apart = "\n      "
    return text.append(f"{apart}{tail}") if tail else text


def grid(*headings: str, right: Iterable[str] = (), wrap: Iterable[str] = (), apart: int = 2) -> Table:
    """An empty table without lines, whose columns keep their words and numbers whole.

    Args:
        headings: one for each column.
        right: the columns of numbers.
        wrap: the columns of text that may be broken over lines.
        apart: spaces between columns.
    """
    numbers, texts = set(right), set(wrap)
    table = Table(box=None, pad_edge=False, padding=(0, apart, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading in numbers else "left",
            no_wrap=heading not in texts,
            overflow="fold",
            min_width=_LEAST_TEXT if heading in texts else None,
        )
    return table

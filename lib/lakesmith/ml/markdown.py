"""Markdown that reads well as text, too: tables whose columns line up."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cell", "table"]


def cell(text: str) -> str:
    """A text as one cell of a table: on one line, its bars escaped."""
    return " ".join(text.split()).replace("|", "\\|")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """A table in Markdown, every column as wide as its widest cell.

    Args:
        header: names of the columns.
        rows: cells, as many in each row as there are columns.
        left: so many columns are texts and stand left, the others are numbers and stand right.
    """
    cells = [[cell(text) for text in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[at]) for row in cells)) for at in range(len(header))]

    def line(row: Sequence[str]) -> str:
        padded = [
            text.ljust(width) if at < left else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
    return "\n".join([line(cells[0]), line(rule), *(line(row) for row in cells[1:])])

"""Rows of an answer as a table on a terminal, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.table import Table
from rich.text import Text

from lakesmith.cli.wording import count, grid
from lakesmith.query.values import json_value, text_of, unique

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lakesmith.query.reader import Answer
    from lakesmith.query.tables import Tables

__all__ = ["answer_json_of", "answer_lines"]

_LONG = 40


def answer_lines(answer: Answer) -> list[RenderableType]:
    """The rows that are shown, and how many there are."""
    lines: list[RenderableType] = [_table(answer.shown)]
    hidden = answer.rows - answer.shown.num_rows
    if hidden:
        more = count(hidden, "more row")
        lines.append(
            f"... {more}: --rows {answer.rows} shows all, --out FILE.csv or FILE.parquet writes them"
        )
    elif not answer.rows:
        lines.append("no rows")
    return lines


def answer_json_of(rows: pa.Table, tables: Tables) -> dict[str, object]:
    """The whole answer for `--json`."""
    names = unique(rows.column_names)
    columns = [[json_value(value) for value in column.to_pylist()] for column in rows.columns]
    night = tables.night
    return {
        "as_of": night.last.isoformat() if night is not None else "latest",
        "columns": [
            {"name": name, "type": str(field.type)} for name, field in zip(names, rows.schema, strict=True)
        ],
        "rows": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
    }


def _table(rows: pa.Table) -> Table:
    names = unique(rows.column_names)
    columns = [column.to_pylist() for column in rows.columns]
    numbers = [n for n, field in zip(names, rows.schema, strict=True) if _is_number(field.type)]
    # A long text is broken over lines; numbers, days and names stay whole.
    long = [
        name
        for name, column in zip(names, columns, strict=True)
        if any(len(text_of(v)) > _LONG for v in column)
    ]
    table = grid(*names, right=numbers, wrap=long)
    for row in zip(*columns, strict=True):
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: Any) -> Text:
    return Text(text_of(value), style="dim" if value is None else "")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))

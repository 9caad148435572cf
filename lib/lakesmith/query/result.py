"""An answer as a notebook has it: a picture of its first rows, a pandas frame, an Arrow table."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from lakesmith.extras import needs_extra
from lakesmith.query.values import text_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Result"]

_SHOWN = 20


@dataclass(frozen=True, repr=False)
class Result:
    """All rows of an answer.

    Args:
        table: as Arrow has them, decimals exact.
        as_of: which night was read, in words.
    """

    table: pa.Table
    as_of: str

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.table.column_names)

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table: every type as it is, decimals exact."""
        return self.table

    def df(self) -> pd.DataFrame:
        """The rows as a pandas frame to compute and plot with: decimals are doubles, days are datetime64.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        with needs_extra("sql"):
            import_module("pandas")
        with duckdb.connect() as connection:
            return connection.from_arrow(self.table).df()

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        columns = ", ".join(f"{field.name}: {field.type}" for field in self.table.schema)
        return f"<{len(self):,} rows ({columns}), {self.as_of}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        shown = self.table.slice(0, _SHOWN)
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        cells = [[text_of(value) for value in column.to_pylist()] for column in shown.columns]
        rows = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in zip(*cells, strict=True)
        )
        more = f"the first {_SHOWN} of {len(self):,} rows" if len(self) > _SHOWN else f"{len(self):,} rows"
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{more}; {escape(self.as_of)}</p>"
        )

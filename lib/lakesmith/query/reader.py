"""Answering a statement: the tables that it names become views in a database that can do nothing else.

Only the live files of those tables may be opened (and one file to write, for an export); a file that was staged and never
published is as closed as /etc/passwd. How that is held is `lakesmith.query.database`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from lakesmith.ledger.ops import OPS_TABLES
from lakesmith.query.database import sealed, stoppable
from lakesmith.query.errors import translated
from lakesmith.query.quoting import literal
from lakesmith.query.statements import parse
from lakesmith.query.tables import Tables
from lakesmith.query.views import View, view_of

__all__ = ["Answer", "Question"]

_T = TypeVar("_T")
_BATCH = 2048

# What DuckDB answers to these says nothing of what tables and columns mean.
_SHOW_TABLES = (
    "SELECT schema_name || '.' || view_name AS \"table\", comment AS description "
    "FROM duckdb_views() WHERE NOT internal ORDER BY view_oid"
)
_DESCRIBE = (
    "SELECT column_name, data_type, comment AS description FROM duckdb_columns() "
    "WHERE schema_name = {layer} AND table_name = {name} ORDER BY column_index"
)


@dataclass(frozen=True)
class Answer:
    """The first rows of an answer, and how many there are.

    Args:
        shown: the first rows.
        rows: of the whole answer.
    """

    shown: pa.Table
    rows: int


class _ColumnMissing(Exception):
    """The newest file of a table lacks a column that the table has."""


class Question:
    """A statement over the tables of a lake, to be answered once or more.

    Args:
        sql: one statement that only reads.

    Raises:
        QueryRefused: it does more.
        QueryFailed: it is no SQL.
        UnknownTable: it names a table that there is not.
    """

    def __init__(self, tables: Tables, sql: str) -> None:
        self._tables = tables
        self._statement = parse(sql)
        self.names = tuple(dict.fromkeys(tables.resolve(name) for name in self._statement.names))

    @property
    def depends_on_night(self) -> bool:
        """True when another night could give another answer."""
        return self._statement.asks_catalog or any(name not in OPS_TABLES for name in self.names)

    def table(self) -> pa.Table:
        """The whole answer, in memory."""
        return self._answered(lambda connection, sql: connection.execute(sql).to_arrow_table())

    def first(self, rows: int) -> Answer:
        """The first rows; the others are only counted."""

        def read(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
            stream = connection.execute(sql).to_arrow_reader(_BATCH)
            kept: list[pa.RecordBatch] = []
            seen = 0
            for batch in stream:
                if seen < rows:
                    kept.append(batch.slice(0, rows - seen))
                seen += batch.num_rows
            return Answer(pa.Table.from_batches(kept, stream.schema), seen)

        return self._answered(read)

    def write(self, file: Path, options: str) -> int:
        """Writes the answer to a file, without holding it in memory; returns how many rows.

        Args:
            file: is written over.
            options: of DuckDB's COPY.
        """
        target = os.path.abspath(file)  # noqa: PTH100  # text, as in `lakesmith.query.views`

        def copy(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
            def run(query: str) -> int:
                copied = connection.execute(f"COPY ({query}\n) TO {literal(target)} ({options})").fetchone()
                return int(copied[0]) if copied is not None else 0

            try:
                return run(sql)
            except duckdb.ParserException:
                # COPY takes SELECT only; DESCRIBE and SUMMARIZE stand in its FROM.
                return run(f"FROM ({sql}\n)")

        return self._answered(copy, target)

    def _answered(self, act: Callable[[duckdb.DuckDBPyConnection, str], _T], target: str | None = None) -> _T:
        sql = self._text()
        with translated(self.names):
            try:
                with self._database(target, by_name=False) as connection:
                    return stoppable(connection, lambda: act(connection, sql))
            except duckdb.InvalidInputException as error:
                if "union_by_name" not in str(error):
                    raise
            except _ColumnMissing:
                pass
            with self._database(target, by_name=True) as connection:
                return stoppable(connection, lambda: act(connection, sql))

    def _text(self) -> str:
        statement = self._statement
        if statement.shows_tables:
            return _SHOW_TABLES
        if statement.describes:
            layer, name = self.names[0].split(".")
            return _DESCRIBE.format(layer=literal(layer), name=literal(name))
        return statement.text

    def _views(self, *, by_name: bool) -> list[View]:
        opened = [self._tables.open(name) for name in self.names]
        if self._statement.asks_catalog:
            opened += [table for table in self._tables.existing() if table.name not in self.names]
        return [view_of(table, self._tables.lake.path(table.name), by_name=by_name) for table in opened]

    @contextmanager
    def _database(self, target: str | None, *, by_name: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        views = self._views(by_name=by_name)
        files = [file for view in views for file in view.files] + ([target] if target is not None else [])
        with ExitStack() as stack:
            try:
                statements = (statement for view in views for statement in view.statements())
                connection = stack.enter_context(sealed(statements, files))
            except duckdb.BinderException as error:
                if by_name:
                    raise
                raise _ColumnMissing from error
            yield connection

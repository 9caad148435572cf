"""What can be wrong with a question, and the one seam where DuckDB's errors become ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb

from lakesmith.errors import LakesmithError, UsageError

__all__ = ["QueryFailed", "QueryImpossible", "QueryRefused", "UnknownTable", "translated"]


class QueryRefused(UsageError):
    """The statement does more than read tables."""


class UnknownTable(UsageError):
    """The statement names a table that no contract declares."""

    def __init__(self, table: str, nearest: str | None) -> None:
        self.table = table
        self.nearest = nearest
        hint = f" Did you mean {nearest}?" if nearest else ""
        super().__init__(f'there is no table {table}.{hint} See what there is: lakesmith sql "SHOW TABLES"')


class QueryFailed(UsageError):
    """The statement cannot be answered as it is written; the message holds DuckDB's own words."""

    def __init__(self, said: str, tables: Sequence[str] = ()) -> None:
        self.said = said
        self.tables = tuple(tables)
        listed = ", ".join(f'lakesmith sql "DESCRIBE {table}"' for table in self.tables)
        super().__init__(f"{said}\nSee the columns: {listed}" if self.tables else said)


class QueryImpossible(LakesmithError):
    """This machine, or the files of the tables, stood in the way of an answer."""


@contextmanager
def translated(tables: Sequence[str] = ()) -> Iterator[None]:
    """Makes ours of what DuckDB raises in the body.

    Args:
        tables: those that the statement names.

    Raises:
        QueryRefused: the statement wanted a file, a setting or an extension.
        QueryFailed: it is wrong in itself.
        QueryImpossible: memory ran out, or a data file could not be read.
    """
    try:
        yield
    except duckdb.PermissionException as error:
        raise QueryRefused(
            f"only tables are read here, no files: {_said(error)}\nAsk a table by its name, LAYER.NAME."
        ) from error
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.FatalException) as error:
        raise QueryImpossible(
            f"{_said(error)}\nAsk for fewer columns or batches (WHERE batch_date = ...); when a file is missing, "
            f"read a newer night: --as-of latest"
        ) from error
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise QueryFailed(_said(error), tables) from error
    except duckdb.Error as error:
        raise QueryFailed(_said(error)) from error


def _said(error: duckdb.Error) -> str:
    return str(error).strip()

"""A database in memory that can read some files and do nothing else.

Owns the lock: no extension is loaded, no other file is opened, no setting can be changed once it is set up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import duckdb

from lakesmith.query.quoting import literal
from lakesmith.query.statements import SEALED

__all__ = ["sealed", "stoppable"]

_T = TypeVar("_T")


@contextmanager
def sealed(statements: Iterable[str], files: Iterable[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own, locked after its set-up.

    Args:
        statements: what makes its views.
        files: those that may be opened afterwards.

    Raises:
        duckdb.Error: a statement cannot be carried out.
    """
    with (
        tempfile.TemporaryDirectory(prefix="lakesmith-sql-") as spill,
        duckdb.connect(config=SEALED) as connection,
    ):
        connection.execute("SET TimeZone = 'UTC'")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"SET allowed_paths = [{', '.join(map(literal, files))}]")
        connection.execute(f"SET temp_directory = {literal(spill)}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def stoppable(connection: duckdb.DuckDBPyConnection, act: Callable[[], _T]) -> _T:
    """Runs an act in a thread of its own: DuckDB lets no signal through, and this one can tell it to end."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(act)
        try:
            return running.result()
        except BaseException:
            connection.interrupt()
            raise

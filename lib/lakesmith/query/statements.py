"""One statement of SQL: that it only reads, and which tables it names.

Owns what is refused. DuckDB's own parser decides, and nothing is bound: no table is looked for and no file is opened
before the answer is known.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import duckdb

from lakesmith.query.errors import QueryFailed, QueryRefused, translated
from lakesmith.query.quoting import literal

__all__ = ["SEALED", "Statement", "parse"]

SEALED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # Otherwise a name that is no table would be looked for among the variables of whoever calls.
    "python_enable_replacements": False,
}
"""What holds for every connection: no extension comes from anywhere, and names are tables only."""

_SYSTEM = ("information_schema", "pg_catalog")
_CATALOG = re.compile(rf"\b({'|'.join(_SYSTEM)}|duckdb_\w+)\b", re.IGNORECASE)
_SHOW_TABLES = re.compile(r"(show|describe|show\s+(all\s+)?tables)", re.IGNORECASE)
_DESCRIBE = re.compile(r"(describe|desc|show)\s+(table\s+)?[^\s(]+", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """A statement that only reads.

    Args:
        text: without the semicolon and what comes after it.
        names: the tables that it names, as they are written there, without those that it defines itself.
        asks_catalog: it asks which tables and columns there are.
        shows_tables: it is `SHOW TABLES`.
        describes: it is a `DESCRIBE` of its one table.
    """

    text: str
    names: tuple[str, ...]
    asks_catalog: bool
    shows_tables: bool
    describes: bool


def parse(sql: str) -> Statement:
    """The statement, once it is known to do nothing but read.

    Raises:
        QueryRefused: it writes, sets or attaches something, or there are several.
        QueryFailed: it is no SQL.
    """
    sealed = {**SEALED, "enable_external_access": False, "lock_configuration": True}
    with duckdb.connect(config=sealed) as parser, translated():
        found = parser.extract_statements(sql)
        if not found:
            raise QueryFailed('there is no statement. Ask something: lakesmith sql "SHOW TABLES"')
        if len(found) > 1:
            # DuckDB makes two statements of a PIVOT that has to look up its columns.
            raise QueryRefused(
                f"one statement at a time, and these are {len(found)} (a PIVOT without its values counts as two; "
                f"name them: PIVOT t ON column IN ('a', 'b') USING sum(x))."
            )
        if found[0].type != duckdb.StatementType.SELECT:
            raise _refused(found[0].type.name)
        # Not as a parameter: to look at one, DuckDB imports pandas.
        (answer,) = parser.execute(f"SELECT json_serialize_sql({literal(sql)})").fetchone() or ("{}",)
    tree = json.loads(answer)
    if tree.get("error"):
        # It says of itself that it is a SELECT, too.
        raise _refused("PRAGMA")
    names = tuple(dict.fromkeys(_names(tree)))
    text = _without_end(sql)
    shows_tables = not names and _SHOW_TABLES.fullmatch(text) is not None
    return Statement(
        text,
        names,
        asks_catalog=shows_tables or _CATALOG.search(text) is not None,
        shows_tables=shows_tables,
        describes=len(names) == 1 and _DESCRIBE.fullmatch(text) is not None,
    )


def _refused(kind: str) -> QueryRefused:
    return QueryRefused(
        f"{kind} is refused: here tables are only read (SELECT, WITH, FROM, DESCRIBE, SUMMARIZE, SHOW TABLES). "
        f"What is written goes to a file of yours: --out FILE.csv or FILE.parquet"
    )


def _names(tree: Any) -> list[str]:
    """The tables in a statement's syntax tree that it does not define itself, in a WITH."""
    tables: list[tuple[str, ...]] = []
    defined: set[str] = set()
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                parts = (node[f"{part}_name"] for part in ("catalog", "schema", "table"))
                tables.append(tuple(part for part in parts if part))
            defined |= {entry["key"].lower() for entry in node.get("cte_map", {}).get("map", [])}
            node = list(node.values())
        if isinstance(node, list):
            nodes += reversed(node)
    return [
        ".".join(parts)
        for parts in tables
        if parts[0].lower() not in (_SYSTEM if len(parts) > 1 else defined)
    ]


def _without_end(sql: str) -> str:
    """The statement without semicolons around it, and what comes after."""
    # Positions are of bytes; there is one statement, so that a semicolon outside of texts can only begin or end it.
    raw = sql.encode()
    begins, seen = 0, False
    for position, kind in duckdb.tokenize(sql):
        if kind != duckdb.token_type.operator or raw[position : position + 1] != b";":
            seen = True
        elif seen:
            return raw[begins:position].decode().strip()
        else:
            begins = position + 1
    return raw[begins:].decode().strip()

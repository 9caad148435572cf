"""What differs between two states of one batch: rows added, removed and changed by key, column by column.

Owns when two values count as equal: as the digest has it (docs/guarantees.md). Zeros are one zero, NaNs one NaN, entries of a map
have no order, everything else must be the same, nulls included. Rows are a bag: what is in both states, as often, cancels out
first, and only what is left is matched by key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from lakesmith.contracts.types import ArrayType, ColumnType, MapType, PrimitiveType, StructType
from lakesmith.query.database import sealed, stoppable
from lakesmith.query.errors import translated
from lakesmith.query.quoting import literal, quoted
from lakesmith.query.tables import OpenedTable
from lakesmith.query.views import View, duckdb_type, view_of

if TYPE_CHECKING:
    from lakesmith.contracts.model import Contract
    from lakesmith.lake.past import PastBatch

__all__ = ["ChangedRow", "Differences", "Sample", "compare"]

_SIDES = ("before", "after")


@dataclass(frozen=True)
class ChangedRow:
    """A row of the same key in both states.

    Args:
        key: the columns of the key.
        changes: column -> its value before and after, of the columns that differ.
    """

    key: Mapping[str, object]
    changes: Mapping[str, tuple[object, object]]


@dataclass(frozen=True)
class Sample:
    """A few rows of each kind, in the order of their keys."""

    removed: tuple[Mapping[str, object], ...] = ()
    added: tuple[Mapping[str, object], ...] = ()
    changed: tuple[ChangedRow, ...] = ()


@dataclass(frozen=True)
class Differences:
    """How many rows differ between two states of a batch.

    Args:
        rows: of each state.
        columns: column -> in how many changed rows its values differ; those with none are left out.
        gained: columns that only the later state has.
        lost: columns that only the earlier state has.
    """

    rows: tuple[int, int]
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    sample: Sample = Sample()

    @property
    def is_none(self) -> bool:
        """True when the rows are equal, as a bag, and so are the columns."""
        return not (self.added or self.removed or self.changed or self.gained or self.lost)


def compare(
    contract: Contract, before: PastBatch, after: PastBatch, root: str, *, sample: int = 0
) -> Differences:
    """Compares two states of a batch. Starts no JVM.

    Args:
        root: the table's folder.
        sample: the most rows of each kind to hand back; 0 for none.

    Raises:
        QueryImpossible: a data file cannot be read, or memory ran out.
    """
    views = [_view(side, root) for side in (before, after)]
    names = [set(view.columns) for view in views]
    columns = {c.name: c.type for c in contract.columns if c.name in names[0] | names[1]}
    statements = [
        f"CREATE VIEW {side} AS {_select(columns, contract.key, view, present)}"
        for side, view, present in zip(_SIDES, views, names, strict=True)
    ]
    with translated(), sealed(statements, [file for view in views for file in view.files]) as connection:
        found = stoppable(connection, lambda: _differences(connection, columns, contract.key, sample))
    ordered = list(columns)
    return Differences(
        rows=found.rows,
        added=found.added,
        removed=found.removed,
        changed=found.changed,
        columns=found.columns,
        gained=tuple(name for name in ordered if name not in names[0]),
        lost=tuple(name for name in ordered if name not in names[1]),
        sample=found.sample,
    )


def _view(side: PastBatch, root: str) -> View:
    opened = OpenedTable(side.table, side.delta, side.delta.schema(), "")
    return view_of(opened, root, by_name=True, only=side.batch_date)


def _select(columns: Mapping[str, ColumnType], key: Sequence[str], view: View, present: set[str]) -> str:
    """A state's rows with values that DuckDB finds equal exactly when the digest does; null where it lacks a column."""
    values = ", ".join(
        f"{_comparable(quoted(name) if name in present else _null(kind), kind)} AS {quoted(name)}"
        for name, kind in columns.items()
    )
    return f"SELECT {values} FROM ({view.query})"


def _null(kind: ColumnType) -> str:
    return f"CAST(NULL AS {duckdb_type(kind.delta())})"


def _comparable(value: str, kind: ColumnType, depth: int = 0) -> str:
    item = f"v{depth}"
    match kind:
        case PrimitiveType("double" | "float"):
            # -0.0 becomes 0.0; DuckDB takes all NaNs for one.
            return f"({value} + 0)"
        case ArrayType(element) if _needs_care(element):
            return f"list_transform({value}, lambda {item}: {_comparable(item, element, depth + 1)})"
        case MapType(key, inner):
            entry = (
                f"{{'key': {_comparable(f'{item}.key', key, depth + 1)}, "
                f"'value': {_comparable(f'{item}.value', inner, depth + 1)}}}"
            )
            return f"list_sort(list_transform(map_entries({value}), lambda {item}: {entry}))"
        case StructType(fields) if _needs_care(kind):
            parts = ", ".join(
                f"{literal(name)}: {_comparable(f'({value}).{quoted(name)}', inner, depth)}"
                for name, inner in fields
            )
            return f"CASE WHEN {value} IS NULL THEN NULL ELSE {{{parts}}} END"
        case _:
            return value


def _needs_care(kind: ColumnType) -> bool:
    match kind:
        case ArrayType(element):
            return _needs_care(element)
        case MapType():
            return True
        case StructType(fields):
            return any(_needs_care(inner) for _, inner in fields)
        case _:
            return kind in (PrimitiveType("double"), PrimitiveType("float"))


def _differences(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, ColumnType], key: Sequence[str], sample: int
) -> Differences:
    before, after = (_number(connection, f"SELECT count(*) FROM {side}") for side in _SIDES)
    connection.execute("CREATE TEMP TABLE gone AS SELECT * FROM before EXCEPT ALL SELECT * FROM after")
    connection.execute("CREATE TEMP TABLE come AS SELECT * FROM after EXCEPT ALL SELECT * FROM before")
    connection.execute(_pairs(columns, key))
    differ = [f"count(*) FILTER (WHERE b{n} IS DISTINCT FROM a{n})" for n in range(len(columns))]
    changed, *counts = connection.execute(
        f"SELECT {', '.join(['count(*)', *differ])} FROM pairs"
    ).fetchone() or [0]
    return Differences(
        rows=(before, after),
        added=_number(connection, "SELECT count(*) FROM come") - changed,
        removed=_number(connection, "SELECT count(*) FROM gone") - changed,
        changed=changed,
        columns={name: found for name, found in zip(columns, counts, strict=True) if found},
        sample=_sample(connection, columns, key, sample) if sample else Sample(),
    )


def _pairs(columns: Mapping[str, ColumnType], key: Sequence[str]) -> str:
    """What is left of both states and has the same key; a key that is left twice on a side pairs with nothing."""
    values = [
        f"{side}.{quoted(name)} AS {letter}{n}"
        for side, letter in (("gone", "b"), ("come", "a"))
        for n, name in enumerate(columns)
    ]
    if not key:
        return f"CREATE TEMP TABLE pairs AS SELECT {', '.join(values)} FROM gone, come WHERE false"
    listed = ", ".join(map(quoted, key))
    once = [
        f"(SELECT * FROM {side} QUALIFY count(*) OVER (PARTITION BY {listed}) = 1) AS {side}"
        for side in ("gone", "come")
    ]
    same = " AND ".join(f"gone.{quoted(name)} IS NOT DISTINCT FROM come.{quoted(name)}" for name in key)
    return f"CREATE TEMP TABLE pairs AS SELECT {', '.join(values)} FROM {once[0]} JOIN {once[1]} ON {same}"


def _sample(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, ColumnType], key: Sequence[str], most: int
) -> Sample:
    numbers = {name: n for n, name in enumerate(columns)}
    order = ", ".join(map(quoted, key)) or "ALL"
    shown = ", ".join(_readable(quoted(name), kind, quoted(name)) for name, kind in columns.items())

    def alone(side: str, letter: str) -> tuple[Mapping[str, object], ...]:
        same = " AND ".join(
            f"{side}.{quoted(name)} IS NOT DISTINCT FROM pairs.{letter}{numbers[name]}" for name in key
        )
        paired = f"WHERE NOT EXISTS (SELECT 1 FROM pairs WHERE {same})" if key else ""
        rows = _rows(connection, f"SELECT {shown} FROM (FROM {side} {paired} ORDER BY {order} LIMIT {most})")
        return tuple(rows)

    both = ", ".join(
        _readable(f"{letter}{n}", kind, f"{letter}{n}")
        for letter in "ba"
        for n, kind in enumerate(columns.values())
    )
    flags = ", ".join(f"b{n} IS DISTINCT FROM a{n} AS d{n}" for n in range(len(columns)))
    by_key = ", ".join(f"b{numbers[name]}" for name in key) or "ALL"
    changed = [
        ChangedRow(
            key={name: row[f"b{numbers[name]}"] for name in key},
            changes={name: (row[f"b{n}"], row[f"a{n}"]) for name, n in numbers.items() if row[f"d{n}"]},
        )
        for row in _rows(
            connection, f"SELECT {both}, {flags} FROM (FROM pairs ORDER BY {by_key} LIMIT {most})"
        )
    ]
    return Sample(alone("gone", "b"), alone("come", "a"), tuple(changed))


def _readable(value: str, kind: ColumnType, name: str) -> str:
    """A map as a map again; deeper ones stay lists of their entries."""
    shown = f"map_from_entries({value})" if isinstance(kind, MapType) else value
    return f"{shown} AS {name}"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, object]]:
    found: pa.Table = connection.execute(sql).to_arrow_table()
    return list(found.to_pylist(maps_as_pydicts="strict"))


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row is not None else 0

"""One 64-bit hash over the columns of a row, in which nulls, positions and nested values count.

Owns what "equal" means when rows are compared by hash: position, null flag and value of each column, -0.0
as 0.0, every NaN as one, maps without regard to the order of their entries. How hashes are added up to the
digest of a batch is not decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakesmith.contracts.types import ArrayType, ColumnType, DecimalType, MapType, PrimitiveType, StructType

__all__ = ["comparable", "hash_columns"]

_MARK = "\x00"


def hash_columns(columns: Sequence[tuple[Column, ColumnType]], salt: int) -> Column:
    """The xxhash64 of some columns, as a bigint column that is never null.

    Bare xxhash64 skips nulls, so that (1, null) and (null, 1) collide; here each column also adds its
    position and whether it is null.

    Args:
        columns: in the order that counts, each with its contract's type.
        salt: another salt gives an independent hash (two of them make 128 bits).
    """
    parts = [F.lit(salt).cast("bigint")]
    for position, (column, kind) in enumerate(columns):
        place_and_null_flag = F.when(column.isNull(), 2 * position + 1).otherwise(2 * position)
        parts += [place_and_null_flag, comparable(column, kind)]
    return F.xxhash64(*parts)


def comparable(column: Column, kind: ColumnType) -> Column:
    """What stands for a value where values are compared: equal for equal ones only. Nested ones become JSON."""
    if isinstance(kind, PrimitiveType | DecimalType):
        return _one_zero_one_nan(column, kind)
    # Without the option a null field of a struct leaves no trace in the JSON.
    return F.to_json(_ordered(column, kind), {"ignoreNullFields": "false"})


def _ordered(column: Column, kind: ColumnType) -> Column:
    """A nested value whose JSON is the same exactly when the values are equal.

    Maps become lists of entries sorted by key. Timestamps become microseconds, since JSON would cut them to
    milliseconds; bytes become hexadecimal digits. Floating-point numbers become the hash of their bits, since
    their digits are Java's choice, and Java 19 chose anew; no two numbers share a hash.
    """
    match kind:
        case ArrayType(element):
            return F.transform(column, lambda item: _ordered(item, element))
        case MapType(key, value):
            entries = F.transform(
                F.map_entries(column),
                lambda entry: F.struct(
                    _ordered(entry["key"], key).alias("key"), _ordered(entry["value"], value).alias("value")
                ),
            )
            return F.array_sort(entries)
        case StructType(fields):
            rebuilt = F.struct(*[_ordered(column[name], inner).alias(name) for name, inner in fields])
            return F.when(column.isNotNull(), rebuilt)
        case PrimitiveType("timestamp"):
            return F.unix_micros(column)
        case PrimitiveType("binary"):
            return F.hex(column)
        case PrimitiveType("double" | "float"):
            return F.when(column.isNotNull(), F.xxhash64(_one_zero_one_nan(column, kind)))
        case PrimitiveType("string"):
            return _one_json_a_text(column)
        case _:
            return column


def _one_json_a_text(column: Column) -> Column:
    """Bytes that are no UTF-8 would all become one character in JSON: their hexadecimal digits instead, marked by NUL."""
    is_itself = F.is_valid_utf8(column) & ~column.startswith(_MARK)
    return F.when(is_itself, column).otherwise(F.concat(F.lit(_MARK), F.hex(column)))


def _one_zero_one_nan(column: Column, kind: ColumnType) -> Column:
    """Floating-point numbers with one zero and one NaN; anything else untouched."""
    if kind not in (PrimitiveType("double"), PrimitiveType("float")):
        return column
    name = str(kind)
    return (
        F.when(column == 0, F.lit(0.0).cast(name))
        .when(F.isnan(column), F.lit(float("nan")).cast(name))
        .otherwise(column)
    )

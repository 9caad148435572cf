"""Parquet: columns by name, values as text that does not depend on the machine.

| type | text |
| --- | --- |
| string | as it is, an empty one too |
| integers | decimal |
| boolean | `true`, `false` |
| decimal | plain, with all decimals of its scale: `2.50` |
| float, double | the shortest text that reads back to the same value, as Python writes it: `17850.0`,
`1e+22`, `nan`, `inf` | | date | `2011-03-01` | | timestamp | `2011-03-01 08:26:00`, with decimals only where
there are any; with `Z` when it is an instant (in UTC) | | time | `08:26:00`, likewise | | binary |
hexadecimal | | lists, structs, maps | compact JSON; a map as a list of pairs; numbers as numbers, all else as
the texts above |

There are no malformed records: a file that is damaged anywhere is rejected whole. A row group is read at a
time in slices; its size bounds the memory. Since a few bytes can stand for any number of long texts, texts stay
encoded while a slice is cut into parts of bounded size, and a footer that announces more than compression gives
is refused. That does not reach texts within lists and structs, and binary of a fixed length.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from datetime import date, time
from decimal import Decimal
from functools import reduce
from io import SEEK_END, BufferedReader
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakesmith.contracts.model import Source
from lakesmith.lake.records_batches import Layout, extra_maps, record_batch, record_schema
from lakesmith.lake.records_bytes import expansion_limit
from lakesmith.lake.records_errors import FileBroken
from lakesmith.lake.records_jsonl import JsonNumber, compact_json

__all__ = ["parquet_batches", "parquet_layout"]

_SLICE_ROWS = 1 << 14
_PART_BYTES = 16 << 20
# What pyarrow raises for damaged pages, and Python for values, nested in others, that it has no room for.
_DAMAGES = (OSError, ValueError, OverflowError, RecursionError, LookupError, pa.ArrowException)
_CAST_BY_ARROW = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_date, pa.types.is_null)


def parquet_layout(raw: BufferedReader, source: Source, file: str) -> Layout:
    """The columns of a file, from its footer.

    Raises:
        FileRejected: it is no Parquet, or lacks a required column, or names one twice.
    """
    return Layout(source, _open(raw, file).schema_arrow.names, file)


def parquet_batches(raw: BufferedReader, source: Source, file: str) -> Iterator[pa.RecordBatch]:
    """The records of a file.

    Args:
        raw: the file.
        source: the contract.
        file: `<source>/<path>`, for messages.

    Raises:
        FileRejected: it is no Parquet, or damaged, or lacks a required column, or names one twice.
    """
    opened = _open(raw, file)
    layout = Layout(source, opened.schema_arrow.names, file)
    schema = record_schema(source)
    next_no = 1
    parts = _parts(opened)
    while True:
        try:
            found = next(parts, None)
            if found is None:
                return
            columns = [_texts(column) for column in found.columns]
        except _DAMAGES as error:
            raise FileBroken(file, f"the Parquet file can't be read ({error}). Deliver it again.") from error
        declared = [None if place is None else columns[place] for place in layout.places]
        extra = extra_maps(layout.unknown, [columns[place] for place in layout.unknown_places])
        yield record_batch(schema, next_no, declared, extra, [], found.num_rows)
        next_no += found.num_rows


def _open(raw: BufferedReader, file: str) -> pq.ParquetFile:
    size = raw.seek(0, SEEK_END)
    try:
        footer = pq.read_metadata(raw)
        leaves = [footer.schema.column(n) for n in range(footer.num_columns)]
        texts = [leaf.path for leaf in leaves if _is_text(leaf)]
        opened = pq.ParquetFile(raw, metadata=footer, read_dictionary=texts)
    except _DAMAGES as error:
        raise FileBroken(file, f"it is no whole Parquet file ({error}). Deliver it again.") from error
    held = sum(footer.row_group(n).total_byte_size for n in range(footer.num_row_groups))
    if held > expansion_limit(size):
        raise FileBroken(
            file,
            f"{size} bytes of Parquet hold {held} bytes of pages, which no table of records does. "
            f"Deliver it uncompressed if it is real.",
        )
    return opened


def _is_text(leaf: pq.ColumnSchema) -> bool:
    """True for texts and binary outside lists: what can stay encoded."""
    kind = (leaf.physical_type, leaf.logical_type.type == "DECIMAL", leaf.max_repetition_level)
    return kind == ("BYTE_ARRAY", False, 0)


def _parts(opened: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """The rows in file order, so many at a time that their texts stay below _PART_BYTES, but at least one."""
    for found in opened.iter_batches(_SLICE_ROWS, use_threads=False):
        before, starts = 0, [0]
        for row, size in enumerate(_text_sizes(found)):
            if before and before + size > _PART_BYTES:
                starts.append(row)
                before = 0
            before += size
        for start, end in pairwise([*starts, found.num_rows]):
            yield found.slice(start, end - start)


def _text_sizes(rows: pa.RecordBatch) -> list[int]:
    """For each row how long its texts are together; empty when all rows are small."""
    lengths = [
        pc.binary_length(column.dictionary).cast(pa.int64()).take(column.indices).fill_null(0)
        for column in rows.columns
        if pa.types.is_dictionary(column.type)
    ]
    if sum(pc.sum(length).as_py() or 0 for length in lengths) <= _PART_BYTES:
        return []
    sizes: list[int] = reduce(pc.add, lengths).to_pylist()
    return sizes


def _texts(column: pa.Array) -> pa.Array:
    kind = column.type
    if isinstance(column, pa.ExtensionArray):  # JSON, for one, where Arrow wrote the file
        return _texts(column.storage)
    if pa.types.is_dictionary(kind):
        return _texts(column.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        texts = column.cast(pa.string())
        texts.validate(full=True)
        return texts
    if pa.types.is_timestamp(kind):
        instant = column.cast(pa.timestamp(kind.unit, "UTC")) if kind.tz else column
        return _shortest(instant.cast(pa.string()))
    if pa.types.is_time(kind):
        return _shortest(column.cast(pa.string()))
    if any(is_kind(kind) for is_kind in _CAST_BY_ARROW):
        return column.cast(pa.string())
    return _by_value(column, _float32 if pa.types.is_float32(kind) else _text)


def _shortest(times: pa.Array) -> pa.Array:
    """Times without the decimals that say nothing."""
    bare = pc.replace_substring_regex(times, r"\.0+(Z?)$", r"\1")
    return pc.replace_substring_regex(bare, r"(\.\d*[1-9])0+(Z?)$", r"\1\2")


def _by_value(column: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    """Each value through a Python function; where it can be, each distinct value once."""
    if pa.types.is_nested(column.type):
        return pa.array([None if value is None else text(value) for value in column.to_pylist()], pa.string())
    encoded = column.dictionary_encode()
    distinct = pa.array([text(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return distinct.take(encoded.indices)


def _float32(value: float) -> str:
    for digits in range(6, 9):
        text = f"{value:.{digits}g}"
        if struct.pack("f", float(text)) == struct.pack("f", value):
            return repr(float(text))
    return repr(float(f"{value:.9g}"))


def _text(value: Any) -> str:
    match value:
        case bytes():
            return value.hex()
        case Decimal():
            return format(value, "f")
        case float():
            return repr(value)
        case date() | time():  # a datetime is a date
            return str(value)
        case list() | dict() | tuple():
            return compact_json(_json(value))
        case _:
            return str(value)


def _json(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int() | float() | Decimal():
            return JsonNumber(_text(value))
        case dict():
            return {key: _json(item) for key, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case _:
            return _text(value)

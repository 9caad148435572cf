"""JSON lines: one object a line.

Strings are given as they are (an empty one too), numbers as their JSON text (`17850.0`, `1e400`), `true` and
`false` so, null as null, arrays and objects as compact JSON. Keys that the contract does not know go to
`extra`. A line of blanks is no record.

Malformed: a line that is no JSON object (RFC 8259, so no NaN and no trailing comma), that names a key twice,
    that holds half of a surrogate pair or bytes that are no UTF-8, that nests too deep, or that is longer
    than `max_record_bytes`.

A record that leaves a key out has null there; a required column that no record of a file has is missing from
the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from lakesmith.contracts.model import Source
from lakesmith.lake.records_batches import EXTRA_TYPE, as_text, record_batch, record_schema
from lakesmith.lake.records_errors import ColumnsMissing

__all__ = ["JsonNumber", "compact_json", "jsonl_batches"]

_BLANKS = b" \t\r"


class JsonNumber(str):
    """A number's JSON text."""

    __slots__ = ()


_TEXTS = frozenset({str, JsonNumber, type(None)})


def jsonl_batches(blocks: Iterable[bytes], source: Source, file: str) -> Iterator[pa.RecordBatch]:
    """The records of a file.

    Args:
        blocks: the text, from `line_blocks`.
        source: the contract.
        file: `<source>/<path>`, for messages.

    Raises:
        ColumnsMissing: a required column stands in no record; raised at the end of the file.
    """
    schema = record_schema(source)
    decode = _decoder()
    seen: set[str] = set()
    next_no, parsed = 1, 0
    for block in blocks:
        objects: list[dict[str, Any]] = []
        malformed: list[tuple[int, str]] = []
        for line in block.split(b"\n"):
            record = line.strip(_BLANKS)
            if not record:
                continue
            value = None if len(record) > source.max_record_bytes else _parse(decode, record)
            if value is None:
                malformed.append((len(objects) + len(malformed), as_text(record)))
            else:
                objects.append(value)
                seen.update(value)
        rows = len(objects) + len(malformed)
        if rows:
            columns = [
                pa.array([value.pop(column.header, None) for value in objects], pa.string())
                for column in source.columns
            ]
            extra = pa.array([list(value.items()) or None for value in objects], EXTRA_TYPE)
            yield record_batch(schema, next_no, columns, extra, malformed, rows)
            next_no += rows
            parsed += len(objects)
    missing = [c.header for c in source.columns if c.required and c.header not in seen]
    if parsed and missing:
        raise ColumnsMissing(file, missing, sorted(seen), source.file)


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=_refuse, object_pairs_hook=_object
    )


def _parse(decoder: json.JSONDecoder, record: bytes) -> dict[str, str | None] | None:
    """The object's values as strings; None when the record is malformed."""
    try:
        text = record.decode()
        value, end = decoder.raw_decode(text)
        if end < len(text) or not isinstance(value, dict):
            return None
        for key, item in value.items():
            if item.__class__ not in _TEXTS:
                value[key] = compact_json(item)
        if "\\ud" in text or "\\uD" in text:
            "".join([*value, *filter(None, value.values())]).encode()  # refuses half a surrogate pair
    except (ValueError, RecursionError):
        return None
    return value


def compact_json(value: Any) -> str:
    """A JSON value without blanks; numbers keep the text they had."""
    match value:
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case JsonNumber():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            members = (f"{compact_json(key)}:{compact_json(item)}" for key, item in value.items())
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(map(compact_json, value)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")

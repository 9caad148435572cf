"""Records as Arrow batches: the schema that every format gives, and the putting together of one batch.

A row is either parsed (the declared columns, and unknown ones in `extra`) or malformed (the whole record as
text in `malformed`, every other column null).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain

import pyarrow as pa

from lakesmith.contracts.model import Source
from lakesmith.lake.records_errors import ColumnsDoubled, ColumnsMissing

__all__ = ["EXTRA_TYPE", "Layout", "as_text", "extra_maps", "record_batch", "record_schema"]

EXTRA_TYPE = pa.map_(pa.string(), pa.string())


def record_schema(source: Source) -> pa.Schema:
    """`record_no`, the declared columns in contract order, `extra`, `malformed`."""
    return pa.schema(
        [
            pa.field("record_no", pa.int64()),
            *(pa.field(column.name, pa.string()) for column in source.columns),
            pa.field("extra", EXTRA_TYPE),
            pa.field("malformed", pa.string()),
        ]
    )


class Layout:
    """Which column of a file is which column of its source.

    Args:
        source: its contract.
        names: the file's column names, in file order.
        file: `<source>/<path>`, for messages.

    Raises:
        ColumnsDoubled: a name stands twice.
        ColumnsMissing: a required column is not there.
    """

    def __init__(self, source: Source, names: Sequence[str], file: str) -> None:
        doubled = [name for name, count in Counter(names).items() if count > 1]
        if doubled:
            raise ColumnsDoubled(file, doubled)
        missing = [
            column.header for column in source.columns if column.required and column.header not in names
        ]
        if missing:
            raise ColumnsMissing(file, missing, names, source.file)
        places = {name: n for n, name in enumerate(names)}
        declared = {column.header for column in source.columns}
        self.names = tuple(names)
        self.places = [places.get(column.header) for column in source.columns]
        """For each declared column its place in the file; None where the file does not have it."""
        self.unknown = tuple(name for name in names if name not in declared)
        self.unknown_places = [places[name] for name in self.unknown]
        self.absent = tuple(column.header for column in source.columns if column.header not in places)


def record_batch(
    schema: pa.Schema,
    first_no: int,
    columns: Sequence[pa.Array | None],
    extra: pa.Array | None,
    malformed: Sequence[tuple[int, str]],
    rows: int,
) -> pa.RecordBatch:
    """Parsed rows and malformed records, in file order.

    Args:
        schema: of the batch, from `record_schema`.
        first_no: `record_no` of the first row.
        columns: the declared columns of the parsed rows; None for one that the file does not have.
        extra: unknown columns of the parsed rows; None when there are none.
        malformed: the places in the batch, from 0, and the texts of the malformed records.
        rows: parsed and malformed together.
    """
    parsed = rows - len(malformed)
    given = [*columns, extra]
    arrays = [
        pa.nulls(parsed, field.type) if array is None else array
        for array, field in zip(given, list(schema)[1:-1], strict=True)
    ]
    texts = pa.nulls(rows, pa.string())
    if malformed:
        # A null index takes a null row: the malformed records' place among the parsed ones.
        text_indices: list[int | None] = [None] * rows
        for n, (place, _) in enumerate(malformed):
            text_indices[place] = n
        parsed_rows = iter(range(parsed))
        order = pa.array([None if n is not None else next(parsed_rows) for n in text_indices], pa.int64())
        arrays = [array.take(order) for array in arrays]
        texts = pa.array([text for _, text in malformed], pa.string()).take(
            pa.array(text_indices, pa.int64())
        )
    numbers_of = pa.array(range(first_no, first_no + rows), pa.int64())
    return pa.RecordBatch.from_arrays([numbers_of, *arrays, texts], schema=schema)


def extra_maps(names: Sequence[str], columns: Sequence[pa.Array]) -> pa.Array | None:
    """One map a row from unknown columns; None when there are none."""
    if not names:
        return None
    rows = len(columns[0])
    by_row = chain.from_iterable(range(row, rows * len(names), rows) for row in range(rows))
    values = pa.concat_arrays(columns).take(pa.array(by_row, pa.int64()))
    keys = pa.array(list(names), pa.string()).take(pa.array(list(range(len(names))) * rows, pa.int64()))
    return pa.MapArray.from_arrays(
        pa.array(range(0, rows * len(names) + 1, len(names)), pa.int32()), keys, values
    )


def as_text(record: bytes) -> str:
    r"""A malformed record as text: bytes that are no UTF-8, and NUL, as `\xff`; nothing else is changed."""
    return record.decode("utf-8", "backslashreplace").replace("\0", "\\x00")

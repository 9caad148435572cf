"""CSV files: the header, and the records as Arrow columns.

Which lines are records, and which are malformed, is the say of `records_csv_lines`; the lines that it finds
good are given to Arrow, which splits them into fields by the same grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from pyarrow import csv

from lakesmith.contracts.model import Source
from lakesmith.lake.records_batches import Layout, as_text, extra_maps, record_batch, record_schema
from lakesmith.lake.records_csv_lines import Grammar, Judge, LineEnd, QuotedFields, is_utf8, split_lines
from lakesmith.lake.records_errors import FileBroken

__all__ = ["csv_batches", "csv_header", "csv_layout", "without_blank_lines"]

_BLANK_LINES = re.compile(rb"(?:\r?\n)*+(?:\r\Z)?")


def csv_batches(
    blocks: Iterable[bytes], source: Source, file: str, header: Sequence[str] | None = None, first_no: int = 1
) -> Iterator[pa.RecordBatch]:
    """The records of a file, after its header.

    Args:
        blocks: the text, from `line_blocks`.
        source: the contract.
        file: `<source>/<path>`, for messages.
        header: the file's columns, of a text that begins behind them; None reads them.
        first_no: `record_no` of the first record.

    Raises:
        FileRejected: the header does not parse, or lacks a required column, or names one twice.
    """
    grammar = Grammar(source.delimiter)
    schema = record_schema(source)
    layout = None if header is None else Layout(source, header, file)
    judge = Judge(grammar, 1 if layout is None else len(layout.names), source.max_record_bytes)
    next_no = first_no
    rest = b""
    for block, last in _marking_last(blocks):
        text = rest + block if rest else block
        if layout is None:
            text = without_blank_lines(text)
            found = csv_header(text, last, source, file)
            if found is None:
                rest = text
                continue
            names, used = found
            layout = Layout(source, names, file)
            judge = Judge(grammar, len(layout.names), source.max_record_bytes)
            text = text[used:]
        good, malformed, rows, rest = judge.split(text, last)
        if rows:
            columns = _columns(good, rows - len(malformed), layout, grammar.delimiter)
            declared = [None if place is None else columns[place] for place in layout.places]
            extra = extra_maps(layout.unknown, [columns[place] for place in layout.unknown_places])
            yield record_batch(schema, next_no, declared, extra, malformed, rows)
            next_no += rows
    if layout is None:
        raise FileBroken(file, "the file is empty: not even a header. Deliver it again.")


def csv_layout(blocks: Iterable[bytes], source: Source, file: str) -> Layout:
    """The columns that the header of a file names; no record is read.

    Raises:
        FileRejected: as `csv_batches`.
    """
    rest = b""
    for block, last in _marking_last(blocks):
        rest = without_blank_lines(rest + block)
        found = csv_header(rest, last, source, file)
        if found is not None:
            return Layout(source, found[0], file)
    raise FileBroken(file, "the file is empty: not even a header. Deliver it again.")


def csv_header(text: bytes, last: bool, source: Source, file: str) -> tuple[tuple[str, ...], int] | None:
    """The columns that a file's first line names, and how many bytes it takes; None when the text ends before it does.

    Args:
        text: of the file, from its first line that is not blank.
        last: there is no more.

    Raises:
        FileBroken: the header does not parse.
    """
    grammar = Grammar(source.delimiter)
    lines = split_lines(text)
    if not lines:
        return None
    limit = source.max_record_bytes
    state, _ = grammar.start(lines[0])
    end = 1
    if state is LineEnd.OPEN:
        ending = QuotedFields(lines, grammar, lambda line: None).follow(end, limit - len(lines[0]))
        state, end = ending.state, ending.after
        if state is LineEnd.OPEN and not last:
            return None
    record = b"\n".join(lines[:end]) or lines[0]
    if state is not LineEnd.CLOSED or len(record) > limit or b"\0" in record or not is_utf8(record):
        shown = as_text(record[:200])
        raise FileBroken(file, f"the header is no CSV in UTF-8: {shown!r}. Deliver the file again.")
    names = tuple(name.decode() for name in grammar.fields(record))
    return names, min(sum(len(line) + 1 for line in lines[:end]), len(text))


def without_blank_lines(text: bytes) -> bytes:
    """The text from its first line that is not blank: a file may begin with any number of those that are."""
    matched = _BLANK_LINES.match(text)
    return text[matched.end() :] if matched else text


def _columns(good: bytes, rows: int, layout: Layout, delimiter: bytes) -> list[pa.Array]:
    """Good records, all with the layout's number of fields, as one array of strings for each field."""
    names = [str(n) for n in range(len(layout.names))]
    if not rows:
        return [pa.nulls(0, pa.string()) for _ in names]
    table = csv.read_csv(
        pa.BufferReader(good),
        read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=len(good) + 1),
        parse_options=csv.ParseOptions(delimiter=delimiter.decode(), newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            check_utf8=False,  # judged before
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        ),
    )
    if table.num_rows != rows:
        raise AssertionError(f"Arrow read {table.num_rows} records where {rows} were judged good")
    return [column.combine_chunks() for column in table.columns]


def _marking_last(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each block, and whether it is the last one."""
    held: bytes | None = None
    for block in blocks:
        if held is not None:
            yield held, False
        held = block
    if held is not None:
        yield held, True

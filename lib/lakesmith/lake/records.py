"""Records of a landing file: a stream of Arrow batches, in bounded memory, in file order.

Owns what all formats share: which reader takes a file, `record_no`, the comparison with the manifest's hash.
What a record is and when it is malformed says each format's module: `records_csv`, `records_jsonl`,
`records_parquet`. No pyspark here; Spark's side is `lakesmith.lake.landing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BufferedReader

import pyarrow as pa

from lakesmith.contracts.model import Source, SourceFormat
from lakesmith.lake.records_batches import Layout, record_schema
from lakesmith.lake.records_bytes import KEPT_BYTES, PinnedStream, line_blocks, text_chunks
from lakesmith.lake.records_csv import csv_batches, csv_layout
from lakesmith.lake.records_errors import FileRejected
from lakesmith.lake.records_jsonl import jsonl_batches
from lakesmith.lake.records_parquet import parquet_batches, parquet_layout
from lakesmith.lake.records_pieces import Piece, PieceStream
from lakesmith.ledger.manifest import LandingFile

__all__ = ["BATCH_ROWS", "file_layout", "read_records", "record_schema"]

BATCH_ROWS = 1 << 16
"""The most rows of one Arrow batch."""

_BLOCK_BYTES = 2 << 20


def read_records(
    raw: BufferedReader, source: Source, file: LandingFile, piece: Piece | None = None
) -> Iterator[pa.RecordBatch]:
    """The records of a pinned file, as `record_schema` has them.

    Args:
        raw: the file, open at its start.
        source: the contract.
        file: its entry in the manifest.
        piece: only the records of that piece; None reads all.

    Raises:
        FileRejected: the file can't be read as the contract says.
        InputChanged: it is not the file that the manifest pinned. Raised at its end, when its records were
            given out: nothing of them may be published.
    """
    name = f"{source.name}/{file.path}"
    if piece is None:
        stream = PinnedStream(raw, file.sha256, name)
        batches = _batches(raw, stream, source, name)
    else:
        stream = PinnedStream(PieceStream(raw, piece), piece.sha256, name)
        batches = _batches_of_piece(stream, source, name, piece)
    try:
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)
    except FileRejected:
        stream.verify()  # of a file that was replaced meanwhile, that is the error
        raise
    stream.verify()


def _batches(
    raw: BufferedReader, stream: PinnedStream, source: Source, name: str
) -> Iterator[pa.RecordBatch]:
    match source.format:
        case SourceFormat.CSV:
            yield from csv_batches(_blocks(stream, source), source, name)
        case SourceFormat.JSONL:
            yield from jsonl_batches(_blocks(stream, source), source, name)
        case SourceFormat.PARQUET:
            try:
                yield from parquet_batches(raw, source, name)
            finally:
                raw.seek(0)  # its reader jumps to and fro, so that the hash is taken afterwards
        case SourceFormat.DELTA:
            raise AssertionError("a table of somebody else has no landing files")


def _batches_of_piece(
    stream: PinnedStream, source: Source, name: str, piece: Piece
) -> Iterator[pa.RecordBatch]:
    if not piece.start:
        return csv_batches(_blocks(stream, source), source, name)
    # Behind the start nothing tells an encoding, and what looks as if it did belongs to a record.
    blocks = _in_blocks(iter(stream.read, b""), source)
    return csv_batches(blocks, source, name, piece.header, piece.first_no)


def file_layout(raw: BufferedReader, source: Source, file: LandingFile) -> Layout | None:
    """The columns of a file, from its start alone; None for JSON lines, where each record names its own.

    Raises:
        FileRejected: the file can't be read as the contract says.
    """
    name = f"{source.name}/{file.path}"
    match source.format:
        case SourceFormat.CSV:
            return csv_layout(_blocks(PinnedStream(raw, file.sha256, name), source), source, name)
        case SourceFormat.JSONL:
            return None
        case SourceFormat.PARQUET:
            return parquet_layout(raw, source, name)
        case SourceFormat.DELTA:
            raise AssertionError("a table of somebody else has no landing files")


def _blocks(stream: PinnedStream, source: Source) -> Iterator[bytes]:
    return _in_blocks(text_chunks(stream), source)


def _in_blocks(chunks: Iterable[bytes], source: Source) -> Iterator[bytes]:
    limit = source.max_record_bytes
    # What is left of a block is at most one record: blocks no smaller keep the work for it in proportion.
    return line_blocks(chunks, max(_BLOCK_BYTES, limit), max(KEPT_BYTES, limit))

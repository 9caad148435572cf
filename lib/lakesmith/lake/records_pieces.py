"""Large CSV files in pieces, so that many tasks can read one file.

Owns where a file may be cut: only where a record ends, which takes one look at the whole of it, since a quoted field may hold
line breaks. The look counts records and parses none; each piece then knows the number of its first record and the hash of its
bytes, so that what is read piece by piece is what was pinned.

Reading on from a cut gives the very records that reading through gives. A record that was found to end before a cut without
what follows it needs nothing of that; one for which more was looked at ends with its line (see `records_csv_lines`), and so
it does where nothing follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader

from lakesmith.contracts.model import Source, SourceFormat
from lakesmith.lake.records_bytes import BYTE_ORDER_MARK, KEPT_BYTES, PinnedStream, is_plain_text
from lakesmith.lake.records_csv import csv_header, without_blank_lines
from lakesmith.lake.records_csv_lines import Grammar, Judge, split_lines
from lakesmith.ledger.manifest import LandingFile

__all__ = ["Piece", "PieceStream", "cut", "is_cuttable"]

_READ_BYTES = 2 << 20


@dataclass(frozen=True)
class Piece:
    """A part of a landing file that begins and ends where a record does.

    Args:
        start, end: bytes of the file.
        first_no: `record_no` of its first record.
        sha256: of its bytes.
        header: the file's columns.
    """

    start: int
    end: int
    first_no: int
    sha256: str
    header: tuple[str, ...]


class PieceStream:
    """The bytes of one piece, for a `PinnedStream`."""

    def __init__(self, raw: BufferedReader, piece: Piece) -> None:
        self._raw = raw
        self._left = piece.end - piece.start
        raw.seek(piece.start)

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end."""
        found = self._raw.read(min(size, self._left))
        self._left -= len(found)
        return found


def is_cuttable(source: Source, file: LandingFile) -> bool:
    """True for a file that `cut` can look at: CSV that is not compressed, as far as its name tells."""
    return source.format is SourceFormat.CSV and not file.path.endswith(".gz")


def cut(raw: BufferedReader, source: Source, file: LandingFile, piece_bytes: int) -> list[Piece]:
    """A pinned file in pieces of about `piece_bytes`; none when it has to be read as one.

    Args:
        raw: the file, open at its start.
        source: the contract.
        file: its entry in the manifest.

    Raises:
        FileRejected: the header does not parse.
        InputChanged: it is not the file that the manifest pinned.
    """
    stream = PinnedStream(raw, file.sha256, f"{source.name}/{file.path}")
    pieces = list(_pieces(stream, source, piece_bytes))
    stream.verify()
    whole = bool(pieces) and pieces[-1].end == file.size
    return pieces if whole else []


def _pieces(stream: PinnedStream, source: Source, piece_bytes: int) -> Iterator[Piece]:
    """Pieces up to the end, or up to where the file shows that it is not to be cut."""
    grammar = Grammar(source.delimiter)
    counter: _Counter | None = None
    names: tuple[str, ...] = ()
    held = b""
    start, end, first_no, next_no = 0, 0, 1, 1
    content = hashlib.sha256()
    for block, last in _blocks(stream):
        held += block
        if counter is None:
            if not is_plain_text(held) or len(held) > KEPT_BYTES:
                return
            text = without_blank_lines(held.removeprefix(BYTE_ORDER_MARK))
            found = csv_header(text, last, source, stream.name)
            if found is None:
                continue
            names, used = found
            counter = _Counter(grammar, len(names), source.max_record_bytes)
            end = len(held) - len(text) + used
            content.update(held[:end])
            held = held[end:]
        records, rest = counter.count(held, last)
        taken = len(held) - rest
        if rest > KEPT_BYTES:
            return
        content.update(held[:taken])
        end, held, next_no = end + taken, held[taken:], next_no + records
        if end - start >= piece_bytes and not last:
            yield Piece(start, end, first_no, content.hexdigest(), names)
            start, first_no, content = end, next_no, hashlib.sha256()
    if counter is not None and end > start:
        yield Piece(start, end, first_no, content.hexdigest(), names)


def _blocks(stream: PinnedStream) -> Iterator[tuple[bytes, bool]]:
    """The file in blocks that end where a line ends, each with whether it is the last."""
    held: list[bytes] = []
    size = 0
    ready: bytes | None = None
    while piece := stream.read():
        held.append(piece)
        size += len(piece)
        if size < _READ_BYTES or b"\n" not in piece:
            continue
        text = b"".join(held)
        end = text.rfind(b"\n") + 1
        if ready is not None:
            yield ready, False
        ready, held, size = text[:end], [text[end:]], len(text) - end
    rest = b"".join(held)
    if rest:
        if ready is not None:
            yield ready, False
        ready = rest
    if ready is not None:
        yield ready, True


class _Counter:
    """Counts records as `Judge` finds them."""

    def __init__(self, grammar: Grammar, fields: int, limit: int) -> None:
        self._judge = Judge(grammar, fields, limit)
        self._is_record = grammar.record(fields).fullmatch

    def count(self, text: bytes, last: bool) -> tuple[int, int]:
        """The records that the text decides, and how many bytes at its end are left undecided."""
        lines = split_lines(text)
        # A line without a quote is one record, good or malformed, unless there is nothing in it.
        if all(self._is_record(line) for line in lines if b'"' in line):
            return len(lines) - lines.count(b"") - lines.count(b"\r"), 0
        _, _, records, rest = self._judge.split(text, last)
        return records, len(rest)

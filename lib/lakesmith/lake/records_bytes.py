"""From a landing file's bytes to blocks of physical lines, in bounded memory.

Owns the content hash taken while reading, gzip, the byte order mark and the cutting into lines. It knows
nothing of
fields: a line is what stands between two line feeds.

A file is gzip when its bytes say so; one called `.gz` must be. Members may follow each other, and zero
padding may follow the last one. A line longer than KEPT_BYTES is cut there and says how many bytes were left
out; only such a line is not kept whole.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from lakesmith.errors import InputChanged
from lakesmith.lake.records_errors import FileBroken

__all__ = [
    "BYTE_ORDER_MARK",
    "KEPT_BYTES",
    "PinnedStream",
    "Readable",
    "expansion_limit",
    "is_plain_text",
    "line_blocks",
    "text_chunks",
]

KEPT_BYTES = 16 << 20
"""The most bytes of one physical line that are kept, unless a source's `max_record_bytes` is larger."""

_READ_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16 (little-endian)", b"\xfe\xff": "UTF-16 (big-endian)"}
# DEFLATE can't do better than 1032:1, and no table of records comes near; what does is a bomb.
_MAX_EXPANSION = 500
_EXPANSION_FREE_BYTES = 256 << 20


class Readable(Protocol):
    """What bytes come from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end."""
        ...


class PinnedStream:
    """A landing file's bytes, hashed as they are read, so that they can be compared with what was pinned.

    Args:
        raw: the open file, at its start; or a piece of it.
        sha256: that the bytes must have.
        name: `<source>/<path>`, for messages.
    """

    def __init__(self, raw: Readable, sha256: str, name: str) -> None:
        self.name = name
        self._raw = raw
        self._sha256 = sha256
        self._hash = hashlib.sha256()

    def read(self) -> bytes:
        """The next bytes; none at the end."""
        piece = self._raw.read(_READ_BYTES)
        self._hash.update(piece)
        return piece

    def verify(self) -> None:
        """Read what is left, then compare the content with the manifest's.

        Raises:
            InputChanged: the file is not the one that the manifest pinned.
        """
        while self.read():
            pass
        if self._hash.hexdigest() != self._sha256:
            raise InputChanged(
                f"the landing file {self.name!r} was replaced after this run had pinned it. "
                f"Run again: the new content is then pinned."
            )


def is_plain_text(first: bytes) -> bool:
    """False for a file that begins as gzip or as text in another encoding does."""
    return first[:2] != _GZIP_MAGIC and first[:2] not in _OTHER_ENCODINGS


def expansion_limit(compressed: int) -> int:
    """The most bytes that so many compressed ones may stand for."""
    return max(_EXPANSION_FREE_BYTES, compressed * _MAX_EXPANSION)


def text_chunks(stream: PinnedStream) -> Iterator[bytes]:
    """The file's text as bytes of UTF-8, in pieces: decompressed, without its byte order mark.

    Raises:
        FileBroken: gzip that is truncated or damaged, a file called `.gz` that is no gzip, or text in UTF-16.
    """
    start = True
    pending = b""
    for piece in _decompressed(stream):
        if start:
            pending += piece
            if len(pending) < len(BYTE_ORDER_MARK):
                continue
            piece, start = _without_mark(pending, stream.name), False
        yield piece
    if start and pending:
        yield _without_mark(pending, stream.name)


def _without_mark(first: bytes, name: str) -> bytes:
    encoding = _OTHER_ENCODINGS.get(first[:2])
    if encoding:
        raise FileBroken(name, f"the text is {encoding}, not UTF-8. Deliver it in UTF-8.")
    return first.removeprefix(BYTE_ORDER_MARK)


def _decompressed(stream: PinnedStream) -> Iterator[bytes]:
    first = stream.read()
    if first[:2] == _GZIP_MAGIC:
        yield from _gunzip(first, stream)
    elif stream.name.endswith(".gz"):
        what = "it is no gzip file" if first else "it is empty"
        raise FileBroken(stream.name, f"{what}, though its name says so. Deliver it again.")
    else:
        while first:
            yield first
            first = stream.read()


def _gunzip(data: bytes, stream: PinnedStream) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    taken, given = len(data), 0
    try:
        while True:
            piece = member.decompress(data, _READ_BYTES)
            given += len(piece)
            if given > expansion_limit(taken):
                raise FileBroken(
                    stream.name,
                    f"{taken} bytes of gzip hold more than {given} bytes of text, which no "
                    f"table of records does. Deliver it uncompressed if it is real.",
                )
            if piece:
                yield piece
            data = member.unconsumed_tail or member.unused_data
            if member.eof:
                data, more = _next_member(data, stream)
                taken += more
                if not data:
                    return
                member = zlib.decompressobj(wbits=31)
            elif not data and not piece:
                data = stream.read()
                taken += len(data)
                if not data:
                    raise FileBroken(stream.name, "the gzip file is truncated. Deliver it again.")
    except zlib.error as error:
        raise FileBroken(stream.name, f"the gzip file is damaged ({error}). Deliver it again.") from error


def _next_member(data: bytes, stream: PinnedStream) -> tuple[bytes, int]:
    """What follows a member, without zero padding, and how many bytes were read for it."""
    more = 0
    data = data.lstrip(b"\0")
    while not data:
        read = stream.read()
        if not read:
            break
        more += len(read)
        data = read.lstrip(b"\0")
    return data, more


def line_blocks(chunks: Iterable[bytes], block_bytes: int, kept_bytes: int = KEPT_BYTES) -> Iterator[bytes]:
    """The text in blocks that end where a line ends, each of `block_bytes` or a little more.

    The last line of the file need not end in a line feed. A line longer than `kept_bytes` is cut there.
    """
    held: list[bytes] = []
    size = cut_off = 0
    for chunk in chunks:
        if cut_off:
            end = chunk.find(b"\n")
            if end < 0:
                cut_off += len(chunk)
                continue
            held.append(_mark(cut_off + end))
            chunk, cut_off = chunk[end:], 0
        held.append(chunk)
        size += len(chunk)
        if size < block_bytes or (b"\n" not in chunk and size <= kept_bytes):
            continue
        text = b"".join(held)
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
            text = text[end:]
        cut_off = max(0, len(text) - kept_bytes)
        held, size = [text[:kept_bytes]], min(len(text), kept_bytes)
    text = b"".join([*held, _mark(cut_off)] if cut_off else held)
    if text:
        yield text


def _mark(count: int) -> bytes:
    return b" ... [%d more bytes]" % count

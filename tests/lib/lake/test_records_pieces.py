"""Pieces of a file give the records of the whole file, wherever it is cut."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from csv_files import CLEAN, MESSY, opened, source
from lakesmith.contracts.model import SourceFormat
from lakesmith.errors import InputChanged
from lakesmith.lake import records_pieces
from lakesmith.lake.records import read_records, record_schema
from lakesmith.lake.records_errors import FileBroken
from lakesmith.lake.records_pieces import Piece, cut, is_cuttable

HEADER = b"Id,Item,Price\n"


def pieces_of(content: bytes, piece_bytes: int, limit: int = 1 << 20) -> list[Piece]:
    raw, file = opened(content)
    return cut(raw, source(max_record_bytes=limit), file, piece_bytes)


def records(
    content: bytes, pieces: list[Piece] | list[None], limit: int = 1 << 20
) -> list[dict[str, object]]:
    found = []
    for piece in pieces:
        raw, file = opened(content)
        found += list(read_records(raw, source(max_record_bytes=limit), file, piece))
    return pa.Table.from_batches(found, record_schema(source())).to_pylist()


@settings(deadline=None, max_examples=400)
@given(
    text=st.one_of(MESSY, CLEAN, st.builds(lambda *parts: b"".join(parts), CLEAN, MESSY, CLEAN)),
    start=st.sampled_from([b"", b"\xef\xbb\xbf", b"\n\r\n"]),
    block=st.integers(1, 40),
    piece=st.integers(1, 60),
    limit=st.sampled_from([1 << 20, 20]),
)
@example(text=b'1,"pen\n1,b,2\n1,b,2\n2,x",3,4\n', start=b"", block=1, piece=1, limit=1 << 20)
@example(text=b"\xef\xbb\xbf1,b,2\n\x1f\x8b,b,2\n", start=b"", block=1, piece=1, limit=1 << 20)
def test_the_pieces_of_a_file_hold_its_records(
    text: bytes, start: bytes, block: int, piece: int, limit: int
) -> None:
    content = start + HEADER + text
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records_pieces, "_READ_BYTES", block)
        patched.setattr("lakesmith.lake.records_bytes._READ_BYTES", block)
        pieces = pieces_of(content, piece, limit)
    ends = [found.end for found in pieces]
    assert [found.start for found in pieces] == [0, *ends[:-1]]
    assert ends[-1] == len(content)
    assert records(content, pieces, limit) == records(content, [None], limit)


def test_pieces_have_about_the_size_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_pieces, "_READ_BYTES", 64)
    monkeypatch.setattr("lakesmith.lake.records_bytes._READ_BYTES", 16)
    content = HEADER + b'1,"a pen",2\n' * 1000
    sizes = [found.end - found.start for found in pieces_of(content, 1000)]
    assert len(sizes) == 12
    assert all(1000 <= size <= 1100 for size in sizes[:-1])


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\x00" + b"\n" * 50, b"\xff\xfeI\0d\0\n\0" * 9, b"", b"\n\n"]
)
def test_what_is_no_plain_text_with_a_header_is_read_as_one(content: bytes) -> None:
    assert pieces_of(content, 1) == []


def test_only_csv_that_is_not_compressed_can_be_cut() -> None:
    csv, gzip = opened(b"")[1], opened(b"", "2011-03-01.csv.gz")[1]
    assert is_cuttable(source(), csv)
    assert not is_cuttable(source(), gzip)
    assert not is_cuttable(source(format=SourceFormat.JSONL), csv)


def test_a_broken_header_is_found_by_the_look_already() -> None:
    with pytest.raises(FileBroken, match="the header is no CSV"):
        pieces_of(b'"Id"x,Item,Price\n1,a,2\n', 1)


def test_a_file_that_is_replaced_between_the_look_and_the_reading_is_a_changed_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records_pieces, "_READ_BYTES", 8)
    monkeypatch.setattr("lakesmith.lake.records_bytes._READ_BYTES", 8)
    content = HEADER + b"1,a,2\n2,b,3\n3,c,4\n"
    first, *_, last = pieces_of(content, 15)
    changed = content.replace(b"3,c,4", b"3,c,5")
    file = opened(content)[1]
    assert next(read_records(opened(changed)[0], source(), file, first)).num_rows == 1
    with pytest.raises(InputChanged):
        list(read_records(opened(changed)[0], source(), file, last))
    with pytest.raises(InputChanged):
        cut(opened(changed)[0], source(), file, 15)

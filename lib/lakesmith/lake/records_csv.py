"""CSV as RFC 4180 has it: where records begin and end, which are malformed, and the rest as Arrow columns.

The grammar. A field that starts with a quote ends at the next quote that is not doubled, and the delimiter or
the end of the line must follow; commas, line feeds and carriage returns in it are text. Any other field runs
to the delimiter; a quote within it is a character like others (`12" RULER`). A line ends in LF or CRLF. An
empty field is null, also `""`: the sources that this reads write both for "no value". A line with nothing in
it is no record, wherever it stands (also where there is only one column: write `""`). A repeated header line
is a record: its texts fail where numbers are expected.

Malformed. A record with another number of fields than the header, text after a closing quote, a quote that
never closes, a carriage return outside quotes without its line feed, NUL, bytes that are no UTF-8, or more
than `max_record_bytes`. When its structure is wrong, only the physical line on which it began is malformed
and reading goes on at the next one, so that a stray quote can't swallow its neighbours; a quoted field may
run for `max_record_bytes`. When only its content is wrong, its end is known and all its lines are the
malformed record. What no reader can tell: a stray quote that a later stray quote closes, in the same column,
is a valid record by the RFC.

How it is fast. A block of lines is first judged as a whole: when each line alone is a record with the right
number of fields, the block goes to Arrow as it is. Otherwise the same judgement runs line by line, and the
lines judged good go to Arrow. Each line is looked at most twice (as a start, and as the inside of a quoted
field), whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

import pyarrow as pa
from pyarrow import csv

from lakesmith.contracts.model import Source
from lakesmith.errors import ConfigurationError
from lakesmith.lake.records_batches import Layout, as_text, extra_maps, record_batch, record_schema
from lakesmith.lake.records_errors import FileBroken

__all__ = ["csv_batches", "csv_layout"]


class _End(Enum):
    """How a physical line leaves the record that it belongs to."""

    CLOSED = "closed"
    OPEN = "inside a quoted field"
    WRONG = "not as the grammar says"


class _Grammar:
    """The regular expressions for one delimiter; none of them backtracks."""

    def __init__(self, delimiter: str) -> None:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            raise ConfigurationError(
                f"the delimiter {delimiter!r} must be one ASCII character, not a quote or a line break. "
                f"Mend `delimiter` in the source's contract."
            )
        self.delimiter = delimiter.encode()
        mark = re.escape(self.delimiter)
        self._inside = rb'[^"]*+(?:""[^"]*+)*+'
        self._field = rb'(?>"' + self._inside + rb'"|[^"\r' + mark + rb"][^\r" + mark + rb"]*+|)"
        self._mark = mark
        self._fields = re.compile(rb"(?:" + self._field + mark + rb")*+")
        self._one_field = re.compile(self._field + mark)
        self._one = re.compile(self._field)
        self._last_field = re.compile(self._field + rb"\r?")
        self._opened_field = re.compile(b'"' + self._inside)
        self._quoted_text = re.compile(self._inside)

    def record(self, fields: int) -> re.Pattern[bytes]:
        """Matches a line that is a record of so many fields by itself."""
        return re.compile(self._field + rb"(?:%b%b){%d}\r?" % (self._mark, self._field, fields - 1))

    def start(self, line: bytes, at: int = 0) -> tuple[_End, int]:
        """How a line ends, seen from the start of a field at `at`; the delimiters that follow from there."""
        matched = self._fields.match(line, at)
        end = matched.end() if matched else at
        count = len(self._one_field.findall(line, at, end))
        if self._last_field.fullmatch(line, end):
            return _End.CLOSED, count
        if self._opened_field.fullmatch(line, end):
            return _End.OPEN, count
        return _End.WRONG, count

    def fields(self, record: bytes) -> list[bytes]:
        """The fields of a record that is right, without their quotes."""
        record = record.removesuffix(b"\r")
        found: list[bytes] = []
        at = 0
        while at <= len(record):
            matched = self._one.match(record, at)
            text = matched.group() if matched else b""
            found.append(text[1:-1].replace(b'""', b'"') if text.startswith(b'"') else text)
            at += len(text) + 1
        return found

    def inside(self, line: bytes) -> tuple[_End, int]:
        """The same for a line that begins inside a quoted field."""
        matched = self._quoted_text.match(line)
        end = matched.end() if matched else 0
        if end == len(line):
            return _End.OPEN, 0
        rest = line[end + 1 : end + 2]
        if not rest or (rest == b"\r" and end + 2 == len(line)):
            return _End.CLOSED, 0
        if rest != self.delimiter:
            return _End.WRONG, 0
        state, count = self.start(line, end + 2)
        return state, count + 1


@dataclass
class _Quoted:
    """Where a quoted field ends that is open at the start of a line.

    Being inside quotes at the start of a line decides all that follows, whichever record got there. So what
    was found for one start holds for every later start in between, and each line is looked at once.
    """

    lines: Sequence[bytes]
    grammar: _Grammar
    first: int = 0
    end: int = 0  # the lines first .. end - 1 were looked at
    state: _End = _End.WRONG
    delimiters: list[int] = field(default_factory=lambda: [0])  # before each of these lines
    sizes: list[int] = field(default_factory=lambda: [0])

    def follow(self, start: int, limit: int) -> tuple[_End, int, int]:
        """Follow the field into line `start`, for at most `limit` bytes.

        Returns:
            CLOSED with the line after the last one and the delimiters passed; OPEN when the lines ran out;
            WRONG when the field does not end as it must, or not within the limit.
        """
        known = self.first <= start < self.end or (start == self.end and self.state is _End.OPEN)
        if not known:
            self.first = self.end = start
            self.state = _End.OPEN
            self.delimiters, self.sizes = [0], [0]
        before = start - self.first
        while self.state is _End.OPEN:
            if self.sizes[-1] - self.sizes[before] > limit:
                return _End.WRONG, start, 0
            if self.end == len(self.lines):
                return _End.OPEN, start, 0
            line = self.lines[self.end]
            self.state, count = self.grammar.inside(line)
            self.delimiters.append(self.delimiters[-1] + count)
            self.sizes.append(self.sizes[-1] + len(line) + 1)
            self.end += 1
        if self.state is _End.WRONG or self.sizes[-1] - self.sizes[before] > limit:
            return _End.WRONG, start, 0
        return _End.CLOSED, self.end, self.delimiters[-1] - self.delimiters[before]


@dataclass
class _Judged:
    """The records found in some lines: the good ones' bytes, and the malformed ones at their places."""

    good: list[bytes] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    used: int = 0  # lines

    @property
    def records(self) -> int:
        return len(self.good) + len(self.malformed)

    def reject(self, record: bytes) -> None:
        self.malformed.append((self.records, as_text(record.removesuffix(b"\r"))))


class _Judge:
    """Tells records from malformed ones, for one delimiter, number of fields and limit."""

    def __init__(self, grammar: _Grammar, fields: int, limit: int) -> None:
        self._grammar = grammar
        self._delimiters = fields - 1
        self._limit = limit
        self._is_record = grammar.record(fields).fullmatch

    def split(self, text: bytes, last: bool) -> tuple[bytes, list[tuple[int, str]], int, bytes]:
        """The good records' bytes, the malformed records, the number of both, the rest for the next block."""
        lines = _lines(text)
        plain = self._is_plain(text)
        if plain and self._all_good(text, lines):
            return text, [], len(lines), b""
        found = self._carefully(lines, plain, last)
        rest = b"\n".join([*lines[found.used :], b""]) if found.used < len(lines) else b""
        return b"\n".join(found.good), found.malformed, found.records, rest

    def _is_plain(self, text: bytes) -> bool:
        """True when only quotes, length or the number of fields can make a record of it malformed."""
        return (
            b"\0" not in text
            and (b"\r" not in text or text.count(b"\r") == text.count(b"\r\n"))
            and _is_utf8(text)
        )

    def _all_good(self, text: bytes, lines: Sequence[bytes]) -> bool:
        """True when each line of a plain text is a record by itself; the careful way finds just these."""
        if self._delimiters == 0:
            return False  # an empty line looks like a record with one field, and is none
        if len(text) > self._limit and max(map(len, lines)) > self._limit:
            return False
        mark, expected = self._grammar.delimiter, self._delimiters
        if b'"' in text:
            doubtful = [line for line in lines if line.count(mark) != expected or b'"' in line]
        else:
            doubtful = [line for line in lines if line.count(mark) != expected]
        return all(map(self._is_record, doubtful))

    def _carefully(self, lines: Sequence[bytes], plain: bool, last: bool) -> _Judged:
        """Record by record.

        Args:
            lines: physical lines without their line feeds, starting at the start of a record.
            plain: of the text that they make up.
            last: nothing follows these lines; else a record that may go on behind them is left.
        """
        found = _Judged()
        quoted = _Quoted(lines, self._grammar)
        mark, expected, limit = self._grammar.delimiter, self._delimiters, self._limit
        plain = plain and expected > 0
        while found.used < len(lines):
            line = lines[found.used]
            if plain and line.count(mark) == expected and b'"' not in line and len(line) <= limit:
                found.good.append(line)
                found.used += 1
                continue
            if line in (b"", b"\r"):
                found.used += 1
                continue
            end, fits = self._end(line, found.used, quoted, last)
            if end is None:
                break
            record = line if end == found.used + 1 else b"\n".join(lines[found.used : end])
            if fits and (plain or (b"\0" not in record and _is_utf8(record))):
                found.good.append(record)
            else:
                found.reject(record)
            found.used = end
        return found

    def _end(self, line: bytes, at: int, quoted: _Quoted, last: bool) -> tuple[int | None, bool]:
        """The line after the record that starts at `at` (None: not known yet); whether its structure fits."""
        if len(line) > self._limit:
            return at + 1, False
        state, count = self._grammar.start(line)
        if state is _End.CLOSED:
            return at + 1, count == self._delimiters
        if state is _End.OPEN:
            state, end, more = quoted.follow(at + 1, self._limit - len(line))
            if state is _End.OPEN and not last:
                return None, False
            if state is _End.CLOSED and count + more == self._delimiters:
                return end, True
        return at + 1, False


def csv_batches(blocks: Iterable[bytes], source: Source, file: str) -> Iterator[pa.RecordBatch]:
    """The records of a file, after its header.

    Args:
        blocks: the text, from `line_blocks`.
        source: the contract.
        file: `<source>/<path>`, for messages.

    Raises:
        FileRejected: the header does not parse, or lacks a required column, or names one twice.
    """
    grammar = _Grammar(source.delimiter)
    schema = record_schema(source)
    layout: Layout | None = None
    judge = _Judge(grammar, 1, source.max_record_bytes)
    next_no = 1
    rest = b""
    for block, last in _marking_last(blocks):
        text = rest + block if rest else block
        if layout is None:
            header = _header(grammar, text, last, source, file)
            if header is None:
                rest = text
                continue
            layout, used = header
            judge = _Judge(grammar, len(layout.names), source.max_record_bytes)
            text = text[used:]
        good, malformed, rows, rest = judge.split(text, last)
        if rows:
            columns = _columns(good, rows - len(malformed), layout, grammar.delimiter)
            declared = [None if place is None else columns[place] for place in layout.places]
            extra = extra_maps(layout.unknown, [columns[layout.names.index(name)] for name in layout.unknown])
            yield record_batch(schema, next_no, declared, extra, malformed, rows)
            next_no += rows
    if layout is None:
        raise FileBroken(file, "the file is empty: not even a header. Deliver it again.")


def csv_layout(blocks: Iterable[bytes], source: Source, file: str) -> Layout:
    """The columns that the header of a file names; no record is read.

    Raises:
        FileRejected: as `csv_batches`.
    """
    grammar = _Grammar(source.delimiter)
    rest = b""
    for block, last in _marking_last(blocks):
        rest += block
        header = _header(grammar, rest, last, source, file)
        if header is not None:
            return header[0]
    raise FileBroken(file, "the file is empty: not even a header. Deliver it again.")


def _header(
    grammar: _Grammar, text: bytes, last: bool, source: Source, file: str
) -> tuple[Layout, int] | None:
    """The file's columns and how many bytes the header takes; None when the text ends before it does."""
    lines = _lines(text)
    first = next((n for n, line in enumerate(lines) if line not in (b"", b"\r")), None)
    if first is None:
        return None
    limit = source.max_record_bytes
    state, _ = grammar.start(lines[first])
    end = first + 1
    if state is _End.OPEN:
        state, end, _ = _Quoted(lines, grammar).follow(end, limit - len(lines[first]))
        if state is _End.OPEN and not last:
            return None
    record = b"\n".join(lines[first:end])
    if state is not _End.CLOSED or len(record) > limit or b"\0" in record or not _is_utf8(record):
        shown = as_text(record[:200])
        raise FileBroken(file, f"the header is no CSV in UTF-8: {shown!r}. Deliver the file again.")
    names = [name.decode() for name in grammar.fields(record)]
    return Layout(source, names, file), sum(len(line) + 1 for line in lines[:end])


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


def _lines(text: bytes) -> list[bytes]:
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
